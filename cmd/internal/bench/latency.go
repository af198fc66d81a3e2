package bench

import (
	"fmt"
	"strings"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// statedError is the share of a percentile from which the error of the clocks is
// stated.
const statedError = 0.1

// latencyFigures enters how long messages took, as latency or, without a pace, as
// service time. The clock error is at least the largest lead: no message comes
// before it is due, so the clocks of its generator and of its flood differed by
// that much. That of agents is measured. A percentile below it is null, with the reason in Notes.
func latencyFigures(rec *record, p *plan, r *result.Result) {
	t := totals(rec.floods)
	q := merged(rec.floods, func(f *flood.Result) *flood.Quantiles { return f.Latency })
	if q == nil && t.BeforeDue == 0 {
		return
	}
	if rec.clockTrouble != nil {
		r.Notes = append(r.Notes, "The latency is not known, because it is not known how the clocks of the agents were set at the end: "+rec.clockTrouble.Error()+".")
		return
	}
	var l result.Latency
	if q != nil {
		l = result.Latency{P50: result.Of(q.P50), P90: result.Of(q.P90), P99: result.Of(q.P99), P999: result.Of(q.P999), Max: result.Of(q.Max)}
	}
	l.BeforeDue, l.ClockError = result.Of(t.BeforeDue), result.Most(result.Of(t.BeforeDueMS), rec.clockError)
	r.Notes = append(r.Notes, clocks(&l)...)
	if p.rate.Unpaced() {
		if q != nil {
			r.Service = &result.Quantiles{P50: l.P50, P90: l.P90, P99: l.P99, Max: l.Max}
			r.Histograms.Service = histogram(q)
		}
		if t.BeforeDue > 0 {
			r.Latency = result.Latency{ClockError: l.ClockError, BeforeDue: l.BeforeDue}
		}
		return
	}
	r.Latency, r.Histograms.Latency = l, histogram(q)
}

// clocks takes out of l what is below the error of the clocks, and returns in
// sentences what it did, and for which percentiles the error matters.
func clocks(l *result.Latency) []string {
	lead, _ := l.ClockError.Value()
	if lead == 0 {
		return nil
	}
	n, _ := l.BeforeDue.Value()
	early := fmt.Sprintf("%.0f messages came up to %s before they were due: the clocks of generator and flood differ by that much at least", n, l.ClockError.Text(result.UnitMillis))
	if n == 0 { // what was measured, of agents
		early = "The clocks of the agents are known to " + l.ClockError.Text(result.UnitMillis)
	}
	var out, rough []string
	for _, one := range []struct {
		name string
		f    *result.Figure
	}{{"p50", &l.P50}, {"p90", &l.P90}, {"p99", &l.P99}, {"p99.9", &l.P999}, {"max", &l.Max}} {
		switch ms, known := one.f.Value(); {
		case !known || ms < lead:
			*one.f = result.Figure{}
			out = append(out, one.name)
		case lead > statedError*ms:
			rough = append(rough, fmt.Sprintf("%s (%.0f %%)", one.name, 100*lead/ms))
		}
	}
	var notes []string
	switch {
	case len(out) > 0:
		verb := " are"
		if len(out) == 1 {
			verb = " is"
		}
		notes = []string{early + ", so " + strings.Join(out, ", ") + verb + " not known."}
	case n > 0:
		notes = []string{early + "."}
	}
	if len(rough) > 0 {
		notes = append(notes, "The error of the clocks is more than a tenth of "+strings.Join(rough, ", ")+".")
	}
	return notes
}
