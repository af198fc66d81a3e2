package probe

import (
	"io/fs"
	"strconv"
	"strings"

	"example.org/comet/cmd/internal/result"
)

// Machine is the memory of the machine in bytes.
type Machine struct {
	Total result.Figure
	// InUse is what is neither free nor given back when it is needed: page cache,
	// and inodes of files that nobody has open. It is not MemTotal - MemAvailable,
	// which takes the slabs of open sockets for reclaimable.
	InUse result.Figure
}

// Slabs is what the kernel holds in slabs, in bytes.
type Slabs struct {
	// Total leaves out what is cached.
	Total result.Figure
	// Caches has each by its name in /proc/slabinfo, nil where that may not be
	// read (slabinfo(5)).
	Caches map[string]int64

	cached int64
}

// readMachine reads what a Linux system tells in proc below root; elsewhere there
// is nothing.
func readMachine(root fs.FS, pageSize int64) Snapshot {
	info := meminfo(root)
	s := Snapshot{Slabs: readSlabs(root, info, pageSize), TCP: readTCP(root), CPU: readProcessors(root)}
	s.Machine.Total = info["MemTotal"]
	cached := result.Of(s.Slabs.cached)
	for _, name := range []string{"Active(file)", "Inactive(file)"} {
		cached = result.Add(cached, info[name])
	}
	s.Machine.InUse = info["MemTotal"].Minus(info["MemFree"]).Minus(cached)
	return s
}

// Memory returns the memory of this machine.
func Memory() Machine { return Take(false, nil).Machine }

// text returns a file, "" if it cannot be read.
func text(root fs.FS, name string) string {
	b, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return string(b)
}

// meminfo returns /proc/meminfo in bytes (proc_meminfo(5)).
func meminfo(root fs.FS) map[string]result.Figure {
	info := make(map[string]result.Figure)
	for line := range strings.Lines(text(root, "proc/meminfo")) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if kb, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			info[strings.TrimSuffix(fields[0], ":")] = result.Of(kb * 1024)
		}
	}
	return info
}

// readSlabs leaves out the inodes of files that were looked at, which stay for a
// while, each with its dentry: whoever lists /proc/PID/fd makes one for each
// socket of a process. The inodes of sockets last as long as the sockets.
func readSlabs(root fs.FS, info map[string]result.Figure, pageSize int64) Slabs {
	s := Slabs{Total: info["Slab"], Caches: parseSlabs(text(root, "proc/slabinfo"), pageSize)}
	for name, bytes := range s.Caches {
		if !strings.HasSuffix(name, "_inode_cache") || name == "sock_inode_cache" {
			continue
		}
		s.cached += bytes
		if name == "proc_inode_cache" {
			s.cached += bytes * dentryBytes / procInodeBytes
		}
		delete(s.Caches, name)
	}
	s.Total = s.Total.Minus(result.Of(s.cached))
	return s
}

// The sizes of two objects of Linux 6, of which there are as many.
const dentryBytes, procInodeBytes = 192, 696

// parseSlabs reads `name active num size per_slab pages_per_slab : tunables … :
// slabdata active_slabs num_slabs shared`. It returns nil if there is no such
// line.
func parseSlabs(text string, pageSize int64) map[string]int64 {
	var caches map[string]int64
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 16 || fields[11] != ":" || fields[12] != "slabdata" {
			continue
		}
		pages, err1 := strconv.ParseInt(fields[5], 10, 64)
		count, err2 := strconv.ParseInt(fields[14], 10, 64)
		if err1 != nil || err2 != nil {
			continue
		}
		if caches == nil {
			caches = make(map[string]int64)
		}
		caches[fields[0]] = pages * count * pageSize
	}
	return caches
}
