package live

import (
	"encoding/json"
	"math"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// TestHistoryIsBounded: a run of more than a day takes no more memory than one of an
// hour. Its newest moments are there as they were, the older ones in order, without a
// gap, and no peak is lost.
func TestHistoryIsBounded(t *testing.T) {
	const n = 100_000
	var h history
	for i := range n {
		m := moment(float64(i), "messages")
		m.Connected, m.DeliveredPerSecond = result.Of(i), result.Of(10)
		m.Latency = result.Quantiles{P99: result.Of(1)}
		if i == 12_345 {
			m.Latency.P99 = result.Of(99)
		}
		if i%100 == 0 { // a phase again and again
			m.Phase = "idle"
		}
		h.add(m)
		if rows := len(h.recent) + len(h.older); rows > mostRecent+mostOlder {
			t.Fatalf("after %d moments there are %d rows", i, rows)
		}
	}
	if len(h.phases) != mostPhases {
		t.Errorf("%d phases are kept, want %d", len(h.phases), mostPhases)
	}
	texts := h.texts()
	if len(texts) < mostOlder/2 {
		t.Errorf("only %d rows are left", len(texts))
	}
	last, peak := -1.0, 0.0
	var widest float64
	for i, text := range texts {
		var m result.Moment
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		at, _ := m.Connected.Value()
		if at <= last || at != m.Seconds {
			t.Fatalf("row %d: %v connections at %v s, after %v", i, at, m.Seconds, last)
		}
		widest, last = max(widest, at-last), at
		if rate, _ := m.DeliveredPerSecond.Value(); math.Abs(rate-10) > 1e-9 {
			t.Fatalf("row %d: the mean of 10 and 10 is %v", i, rate)
		}
		p99, _ := m.Latency.P99.Value()
		peak = max(peak, p99)
		if want := float64(n - len(texts) + i); i >= len(texts)-mostRecent && m.Seconds != want {
			t.Fatalf("row %d is of %v s, want %v", i, m.Seconds, want)
		}
	}
	if last != n-1 || peak != 99 || widest > 256 {
		t.Errorf("it ends at %v, its peak is %v, its widest row %v s", last, peak, widest)
	}
}

// TestMerge: what was not measured of one is that of the other, and of neither is
// nothing.
func TestMerge(t *testing.T) {
	none := result.Figure{}
	a := result.Moment{Seconds: 1, Phase: "idle", DeliveredPerSecond: result.Of(4), SentPerSecond: result.Of(1), Memory: result.Of(9), CPU: map[string]result.Figure{"flood": result.Of(1), "router": result.Of(3)}}
	b := result.Moment{Seconds: 2, Phase: "messages", DeliveredPerSecond: result.Of(1), Memory: result.Of(5), Latency: result.Quantiles{Max: result.Of(3)}, CPU: map[string]result.Figure{"flood": none, "server": result.Of(2)}}
	m := merge(a, 2, b, 1)
	for name, c := range map[string]struct{ got, want result.Figure }{
		"delivered": {m.DeliveredPerSecond, result.Of(3)}, "sent": {m.SentPerSecond, result.Of(1)}, "attempts": {m.AttemptsPerSecond, none},
		"memory": {m.Memory, result.Of(9)}, "max": {m.Latency.Max, result.Of(3)}, "p50": {m.Latency.P50, none},
		"flood": {m.CPU["flood"], result.Of(1)}, "router": {m.CPU["router"], result.Of(3)}, "server": {m.CPU["server"], result.Of(2)},
	} {
		got, _ := c.got.Value()
		if want, _ := c.want.Value(); math.Abs(got-want) > 1e-9 || (c.got == none) != (c.want == none) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if m.Seconds != 2 || m.Phase != "messages" {
		t.Errorf("%+v", m)
	}
}

// TestNotMeasured: NaN and what else is no number is null for a viewer, and no line
// for Prometheus.
func TestNotMeasured(t *testing.T) {
	s, _ := start(t, Config{})
	s.Add(result.Moment{Seconds: 1, Phase: "connect", Connected: result.Of(math.NaN()), DeliveredPerSecond: result.Of(math.Inf(1)), CPU: map[string]result.Figure{"server": result.Of(math.NaN())}}, result.Quantiles{})
	h := watch(t, s).next()
	if len(h.Moments) != 1 || h.Moments[0].Connected != (result.Figure{}) || h.Moments[0].CPU["server"] != (result.Figure{}) {
		t.Errorf("%+v", h)
	}
	for _, m := range s.metrics() {
		switch m.Name {
		case "comet_run_info", "comet_run_ended", "comet_run_elapsed_seconds", "comet_run_phase":
		default:
			t.Errorf("%s%s %v", m.Name, m.Labels, m.Value)
		}
	}
}
