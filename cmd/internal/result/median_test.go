package result_test

import (
	"testing"

	"example.org/comet/cmd/internal/result"
)

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
