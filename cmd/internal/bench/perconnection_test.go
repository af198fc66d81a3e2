package bench

import (
	"strings"
	"testing"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
)

// Memory that a server had before its connections came is not theirs: the figure
// is right, or null with the reason, and never 0.
func TestPerConnection(t *testing.T) {
	const n, first = 10_000, 200
	const mib = 1 << 20
	for name, c := range map[string]struct {
		cold, warm, begun, idle float64 // -1 is not measured
		fresh                   bool
		want                    string
		note                    string
	}{
		"a fresh nginx":                        {9 * mib, 11.5 * mib, 11.5 * mib, 11.5*mib + 9000*n, false, "9000", ""},
		"nchan, its second run":                {30 * mib, 30 * mib, 30 * mib, 30 * mib, false, "null", "changed by 0 B"},
		"nchan, its third run, a page more":    {30 * mib, 30*mib + 4096, 30*mib + 4096, 30*mib + 4096*33, false, "null", "less than any server needs"},
		"a pool for half of them":              {99 * mib, 99 * mib, 99 * mib, 99*mib + 4500*n, false, "null", "each of the first 200 connections made the server grow by 0 bytes"},
		"a Go server that held them before":    {250 * mib, 250*mib + 40_000, 250*mib + 40_000, 251 * mib, false, "null", "0.38 % of what it had"},
		"a fresh Go server":                    {10 * mib, 18 * mib, 17 * mib, 17*mib + 25_000*n, false, "25000", ""},
		"one that gives back what is closed":   {50 * mib, 50*mib + 100_000*first, 50 * mib, 50*mib + 100_000*n, false, "100000", ""},
		"memory that falls while connecting":   {80 * mib, 81 * mib, 81 * mib, 70 * mib, false, "null", "changed by -11.0 MiB"},
		"a memory log, grown":                  {-1, -1, 11 * mib, 11*mib + 9000*n, false, "9000", ""},
		"a memory log, not grown":              {-1, -1, 11 * mib, 11 * mib, false, "null", "changed by 0 B"},
		"a fresh nchan, and few connections":   {31 * mib, 33.5 * mib, 33.1 * mib, 34.3 * mib, false, "null", "Measure with more connections"},
		"a second run that grows a little":     {35 * mib, 35.5 * mib, 35.4 * mib, 35.9 * mib, false, "null", "left 409.6 KiB in the server, which the 10000 after them may have used again; they made it grow by 512.0 KiB"},
		"a fresh server, half of it once":      {6 * mib, 11 * mib, 11 * mib, 11*mib + 1000*n, false, "1000", ""},
		"nothing is measured":                  {-1, -1, -1, -1, false, "null", ""},
		"our own, lean":                        {-1, -1, 11 * mib, 11*mib + 30*n, true, "30", ""},
		"ours, run by somebody else and fresh": {11 * mib, 11*mib + 100*first, 11*mib + 100*first, 11*mib + 100*first + 70*n, false, "70", ""},
	} {
		snapshot := func(rss float64) probe.Snapshot {
			if rss < 0 {
				return probe.Snapshot{}
			}
			return probe.Snapshot{Usage: map[probe.Part]probe.Usage{theServer: {RSS: result.Of(rss)}}}
		}
		rec := &record{cold: snapshot(c.cold), warm: snapshot(c.warm), begun: snapshot(c.begun), idle: snapshot(c.idle), warmed: first}
		got, note := perConnection(rec, &plan{terms: terms{fresh: c.fresh}}, result.Of(n))
		if show(got) != c.want || !strings.Contains(note, c.note) || (note == "") != (c.note == "") {
			t.Errorf("%s: %s and %q, want %s and %q", name, show(got), note, c.want, c.note)
		}
	}
}

// A collection may free more than the connections brought: that is no cost.
func TestPerConnectionAfterGC(t *testing.T) {
	const n, mib = 10_000, 1 << 20
	for name, c := range map[string]struct {
		begun, left float64 // -1 is not measured
		want        string
	}{
		"what they cost":         {20 * mib, 20*mib + 49*n, "49"},
		"nothing":                {20 * mib, 20 * mib, "0"},
		"less than at the start": {20 * mib, 18 * mib, "null"},
		"no collection":          {20 * mib, -1, "null"},
	} {
		rec := &record{begun: probe.Snapshot{Usage: map[probe.Part]probe.Usage{theServer: {RSS: result.Of(c.begun)}}}}
		if c.left >= 0 {
			rec.afterGC = map[probe.Part]result.Figure{theServer: result.Of(c.left)}
		}
		if got := perConnectionAfterGC(rec, result.Of(n)); show(got) != c.want {
			t.Errorf("%s: %s, want %s", name, show(got), c.want)
		}
	}
}
