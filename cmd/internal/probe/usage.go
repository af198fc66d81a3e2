package probe

import (
	"os"
	"runtime"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/memlog"
	"example.org/comet/memlog/series"
)

// Reading measures a part. deep asks for the proportional memory as well, which
// takes 20 ms for each GiB. ok is false if the part cannot be measured, as when
// it has ended.
type Reading func(deep bool) (u Usage, ok bool)

// Take measures the machine and the parts.
func Take(deep bool, parts map[Part]Reading) Snapshot {
	s := readMachine(os.DirFS("/"), int64(os.Getpagesize()))
	s.Usage = make(map[Part]Usage, len(parts))
	for part, read := range parts {
		if u, ok := read(deep); ok {
			s.Usage[part] = u
		}
	}
	s.At = time.Now()
	return s
}

// Process returns a reading of one process, without its descendants.
func Process(pid int32) Reading {
	return reading(memlog.Config{PIDs: []int32{pid}, NoChildren: true})
}

// Trees returns a reading of processes and their descendants, summed.
func Trees(pids []int32) Reading { return reading(memlog.Config{PIDs: pids}) }

func reading(cfg memlog.Config) Reading {
	return func(deep bool) (Usage, bool) {
		cfg := cfg
		cfg.PSS = deep && runtime.GOOS == "linux"
		sampler, err := memlog.NewSampler(cfg)
		if err != nil {
			return Usage{}, false
		}
		defer sampler.Close()
		u, err := sampler.Take()
		if err != nil {
			return Usage{}, false // it has ended just now
		}
		return usageOf(u), true
	}
}

// usageOf converts what memlog measured, or read from a log.
func usageOf(u memlog.Usage) Usage {
	v := Usage{At: u.Time, RSS: known(u.RSSBytes), PSS: known(u.PSSBytes), Threads: known(u.Threads)}
	if u.CPU >= 0 {
		v.CPU = result.Seconds(u.CPU)
	}
	if u.Procs > 0 {
		v.Procs = result.Of(u.Procs)
	}
	return v
}

// known returns a figure of memlog's, without a value for series.Unknown.
func known(n int64) result.Figure {
	if n == series.Unknown {
		return result.Figure{}
	}
	return result.Of(n)
}
