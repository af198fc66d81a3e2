package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood"
	"example.org/comet/flood/pace"
	"example.org/comet/msggen"
	"example.org/comet/server/wire"
)

// toFollowers makes a record one of events: of 100, which go round four publishers, 75
// are for three connections each and 25 for none.
func toFollowers(rec *record, p *plan) {
	p.each = 0
	p.audience = &audience{
		weights: []uint32{3, 3, 0, 3}, sum: 9, most: 3, longest: 3,
		draws: msggen.Config{Senders: 1, FirstID: 1, MaxID: 4, Duration: time.Minute, Distribution: msggen.Distribution{Shape: msggen.Sequential}},
	}
	rec.generated.Reached, rec.generated.Unaddressed = 225, 25
	counted(rec, func(r *flood.Result) { r.Stamped, r.Delivered = 225, 225 })
}

func TestAccountOfEvents(t *testing.T) {
	deliver := func(n uint64) func(*flood.Result) { return func(r *flood.Result) { r.Delivered = n } }
	for name, c := range map[string]struct {
		change func(*record, *plan)
		// expected, delivered, missing, missed offline, unaddressed
		want string
		note string
	}{
		"all arrive":         {func(*record, *plan) {}, "225 225 0 null 25", ""},
		"some do not arrive": {func(rec *record, _ *plan) { counted(rec, deliver(220)) }, "225 220 5 null 25", ""},
		// The graph decides, and not what the server found.
		"the server overlooks somebody": {func(rec *record, _ *plan) {
			rec.generated.Reached, rec.generated.Unaddressed = 200, 33
			counted(rec, deliver(200))
		}, "225 200 25 null 33", ""},
		"some were refused": {func(rec *record, _ *plan) {
			rec.generated.Sent, rec.generated.Refused, rec.generated.Reached, rec.generated.Unaddressed = 90, 10, 200, 20
			counted(rec, deliver(199))
		}, "200 199 1 null 20", ""},
		"of some nobody knows": {func(rec *record, _ *plan) {
			rec.generated.Sent, rec.generated.Unknown, rec.generated.Reached = 98, 2, 220
			counted(rec, deliver(224))
		}, "220 224 null null 25", ""},
		"some left": {func(rec *record, _ *plan) {
			rec.generated.Reached, rec.generated.Unaddressed = 180, 30
			rec.after.dropped[overrun] = 2
			counted(rec, func(r *flood.Result) { r.Connected, r.Closed, r.Delivered = 9, 1, 179 })
		}, "182 179 3 null 30", ""},
		"some came back": {func(rec *record, p *plan) {
			p.returns, rec.generated.Reached, rec.generated.Unaddressed = true, 180, 30
			counted(rec, func(r *flood.Result) { r.Reconnect.Back, r.Delivered = 1, 180 })
		}, "225 180 0 45 30", ""},
		"they could have come back": {func(_ *record, p *plan) { p.returns = true }, "225 225 0 0 25", ""},
		"some are between two polls": {func(rec *record, p *plan) {
			p.polls, rec.generated.Reached = true, 222
			counted(rec, deliver(222))
		}, "222 222 0 null 25", ""},
		"some left, and nobody says whom the events found": {func(rec *record, _ *plan) {
			rec.generated.ReachUnknown, rec.generated.Reached = true, 0
			counted(rec, func(r *flood.Result) { r.Connected, r.Closed = 9, 1 })
		}, "null 225 null null null", "Expected and missing deliveries are not known"},
		"more than the graph has": {func(rec *record, _ *plan) { counted(rec, deliver(226)) }, "225 226 null null 25", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := figures(made(toFollowers, c.change))
			m := r.Messages
			got := fmt.Sprint(show(m.Expected), " ", show(m.Delivered), " ", show(m.Missing), " ", show(m.MissedOffline), " ", show(m.Unaddressed))
			if got != c.want {
				t.Errorf("%s, want %s (faults %q)", got, c.want, m.Faults)
			}
			if notes := strings.Join(r.Notes, " "); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

// TestEventsOfASample: where not all publishers can be kept account of, it is said of
// how many, and a duplicate among them makes it unknown what is missing.
func TestEventsOfASample(t *testing.T) {
	many := func(rec *record, p *plan) {
		toFollowers(rec, p)
		p.audience.sum, p.rate = 5_000_000, pace.MaxRate
		counted(rec, func(r *flood.Result) { r.Untracked = 170 })
	}
	r := figures(made(many))
	if notes := strings.Join(r.Notes, " "); show(r.Messages.Missing) != "0" || !strings.Contains(notes, "are those of one publisher in 4, drawn by a hash, of whom 55 of the 225 delivered came: of all, a flood would take up to 750 MB") || !strings.Contains(notes, "none of the others came twice") {
		t.Errorf("missing %s, notes %q", show(r.Messages.Missing), notes)
	}
	r = figures(made(many, func(rec *record, _ *plan) { counted(rec, func(r *flood.Result) { r.Duplicated = 1 }) }))
	if notes := strings.Join(r.Notes, " "); show(r.Messages.Missing) != "null" || !strings.Contains(notes, "some events came twice") {
		t.Errorf("missing %s, notes %q", show(r.Messages.Missing), notes)
	}
}

func TestTrackOneIn(t *testing.T) {
	for name, c := range map[string]struct {
		sum     uint64
		longest uint32
		rate    pace.Rate
		want    int
	}{
		"few subscriptions":                {750_000, 100, pace.MaxRate, 1},
		"many":                             {50_000_000, 100, pace.MaxRate, 32},
		"many, and few events":             {50_000_000, 100, 10, 1},
		"many, and no events":              {50_000_000, 100, 0, 32},
		"somebody who follows very many":   {750_000, 100_000, pace.MaxRate, 16},
		"very many, of whom few send some": {50_000_000, 100_000, 1, 16},
	} {
		a := &audience{weights: make([]uint32, 1_000_000), sum: c.sum, longest: c.longest, draws: msggen.Config{Duration: time.Minute}}
		if got := a.trackOneIn(&plan{rate: c.rate}); got != c.want {
			t.Errorf("%s: one in %d, want %d", name, got, c.want)
		}
	}
}

// TestArgumentsOfEvents: server, flood and generator are given the graph, the ones who
// connect and the publishers.
func TestArgumentsOfEvents(t *testing.T) {
	cfg, f := befriended(t, 2, 7, "1 7\n2 7\n3 8\n")
	cfg.friends, cfg.Streams.Users, cfg.Rate, cfg.Duration = f, f.connecting, 100, time.Minute
	p := &plan{run: 1, runs: []wire.Run{1}, firstID: 1, lastID: 2, connections: 2, rate: 100, pairs: []pair{{firstID: 1, connections: 2}}}
	var err error
	if p.audience, err = f.audience(cfg); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"--subscriptions=" + f.file + " --subscriptions-read-only=true":                                           serveArgs(cfg, p, 0, ""),
		"--fan-out=true --ids=1-2 --in-flight=10 --json=true --run=00000001 --track-one-in=1 --users=" + f.folder: flags.Args(floodCommand(cfg, p, p.pairs[0], "")),
		"--events=true --feedback=true --json=true --max-id=2":                                                    msggenArgs(cfg, p, nil),
		"--seed=7 --users=" + f.folder:                                                                            msggenArgs(cfg, p, nil),
	} {
		if got := strings.Join(args, " "); !strings.Contains(got, want) {
			t.Errorf("%s has no %q", got, want)
		}
	}
}
