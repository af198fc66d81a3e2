package sysctl

import (
	"fmt"
	"math"
)

// cgroup judges the memory limit of the control group, which also counts the
// sockets of its processes (the kernel's
// Documentation/admin-guide/cgroup-v2.rst, "Memory").
func cgroup(n Need, s System) (Limit, bool) {
	if !s.CgroupMax.Known() || s.CgroupMax == Unlimited {
		return Limit{}, false
	}
	n.SocketBytes = 0
	left := max(0, s.CgroupMax-max(0, s.CgroupCurrent))
	l := memoryLimit("memory.max", n, left)
	l.What = "what this control group's memory limit leaves; sockets count"
	l.Why = fmt.Sprintf("%s, and this control group's limit of %s leaves %s",
		memoryClause(n), size(s.CgroupMax), size(left))
	l.Mend = fmt.Sprintf("raise it by %s (docker's --memory, MemoryMax= of a systemd unit, the memory limit of a Kubernetes container)",
		size(n.bytes()-left))
	return l, true
}

// cgroupHigh judges memory.high, above which every allocation waits until pages
// are given back. Sockets cannot be.
func cgroupHigh(n Need, s System) (Limit, bool) {
	if !s.CgroupHigh.Known() || s.CgroupHigh == Unlimited {
		return Limit{}, false
	}
	n.SocketBytes = 0
	left := max(0, s.CgroupHigh-max(0, s.CgroupHighCurrent))
	l := memoryLimit("memory.high", n, left)
	l.Hard = false
	l.What = "what this control group may use before it is slowed down"
	l.Why = fmt.Sprintf("%s, and this control group is slowed down above %s, which is %s from now",
		memoryClause(n), size(s.CgroupHigh), size(left))
	l.Mend = fmt.Sprintf("raise it by %s (MemoryHigh= of a systemd unit)", size(n.bytes()-left))
	return l, true
}

// spareThreads counts the threads of a comet process besides one for each CPU.
// On two CPUs serve, flood and msggen had 8 to 9 under load.
const spareThreads = 14

// pids judges the limit on threads of the control group. A Go program that
// cannot start one dies (the kernel's Documentation/admin-guide/cgroup-v2.rst,
// "PID").
func pids(n Need, s System) (Limit, bool) {
	if !s.PidsMax.Known() || s.PidsMax == Unlimited {
		return Limit{}, false
	}
	used := max(0, s.PidsCurrent)
	more := saturating(n.ends()*Value(n.Processes), max(1, s.CPUs)+spareThreads)
	allows := Value(math.MaxInt)
	if plus(used, more) > s.PidsMax {
		allows = 0 // fewer connections need no fewer threads
	}
	l := limit("pids.max", n, s.PidsMax, plus(used, more), allows)
	l.Hard = true
	l.What = "threads of this control group; a process has some however few its connections"
	l.Why = fmt.Sprintf("this control group may have %s threads, has %s, and %s take up to %s more",
		s.PidsMax, used, plural(n.ends()*Value(n.Processes), "process", "processes"), more)
	l.Mend = fmt.Sprintf("raise it to %s (docker's --pids-limit, TasksMax= of a systemd unit, podPidsLimit of the kubelet)", plus(used, more))
	return l, true
}
