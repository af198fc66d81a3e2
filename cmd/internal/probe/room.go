package probe

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"example.org/comet/cmd/internal/result"
)

// Room is what one process may use, and how much of it is taken: what a server comes
// to the end of.
type Room struct {
	PID int32
	// Name is that of its program (proc_pid_comm(5)).
	Name string
	// Files are open, of MaxFiles that may be.
	Files, MaxFiles result.Figure
	// Processors are those that it may run on.
	Processors result.Figure
	// GroupMemory is what its control group uses of MaxGroupMemory, in bytes, where
	// that has a limit.
	GroupMemory, MaxGroupMemory result.Figure
	// Threads are by their ids.
	Threads map[int]Thread
}

// Thread is one thread of a process.
type Thread struct {
	Name string
	// CPU and Waited are seconds since it was started: those in which it ran, and those
	// in which it could have and no processor was free.
	CPU, Waited float64
}

// Rooms returns those of processes and of their descendants, below the root of a Linux
// system; elsewhere there are none.
func Rooms(root fs.FS, pids []int32) (rooms []Room) {
	tree := slices.Clone(pids)
	for i := 0; i < len(tree); i++ {
		r, children, ok := readRoom(root, tree[i])
		if !ok {
			continue
		}
		rooms = append(rooms, r)
		for _, child := range children {
			if !slices.Contains(tree, child) {
				tree = append(tree, child)
			}
		}
	}
	return rooms
}

// readRoom returns the room of a process and its children; not ok if it has ended.
func readRoom(root fs.FS, pid int32) (r Room, children []int32, ok bool) {
	in := func(name string) string { return "proc/" + strconv.Itoa(int(pid)) + "/" + name }
	name := text(root, in("comm"))
	tasks, err := fs.ReadDir(root, in("task"))
	if name == "" || err != nil {
		return r, nil, false
	}
	r = Room{PID: pid, Name: strings.TrimSpace(name), MaxFiles: maxFiles(text(root, in("limits"))), Threads: make(map[int]Thread)}
	for line := range strings.Lines(text(root, in("status"))) {
		if list, found := strings.CutPrefix(line, "Cpus_allowed_list:"); found {
			r.Processors = countList(strings.TrimSpace(list))
		}
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		thread, ok := parseThread(text(root, in("task/"+task.Name()+"/stat")))
		if err != nil || !ok {
			continue // it has ended
		}
		thread.Waited = parseWaited(text(root, in("task/"+task.Name()+"/schedstat")))
		r.Threads[id] = thread
		for word := range strings.FieldsSeq(text(root, in("task/"+task.Name()+"/children"))) {
			if child, err := strconv.ParseInt(word, 10, 32); err == nil {
				children = append(children, int32(child))
			}
		}
	}
	r.Files = openFiles(root, in("fd"))
	r.GroupMemory, r.MaxGroupMemory = groupMemory(root, text(root, in("cgroup")))
	return r, children, true
}

// openFiles counts the entries of a folder: since Linux 6.2 its size is their number.
func openFiles(root fs.FS, folder string) result.Figure {
	if info, err := fs.Stat(root, folder); err == nil && info.Size() > 0 {
		return result.Of(info.Size())
	}
	entries, err := fs.ReadDir(root, folder)
	if err != nil {
		return result.Figure{}
	}
	return result.Of(len(entries))
}

// maxFiles returns the soft limit on open files in a list of limits
// (proc_pid_limits(5)).
func maxFiles(limits string) result.Figure {
	for line := range strings.Lines(limits) {
		if rest, found := strings.CutPrefix(line, "Max open files"); found {
			if fields := strings.Fields(rest); len(fields) > 0 {
				if n, err := strconv.ParseInt(fields[0], 10, 64); err == nil {
					return result.Of(n)
				}
			}
		}
	}
	return result.Figure{}
}

// parseThread reads a line of stat: id (name) state … with utime and stime, in ticks
// of which a second has 100, as fields 14 and 15 (proc_pid_stat(5)).
func parseThread(stat string) (t Thread, ok bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return t, false
	}
	fields := strings.Fields(stat[end+1:])
	const utime, stime, ticks = 11, 12, 100
	if len(fields) <= stime {
		return t, false
	}
	user, err1 := strconv.ParseInt(fields[utime], 10, 64)
	system, err2 := strconv.ParseInt(fields[stime], 10, 64)
	return Thread{Name: stat[open+1 : end], CPU: float64(user+system) / ticks}, err1 == nil && err2 == nil
}

// parseWaited reads the second of three numbers: nanoseconds on the run queue
// (Documentation/scheduler/sched-stats.rst of the kernel); 0 where it keeps none.
func parseWaited(schedstat string) float64 {
	fields := strings.Fields(schedstat)
	if len(fields) != 3 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[1], 10, 64) // 0 for what cannot be read
	return float64(n) / 1e9
}

// countList counts the members of a list of ranges: 0-3,7.
func countList(list string) result.Figure {
	n := 0
	for one := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(one, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || last < first {
			return result.Figure{}
		}
		n += last - first + 1
	}
	return result.Of(n)
}

// groupMemory returns what the control group nearest to its limit uses, of the groups
// that a process is in, given as in /proc/PID/cgroup; nothing where there is no limit
// (cgroups(7), version 2).
func groupMemory(root fs.FS, groups string) (used, most result.Figure) {
	for line := range strings.Lines(groups) {
		group, found := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !found {
			continue
		}
		for at := path.Clean("/" + group); ; at = path.Dir(at) {
			current, known := bytesIn(root, "sys/fs/cgroup"+at+"/memory.current")
			limit, limited := bytesIn(root, "sys/fs/cgroup"+at+"/memory.max")
			if known && limited && fuller(current, limit, used, most) {
				used, most = current, limit
			}
			if at == "/" {
				break
			}
		}
	}
	return used, most
}

// fuller reports whether a of b is more than c of d.
func fuller(a, b, c, d result.Figure) bool {
	one, _ := a.Per(b).Value()
	other, known := c.Per(d).Value()
	return !known || one > other
}

// bytesIn returns the number that is all that a file holds.
func bytesIn(root fs.FS, name string) (result.Figure, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text(root, path.Clean(name))), 10, 64)
	if err != nil {
		return result.Figure{}, false
	}
	return result.Of(n), true
}
