package memlog

import (
	"strconv"
	"strings"
	"time"

	"example.org/comet/memlog/series"
)

// Usage is what a set of processes used at one moment. Figures that could not be
// measured are series.Unknown, never 0.
type Usage struct {
	Time time.Time // when it was taken
	// PIDs are the processes that were given or matched and are running, in
	// ascending order. Their descendants are counted, not listed. There are none
	// while a Log waits for a match.
	PIDs []int32
	// Start is when the youngest of PIDs was started, to the second; zero if
	// unknown.
	Start time.Time
	// Procs counts the processes that are summed.
	Procs int
	// RSSBytes and PSSBytes are resident and, if asked for, proportional
	// memory.
	RSSBytes, PSSBytes int64
	// CPU is the processor time, in user and kernel mode, that the processes
	// running now have used since they were started. On Linux, unless the Config
	// leaves descendants out, that of descendants that have ended is in it: as long
	// as nobody has waited for one, its own, and then its parent's account of it. It is
	// lost, and CPU falls, where the parent ends first, or ignores SIGCHLD: then the
	// kernel has no such account.
	CPU time.Duration
	// Files and Threads are open file descriptors and threads.
	Files, Threads int64
	// Connections are the established ones at Config.Listen.
	Connections int64
}

func unknownUsage() Usage {
	const u = series.Unknown
	return Usage{Time: time.Now(), RSSBytes: u, PSSBytes: u, Files: u, Threads: u, Connections: u}
}

// Sample returns the usage as a line of the log, with the columns pid=, start=
// (unix seconds), procs=, cpu_s=, fds=, threads= and pss_kb= where known.
func (u Usage) Sample() series.Sample {
	s := series.Sample{Time: u.Time, RSSKB: kilobytes(u.RSSBytes), Connections: u.Connections}
	if len(u.PIDs) > 0 {
		pids := make([]string, len(u.PIDs))
		for i, pid := range u.PIDs {
			pids[i] = strconv.Itoa(int(pid))
		}
		s.Fields = append(make([]series.Field, 0, 7),
			series.Field{Key: "pid", Value: strings.Join(pids, ",")})
		if !u.Start.IsZero() {
			s.Fields = append(s.Fields, series.Field{Key: "start", Value: strconv.FormatInt(u.Start.Unix(), 10)})
		}
	}
	s.Fields = append(s.Fields, series.Field{Key: "procs", Value: strconv.Itoa(u.Procs)})
	if len(u.PIDs) > 0 {
		s.Fields = append(s.Fields, series.Field{Key: "cpu_s", Value: strconv.FormatFloat(u.CPU.Seconds(), 'f', 2, 64)})
	}
	for _, f := range []struct {
		key   string
		value int64
	}{{"fds", u.Files}, {"threads", u.Threads}, {"pss_kb", kilobytes(u.PSSBytes)}} {
		if f.value != series.Unknown {
			s.Fields = append(s.Fields, series.Field{Key: f.key, Value: strconv.FormatInt(f.value, 10)})
		}
	}
	return s
}

func kilobytes(b int64) int64 {
	if b == series.Unknown {
		return b
	}
	return b >> 10
}

// plus adds figures. The sum is unknown if one of them is.
func plus(sum, n int64) int64 {
	if sum == series.Unknown || n == series.Unknown {
		return series.Unknown
	}
	return sum + n
}
