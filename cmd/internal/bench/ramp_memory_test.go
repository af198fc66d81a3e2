package bench

import (
	"errors"
	"math"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/sysctl"
)

// TestRampMemory reckons with a machine of 23.5 GiB that had used 1 GiB before the
// first connection.
func TestRampMemory(t *testing.T) {
	const gib = 1 << 30
	machine := func(connected, ends int, used float64) ramp {
		return ramp{total: 23.5 * gib, begun: gib, used: used, connected: connected, ends: ends}
	}
	after := func(connected, each int) ramp { return machine(connected, 2, gib+float64(connected)*float64(each)) }
	for _, c := range []struct {
		name     string
		m        ramp
		next     int
		each     float64
		measured bool
		fits     int // 0: there is room
	}{
		{"nothing is measured yet", after(0, 0), 40_000, 10_536, false, 0},
		{"too few to measure", after(9_999, 1000), 40_000, 10_536, false, 0},
		{"too few to measure, of one end", machine(0, 1, gib), 40_000, 5518, false, 0},
		{"as many as are measured with both ends here", after(2_360_000, 8750), 40_000, 8750, true, 0},
		{"more than there is room for", after(2_450_000, 8750), 40_000, 8750, true, 2_472_674},
		{"the start is not known", ramp{total: 23.5 * gib, used: gib, connected: 50_000, ends: 2}, 40_000, 10_536, false, 0},
		{"a server that takes much", after(300_000, 64_000), 40_000, 64_000, true, 338_060},
		{"what others gave back meanwhile is not measured", machine(100_000, 2, gib/2), 40_000, 8500, true, 0},
		{"the same of one end", machine(100_000, 1, gib/2), 40_000, 4500, true, 0},
		{"full before a connection is there", machine(0, 2, 22*gib), 40_000, 10_536, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if each, measured := c.m.each(); each != c.each || measured != c.measured {
				t.Errorf("%v bytes for each, measured %v; want %v, %v", each, measured, c.each, c.measured)
			}
			err := c.m.left(c.next)
			full, is := errors.AsType[*memoryError](err)
			if c.m.used > fullMemory*c.m.total {
				if !is || full.fits != c.m.connected {
					t.Errorf("%v, want that no more fit", err)
				}
				return
			}
			if is != (c.fits > 0) || is && full.fits != c.fits {
				t.Errorf("%v, want that %d fit", err, c.fits)
			}
		})
	}
}

// TestPlanOfMillions: what both ends of 2.4 million connections take at the least fits
// into 24 GB, and what three million take does not.
func TestPlanOfMillions(t *testing.T) {
	cfg := config(t)
	cfg.Engine = "epoll"
	s := sysctl.UnknownSystem()
	s.MemAvailable, s.OpenFilesHard, s.OpenFiles = 24_636_563_456, 20_000, 20_000
	for connections, fits := range map[int]bool{2_400_000: true, 3_000_000: false} {
		cfg.Connections = connections
		p := new(own).arrange(&cfg, s)
		p.need.SpareBytes = spare(p.need, 25_276_502_016)
		err := cfg.refusal(p.need, sysctl.Check(p.need, s))
		if (err == nil) != fits || err != nil && !strings.Contains(err.Error(), "run with -c 2600000, or free ") {
			t.Errorf("%d connections: %v", connections, err)
		}
		if len(p.pairs) > maxPairs {
			t.Errorf("%d connections take %d pairs", connections, len(p.pairs))
		}
	}
}

func TestSpareMemory(t *testing.T) {
	for connections, want := range map[int]int64{10_000: 0, 100_000: 0, 240_000: 2_527_650_201, 2_400_000: 2_527_650_201} {
		if got := spare(sysctl.Need{Connections: connections}, 25_276_502_016); got < want-1 || got > want+1 {
			t.Errorf("%d connections: %d, want %d", connections, got, want)
		}
	}
}

func TestMemoryLeft(t *testing.T) {
	r, _ := onStage(t, new(stage))
	if err := r.memoryLeft(); err != nil {
		t.Errorf("%v of a pair that is alone", err)
	}
	if m := probe.Memory(); show(m.InUse) == "null" {
		t.Skip("the memory in use is not known here")
	}
	r.plan.pairs = []pair{{connections: 1}, {connections: 1}}
	if err := r.memoryLeft(); err != nil {
		t.Errorf("%v for two connections", err)
	}
	r.plan.pairs[0].connections = min(1<<40, math.MaxInt/rampWidth)
	err := r.memoryLeft()
	full, ok := errors.AsType[*memoryError](err)
	if !ok || !strings.Contains(err.Error(), "bench: the machine's memory is nearly full") || full.total <= full.used {
		t.Errorf("%v, want that it would be full", err)
	}
}
