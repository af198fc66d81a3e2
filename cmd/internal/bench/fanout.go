package bench

import (
	"fmt"
	"strings"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// fanOutFigures enters how long a message took to the connections of its id, where
// several have one. Floods that each have some of them are merged: all must have told
// what they saw, or the first and the last are not known. Without a pace no message
// was due.
func fanOutFigures(rec *record, p *plan, r *result.Result) {
	if p.subscribers < 2 && p.audience == nil || p.rate.Unpaced() {
		return
	}
	t := totals(rec.floods)
	if rec.clockTrouble != nil { // the notes say so of the latency
		return
	}
	if !t.all {
		r.Notes = append(r.Notes, "The fan-out is not known: a flood, which had some of the connections, did not tell what it saw.")
		return
	}
	var parts []*flood.FanOut
	for _, f := range rec.floods {
		parts = append(parts, f.ended.FanOut)
	}
	f, err := flood.MergeFanOut(parts...)
	switch {
	case err != nil:
		r.Notes = append(r.Notes, "The fan-out is not known: "+err.Error()+".")
		return
	case f == nil:
		return
	case f.Share < 1:
		r.Notes = append(r.Notes, fmt.Sprintf("The fan-out is that of %d messages, a share of 1/%.0f of all that is drawn by their numbers.", f.Messages, 1/f.Share))
	}
	r.FanOut = result.FanOut{First: result.Of(f.First), P50: result.Of(f.P50), P99: result.Of(f.P99), Last: result.Of(f.Last)}
	off, _ := result.Most(result.Of(t.BeforeDueMS), rec.clockError).Value()
	if out := belowClocks(&r.FanOut, off); out != "" {
		r.Notes = append(r.Notes, "The clocks of generator and flood differ by more than "+out+" of the fan-out, so it is not known.")
	}
}

// belowClocks takes out of f what is below the error of the clocks, and returns what
// that is.
func belowClocks(f *result.FanOut, lead float64) string {
	var out []string
	for _, one := range []struct {
		name string
		f    *result.Figure
	}{{"first", &f.First}, {"p50", &f.P50}, {"p99", &f.P99}, {"last", &f.Last}} {
		if ms, _ := one.f.Value(); lead > 0 && ms < lead {
			*one.f = result.Figure{}
			out = append(out, one.name)
		}
	}
	return strings.Join(out, ", ")
}

// roomNotes returns why it is not known how many deliveries to rooms were expected, if
// it is not.
func roomNotes(a *account, rec *record, p *plan) []string {
	if _, known := a.expected.Value(); known || p.subscribers < 2 || rec.generated == nil {
		return nil
	}
	if p.each == 0 {
		return []string{"Expected and missing messages are not known: the server is not told whose room a message is for (write {id} in --url and --publish)."}
	}
	return []string{"Expected and missing messages are not known: not every connection was there all the time, and of several per id nobody says how many each message found."}
}
