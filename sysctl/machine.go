package sysctl

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Machine reads and writes limits for a person who looks for the one that is
// short. Its zero value is this machine with the limits of the shell.
type Machine struct {
	// Root is the directory that holds a Linux system's proc and sys; "" is
	// this machine. It may be a copy, on any system.
	Root string
	// Process is the process whose open-file limits and control group count. 0
	// is the one that started this one, beyond sudo: the shell, whose limits
	// every server inherits that it starts. (Those of this process mean little:
	// the Go runtime has raised them.)
	Process int
	// SetOpenFiles sets both limits on open files of a running process; nil is
	// prlimit(2) of Linux.
	SetOpenFiles func(pid int, soft, hard Value) error
}

// ErrNoProcess is returned if no process has the number that was asked for.
var ErrNoProcess = errors.New("no process has this number")

// Read reads the limits as [Read] does, but those of a process from Process. If
// that does not exist, the error wraps [ErrNoProcess].
func (m Machine) Read() (System, error) {
	if !m.linux() {
		if m.Process != 0 {
			return UnknownSystem(), fmt.Errorf("sysctl: the limits of another process cannot be read on %s: %w", runtime.GOOS, errors.ErrUnsupported)
		}
		return Read()
	}
	s := UnknownSystem()
	if m.Root == "" {
		s.PageSize, s.CPUs = Value(os.Getpagesize()), Value(runtime.NumCPU())
	}
	s.OS = "linux"
	p := &proc{root: os.DirFS(m.root())}
	s.Process = m.process(p)
	p.pid = s.Process.PID
	if m.Process != 0 && p.text(p.of("limits")) == "" && len(p.errs) == 0 {
		return s, fmt.Errorf("sysctl: process %d: %w", m.Process, ErrNoProcess)
	}
	p.fill(&s)
	p.openFiles(&s)
	return s, errors.Join(p.errs...)
}

func (m Machine) linux() bool { return m.Root != "" || runtime.GOOS == "linux" }

func (m Machine) root() string {
	if m.Root == "" {
		return "/"
	}
	return m.Root
}

// process returns the process whose limits count; its zero value is this one.
func (m Machine) process(p *proc) Process {
	if m.Process != 0 {
		return Process{PID: m.Process, Name: p.text(fmt.Sprintf("proc/%d/comm", m.Process))}
	}
	if m.Root != "" {
		return Process{}
	}
	return p.shell(os.Getppid())
}

// shell returns process pid or, if that only changes the user, the first above it
// that does not. It returns none if init, a service manager or an unknown process
// started this program: their limits are not what others inherit.
func (p *proc) shell(pid int) Process {
	for pid > 1 {
		name := p.text(fmt.Sprintf("proc/%d/comm", pid))
		switch name {
		case "sudo", "su", "doas", "pkexec":
			pid = p.parent(pid)
			continue
		case "", "systemd":
			return Process{}
		}
		return Process{PID: pid, Name: name, Shell: true}
	}
	return Process{}
}

// parent returns the fourth field of proc_pid_stat(5), counted from the end of the
// name, which may hold anything; 0 if there is none.
func (p *proc) parent(pid int) int {
	stat := p.text(fmt.Sprintf("proc/%d/stat", pid))
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return 0
	}
	return parent
}

// Remarks returns a sentence for each part of s that could not be judged, and why.
func (m Machine) Remarks(n Need, s System) []string {
	var remarks []string
	say := func(missing bool, sentence string) {
		if missing {
			remarks = append(remarks, sentence)
		}
	}
	if s.OS == "darwin" {
		return []string{
			"open files: comet sees its own soft limit, which the Go runtime has raised; `ulimit -Sn` shows the shell's",
			"memory: neither the free memory nor the free mbufs (`netstat -m`) are read here",
			"reserved ports, SYN backlog, epoll watches, tcp_mem, connection tracking and control groups: macOS has none to check",
		}
	}
	server, client := n.Role != Client, n.Role != Server
	say(!s.OpenFiles.Known(), "open files: the limits of "+s.Process.String()+" cannot be read")
	say(s.OpenFiles.Known() && s.Process.PID == 0,
		"open files: no shell started comet, so these are its own limits, with the soft one raised by the Go runtime")
	say(!s.FileMax.Known() || !s.NrOpen.Known(), "fs.file-max, fs.nr_open: not shown here")
	say(!s.EpollWatches.Known(), "fs.epoll.max_user_watches: not shown here")
	say(client && !s.PortLow.Known(), "net.ipv4.ip_local_port_range: not shown here")
	say(server && !s.Backlog.Known(), "net.core.somaxconn: not shown here")
	say(server && !s.SynBacklog.Known(), "net.ipv4.tcp_max_syn_backlog: not shown here")
	say(!s.TCPMemPages.Known(), "net.ipv4.tcp_mem: only the host's own network namespace shows it, and this is a container's; look on the host")
	say(!s.MemAvailable.Known() && !s.MemFree.Known(), "kernel memory: /proc/meminfo is not shown here")
	say(!s.ConntrackMax.Known(), "net.netfilter.nf_conntrack_max: no firewall tracks connections here; one on the host may")
	say(s.ConntrackMax.Known() && s.ConntrackCount <= 0,
		"net.netfilter.nf_conntrack_max: connection tracking is loaded and tracks nothing here, so it is no limit now")
	say(noLimit(s.CgroupMax) && noLimit(s.CgroupHigh) && noLimit(s.PidsMax),
		"memory.max, memory.high, pids.max: no control group limits memory or threads here")
	say(m.otherNetwork(), fmt.Sprintf("net.*: process %d lives in another network namespace and these are the values of this one; run `sudo nsenter -t %d -n comet sysctl …`",
		m.Process, m.Process))
	return remarks
}

func noLimit(v Value) bool { return !v.Known() || v == Unlimited }

// otherNetwork reports whether Process has network settings of its own.
func (m Machine) otherNetwork() bool {
	if m.Process == 0 {
		return false
	}
	theirs, err := os.Readlink(filepath.Join(m.root(), "proc", strconv.Itoa(m.Process), "ns/net"))
	if err != nil {
		return false // no permission to look, or a copy of a system
	}
	ours, err := os.Readlink(filepath.Join(m.root(), "proc/self/ns/net"))
	return err == nil && ours != theirs
}
