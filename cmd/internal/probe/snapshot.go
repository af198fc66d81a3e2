package probe

import (
	"maps"
	"time"

	"example.org/comet/cmd/internal/result"
)

// Part names one process, or a server as a whole: its role, and its number from
// 1 among those of that role.
type Part struct {
	Role   string
	Number int
}

// Usage is what a part uses at one moment, or, in a Delta, what it used more.
type Usage struct {
	// At is when it was taken, by this machine's clock.
	At time.Time
	// RSS and PSS are resident and proportional memory in bytes. CPU is processor
	// time in seconds, since the part's processes were started.
	RSS, PSS, CPU result.Figure
	// Procs and Threads count the processes and threads that were summed.
	Procs, Threads result.Figure
}

// The figures of a Usage, for Sum.
var (
	RSS = func(u Usage) result.Figure { return u.RSS }
	PSS = func(u Usage) result.Figure { return u.PSS }
	CPU = func(u Usage) result.Figure { return u.CPU }
)

// Snapshot is what the machine and the parts use at one moment. The zero value
// was never taken, and knows nothing.
type Snapshot struct {
	At      time.Time
	Machine Machine
	Slabs   Slabs
	TCP     TCP
	CPU     Processors
	// Usage has the parts that could be measured.
	Usage map[Part]Usage
}

// Delta is what changed from one snapshot to a later one. A figure has a value if
// it has one in both.
type Delta struct {
	// Machine is the growth of the memory in use, and Slabs that of the kernel's
	// slabs without caches of files, both in bytes; Caches is that of each slab.
	Machine, Slabs result.Figure
	Caches         map[string]result.Figure
	TCP            TCP
	// Busy and Stolen are the shares of the processors' time, from 0 to 1, in
	// which they worked and in which other guests of the host had them.
	Busy, Stolen result.Figure
	// Usage has the parts that were measured both times.
	Usage map[Part]Usage
}

// Taken reports whether s was taken.
func (s Snapshot) Taken() bool { return !s.At.IsZero() }

// Sub returns what changed from before to s.
func (s Snapshot) Sub(before Snapshot) Delta {
	d := Delta{
		Machine: s.Machine.InUse.Minus(before.Machine.InUse),
		Slabs:   s.Slabs.Total.Minus(before.Slabs.Total),
		TCP: TCP{
			ListenOverflows: s.TCP.ListenOverflows.Minus(before.TCP.ListenOverflows),
			Retransmits:     s.TCP.Retransmits.Minus(before.TCP.Retransmits),
		},
		Caches: make(map[string]result.Figure),
		Usage:  make(map[Part]Usage),
	}
	if before.Slabs.Caches != nil {
		for name, bytes := range s.Slabs.Caches {
			d.Caches[name] = result.Of(bytes - before.Slabs.Caches[name])
		}
	}
	d.Busy, d.Stolen = s.CPU.since(before.CPU)
	for part, now := range s.Usage {
		if then, known := before.Usage[part]; known {
			d.Usage[part] = now.sub(then)
		}
	}
	return d
}

// sub returns what was used since then.
func (u Usage) sub(then Usage) Usage {
	return Usage{
		At: u.At, RSS: u.RSS.Minus(then.RSS), PSS: u.PSS.Minus(then.PSS), CPU: u.CPU.Since(then.CPU),
		Procs: u.Procs.Minus(then.Procs), Threads: u.Threads.Minus(then.Threads),
	}
}

// With returns s as it would have been, had the parts been there that came between two
// later snapshots: with their memory, and that of the machine that came with them.
func (s Snapshot) With(before, after Snapshot) Snapshot {
	came := after.Sub(before)
	s.Machine.InUse, s.Slabs.Total = s.Machine.InUse.Plus(came.Machine), s.Slabs.Total.Plus(came.Slabs)
	if s.Slabs.Caches = maps.Clone(s.Slabs.Caches); s.Slabs.Caches != nil {
		for name, bytes := range came.Caches {
			more, _ := bytes.Value()
			s.Slabs.Caches[name] += int64(more)
		}
	}
	if s.Usage = maps.Clone(s.Usage); s.Usage == nil {
		s.Usage = make(map[Part]Usage)
	}
	for part, used := range after.Usage {
		if _, there := before.Usage[part]; !there {
			s.Usage[part] = used
		}
	}
	return s
}

// Sum adds up a figure of the parts of a role, of those that have one.
func (s Snapshot) Sum(role string, of func(Usage) result.Figure) result.Figure {
	return sum(s.Usage, role, of)
}

// Sum adds up a figure of the parts of a role, of those that have one.
func (d Delta) Sum(role string, of func(Usage) result.Figure) result.Figure {
	return sum(d.Usage, role, of)
}

func sum(usage map[Part]Usage, role string, of func(Usage) result.Figure) (total result.Figure) {
	for part, u := range usage {
		if part.Role == role {
			total = result.Add(total, of(u))
		}
	}
	return total
}
