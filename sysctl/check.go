package sysctl

import (
	"fmt"
	"math"
	"strconv"
)

// Role says which ends of the connections are on this machine.
type Role int

// The roles. Both means server and clients here, in different processes.
const (
	Server Role = iota
	Client
	Both
)

// String is the role as the command line spells it.
func (r Role) String() string {
	switch r {
	case Server:
		return "server"
	case Client:
		return "client"
	case Both:
		return "both"
	}
	return fmt.Sprintf("Role(%d)", int(r))
}

// Need is what is about to be tried.
type Need struct {
	// Connections is how many, over all processes.
	Connections int
	// Role is which ends are here.
	Role Role
	// SourceAddresses is from how many local addresses clients connect, and
	// Destinations to how many distinct address:port pairs. 0 means 1.
	SourceAddresses, Destinations int
	// PortsPerAddress is how many ports clients use on each source address
	// where they bind them explicitly; 0 means those that the kernel hands out.
	PortsPerAddress int
	// Processes is among how many processes each end's files are shared out
	// evenly; 0 means 1.
	Processes int
	// BytesPerConnection is the process memory that one connection costs on
	// this machine, over all processes; it is added to the kernel's. 0 means
	// too little to matter.
	BytesPerConnection int
	// Flag is how the person asks for fewer connections; "" means "-c".
	Flag string
}

// Reserve is how many files a process needs besides its connections: the
// standard streams, listeners, logs, epoll and wake-up files, and the admin
// connections of the moment.
const Reserve = 64

// SocketBytes is what the kernel takes for one end of a TCP connection at rest,
// whatever its buffer sizes: 4.9 KiB, the upper figure measured on Linux 6.
const SocketBytes = 5018

// What a server's queues should hold so that a burst of connects is not
// answered by SYN retransmits a second later: net.core.somaxconn's own default
// since Linux 5.4, and the least tcp_max_syn_backlog of a machine above 128 MB.
const (
	adviseBacklog    = 4096
	adviseSynBacklog = 1024
)

// Limit is the judgement on one limit.
type Limit struct {
	// Setting is its name: a sysctl, or what people call it.
	Setting string
	// What is a short clause that says what it limits.
	What string
	// Now and Needed are its values, for a table.
	Now, Needed string
	// NowValue and NeededValue are the same as numbers: bytes where the text
	// says MiB, and of a setting with several numbers the one that counts.
	NowValue, NeededValue Value
	// Why is a clause that sets one against the other.
	Why string
	// Mend is what to do about it besides asking for less; "" unless Short.
	Mend string
	// Set is what [Machine.Apply] and [Conf] write to mend it; empty unless
	// Short, and where no setting does.
	Set []Assignment
	// Short tells that the limit is too low for the need.
	Short bool
	// Hard tells that a short limit makes the run fail, not merely slower.
	Hard bool
	// MaxConnections is how many connections the limit allows in all;
	// math.MaxInt where it is no bound.
	MaxConnections int
}

// Assignment is a value for a setting: a sysctl by its dotted name, or
// [SoftOpenFiles] and [HardOpenFiles] of a process.
type Assignment struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Check judges every limit that is known in s, the deadly ones first, for a
// program that raises its soft limit on open files itself. It is a pure
// function.
func Check(n Need, s System) []Limit {
	return judge(n, s, openFiles, allFiles, epollWatches, ports, memory, cgroup, pids, conntrack, backlog, synBacklog, tcpMem, cgroupHigh)
}

// Examine is Check for a person who looks for the limit: it tells the three
// limits on the files of one process apart, and takes the soft one as it is.
func Examine(n Need, s System) []Limit {
	return judge(n, s, softFiles, hardFiles, nrOpen, allFiles, epollWatches, ports, backlog, synBacklog, conntrack,
		memory, tcpMem, cgroup, cgroupHigh, pids)
}

