package sysctl

// System holds what was read of one machine and one process at one moment. A
// made-up one starts from [UnknownSystem], since 0 is a value too.
type System struct {
	// OS is runtime.GOOS; it decides which commands Limit.Mend names.
	OS string

	// OpenFiles and OpenFilesHard are RLIMIT_NOFILE of Process (getrlimit(2)):
	// for this process as the Go runtime has raised it.
	OpenFiles, OpenFilesHard Value
	// NrOpen is the ceiling of any process: fs.nr_open, on macOS
	// kern.maxfilesperproc.
	NrOpen Value
	// FileMax and FilesInUse count the files of the whole machine: fs.file-max
	// and fs.file-nr, on macOS kern.maxfiles and kern.num_files.
	FileMax, FilesInUse Value

	// EpollWatches counts the descriptors that all processes of one user may
	// wait for with epoll (fs.epoll.max_user_watches).
	EpollWatches Value

	// PortLow to PortHigh, both included, are the ports that the kernel gives
	// to clients (ip_local_port_range). It withholds PortsReserved of them
	// (ip_local_reserved_ports), and would WidestReserved of the widest range
	// that can be set. PortFloor is the first port that needs no privilege
	// (ip_unprivileged_port_start): the range may not begin below it.
	PortLow, PortHigh, PortsReserved, WidestReserved, PortFloor Value

	// Backlog is the most that listen(2) grants (net.core.somaxconn). The kernel
	// heeds SynBacklog (net.ipv4.tcp_max_syn_backlog) only if SynCookies
	// (net.ipv4.tcp_syncookies) is 0.
	Backlog, SynBacklog, SynCookies Value

	// TCPMemPages is the third number of net.ipv4.tcp_mem: with more pages of
	// PageSize bytes in socket buffers TCP drops what arrives. TCPMemMin and
	// TCPMemPressure are the first and the second.
	TCPMemMin, TCPMemPressure, TCPMemPages, PageSize Value

	// Of /proc/meminfo, in bytes. MemAvailable counts the kernel's
	// sock_inode_cache as reclaimable, which it is not while the sockets are
	// open, so it is too high with many sockets open. To measure what sockets
	// cost, compare MemFree or Slab before and after.
	MemTotal, MemAvailable, MemFree, Slab Value

	// CgroupMax is the tightest memory limit of the process's control group and
	// its parents, and CgroupCurrent what that group uses without the page cache
	// that it can give back; bytes.
	CgroupMax, CgroupCurrent Value
	// CgroupHigh and CgroupHighCurrent are the same for memory.high, above
	// which version 2 slows its processes down instead of ending one.
	CgroupHigh, CgroupHighCurrent Value
	// PidsMax and PidsCurrent count threads against the tightest pids.max.
	PidsMax, PidsCurrent Value
	// CPUs counts the logical ones that this process may use. A Go program has a
	// thread for each and a few more.
	CPUs Value

	// ConntrackMax and ConntrackCount are known where nf_conntrack is loaded.
	// A count of 0 means that it tracks nothing in this network namespace.
	ConntrackMax, ConntrackCount Value

	// Process is the process that open-file limits and control group are of; its
	// zero value is the one that read them.
	Process Process
}

// Process is a process whose limits were read.
type Process struct {
	PID  int
	Name string
	// Shell says that it started this program, so that whatever else it starts
	// inherits its limits.
	Shell bool
}

// UnknownSystem returns a System of which nothing was read.
func UnknownSystem() System {
	return System{
		OpenFiles: Unknown, OpenFilesHard: Unknown,
		NrOpen: Unknown, FileMax: Unknown, FilesInUse: Unknown, EpollWatches: Unknown,
		PortLow: Unknown, PortHigh: Unknown, PortsReserved: Unknown, WidestReserved: Unknown, PortFloor: Unknown,
		Backlog: Unknown, SynBacklog: Unknown, SynCookies: Unknown,
		TCPMemMin: Unknown, TCPMemPressure: Unknown, TCPMemPages: Unknown, PageSize: Unknown,
		MemTotal: Unknown, MemAvailable: Unknown, MemFree: Unknown, Slab: Unknown,
		CgroupMax: Unknown, CgroupCurrent: Unknown, CgroupHigh: Unknown, CgroupHighCurrent: Unknown,
		PidsMax: Unknown, PidsCurrent: Unknown, CPUs: Unknown,
		ConntrackMax: Unknown, ConntrackCount: Unknown,
	}
}

// Read reads the system. What this platform or kernel does not have stays Unknown,
// which is not an error. A file that exists and cannot be read or parsed is
// reported, together with everything else. On a platform without such limits the
// error wraps [errors.ErrUnsupported].
func Read() (System, error) { return read() }

// filesPerProcess returns the open-file limit in force: the soft limit, or the
// ceiling that the kernel puts on every process (fs/file.c expand_files).
func (s *System) filesPerProcess() Value { return tighter(s.OpenFiles, s.NrOpen) }

// widestPorts returns the widest range that can be set, and the number of ports
// that it would give to clients.
func (s *System) widestPorts() (low, high, n Value) {
	low, high = max(1024, s.PortFloor), 65535
	if s.PortLow.Known() {
		low = min(low, s.PortLow)
	}
	reserved := max(s.PortsReserved, s.WidestReserved, 0)
	return low, high, max(0, high-low+1-reserved)
}

// ports returns how many ports the kernel gives to clients on one source address.
func (s *System) ports() Value {
	if !s.PortLow.Known() || !s.PortHigh.Known() {
		return Unknown
	}
	return max(0, s.PortHigh-s.PortLow+1-max(0, s.PortsReserved))
}

// tighter returns the smaller of two limits; an unknown one does not count.
func tighter(a, b Value) Value {
	switch {
	case !a.Known():
		return b
	case !b.Known():
		return a
	}
	return min(a, b)
}
