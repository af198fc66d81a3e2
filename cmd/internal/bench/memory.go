package bench

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
)

// meminfo is /proc/meminfo in bytes, nil where that is not told
// (proc_meminfo(5)).
func meminfo() map[string]int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil
	}
	info := make(map[string]int64)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		if kb, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			info[strings.TrimSuffix(fields[0], ":")] = kb * 1024
		}
	}
	return info
}

func memoryTotal() *int64 { return known(meminfo(), "MemTotal") }

// memoryInUse is what is neither free nor given back when it is needed: page
// cache, and inodes of files that nobody has open. It is not MemTotal -
// MemAvailable: that takes the slabs of open sockets for reclaimable, which they
// are not.
func memoryInUse() *int64 {
	info := meminfo()
	total, free := known(info, "MemTotal"), known(info, "MemFree")
	if total == nil || free == nil {
		return nil
	}
	return new(*total - *free - info["Active(file)"] - info["Inactive(file)"] - readSlabs().cached)
}

func known(info map[string]int64, name string) *int64 {
	n, ok := info[name]
	if !ok {
		return nil
	}
	return &n
}

// slabs is what the kernel holds in slabs: all together but for what is cached,
// and where this process may look by cache (slabinfo(5)); bytes.
type slabs struct {
	total  *int64
	cached int64
	caches map[string]int64
}

func readSlabs() slabs {
	s := slabs{total: known(meminfo(), "Slab")}
	text, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		return s
	}
	s.caches = parseSlabs(string(text), int64(os.Getpagesize()))
	for name := range s.caches {
		// Inodes stay for a while after they were looked at, each with its dentry:
		// whoever lists /proc/PID/fd makes one for each of a process's sockets.
		// Those of the sockets themselves last as long as they.
		if strings.HasSuffix(name, "_inode_cache") && name != "sock_inode_cache" {
			s.cached += s.caches[name]
			if name == "proc_inode_cache" {
				s.cached += s.caches[name] * dentryBytes / procInodeBytes
			}
			delete(s.caches, name)
		}
	}
	if s.total != nil {
		*s.total -= s.cached
	}
	return s
}

// The sizes of two objects of Linux 6, of which there are as many.
const dentryBytes, procInodeBytes = 192, 696

// parseSlabs reads `name active num size per_slab pages_per_slab : tunables … :
// slabdata active_slabs num_slabs shared`.
func parseSlabs(text string, pageSize int64) map[string]int64 {
	caches := make(map[string]int64)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 16 || fields[11] != ":" || fields[12] != "slabdata" {
			continue
		}
		pages, err1 := strconv.ParseInt(fields[5], 10, 64)
		count, err2 := strconv.ParseInt(fields[14], 10, 64)
		if err1 == nil && err2 == nil {
			caches[fields[0]] = pages * count * pageSize
		}
	}
	return caches
}
