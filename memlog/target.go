package memlog

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/process"
)

// status is what the process table holds of one process.
type status struct {
	parent  int32
	start   uint64 // with the pid, tells a process from a later one of the same pid
	threads int64
	// cpu is the processor time that it used, and reaped what its children that have
	// ended used, and theirs, as far as it waited for them: both on Linux only.
	cpu, reaped time.Duration
}

// matches returns the processes whose command line matches, without this process
// and those that match only because they start or are a memlog. Of matches that
// descend from one another only the oldest remains.
func matches(pattern *regexp.Regexp) ([]Process, error) {
	pids, err := process.Pids()
	if err != nil {
		return nil, fmt.Errorf("memlog: the list of processes cannot be read: %w", err)
	}
	slices.Sort(pids)
	above := ancestors(int32(os.Getpid()))
	var found []Process
	for _, pid := range pids {
		if pid == above[0] {
			continue
		}
		args, err := (&process.Process{Pid: pid}).CmdlineSlice()
		if err != nil || len(args) == 0 { // ended meanwhile, or a thread of the kernel
			continue
		}
		text, ok := matchable(args, slices.Contains(above, pid))
		if ok && pattern.MatchString(text) {
			found = append(found, Process{PID: pid, Command: strings.TrimSpace(strings.Join(args, " "))})
		}
	}
	return slices.DeleteFunc(slices.Clone(found), func(p Process) bool {
		return slices.ContainsFunc(ancestors(p.PID)[1:], func(pid int32) bool {
			return slices.ContainsFunc(found, func(q Process) bool { return q.PID == pid })
		})
	}), nil
}

// watchers are the commands that take a pattern.
var watchers = []string{"memlog", "bench", "capacity"}

// matchable returns the part of a command line that may match, if any. Of an
// ancestor of this process that is the program alone: a shell, sudo or timeout has
// the pattern among its arguments to pass it on. Another memlog never matches, nor a
// command that watches the same processes, and of whatever starts one only what stands
// before it.
func matchable(args []string, ancestor bool) (string, bool) {
	if ancestor {
		return args[0], true
	}
	line := strings.Join(args, " ")
	for _, name := range watchers {
		i := strings.Index(line, " "+name+" ")
		watches := i >= 0 && strings.Contains(line[i:], " --match")
		if len(args) > 1 && args[1] == name && (watches || name == "memlog") {
			return "", false
		}
		if watches {
			line = line[:i]
		}
	}
	return line, true
}

// ancestors returns pid, its parent, and so on up.
func ancestors(pid int32) []int32 {
	list := []int32{pid}
	for {
		st, err := readStatus(pid)
		if err != nil || st.parent <= 0 || slices.Contains(list, st.parent) {
			return list
		}
		pid = st.parent
		list = append(list, pid)
	}
}

// scanDescendants appends the descendants of the processes in tree. It reads the
// parent of every process; where the kernel lists children, appendDescendants is
// much cheaper.
func scanDescendants(tree []int32) ([]int32, error) {
	pids, err := process.Pids()
	if err != nil {
		return tree, fmt.Errorf("memlog: the list of processes cannot be read: %w", err)
	}
	children := make(map[int32][]int32, len(pids))
	for _, pid := range pids {
		if st, err := readStatus(pid); err == nil && st.parent != pid {
			children[st.parent] = append(children[st.parent], pid)
		}
	}
	for i := 0; i < len(tree); i++ {
		for _, pid := range children[tree[i]] {
			if !slices.Contains(tree, pid) {
				tree = append(tree, pid)
			}
		}
	}
	return tree, nil
}
