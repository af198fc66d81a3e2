package sysctl

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// proc reads the files of a Linux root directory. A file that does not exist
// leaves its values Unknown; other faults are collected.
type proc struct {
	root fs.FS
	// pid is the process whose limits and control group are read; 0 is this one.
	pid  int
	errs []error
}

// of returns the path of a file of the process.
func (p *proc) of(name string) string {
	if p.pid == 0 {
		return path.Join("proc/self", name)
	}
	return path.Join("proc", strconv.Itoa(p.pid), name)
}

// text returns the trimmed content of a file, "" if there is none.
func (p *proc) text(name string) string {
	b, err := fs.ReadFile(p.root, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ""
	case err != nil:
		p.errs = append(p.errs, fmt.Errorf("sysctl: %w", err))
		return ""
	}
	return strings.TrimSpace(string(b))
}

// number returns field i of a file, Unknown if there is none.
func (p *proc) number(name string, i int) Value {
	fields := strings.Fields(p.text(name))
	if i >= len(fields) {
		return Unknown
	}
	v, err := parseValue(fields[i])
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("sysctl: /%s: %w", name, err))
	}
	return v
}

// parseValue parses a number of the kernel. "max" and anything beyond an int64
// (such as an unlimited fs.file-max of 2^64-1) are Unlimited.
func parseValue(s string) (Value, error) {
	if s == "max" {
		return Unlimited, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && n > math.MaxInt64:
		return Unlimited, nil
	case err != nil:
		return Unknown, fmt.Errorf("%q is not a number", s)
	}
	return Value(n), nil
}

// fill reads everything that stands in files.
func (p *proc) fill(s *System) {
	s.NrOpen = p.number("proc/sys/fs/nr_open", 0)
	s.FileMax = p.number("proc/sys/fs/file-max", 0)
	s.FilesInUse = p.number("proc/sys/fs/file-nr", 0)
	s.EpollWatches = p.number("proc/sys/fs/epoll/max_user_watches", 0)
	s.PortLow = p.number("proc/sys/net/ipv4/ip_local_port_range", 0)
	s.PortHigh = p.number("proc/sys/net/ipv4/ip_local_port_range", 1)
	s.PortFloor = p.number("proc/sys/net/ipv4/ip_unprivileged_port_start", 0)
	p.reserved(s)
	s.Backlog = p.number("proc/sys/net/core/somaxconn", 0)
	s.SynBacklog = p.number("proc/sys/net/ipv4/tcp_max_syn_backlog", 0)
	s.SynCookies = p.number("proc/sys/net/ipv4/tcp_syncookies", 0)
	s.TCPMemMin = p.number("proc/sys/net/ipv4/tcp_mem", 0)
	s.TCPMemPressure = p.number("proc/sys/net/ipv4/tcp_mem", 1)
	s.TCPMemPages = p.number("proc/sys/net/ipv4/tcp_mem", 2)
	s.ConntrackMax = p.number("proc/sys/net/netfilter/nf_conntrack_max", 0)
	s.ConntrackCount = p.number("proc/sys/net/netfilter/nf_conntrack_count", 0)
	p.meminfo(map[string]*Value{
		"MemTotal": &s.MemTotal, "MemAvailable": &s.MemAvailable,
		"MemFree": &s.MemFree, "Slab": &s.Slab,
	})
	p.cgroup(s)
}

func (p *proc) reserved(s *System) {
	const name = "proc/sys/net/ipv4/ip_local_reserved_ports"
	if !s.PortLow.Known() || !s.PortHigh.Known() {
		return
	}
	list := p.text(name)
	n, err := countPorts(list, s.PortLow, s.PortHigh)
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("sysctl: /%s: %w", name, err))
		return
	}
	s.PortsReserved = n
	low, high, _ := s.widestPorts()
	s.WidestReserved, _ = countPorts(list, low, high) // the same list, understood above
}

// countPorts counts the ports from low to high in a list like "8080,9000-9010".
// The kernel writes such lists ordered and without overlap (lib/vsprintf.c,
// bitmap_list_string).
func countPorts(list string, low, high Value) (Value, error) {
	var n Value
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		from, to, isRange := strings.Cut(item, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseUint(from, 10, 16)
		last, err2 := strconv.ParseUint(to, 10, 16)
		if err1 != nil || err2 != nil {
			return Unknown, fmt.Errorf("%q is not a port or a range of ports", item)
		}
		n += max(0, min(Value(last), high)-max(Value(first), low)+1)
	}
	return n, nil
}

