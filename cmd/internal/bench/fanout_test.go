package bench

import (
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/flood/pace"
)

// seen returns what a flood tells of the recipients that it had: of two messages, which
// came after 2 and 5 ms to one of them and after 3 and 9 to the other.
const seen = "+g8Feaf2xwSoKNld4O9QLzBgQAWMDJgARWzecq1+Y54lyTvEV7g1MBrg0YZVBhAAAP//"

func TestFanOut(t *testing.T) {
	rooms := func(rec *record, p *plan) {
		p.subscribers = 20
		counted(rec, func(r *flood.Result) { r.FanOut = &flood.FanOut{Sample: seen} })
	}
	for name, c := range map[string]struct {
		change func(*record, *plan)
		want   string // first, last
		note   string
	}{
		"rooms":                    {rooms, "2 5", ""},
		"a connection for each":    {func(rec *record, p *plan) { rooms(rec, p); p.subscribers = 1 }, "null null", ""},
		"nothing came":             {func(rec *record, p *plan) { rooms(rec, p); rec.floods[0].ended.FanOut = nil }, "null null", ""},
		"flat out, nothing is due": {func(rec *record, p *plan) { rooms(rec, p); p.rate = pace.MaxRate }, "null null", ""},
		"a flood was lost":         {func(rec *record, p *plan) { rooms(rec, p); rec.floods[0].lost = true }, "null null", "The fan-out is not known: a flood"},
		"the clocks differ": {func(rec *record, p *plan) {
			rooms(rec, p)
			rec.floods[0].ended.BeforeDue, rec.floods[0].ended.BeforeDueMS = 1, 3
		}, "null 5", "differ by more than first"},
		"a flood tells nonsense": {func(rec *record, p *plan) { rooms(rec, p); rec.floods[0].ended.FanOut.Sample = "?" }, "null null", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			r := figures(made(whole, c.change))
			if got := show(r.FanOut.First) + " " + show(r.FanOut.Last); got != c.want {
				t.Errorf("first and last %s, want %s", got, c.want)
			}
			notes := strings.Join(r.Notes, " ")
			if strings.Contains(notes, "fan-out") != (c.note != "") || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

func TestNotesOfRooms(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*record, *plan)
		note   string
	}{
		"all were there": {func(_ *record, p *plan) { p.each = 20 }, ""},
		"some left": {func(rec *record, p *plan) {
			p.each = 20
			counted(rec, func(r *flood.Result) { r.Connected, r.Closed = 9, 1 })
		}, "not every connection was there"},
		"nobody knows whose room it is": {func(_ *record, p *plan) { p.each = 0 }, "is not told whose room"},
	} {
		rec, p := made(foreignSite, func(rec *record, p *plan) { p.subscribers = 20; c.change(rec, p) })
		notes := strings.Join(figures(rec, p).Notes, " ")
		if strings.Contains(notes, "Expected and missing") != (c.note != "") || !strings.Contains(notes, c.note) {
			t.Errorf("%s: %q, want %q", name, notes, c.note)
		}
	}
	if r := figures(made()); r.FanOut != (result.FanOut{}) || len(r.Notes) > 0 {
		t.Errorf("%+v, %q of a connection for each id", r.FanOut, r.Notes)
	}
}
