package sysctl

// System is what was read of one machine and this process at one moment. A
// synthetic one starts from [UnknownSystem], since 0 is a value too.
type System struct {
	// OS is runtime.GOOS; it decides which commands a Mend names.
	OS string

	// OpenFiles and OpenFilesHard are RLIMIT_NOFILE of this process
	// (getrlimit(2)): what is in force now, after the Go runtime has raised
	// the soft limit on its own.
	OpenFiles, OpenFilesHard Value
	// NrOpen is the ceiling of any process: fs.nr_open, on macOS
	// kern.maxfilesperproc.
	NrOpen Value
	// FileMax and FilesInUse count the files of the whole machine: fs.file-max
	// and fs.file-nr, on macOS kern.maxfiles and kern.num_files.
	FileMax, FilesInUse Value

	// PortLow to PortHigh, both included, are the ports that the kernel hands
	// to clients (ip_local_port_range); PortsReserved of them are withheld
	// (ip_local_reserved_ports).
	PortLow, PortHigh, PortsReserved Value

	// Backlog is the most that listen(2) grants (net.core.somaxconn);
	// SynBacklog is net.ipv4.tcp_max_syn_backlog.
	Backlog, SynBacklog Value

	// TCPMemPages is the third number of net.ipv4.tcp_mem: above so many pages
	// of PageSize bytes in socket buffers TCP drops what arrives.
	TCPMemPages, PageSize Value

	// Of /proc/meminfo, in bytes. MemAvailable counts the kernel's
	// sock_inode_cache as reclaimable, which it is not while the sockets are
	// open: with many of them open already it reads too high. Whoever measures
	// what sockets cost compares MemFree before and after, or Slab.
	MemTotal, MemAvailable, MemFree, Slab Value

	// CgroupMax is the tightest memory limit of this process's control group
	// and its parents, and CgroupCurrent what that group uses without the page
	// cache that it can give back; bytes.
	CgroupMax, CgroupCurrent Value

	// ConntrackMax and ConntrackCount are known where nf_conntrack is loaded.
	// A count of 0 means that it tracks nothing in this network namespace.
	ConntrackMax, ConntrackCount Value
}

// UnknownSystem is a System of which nothing was read.
func UnknownSystem() System {
	return System{
		OpenFiles: Unknown, OpenFilesHard: Unknown,
		NrOpen: Unknown, FileMax: Unknown, FilesInUse: Unknown,
		PortLow: Unknown, PortHigh: Unknown, PortsReserved: Unknown,
		Backlog: Unknown, SynBacklog: Unknown,
		TCPMemPages: Unknown, PageSize: Unknown,
		MemTotal: Unknown, MemAvailable: Unknown, MemFree: Unknown, Slab: Unknown,
		CgroupMax: Unknown, CgroupCurrent: Unknown,
		ConntrackMax: Unknown, ConntrackCount: Unknown,
	}
}

// Read reads the system. What this platform or kernel does not have stays
// Unknown and is no error; a file that exists and cannot be read or understood
// is reported, with everything else filled in all the same. On a platform
// without such limits the error wraps [errors.ErrUnsupported].
func Read() (System, error) { return read() }

// filesPerProcess is the open-file limit in force: the soft limit, under the
// ceiling that the kernel puts on every process (fs/file.c expand_files).
func (s *System) filesPerProcess() Value { return tighter(s.OpenFiles, s.NrOpen) }

// ports is how many ports the kernel hands to clients on one source address.
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
