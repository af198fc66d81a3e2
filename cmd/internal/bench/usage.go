package bench

import (
	"runtime"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/memlog"
	"example.org/comet/memlog/series"
)

// usages are what the parts use at one moment, nil where that is not known.
type usages struct {
	taken           bool
	servers, floods []*memlog.Usage
	router, memlog  *memlog.Usage
}

// depth is how much is measured. The proportional set size costs 20 ms for each
// GiB, so it is taken when nothing is going on.
type depth bool

const withPSS depth = true

func (e *experiment) measure(pss ...depth) (u usages) {
	deep := depth(len(pss) > 0)
	u.taken = true
	if t := e.cfg.Target; t != nil {
		u.servers = []*memlog.Usage{t.take(e.settled, deep)}
	}
	u.router, u.memlog = e.take(e.router, deep), e.take(e.memlog, false)
	for _, s := range e.servers {
		u.servers = append(u.servers, e.take(s.child, deep))
	}
	for _, f := range e.floods {
		u.floods = append(u.floods, e.take(f.child, deep))
	}
	return u
}

func (e *experiment) take(c *child, deep depth) *memlog.Usage {
	if c == nil || e.isLost(c) {
		return nil
	}
	return sampleOf(memlog.Config{PIDs: []int32{c.pid()}, NoChildren: true}, deep)
}

// sampleOf is what processes use now, nil if they have ended.
func sampleOf(cfg memlog.Config, deep depth) *memlog.Usage {
	cfg.PSS = bool(deep) && runtime.GOOS == "linux"
	sampler, err := memlog.NewSampler(cfg)
	if err != nil {
		return nil
	}
	defer sampler.Close()
	usage, err := sampler.Take()
	if err != nil {
		return nil // it has ended; whoever waits for it says so
	}
	return &usage
}

var noFigure result.Figure

func rssOf(u *memlog.Usage) result.Figure { return bytesOf(u.RSSBytes) }
func pssOf(u *memlog.Usage) result.Figure { return bytesOf(u.PSSBytes) }

func bytesOf(n int64) result.Figure {
	if n == series.Unknown {
		return noFigure
	}
	return result.Of(n)
}

func cpuOf(u *memlog.Usage) result.Figure {
	if u.CPU < 0 {
		return noFigure
	}
	return result.Seconds(u.CPU)
}

// sumBoth sums a figure of the processes that are known at both of two moments:
// what one was that ended in between cannot be told.
func sumBoth(from, to []*memlog.Usage, of func(*memlog.Usage) result.Figure) (before, after result.Figure) {
	for i := range min(len(from), len(to)) {
		if from[i] == nil || to[i] == nil {
			continue
		}
		before, after = plus(before, of(from[i])), plus(after, of(to[i]))
	}
	return before, after
}

// sum sums a figure of the processes that are known.
func sum(all []*memlog.Usage, of func(*memlog.Usage) result.Figure) result.Figure {
	_, total := sumBoth(all, all, of)
	return total
}

// plus adds what was measured to what was so far.
func plus(sum, f result.Figure) result.Figure {
	a, _ := sum.Value()
	b, ok := f.Value()
	if !ok {
		return sum
	}
	return result.Of(a + b)
}

// cpuBetween is the CPU seconds from one moment to another, summed.
func cpuBetween(from, to []*memlog.Usage) result.Figure {
	before, after := sumBoth(from, to, cpuOf)
	return after.Minus(before)
}