func judge(n Need, s System, judges ...func(Need, System) (Limit, bool)) []Limit {
	n.SourceAddresses = max(n.SourceAddresses, 1)
	n.Destinations = max(n.Destinations, 1)
	n.Processes = max(n.Processes, 1)
	var limits []Limit
	for _, judge := range judges {
		if l, ok := judge(n, s); ok {
			if !l.Short {
				l.Mend, l.Set = "", nil
			}
			limits = append(limits, l)
		}
	}
	return limits
}

// ends is how many of each connection's two sockets are on this machine.
func (n Need) ends() Value {
	if n.Role == Both {
		return 2
	}
	return 1
}

// limit fills in the fields that follow from the three numbers.
func limit(setting string, n Need, now, needed, allows Value) Limit {
	return Limit{
		Setting:        setting,
		Now:            now.String(),
		Needed:         needed.String(),
		NowValue:       now,
		NeededValue:    needed,
		Short:          Value(n.Connections) > allows,
		MaxConnections: int(min(max(allows, 0), math.MaxInt)),
	}
}

// openFiles: a process holds one file for each of its connections
// (getrlimit(2), RLIMIT_NOFILE).
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
		l.Why = fmt.Sprintf("this shell allows %s open files a process and %s connections in %s processes need %s in each",
			now, Value(n.Connections), processes, needed)
	}
	if l.Short {
		l.Mend = mendOpenFiles(s, needed)
	}
	return l, true
}

func filesLimit(setting string, n Need, now Value) Limit {
	processes := Value(n.Processes)
	needed := (Value(n.Connections)+processes-1)/processes + Reserve
	l := limit(setting, n, now, needed, saturating(max(0, now-Reserve), processes))
	l.What = "a process holds a file for each connection"
	l.Hard = true
	return l
}

