package sysctl

import (
	"io/fs"
	"os"
	"strings"
)

// Counters reads what a running Linux kernel counts, for a program that
// compares two moments. A figure that the kernel, or another system than Linux,
// does not give is [Unknown]; no read fails otherwise.
type Counters struct {
	// Root holds the directory proc; nil is this machine.
	Root fs.FS
}

func (c Counters) proc() *proc {
	if c.Root == nil {
		return &proc{root: os.DirFS("/")}
	}
	return &proc{root: c.Root}
}

// TCPCounters counts since the machine was started, in this process's network
// namespace (proc_net(5)).
type TCPCounters struct {
	// ListenOverflows counts handshakes that found an accept queue full, and
	// ListenDrops those that were dropped for this or any other reason.
	ListenOverflows, ListenDrops Value
	// Retransmits counts segments that were sent again.
	Retransmits Value
}

// TCP reads /proc/net/netstat and /proc/net/snmp.
func (c Counters) TCP() TCPCounters {
	p := c.proc()
	netstat := p.text("proc/net/netstat")
	return TCPCounters{
		ListenOverflows: pairedCounter(netstat, "TcpExt:", "ListenOverflows"),
		ListenDrops:     pairedCounter(netstat, "TcpExt:", "ListenDrops"),
		Retransmits:     pairedCounter(p.text("proc/net/snmp"), "Tcp:", "RetransSegs"),
	}
}

// pairedCounter returns a counter of a text of pairs of lines, names above
// values.
func pairedCounter(text, group, name string) Value {
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != group:
			continue
		case names == nil:
			names = fields
			continue
		}
		for i, n := range names {
			if n == name && i < len(fields) {
				return counterValue(fields[i])
			}
		}
		return Unknown
	}
	return Unknown
}

// counterValue parses a count. One that is no number, or has left the int64, is
// Unknown: no difference could be taken of it.
func counterValue(s string) Value {
	v, err := parseValue(s)
	if err != nil || v == Unlimited {
		return Unknown
	}
	return v
}

// CPUTime is what all processors together have done since the machine was
// started, in ticks. It includes the work that no process is charged for, such
// as the network's softirqs.
type CPUTime struct {
	// Idle includes waiting for disks. Stolen went to other guests of the same
	// host.
	All, Idle, Stolen Value
}

// CPU reads the first line of /proc/stat (proc_stat(5)): cpu user nice system
// idle iowait irq softirq steal guest guest_nice. Its user includes guest.
func (c Counters) CPU() CPUTime {
	unknown := CPUTime{Unknown, Unknown, Unknown}
	line, _, _ := strings.Cut(c.proc().text("proc/stat"), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return unknown
	}
	var t CPUTime
	for i, field := range fields[1:9] {
		n := counterValue(field)
		if !n.Known() {
			return unknown
		}
		t.All = plus(t.All, n)
		switch i {
		case 3, 4:
			t.Idle = plus(t.Idle, n)
		case 7:
			t.Stolen += n
		}
	}
	return t
}

// Since returns the shares of the time since before in which the processors
// were busy and in which they were stolen. known is false if either moment is
// unknown or no time has passed.
func (t CPUTime) Since(before CPUTime) (busy, stolen float64, known bool) {
	if !t.All.Known() || !before.All.Known() || t.All <= before.All {
		return 0, 0, false
	}
	all := float64(t.All - before.All)
	return 1 - float64(t.Idle-before.Idle)/all, float64(t.Stolen-before.Stolen) / all, true
}

// Memory is /proc/meminfo (proc_meminfo(5)), in bytes.
type Memory struct {
	Total, Free, Available Value
	// ActiveFile and InactiveFile are page cache; Slab is the kernel's own
	// objects.
	ActiveFile, InactiveFile, Slab Value
}

// Memory reads /proc/meminfo.
func (c Counters) Memory() Memory {
	m := Memory{Unknown, Unknown, Unknown, Unknown, Unknown, Unknown}
	c.proc().meminfo(map[string]*Value{
		"MemTotal": &m.Total, "MemFree": &m.Free, "MemAvailable": &m.Available,
		"Active(file)": &m.ActiveFile, "Inactive(file)": &m.InactiveFile, "Slab": &m.Slab,
	})
	return m
}

// InUse returns the memory that is neither free nor given back when it is
// needed: page cache, and the cached inodes of s. It is not Total - Available:
// the kernel takes the slabs of open sockets for reclaimable, which they are
// not.
func (m Memory) InUse(s Slabs) Value {
	if !m.Total.Known() || !m.Free.Known() {
		return Unknown
	}
	return max(0, m.Total-m.Free-max(0, m.ActiveFile)-max(0, m.InactiveFile)-max(0, s.Cached))
}

// Slabs is what the kernel holds in slabs, in bytes.
type Slabs struct {
	// Total is all of them without Cached.
	Total Value
	// Cached is inodes and dentries of files that nobody need have open: they
	// stay for a while after they were looked at. It is Unknown, and Caches is
	// nil, for who may not read /proc/slabinfo, which is root's.
	Cached Value
	// Caches is the others by name.
	Caches map[string]Value
}

// The sizes of two objects of Linux 6. There are as many of one as of the other.
const dentryBytes, procInodeBytes = 192, 696

// Slabs reads /proc/slabinfo (slabinfo(5)) and the total from /proc/meminfo.
func (c Counters) Slabs() Slabs {
	s := Slabs{Total: c.Memory().Slab, Cached: Unknown}
	text := c.proc().text("proc/slabinfo")
	if text == "" {
		return s
	}
	s.Cached, s.Caches = 0, slabCaches(text, Value(os.Getpagesize()))
	for name, size := range s.Caches {
		// Who lists /proc/PID/fd makes an inode for each of a process's sockets,
		// each with a dentry. Those of the sockets themselves last as long as they.
		if strings.HasSuffix(name, "_inode_cache") && name != "sock_inode_cache" {
			s.Cached = plus(s.Cached, size)
			if name == "proc_inode_cache" {
				s.Cached = plus(s.Cached, size/procInodeBytes*dentryBytes)
			}
			delete(s.Caches, name)
		}
	}
	if s.Total.Known() {
		s.Total = max(0, s.Total-s.Cached)
	}
	return s
}

// slabCaches parses lines of `name active num size per_slab pages_per_slab :
// tunables … : slabdata active_slabs num_slabs shared`.
func slabCaches(text string, pageSize Value) map[string]Value {
	caches := make(map[string]Value)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 16 || fields[11] != ":" || fields[12] != "slabdata" {
			continue
		}
		pages, slabs := counterValue(fields[5]), counterValue(fields[14])
		if pages.Known() && slabs.Known() {
			caches[fields[0]] = saturating(saturating(pages, slabs), pageSize)
		}
	}
	return caches
}
