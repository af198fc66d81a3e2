package sysctl

import (
	"fmt"
	"strconv"
)

// The two limits of a process on its open files, as an [Assignment] names them.
const (
	SoftOpenFiles = "open files, soft limit"
	HardOpenFiles = "open files, hard limit"
)

// softFiles: what a program gets that does not raise it (getrlimit(2)).
func softFiles(n Need, s System) (Limit, bool) {
	if !s.OpenFiles.Known() {
		return Limit{}, false
	}
	l := filesLimit(SoftOpenFiles, n, s.OpenFiles)
	needed := l.NeededValue
	l.Why = fmt.Sprintf("%s allows %s open files, and %s connections need %s", s.Process, l.Now, Value(n.Connections), needed)
	if n.Processes > 1 {
		l.Why += fmt.Sprintf(" in each of %d processes", n.Processes)
	}
	switch {
	case s.OpenFilesHard.Known() && needed > s.OpenFilesHard:
		l.Mend = "raise the hard limit, and this one with it"
	case s.Process.PID != 0 && !s.Process.Shell:
		l.Mend = fmt.Sprintf("`sudo prlimit --pid %d --nofile=%d:` until it ends, LimitNOFILE=%d of its systemd unit for good",
			s.Process.PID, needed, needed)
	case s.Process.PID == 0 && s.OS == "linux":
		l.Mend = fmt.Sprintf("`ulimit -Sn %d` in what starts the server, or LimitNOFILE=%d of its systemd unit", needed, needed)
	default:
		l.Mend = fmt.Sprintf("`ulimit -Sn %d` before the server is started here; comet and other Go programs raise it themselves", needed)
	}
	l.assignFiles(s)
	return l, true
}

// hardFiles: how far a program without privileges may raise the soft limit.
func hardFiles(n Need, s System) (Limit, bool) {
	if !s.OpenFilesHard.Known() {
		return Limit{}, false
	}
	l := filesLimit(HardOpenFiles, n, s.OpenFilesHard)
	l.What = "how far a process may raise the soft limit"
	needed := l.NeededValue
	l.Why = fmt.Sprintf("%s can raise its limit to %s open files at most, and %s are needed", s.Process, l.Now, needed)
	switch {
	case s.OS == "darwin":
		l.Mend = fmt.Sprintf("`sudo launchctl limit maxfiles %d %d`, then log in again", needed, needed)
	case s.Process.PID != 0 && !s.Process.Shell:
		l.Mend = fmt.Sprintf("`sudo prlimit --pid %d --nofile=%d` until it ends, LimitNOFILE=%d of its systemd unit or docker's --ulimit nofile=%d for good",
			s.Process.PID, needed, needed, needed)
	default:
		l.Mend = fmt.Sprintf("`sudo prlimit --pid $$ --nofile=%d` for this shell, nofile in /etc/security/limits.conf for logins, LimitNOFILE=%d of a systemd unit, docker's --ulimit nofile=%d",
			needed, needed, needed)
	}
	if each := s.OpenFilesHard - Reserve; each > 0 {
		l.Mend += fmt.Sprintf("; or share the connections among %d processes", (Value(n.Connections)+each-1)/each)
	}
	l.assignFiles(s)
	return l, true
}

// assignFiles leaves the limit to the person where there is no other process
// to set it on: on this one it would end with it.
func (l *Limit) assignFiles(s System) {
	if s.Process.PID != 0 {
		l.Set = []Assignment{{l.Setting, strconv.FormatInt(int64(l.NeededValue), 10)}}
	}
}

// nrOpen: the ceiling that the kernel puts on both (proc_sys_fs(5), nr_open).
func nrOpen(n Need, s System) (Limit, bool) {
	if !s.NrOpen.Known() {
		return Limit{}, false
	}
	l := filesLimit(pick(s, "fs.nr_open", "kern.maxfilesperproc"), n, s.NrOpen)
	l.What = "ceiling of any process's limit"
	l.Why = fmt.Sprintf("no process may have more than %s open files, and %s are needed", l.Now, l.NeededValue)
	l.assign(l.NeededValue)
	return l, true
}

// String names the process as a sentence does.
func (p Process) String() string {
	switch {
	case p.PID == 0:
		return "this process"
	case p.Shell:
		return fmt.Sprintf("this shell (%s, process %d)", p.Name, p.PID)
	}
	return fmt.Sprintf("process %d (%s)", p.PID, p.Name)
}
