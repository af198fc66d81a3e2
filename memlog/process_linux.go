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

// tick is what /proc counts time in: USER_HZ, which no kernel setting changes.
const tick = time.Second / 100

func procPath(pid int32, name string) string {
	return "/proc/" + strconv.Itoa(int(pid)) + "/" + name
}

// gone reports whether an error from a file of /proc/<pid> means that the process
// has ended: the file does not exist, or cannot be read any more.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, ErrTargetGone)
}

// readStatus reads /proc/<pid>/stat (proc_pid_stat(5)). A process that is ending,
// or has ended and waits for its parent (a zombie), counts as ended: it gives its
// files, memory and network back one after the other. Its status comes with the error.
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
		return st, ErrTargetGone
	}
	return st, nil
}

// parseStat parses "4711 (a name) S 1 …". The name may hold anything, also blanks
// and parentheses, so fields are counted from the last parenthesis.
func parseStat(line []byte) (st status, ended, ok bool) {
	nameEnd := bytes.LastIndexByte(line, ')')
	if nameEnd < 0 {
		return status{}, false, false
	}
	// Numbers as in proc_pid_stat(5).
	const first, stateField, parentField, flagsField, threadsField, startField = 3, 3, 4, 9, 20, 22
	const utimeField, stimeField, cutimeField, cstimeField = 14, 15, 16, 17
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
		case utimeField, stimeField, cutimeField, cstimeField:
			var ticks int64
			ticks, err = strconv.ParseInt(string(field), 10, 64)
			if n < cutimeField {
				st.cpu += time.Duration(ticks) * tick
			} else {
				st.reaped += time.Duration(ticks) * tick
			}
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

// createdAt converts the start of a status, in ticks since the system was started,
// to a moment. Every process gets the same one, or a log that is resumed would
// show a restart. (gopsutil's CreateTime subtracts the uptime from the time of
// day, so its second depends on when it is called.)
func createdAt(ticks uint64) time.Time {
	boot, err := bootTime()
	if err != nil {
		return time.Time{}
	}
	return boot.Add(time.Duration(ticks) * tick)
}

// bootTime reads btime of /proc/stat (proc_stat(5)), to the second.
func bootTime() (time.Time, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, fmt.Errorf("memlog: cannot read when the system was started: %w", err)
	}
	for line := range bytes.Lines(text) {
		if rest, found := bytes.CutPrefix(line, []byte("btime ")); found {
			sec, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), 10, 64)
			return time.Unix(sec, 0), err
		}
	}
	return time.Time{}, fmt.Errorf("memlog: /proc/stat has no btime, when the system was started: %w", errors.ErrUnsupported)
}

// cpu returns the processor time in the status of m, with that of children that have
// ended if it is asked for.
func (m *member) cpu(st status, children bool) (time.Duration, error) {
	if children {
		return st.cpu + st.reaped, nil
	}
	return st.cpu, nil
}

// appendDescendants appends the descendants of the processes in tree, from the list
// of children that the kernel keeps for each thread. On a kernel without it
// (CONFIG_PROC_CHILDREN) it reads the whole process table.
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
			if err != nil { // the thread has ended, or we may not look into the process
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

// readPSS reads the proportional set size of one process from smaps_rollup, in
// bytes.
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

// netOf returns a number for the network namespace of a process, "self" for this
// one. Only who may trace the process can read the link ns/net, but everyone can
// see the inode of its list of sockets, which differs in every namespace.
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