// meminfo reads the lines that wanted names from /proc/meminfo
// (proc_meminfo(5)), whose kB are 1,024 bytes.
func (p *proc) meminfo(wanted map[string]*Value) {
	for line := range strings.Lines(p.text("proc/meminfo")) {
		key, rest, _ := strings.Cut(line, ":")
		target, fields := wanted[key], strings.Fields(rest)
		if target == nil || len(fields) == 0 {
			continue
		}
		kb, err := parseValue(fields[0])
		if err != nil {
			p.errs = append(p.errs, fmt.Errorf("sysctl: /proc/meminfo: %s: %w", key, err))
			continue
		}
		*target = saturating(kb, 1024)
	}
}

// openFiles reads the limits of any process (proc_pid_limits(5)).
func (p *proc) openFiles(s *System) {
	for line := range strings.Lines(p.text(p.of("limits"))) {
		rest, found := strings.CutPrefix(line, "Max open files")
		fields := strings.Fields(rest)
		if !found || len(fields) < 2 {
			continue
		}
		for i, target := range []*Value{&s.OpenFiles, &s.OpenFilesHard} {
			if fields[i] == "unlimited" {
				*target = Unlimited
				continue
			}
			v, err := parseValue(fields[i])
			if err != nil {
				p.errs = append(p.errs, fmt.Errorf("sysctl: /%s: open files: %w", p.of("limits"), err))
			}
			*target = v
		}
	}
}

// cgroup reads the tightest limits from the process's control group up to the
// root of what is mounted, in version 2 or in the hierarchies of version 1
// (cgroups(7)).
func (p *proc) cgroup(s *System) {
	for line := range strings.Lines(p.text(p.of("cgroup"))) {
		// hierarchy-ID:controller-list:cgroup-path
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		group := parts[2]
		switch {
		case parts[0] == "0" && parts[1] == "":
			// Beside version 1, systemd mounts version 2 in unified.
			for _, mount := range []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
				p.tightest(&s.CgroupMax, &s.CgroupCurrent, mount, group, "memory.max", "memory.current", "inactive_file")
				p.tightest(&s.CgroupHigh, &s.CgroupHighCurrent, mount, group, "memory.high", "memory.current", "inactive_file")
				p.tightest(&s.PidsMax, &s.PidsCurrent, mount, group, "pids.max", "pids.current", "")
			}
		case parts[1] == "memory":
			p.tightest(&s.CgroupMax, &s.CgroupCurrent, "sys/fs/cgroup/memory", group,
				"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
		case parts[1] == "pids":
			p.tightest(&s.PidsMax, &s.PidsCurrent, "sys/fs/cgroup/pids", group, "pids.max", "pids.current", "")
		}
	}
}

// tightest lowers limit to the smallest limitFile of the group and those above it,
// and sets usage to what counts against that one, without the cache that cacheKey
// names.
func (p *proc) tightest(limit, usage *Value, mount, group, limitFile, usageFile, cacheKey string) {
	// Version 1 writes "no limit" as the largest int64 in whole pages.
	const noLimit = math.MaxInt64 - 1<<16
	for dir := path.Join("/", group); ; dir = path.Dir(dir) {
		at := path.Join(mount, dir)
		found := p.number(path.Join(at, limitFile), 0)
		if found >= noLimit {
			found = Unlimited
		}
		if found.Known() && (!limit.Known() || found < *limit) {
			*limit, *usage = found, p.number(path.Join(at, usageFile), 0)
			if cacheKey != "" && usage.Known() {
				*usage = max(0, *usage-max(0, p.stat(path.Join(at, "memory.stat"), cacheKey)))
			}
		}
		if dir == "/" {
			return
		}
	}
}

// stat returns the number after key in a file of "key number" lines.
func (p *proc) stat(name, key string) Value {
	for line := range strings.Lines(p.text(name)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[0] == key {
			v, err := parseValue(fields[1])
			if err != nil {
				p.errs = append(p.errs, fmt.Errorf("sysctl: /%s: %s: %w", name, key, err))
			}
			return v
		}
	}
	return Unknown
}

// cpuModel returns the first model name of /proc/cpuinfo (x86), or the board's
// model where the kernel gives none (many arm64 machines); "" if neither.
func (p *proc) cpuModel() string {
	b, err := fs.ReadFile(p.root, "proc/cpuinfo")
	if err != nil {
		return ""
	}
	model := ""
	for scan := bufio.NewScanner(bytes.NewReader(b)); scan.Scan(); {
		key, value, _ := strings.Cut(scan.Text(), ":")
		switch strings.TrimSpace(key) {
		case "model name":
			return strings.TrimSpace(value)
		case "Model", "Hardware":
			model = strings.TrimSpace(value)
		}
	}
	return model
}

// hugePages returns the chosen word of "always [madvise] never".
func (p *proc) hugePages() string {
	_, rest, _ := strings.Cut(p.text("sys/kernel/mm/transparent_hugepage/enabled"), "[")
	word, _, _ := strings.Cut(rest, "]")
	return word
}
