package bench

import (
	"strings"
	"testing"

	"example.org/comet/flood/pace"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// TestClockError checks that a percentile below the error of the clocks is null
// with the reason, and that an error which reaches one is stated, for our own
// servers and for others, paced and flat out.
func TestClockError(t *testing.T) {
	for name, c := range map[string]struct {
		lead  float64
		early uint64
		max   bool
		want  string // p50, p90, p99, p99.9, max, before_due, clock_error_ms
		notes []string
	}{
		"the clocks agree":     {0, 0, false, "1.5 2 3 4 5 0 0", nil},
		"a little":             {0.1, 3, false, "1.5 2 3 4 5 3 0.1", []string{"3 messages came up to 0.1"}},
		"over a tenth of some": {0.25, 3, false, "1.5 2 3 4 5 3 0.25", []string{"3 messages", "more than a tenth of p50 (17 %), p90 (12 %)."}},
		"above some":           {2.5, 3, false, "null null 3 4 5 3 2.5", []string{"so p50, p90 are not known.", "p99 (83 %)"}},
		"an hour":              {3_600_000, 100, false, "null null null null null 100 3600000", []string{"so p50, p90, p99, p99.9, max are not known."}},
		"flat out":             {0, 0, true, "1.5 2 3 null 5 null null", nil},
		"flat out, above some": {2.5, 3, true, "null null 3 null 5 3 2.5", []string{"so p50, p90 are not known."}},
	} {
		for _, site := range []string{"own", "foreign"} {
			rec, p := made(whole, func(rec *record, p *plan) {
				if site == "foreign" {
					foreignSite(rec, p)
				}
				if c.max {
					p.rate = pace.MaxRate
				}
				counted(rec, func(r *flood.Result) { r.BeforeDue, r.BeforeDueMS = c.early, c.lead })
			})
			r := figures(rec, p)
			l := r.Latency
			if c.max {
				l.P50, l.P90, l.P99, l.Max = r.Service.P50, r.Service.P90, r.Service.P99, r.Service.Max
			}
			var got []string
			for _, f := range []result.Figure{l.P50, l.P90, l.P99, l.P999, l.Max, l.BeforeDue, l.ClockError} {
				got = append(got, show(f))
			}
			if text := strings.Join(got, " "); strings.ReplaceAll(text, "3.6e+06", "3600000") != c.want {
				t.Errorf("%s, %s: %s, want %s", name, site, text, c.want)
			}
			notes := strings.Join(r.Notes, " ")
			if c.notes == nil && notes != "" {
				t.Errorf("%s, %s: notes %q", name, site, notes)
			}
			for _, want := range c.notes {
				if !strings.Contains(notes, want) {
					t.Errorf("%s, %s: %q is not in %q", name, site, want, notes)
				}
			}
		}
	}
	// All of them before they were due: there is no distribution.
	rec, p := made(func(rec *record, _ *plan) {
		counted(rec, func(r *flood.Result) { r.Latency, r.BeforeDue, r.BeforeDueMS = nil, 100, 7 })
	})
	if r := figures(rec, p); show(r.Latency.BeforeDue) != "100" || show(r.Latency.ClockError) != "7" || len(r.Notes) != 1 {
		t.Errorf("%+v %q", r.Latency, r.Notes)
	}
}
