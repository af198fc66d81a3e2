package sysctl

import (
	"fmt"
	"strconv"
)

// openFiles judges the limit of one process, which holds a file for each of its
// connections (getrlimit(2), RLIMIT_NOFILE).
func openFiles(n Need, s System) (Limit, bool) {
	now := s.filesPerProcess()
	if !now.Known() {
		return Limit{}, false
	}
	l := filesLimit("open files", n, now)
	processes, needed := Value(n.Processes), l.NeededValue
	l.Why = fmt.Sprintf("this shell allows %s open files and %s connections need %s",
		now, Value(n.Connections), needed)
	if n.Processes > 1 {
		l.Why = fmt.Sprintf("this shell allows %s open files per process and %s connections in %s processes need %s in each",
			now, Value(n.Connections), processes, needed)
	}
	if l.Short {
		l.Mend = mendOpenFiles(s, needed)
	}
	return l, true
}

func filesLimit(setting string, n Need, now Value) Limit {
	processes := Value(n.Processes)
	needed := plus(plus(Value(n.Connections), processes-1)/processes, Reserve)
	l := limit(setting, n, now, needed, saturating(max(0, now-Reserve), processes))
	l.What = "a process holds a file for each connection"
	l.Hard = true
	return l
}

// ulimit returns the command that raises the limits of a shell.
func ulimit(files Value) string { return fmt.Sprintf("`ulimit -n %d`", files) }

func mendOpenFiles(s System, needed Value) string {
	raise := ulimit(needed)
	if s.OS == "darwin" {
		if needed > tighter(s.NrOpen, s.FileMax) {
			return fmt.Sprintf("raise it with `sudo sysctl -w kern.maxfiles=%d kern.maxfilesperproc=%d` and %s",
				max(s.FileMax, 2*needed), needed, raise)
		}
		return "raise it with " + raise
	}
	if hard := s.OpenFilesHard; hard.Known() && needed > hard {
		first := ""
		if s.NrOpen.Known() && needed > s.NrOpen {
			first = fmt.Sprintf("`sudo sysctl -w fs.nr_open=%d` and then ", needed)
		}
		return fmt.Sprintf("raise the hard limit of %s: %s`sudo prlimit --pid $$ --nofile=%d` for this shell, nofile in /etc/security/limits.conf, LimitNOFILE= of a systemd unit, or docker's --ulimit nofile=%d",
			hard, first, needed, needed)
	}
	if s.NrOpen.Known() && needed > s.NrOpen {
		return fmt.Sprintf("raise it with `sudo sysctl -w fs.nr_open=%d`", needed)
	}
	return fmt.Sprintf("raise it with %s (hard limit %s)", raise, s.OpenFilesHard)
}

// allFiles judges the kernel's own count of open files, of every process
// together (proc_sys_fs(5), file-max).
func allFiles(n Need, s System) (Limit, bool) {
	if !s.FileMax.Known() {
		return Limit{}, false
	}
	used := max(0, s.FilesInUse)
	reserve := saturating(n.ends()*Value(n.Processes), Reserve)
	more := plus(saturating(n.ends(), Value(n.Connections)), reserve)
	free := s.FileMax - used - reserve
	setting := pick(s, "fs.file-max", "kern.maxfiles")
	l := limit(setting, n, s.FileMax, plus(used, more), free/n.ends())
	l.Hard = true
	l.Why = fmt.Sprintf("this machine allows %s open files in all, %s are open, and %s connections need %s more",
		s.FileMax, used, Value(n.Connections), more)
	l.What = "files of all processes together"
	l.assign(headroom(plus(used, more)))
	return l, true
}

// epollWatches judges the descriptors that all processes of a user wait for with
// epoll; root has no more than others (proc_sys_fs(5), max_user_watches;
// ep_insert of fs/eventpoll.c answers ENOSPC). The kernel does not show how many
// are in use. Go's network poller is an epoll too, so each connection takes at
// least one.
func epollWatches(n Need, s System) (Limit, bool) {
	if !s.EpollWatches.Known() {
		return Limit{}, false
	}
	own := saturating(n.ends()*Value(n.Processes), Reserve)
	needed := plus(saturating(n.ends(), Value(n.Connections)), own)
	l := limit("fs.epoll.max_user_watches", n, s.EpollWatches, needed, max(0, s.EpollWatches-own)/n.ends())
	l.Hard = true
	l.Why = fmt.Sprintf("the processes of one user may wait for %s descriptors with epoll, and %s connections need %s",
		s.EpollWatches, Value(n.Connections), needed)
	l.What = "descriptors that all processes of a user wait for with epoll"
	l.assign(headroom(needed))
	return l, true
}

// The two limits of a process on its open files, as an [Assignment] names them.
const (
	SoftOpenFiles = "open files, soft limit"
	HardOpenFiles = "open files, hard limit"
)

// softFiles judges the limit of a program that does not raise it
// (getrlimit(2)).
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

// hardFiles judges how far a program without privileges may raise the soft
// limit.
func hardFiles(n Need, s System) (Limit, bool) {
	if !s.OpenFilesHard.Known() {
		return Limit{}, false
	}
	l := filesLimit(HardOpenFiles, n, s.OpenFilesHard)
	l.What = "how far a process may raise the soft limit"
	needed := l.NeededValue
	l.Why = fmt.Sprintf("%s can raise its limit to at most %s open files, and %s are needed", s.Process, l.Now, needed)
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

// assignFiles makes setting the limit of another process the remedy. That of
// this process is left to the person, since it would end with it.
func (l *Limit) assignFiles(s System) {
	if s.Process.PID != 0 {
		l.Set = []Assignment{{l.Setting, strconv.FormatInt(int64(l.NeededValue), 10)}}
	}
}

// nrOpen judges the ceiling that the kernel puts on both (proc_sys_fs(5),
// nr_open).
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

// String returns the process as a sentence names it.
func (p Process) String() string {
	switch {
	case p.PID == 0:
		return "this process"
	case p.Shell:
		return fmt.Sprintf("this shell (%s, process %d)", p.Name, p.PID)
	}
	return fmt.Sprintf("process %d (%s)", p.PID, p.Name)
}
