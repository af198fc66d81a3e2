package memlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"
)

const pssSupported = true

func procPath(pid int32, name string) string {
	return "/proc/" + strconv.Itoa(int(pid)) + "/" + name
}

// gone tells that an error from a file of /proc/<pid> means that the process
// has ended: the file is not there, or was, and reading it finds nobody.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, ErrTargetGone)
}

// readStatus reads /proc/<pid>/stat (proc_pid_stat(5)). A process that is
// ending, or has ended and waits for its parent to notice (a zombie), has
// ended: its files, memory and network are given back one after the other, and
// meanwhile it is half there.
func readStatus(pid int32) (status, error) {
	line, err := os.ReadFile(procPath(pid, "stat"))
	if gone(err) {
		return status{}, ErrTargetGone
	}
	if err != nil {
		return status{}, fmt.Errorf("memlog: process %d: %w", pid, err)
	}
	st, ended, ok := parseStat(line)
	if !ok {
		return status{}, fmt.Errorf("memlog: process %d: /proc has an unknown format: %.80q", pid, line)
	}
	if ended {
		return status{}, ErrTargetGone
	}
	return st, nil
}

// parseStat reads "4711 (a name) S 1 …". The name may hold anything, blanks
// and parentheses too, so counting begins behind the last one.
func parseStat(line []byte) (st status, ended, ok bool) {
	nameEnd := bytes.LastIndexByte(line, ')')
	if nameEnd < 0 {
		return status{}, false, false
	}
	// Numbers as in proc_pid_stat(5).
	const first, stateField, parentField, flagsField, threadsField, startField = 3, 3, 4, 9, 20, 22
	n := first
	for field := range bytes.FieldsSeq(line[nameEnd+1:]) {
		var err error
		switch n {
		case stateField:
			ended = bytes.ContainsAny(field, "ZXx")
		case parentField:
			var p int64
			p, err = strconv.ParseInt(string(field), 10, 32)
			st.parent = int32(p)
		case flagsField:
			const exiting = 0x4 // PF_EXITING of include/linux/sched.h
			var flags uint64
			flags, err = strconv.ParseUint(string(field), 10, 64)
			ended = ended || flags&exiting != 0
		case threadsField:
			st.threads, err = strconv.ParseInt(string(field), 10, 64)
		case startField:
			st.start, err = strconv.ParseUint(string(field), 10, 64)
		}
		if err != nil {
			return status{}, false, false
		}
		if n == startField {
			return st, ended, true
		}
		n++
	}
	return status{}, false, false
}

// createdAt turns the start of a status, in ticks since the system was started,
// into a moment. It is the same one whichever process asks, or a log that is
// resumed would show a restart. (gopsutil's CreateTime is not: it takes the
// uptime off the time of day, and its second depends on when it does.)
func createdAt(ticks uint64) time.Time {
	const perSecond = 100 // USER_HZ, which no kernel setting changes
	boot, err := bootTime()
	if err != nil {
		return time.Time{}
	}
	return boot.Add(time.Duration(ticks) * (time.Second / perSecond))
}

// bootTime reads btime of /proc/stat (proc_stat(5)), to the second.
func bootTime() (time.Time, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, fmt.Errorf("memlog: when the system was started: %w", err)
	}
	for line := range bytes.Lines(text) {
		if rest, found := bytes.CutPrefix(line, []byte("btime ")); found {
			sec, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), 10, 64)
			return time.Unix(sec, 0), err
		}
	}
	return time.Time{}, fmt.Errorf("memlog: /proc/stat does not tell when the system was started: %w", errors.ErrUnsupported)
}

// appendDescendants appends the descendants of the processes in tree, from the
// list of children that the kernel keeps for each thread. A kernel built
// without it (CONFIG_PROC_CHILDREN) makes the whole process table be read.
func appendDescendants(tree []int32) ([]int32, error) {
	if _, err := os.Stat("/proc/thread-self/children"); err != nil {
		return scanDescendants(tree)
	}
	for i := 0; i < len(tree); i++ {
		tasks, err := os.ReadDir(procPath(tree[i], "task"))
		if err != nil && !gone(err) {
			return tree, fmt.Errorf("memlog: the children of process %d: %w", tree[i], err)
		}
		for _, task := range tasks {
			list, err := os.ReadFile(procPath(tree[i], "task/"+task.Name()+"/children"))
			if err != nil { // the thread has ended, or the process is not ours to look into
				continue
			}
			for word := range bytes.FieldsSeq(list) {
				pid, err := strconv.ParseInt(string(word), 10, 32)
				if err == nil && !slices.Contains(tree, int32(pid)) {
					tree = append(tree, int32(pid))
				}
			}
		}
	}
	return tree, nil
}

// countFiles counts open files. Since Linux 6.2 the size of the folder is the
// number; before, its entries are counted, in batches, because there may be a
// million.
func countFiles(pid int32) (int64, error) {
	path := procPath(pid, "fd")
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		return info.Size(), nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("memlog: the open files of process %d: %w", pid, err)
	}
	defer dir.Close()
	var n int64
	for {
		names, err := dir.Readdirnames(1000)
		n += int64(len(names))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, fmt.Errorf("memlog: the open files of process %d: %w", pid, err)
		}
	}
}

// readPSS sums what smaps_rollup says of one process, in bytes.
func readPSS(pid int32) (int64, error) {
	text, err := os.ReadFile(procPath(pid, "smaps_rollup"))
	if err != nil {
		return 0, fmt.Errorf("memlog: the proportional set size of process %d: %w", pid, err)
	}
	for line := range bytes.Lines(text) {
		if rest, found := bytes.CutPrefix(line, []byte("Pss:")); found {
			var kb int64
			if _, err := fmt.Sscanf(string(rest), "%d kB", &kb); err != nil {
				return 0, fmt.Errorf("memlog: the proportional set size of process %d: %w", pid, err)
			}
			return kb << 10, nil
		}
	}
	return 0, nil // a thread of the kernel has no memory of its own
}

// netOf names the network namespace of a process, "self" for this one. The
// link ns/net says it only to who may trace the process; the inode of its list
// of sockets, which is another one in every namespace, is there for all to see.
func netOf(pid string) (uint64, error) {
	info, err := os.Stat("/proc/" + pid + "/net/tcp")
	if err != nil {
		return 0, fmt.Errorf("memlog: the network namespace of process %s: %w", pid, err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, fmt.Errorf("memlog: the network namespace of process %s: %w", pid, errors.ErrUnsupported)
	}
	return st.Ino, nil
}
