package result_test

import (
	"maps"
	"testing"

	"example.org/comet/cmd/internal/result"
)

func TestNearest(t *testing.T) {
	run := func(p99, delivered float64) *result.Result {
		r := new(result.Result)
		r.Latency.P99, r.Messages.DeliveredPerSecond = result.Of(p99), result.Of(delivered)
		return r
	}
	stopped := func(r *result.Result) *result.Result { r.Interrupted = true; return r }
	nothing := new(result.Result)
	for name, c := range map[string]struct {
		runs []*result.Result
		want int
	}{
		"none":                       {nil, -1},
		"one":                        {[]*result.Result{run(1, 1)}, 0},
		"the middle one":             {[]*result.Result{run(9, 100), run(1, 100), run(2, 100)}, 2},
		"by all figures":             {[]*result.Result{run(2, 500), run(1, 100), run(2.1, 101), run(90, 99)}, 2},
		"the first of those alike":   {[]*result.Result{run(1, 1), run(1, 1)}, 0},
		"one that stopped early":     {[]*result.Result{run(1, 1), stopped(run(2, 1)), run(9, 1)}, 0},
		"all of them did":            {[]*result.Result{stopped(run(1, 1)), stopped(run(2, 1)), stopped(run(9, 1))}, 1},
		"one that measured nothing":  {[]*result.Result{nothing, run(1, 1), run(2, 1)}, 1},
		"all of them measured none ": {[]*result.Result{nothing, nothing}, 0},
	} {
		if got := result.Nearest(c.runs...); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	run := func(bytes, p99 float64, limits ...result.Limit) *result.Result {
		r := &result.Result{LimitedBy: limits, Settings: map[string]any{"rate": "1000"}, Environment: &result.Environment{Go: "go1"}}
		r.Memory.BytesPerConnection = result.Of(bytes)
		r.Latency.P99 = result.Of(p99)
		r.Service = &result.Quantiles{P50: result.Of(bytes)}
		return r
	}
	a, b, c := run(70, 3), run(60, 1, result.Limit{Part: "cpu", Evidence: "b"}), run(90, 2, result.Limit{Part: "cpu", Evidence: "c"})
	c.Latency.P99 = result.Figure{} // not measured in this one
	c.Interrupted = true
	m := result.Median(a, b, c)
	for name, got := range map[string]struct {
		figure result.Figure
		want   float64
	}{
		"odd":           {m.Memory.BytesPerConnection, 70},
		"even":          {m.Latency.P99, 2},
		"behind a null": {m.Service.P50, 70},
	} {
		if value, ok := got.figure.Value(); !ok || value != got.want {
			t.Errorf("%s: %v %t, want %v", name, value, ok, got.want)
		}
	}
	if _, ok := m.Memory.RSSPeak.Value(); ok {
		t.Error("what no run measured has a median")
	}
	if !m.Interrupted || len(m.LimitedBy) != 1 || m.LimitedBy[0].Evidence != "b" || m.Settings["rate"] != "1000" {
		t.Errorf("%+v", m)
	}
	if v, _ := a.Service.P50.Value(); v != 70 || len(a.LimitedBy) != 0 {
		t.Error("a run was changed by its median")
	}
	if r := result.Median(); r == nil {
		t.Error("no run has no result")
	}
	d := run(80, 4)
	d.Service = nil // it had no message to time
	if p50, ok := result.Median(d, a, b).Service.P50.Value(); !ok || p50 != 65 {
		t.Errorf("a service time of %v %t behind a run without one, want 65", p50, ok)
	}
	if p50, _ := result.Median(a, d, b).Service.P50.Value(); p50 != 65 {
		t.Errorf("a service time of %v around a run without one, want 65", p50)
	}
}

// TestMedianOfParts: what a sum consists of does not contradict it.
func TestMedianOfParts(t *testing.T) {
	run := func(dropped float64, by map[string]result.Figure) *result.Result {
		r := new(result.Result)
		r.Messages.Dropped, r.Messages.DroppedBy = result.Of(dropped), by
		r.Memory.KernelBytesPerConnection, r.Memory.Slabs = r.Messages.Dropped, by
		return r
	}
	of := func(n int) map[string]result.Figure { return map[string]result.Figure{"a": result.Of(n)} }
	for name, c := range map[string]struct {
		runs []*result.Result
		want map[string]result.Figure
	}{
		"the first alone":     {[]*result.Result{run(5, of(5)), run(0, nil), run(0, nil)}, nil},
		"not the first":       {[]*result.Result{run(0, nil), run(4, of(4)), run(5, of(5))}, of(4)},
		"one did not measure": {[]*result.Result{new(result.Result), run(4, of(4)), run(6, of(6))}, of(5)},
		"another each time":   {[]*result.Result{run(5, of(5)), run(6, map[string]result.Figure{"b": result.Of(6)})}, map[string]result.Figure{"a": result.Of(2.5), "b": result.Of(3)}},
	} {
		m := result.Median(c.runs...)
		if !maps.Equal(m.Messages.DroppedBy, c.want) || !maps.Equal(m.Memory.Slabs, c.want) {
			t.Errorf("%s: dropped by %v, kernel memory by %v, want %v", name, m.Messages.DroppedBy, m.Memory.Slabs, c.want)
		}
	}
	one := run(5, map[string]result.Figure{"a": result.Of(5), "b": result.Of(0)})
	if m := result.Median(one); !maps.Equal(m.Messages.DroppedBy, one.Messages.DroppedBy) {
		t.Errorf("of one run %v, want its own", m.Messages.DroppedBy)
	}
}
