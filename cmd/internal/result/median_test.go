package result_test

import (
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
}
