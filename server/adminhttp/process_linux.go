package adminhttp

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// ResidentBytes returns this process's resident memory: the second field of
// /proc/self/statm, in pages (proc(5)). nil means that it is unknown.
func ResidentBytes() *int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return nil
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return nil
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return nil
	}
	return new(pages * int64(os.Getpagesize()))
}

// ticks is USER_HZ, the unit of times in /proc: 100 on every system that Go
// runs on (proc(5)).
const ticks = 100

// CPUSeconds returns the user and system time that this process has used so far. nil
// means that it is unknown.
func CPUSeconds() *float64 {
	stat, ok := readStat()
	if !ok {
		return nil
	}
	return new(float64(stat.cpu) / ticks)
}

// processMetrics reads /proc/self.
func processMetrics() []Metric {
	var list []Metric
	add := func(m Metric) { list = append(list, m) }
	if stat, ok := readStat(); ok {
		add(Counter("process_cpu_seconds_total", "User and system CPU time.", "", float64(stat.cpu)/ticks))
		add(Gauge("process_virtual_memory_bytes", "Virtual memory.", "", float64(stat.virtual)))
		if boot, ok := bootTime(); ok {
			add(Gauge("process_start_time_seconds", "When the process started, in unix seconds.", "", boot+float64(stat.start)/ticks))
		}
	}
	if files, ok := openFiles(); ok {
		add(Gauge("process_open_fds", "Open files.", "", float64(files)))
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		add(Gauge("process_max_fds", "The most files that may be open.", "", float64(limit.Cur)))
	}
	return list
}

// procStat has the fields of /proc/self/stat that are used: times in ticks.
type procStat struct{ cpu, start, virtual uint64 }

// readStat reads fields 14, 15, 22 and 23 of /proc/self/stat. The second is a
// name that may hold anything, in parentheses.
func readStat() (stat procStat, ok bool) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return stat, false
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 21 {
		return stat, false
	}
	ok = true
	field := func(n int) uint64 { // counted from 1, as proc(5) does
		value, err := strconv.ParseUint(string(fields[n-3]), 10, 64)
		ok = ok && err == nil
		return value
	}
	stat = procStat{cpu: field(14) + field(15), start: field(22), virtual: field(23)}
	return stat, ok
}

// bootTime returns when the system started, in unix seconds.
func bootTime() (float64, bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	_, rest, found := bytes.Cut(text, []byte("\nbtime "))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	seconds, err := strconv.ParseFloat(string(line), 64)
	return seconds, found && err == nil
}

// openFiles counts the entries of /proc/self/fd, less the one that reads them.
func openFiles() (int, bool) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	return len(names) - 1, err == nil
}