func mendOpenFiles(s System, needed Value) string {
	raise := fmt.Sprintf("`ulimit -n %d`", needed)
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

// allFiles: the kernel's own count of open files, every process together
// (proc_sys_fs(5), file-max).
func allFiles(n Need, s System) (Limit, bool) {
	if !s.FileMax.Known() {
		return Limit{}, false
	}
	used := max(0, s.FilesInUse)
	more := n.ends()*Value(n.Connections) + Reserve*Value(n.Processes)*n.ends()
	free := s.FileMax - used - Reserve*Value(n.Processes)*n.ends()
	setting := pick(s, "fs.file-max", "kern.maxfiles")
	l := limit(setting, n, s.FileMax, used+more, free/n.ends())
	l.Hard = true
	l.Why = fmt.Sprintf("this machine allows %s open files in all, %s are open, and %s connections need %s more",
		s.FileMax, used, Value(n.Connections), more)
	l.What = "files of all processes together"
	l.assign(headroom(used + more))
	return l, true
}

// epollWatches: all processes of a user share one count of the descriptors
// that they wait for with epoll, and root has no more than others
// (proc_sys_fs(5), max_user_watches; ep_insert of fs/eventpoll.c answers ENOSPC).
// How many are in use the kernel does not tell. Go's network poller is such an
// epoll too, so each connection is at least one.
func epollWatches(n Need, s System) (Limit, bool) {
	if !s.EpollWatches.Known() {
		return Limit{}, false
	}
	own := saturating(n.ends()*Value(n.Processes), Reserve)
	needed := saturating(n.ends(), Value(n.Connections)) + own
	l := limit("fs.epoll.max_user_watches", n, s.EpollWatches, needed, max(0, s.EpollWatches-own)/n.ends())
	l.Hard = true
	l.Why = fmt.Sprintf("the processes of one user may wait for %s descriptors with epoll, and %s connections need %s",
		s.EpollWatches, Value(n.Connections), needed)
	l.What = "descriptors that all processes of a user wait for with epoll"
	l.assign(headroom(needed))
	return l, true
}

// headroom is what a count that all programs share is set to, so that it is
// not short again at their next hiccup.
func headroom(needed Value) Value { return needed + needed/4 }

// assign makes one number the mend of a sysctl.
func (l *Limit) assign(v Value) {
	l.Set = []Assignment{{l.Setting, strconv.FormatInt(int64(v), 10)}}
	l.Mend = fmt.Sprintf("raise it with `sudo sysctl -w %s=%d`", l.Setting, v)
}

// ports: a client connection is told apart by source address, source port and
// destination, so ports x sources x destinations is all there are (ip(7)).
func ports(n Need, s System) (Limit, bool) {
	if n.Role == Server {
		return Limit{}, false
	}
	each := s.ports()
	if n.PortsPerAddress > 0 {
		each = Value(n.PortsPerAddress)
	}
	if !each.Known() {
		return Limit{}, false
	}
	perSource := saturating(each, Value(n.Destinations))
	all := saturating(perSource, Value(n.SourceAddresses))
	l := limit(pick(s, "net.ipv4.ip_local_port_range", "net.inet.ip.portrange"), n, all, Value(n.Connections), all)
	l.Hard = true
	l.Why = fmt.Sprintf("%s from %s to %s make %s connections of %s",
		plural(each, "port", "ports"), plural(Value(n.SourceAddresses), "source address", "source addresses"),
		plural(Value(n.Destinations), "destination", "destinations"), all, Value(n.Connections))
	l.What = "ports that clients get x source addresses x destinations"
	widen := ""
	if low, high, wide := s.widestPorts(); n.PortsPerAddress == 0 &&
		saturating(saturating(wide, Value(n.Destinations)), Value(n.SourceAddresses)) >= Value(n.Connections) {
		l.Set = []Assignment{{l.Setting, fmt.Sprintf("%d %d", low, high)}}
		widen = fmt.Sprintf("`sudo sysctl -w net.ipv4.ip_local_port_range=\"%d %d\"`", low, high)
		if s.OS == "darwin" {
			l.Set = []Assignment{{"net.inet.ip.portrange.first", strconv.FormatInt(int64(low), 10)}}
			widen = fmt.Sprintf("`sudo sysctl -w net.inet.ip.portrange.first=%d`", low)
		}
	}
	l.Mend = mendPorts(n, perSource, widen)
	return l, true
}

func mendPorts(n Need, perSource Value, widen string) string {
	if perSource == 0 {
		if widen == "" {
			return "free some ports for clients"
		}
		return "widen the range with " + widen
	}
	sources := (Value(n.Connections) + perSource - 1) / perSource
	mend := fmt.Sprintf("use %s source addresses (--source-ip 127.0.0.2-127.0.0.%d if the server is on this machine)", sources, sources+1)
	if sources > 253 {
		mend = fmt.Sprintf("use %s source addresses (--source-ip)", sources)
	}
	if widen != "" {
		mend += ", or widen the range with " + widen
	}
	return mend
}

// memory: sockets are kernel memory, which cannot be swapped out.
func memory(n Need, s System) (Limit, bool) {
	now := s.MemAvailable
	if !now.Known() {
		now = s.MemFree
	}
	if !now.Known() {
		return Limit{}, false
	}
	l := memoryLimit("kernel memory", n, now)
	l.What = "sockets cannot be swapped out; this is what is available"
	l.Why = fmt.Sprintf("%s, and %s of this machine's memory is available", memoryClause(n), size(now))
	l.Mend = fmt.Sprintf("free %s here", size(n.bytes()-now))
	return l, true
}

// cgroup: a control group's limit also counts the sockets of its processes
// (the kernel's Documentation/admin-guide/cgroup-v2.rst, "Memory").
func cgroup(n Need, s System) (Limit, bool) {
	if !s.CgroupMax.Known() || s.CgroupMax == Unlimited {
		return Limit{}, false
	}
	left := max(0, s.CgroupMax-max(0, s.CgroupCurrent))
	l := memoryLimit("memory.max", n, left)
	l.What = "what this control group's memory limit leaves; sockets count"
	l.Why = fmt.Sprintf("%s, and this control group's limit of %s leaves %s",
		memoryClause(n), size(s.CgroupMax), size(left))
	l.Mend = fmt.Sprintf("raise it by %s (docker's --memory, MemoryMax= of a systemd unit, the memory limit of a Kubernetes container)",
		size(n.bytes()-left))
	return l, true
}

// cgroupHigh: above memory.high every allocation waits for pages to be given
// back, which sockets cannot be.
func cgroupHigh(n Need, s System) (Limit, bool) {
	if !s.CgroupHigh.Known() || s.CgroupHigh == Unlimited {
		return Limit{}, false
	}
	left := max(0, s.CgroupHigh-max(0, s.CgroupHighCurrent))
	l := memoryLimit("memory.high", n, left)
	l.Hard = false
	l.What = "what this control group may use before it is slowed down"
	l.Why = fmt.Sprintf("%s, and this control group is slowed down above %s, which is %s from now",
		memoryClause(n), size(s.CgroupHigh), size(left))
	l.Mend = fmt.Sprintf("raise it by %s (MemoryHigh= of a systemd unit)", size(n.bytes()-left))
	return l, true
}

// spareThreads is what a process of comet's has besides a thread for each CPU.
// On two CPUs serve, flood and msggen had 8 to 9 under load.
const spareThreads = 14

// pids: the pids controller counts threads, and a Go program that cannot start
// one dies (the kernel's Documentation/admin-guide/cgroup-v2.rst, "PID").
func pids(n Need, s System) (Limit, bool) {
	if !s.PidsMax.Known() || s.PidsMax == Unlimited {
		return Limit{}, false
	}
	used := max(0, s.PidsCurrent)
	more := saturating(n.ends()*Value(n.Processes), max(1, s.CPUs)+spareThreads)
	allows := Value(math.MaxInt)
	if used+more > s.PidsMax {
		allows = 0 // fewer connections need no fewer threads
	}
	l := limit("pids.max", n, s.PidsMax, used+more, allows)
	l.Hard = true
	l.What = "threads of this control group; a process has some however few its connections"
	l.Why = fmt.Sprintf("this control group may have %s threads, has %s, and %s take up to %s more",
		s.PidsMax, used, plural(n.ends()*Value(n.Processes), "process", "processes"), more)
	l.Mend = fmt.Sprintf("raise it to %s (docker's --pids-limit, TasksMax= of a systemd unit, podPidsLimit of the kubelet)", used+more)
	return l, true
}

func memoryLimit(setting string, n Need, left Value) Limit {
	each := n.ends()*SocketBytes + Value(n.BytesPerConnection)
	l := limit(setting, n, left, n.bytes(), left/each)
	l.Now, l.Needed = size(left), size(n.bytes())
	l.Hard = true
	return l
}

func memoryClause(n Need) string {
	ends := "one end"
	if n.Role == Both {
		ends = "both ends"
	}
	kind := "kernel memory"
	if n.BytesPerConnection > 0 {
		kind = "memory"
	}
	return fmt.Sprintf("%s connections with %s here take about %s of %s", Value(n.Connections), ends, size(n.bytes()), kind)
}

// bytes is the memory that all connections take on this machine.
func (n Need) bytes() Value {
	return saturating(Value(n.Connections), n.ends()*SocketBytes+Value(n.BytesPerConnection))
}

// conntrack: a firewall that tracks connections drops the packets of those
// that its table has no room for (the kernel's
// Documentation/networking/nf_conntrack-sysctl.rst). The module may be loaded
// and idle; then it is no limit.
func conntrack(n Need, s System) (Limit, bool) {
	if !s.ConntrackMax.Known() || s.ConntrackCount <= 0 {
		return Limit{}, false
	}
	needed := s.ConntrackCount + Value(n.Connections)
	l := limit("net.netfilter.nf_conntrack_max", n, s.ConntrackMax, needed, s.ConntrackMax-s.ConntrackCount)
	l.Hard = true
	l.Why = fmt.Sprintf("the firewall keeps track of %s connections at most, of %s now, and %s are to come",
		s.ConntrackMax, s.ConntrackCount, Value(n.Connections))
	l.What = "connections that the firewall can keep track of"
	l.assign(headroom(needed))
	return l, true
}

// backlog: connections that were not accepted yet wait here; the kernel drops
// the handshakes of those that find it full (listen(2)).
func backlog(n Need, s System) (Limit, bool) {
	l, ok := advise(pick(s, "net.core.somaxconn", "kern.ipc.somaxconn"), n, s.Backlog, adviseBacklog,
		"connections wait to be accepted")
	l.What = "connections that may wait to be accepted"
	return l, ok
}

// synBacklog: the same for handshakes under way. The kernel asks it only where
// it sends no SYN cookies (listen(2), and tcp_conn_request of
// net/ipv4/tcp_input.c, where the last quarter is kept for known peers).
func synBacklog(n Need, s System) (Limit, bool) {
	l, ok := advise("net.ipv4.tcp_max_syn_backlog", n, s.SynBacklog, adviseSynBacklog,
		"handshakes are under way")
	l.What = "handshakes that may be under way"
	if s.SynCookies > 0 {
		l.What = "not asked while net.ipv4.tcp_syncookies is on"
		l.Why, l.Short = l.What, false
	}
	return l, ok
}

// advise judges a queue: too short a one delays connects by a second or more
// and loses none, so it bounds no number of connections.
func advise(setting string, n Need, now, want Value, what string) (Limit, bool) {
	if n.Role == Client || !now.Known() {
		return Limit{}, false
	}
	needed := min(want, Value(n.Connections))
	l := limit(setting, n, now, needed, math.MaxInt)
	l.Short = now < needed
	l.Why = fmt.Sprintf("while more than %s %s, a client waits a second or more for its retry", now, what)
	l.assign(needed)
	return l, true
}

// tcpMem: a socket at rest holds no buffer page, one with an unread message
// holds one at least; above the limit TCP drops what arrives and sends it
// again later (tcp(7), tcp_mem).
func tcpMem(n Need, s System) (Limit, bool) {
	if !s.TCPMemPages.Known() {
		return Limit{}, false
	}
	needed := saturating(n.ends(), Value(n.Connections))
	l := limit("net.ipv4.tcp_mem", n, s.TCPMemPages, needed, s.TCPMemPages/n.ends())
	l.Why = fmt.Sprintf("TCP may buffer %s pages and a message waiting on each of %s sockets takes %s",
		s.TCPMemPages, needed, needed)
	l.What = "pages that all TCP buffers may take"
	pages := fmt.Sprintf("%d %d %d", max(needed/2, s.TCPMemMin), max(needed/4*3, s.TCPMemPressure), needed)
	l.Set = []Assignment{{l.Setting, pages}}
	l.Mend = fmt.Sprintf("raise it with `sudo sysctl -w %s=%q`", l.Setting, pages)
	if left := s.bufferPages(n); left.Known() && needed > left {
		// Dropped packets come again, a machine out of memory does not.
		l.Set = nil
		l.Mend = fmt.Sprintf("leave it: beside the sockets there is memory for %s pages; the limit is met only if that many sockets have unread messages at once", left)
	}
	return l, true
}

// bufferPages is for how many pages of buffers there is memory once the
// connections are there.
func (s *System) bufferPages(n Need) Value {
	if !s.MemAvailable.Known() || s.PageSize <= 0 {
		return Unknown
	}
	return max(0, s.MemAvailable-n.bytes()) / s.PageSize
}

func pick(s System, linux, darwin string) string {
	if s.OS == "darwin" {
		return darwin
	}
	return linux
}

func plural(n Value, one, many string) string {
	if n == 1 {
		return n.String() + " " + one
	}
	return n.String() + " " + many
}
