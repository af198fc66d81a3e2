package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

func TestAccount(t *testing.T) {
	deliver := func(n uint64) func(*flood.Result) { return func(r *flood.Result) { r.Delivered = n } }
	leave := func(rec *record) {
		counted(rec, func(r *flood.Result) { r.Connected, r.Closed = 9, 1 })
	}
	router := func(rec *record, p *plan) {
		rec.generated.ReachUnknown, rec.generated.Reached = true, 0
		p.blocks, rec.after.received = true, 100
	}
	for _, c := range []struct {
		name   string
		change func(*record, *plan)
		// expected, delivered, missing, unaddressed, dropped
		want  string
		fault string // "" is none
	}{
		{"all arrive", func(*record, *plan) {}, "100 100 0 0 0", ""},
		{"no messages at all", func(rec *record, _ *plan) { rec.sending = probe.Snapshot{} }, "null null null null null", ""},
		{"some do not arrive", func(rec *record, _ *plan) { counted(rec, deliver(90)) }, "100 90 10 0 0", ""},
		{"some are dropped", func(rec *record, _ *plan) {
			counted(rec, deliver(90))
			rec.after.dropped["slow"] = 4
		}, "100 90 10 0 4", ""},
		{"what was dropped before does not count", func(rec *record, _ *plan) {
			rec.before.dropped["slow"], rec.after.dropped["slow"] = 4, 4
		}, "100 100 0 0 0", ""},
		{"some are for nobody", func(rec *record, _ *plan) {
			rec.generated.Unaddressed = 5
			counted(rec, deliver(94))
		}, "95 94 1 5 0", ""},
		{"some are for connections that are away", func(rec *record, p *plan) {
			p.returns, rec.generated.Unaddressed = true, 5
			counted(rec, deliver(94))
		}, "100 94 1 0 0", ""},
		{"some are for connections that are away, and others were never there", func(rec *record, p *plan) {
			p.returns, rec.generated.Unaddressed = true, 5
			counted(rec, func(r *flood.Result) { r.Delivered = 94; r.Connected--; r.Failed++ })
		}, "95 94 1 5 0", ""},
		{"of another server, connections came back and jumped over some", func(rec *record, p *plan) {
			foreignSite(rec, p)
			p.returns = true
			counted(rec, func(r *flood.Result) { r.Delivered = 90; r.Reconnect.Lost = 20; r.Reconnect.MissedOffline = 8 })
		}, "100 90 2 0 null", ""},
		{"of another server, they jumped over numbers that were refused", func(rec *record, p *plan) {
			foreignSite(rec, p)
			p.returns = true
			counted(rec, func(r *flood.Result) { r.Delivered = 95; r.Reconnect.Lost = 20; r.Reconnect.MissedOffline = 8 })
		}, "100 95 0 0 null", ""},
		{"some are refused", func(rec *record, _ *plan) {
			rec.generated.Sent, rec.generated.Refused = 60, 40
			counted(rec, deliver(60))
		}, "60 60 0 0 0", ""},
		{"of some nobody knows", func(rec *record, _ *plan) {
			rec.generated.Sent, rec.generated.Unknown = 90, 10
			counted(rec, deliver(95))
		}, "90 95 null 0 0", ""},
		{"more was out of order than a flood keeps account of", func(rec *record, _ *plan) {
			counted(rec, func(r *flood.Result) { r.Delivered, r.UnknownTracks = 90, 1 })
		}, "100 90 null 0 0", ""},
		{"a flood's gaps are no loss", func(rec *record, _ *plan) {
			counted(rec, func(r *flood.Result) { r.Missing = 7 })
		}, "100 100 0 0 0", ""},
		{"two connections for each id", func(rec *record, p *plan) {
			foreignSite(rec, p)
			p.each = 2
			counted(rec, func(r *flood.Result) { r.Delivered = 190 })
		}, "200 190 10 0 null", ""},
		{"rooms of another server, a connection closed", func(rec *record, p *plan) {
			foreignSite(rec, p)
			p.each = 2
			counted(rec, func(r *flood.Result) { r.Connected, r.Closed, r.Delivered = 9, 1, 190 })
		}, "null 190 null null null", ""},
		{"rooms of another server, connections came back and jumped over some", func(rec *record, p *plan) {
			foreignSite(rec, p)
			p.each, p.returns = 2, true
			counted(rec, func(r *flood.Result) { r.Delivered = 190; r.Reconnect.Lost = 20; r.Reconnect.MissedOffline = 8 })
		}, "200 190 2 0 null", ""},
		{"rooms", func(rec *record, p *plan) {
			p.each, rec.generated.Reached = 20, 2000
			counted(rec, deliver(1990))
		}, "2000 1990 10 0 0", ""},
		{"rooms of which some are between two polls", func(rec *record, p *plan) {
			p.each, p.polls, rec.generated.Reached = 20, true, 1997
			rec.after.dropped["closed"] = 17
			counted(rec, deliver(1980))
		}, "1997 1980 17 0 17", ""},
		{"rooms that some left", func(rec *record, p *plan) {
			p.each, rec.generated.Reached = 20, 1900
			leave(rec)
			rec.after.dropped["slow"], rec.after.dropped[overrun] = 3, 7
			counted(rec, deliver(1895))
		}, "1907 1895 12 0 10", ""},
		{"rooms that some left, some of them empty", func(rec *record, p *plan) {
			p.each, rec.generated.Reached, rec.generated.Unaddressed = 20, 1900, 4
			leave(rec)
			counted(rec, deliver(1895))
		}, "1900 1895 5 4 0", ""},
		{"rooms that some left, and the server does not say what it dropped", func(rec *record, p *plan) {
			p.each, rec.generated.Reached, rec.after = 20, 1900, nil
			leave(rec)
			counted(rec, deliver(1895))
		}, "null 1895 null 0 null", ""},
		{"rooms to which some come back", func(rec *record, p *plan) {
			p.each, p.returns, rec.generated.Reached, rec.generated.Unaddressed = 20, true, 1900, 2
			counted(rec, func(r *flood.Result) { r.Delivered, r.Reconnect.Back = 1895, 9 })
		}, "2000 1895 5 0 0", ""},
		{"rooms to which some come back, and in which others are too", func(rec *record, p *plan) {
			p.each, p.returns, rec.generated.Reached = 20, true, 2100
			counted(rec, func(r *flood.Result) { r.Delivered, r.Reconnect.Back = 1895, 9 })
		}, "2100 1895 205 0 0", "the messages found 100 connections more than there are on their ids"},
		{"rooms at several nodes", func(rec *record, p *plan) {
			router(rec, p)
			p.each, p.blocks = 20, false
			counted(rec, deliver(2000))
		}, "2000 2000 0 0 0", ""},
		{"rooms at several nodes that some left", func(rec *record, p *plan) {
			router(rec, p)
			p.each, p.blocks = 20, false
			leave(rec)
			counted(rec, deliver(1990))
		}, "null 1990 null null 0", ""},
		{"some are on their way", func(rec *record, _ *plan) {
			rec.generated.Sent, rec.generated.Unanswered = 90, 10
			counted(rec, deliver(90))
		}, "90 90 null 0 0", ""},
		{"more than were sent", func(rec *record, _ *plan) { counted(rec, deliver(101)) }, "100 101 null 0 0", "101 messages were delivered, more than the 100"},
		{"more than were sent, and those of which nobody knows", func(rec *record, _ *plan) {
			rec.generated.Sent, rec.generated.Unknown = 90, 10
			counted(rec, deliver(101))
		}, "90 101 null 0 0", "the 90 that were sent to somebody and the 10"},
		{"a stamp of 10^18", func(rec *record, _ *plan) { counted(rec, deliver(1e18)) }, "100 1e+18 null 0 0", "were delivered, more than"},
		{"the generator's sum is wrong", func(rec *record, _ *plan) { rec.generated.Asked = 300 }, "100 100 0 0 0", "of 300 messages that were due, the generator accounts for 100"},
		{"more for nobody than were sent", func(rec *record, _ *plan) { rec.generated.Unaddressed = 300 }, "null 100 null null 0", "300 messages were for nobody, of 100"},
		{"more dropped than do not arrive", func(rec *record, _ *plan) {
			rec.after.dropped["slow"] = 4
		}, "100 100 null 0 4", "4 messages were dropped by the servers, more than the 0"},

		// With a router the generator does not know whom it reaches.
		{"everybody is there", router0(router), "100 100 0 0 0", ""},
		{"somebody left, and the nodes know", func(rec *record, p *plan) {
			router(rec, p)
			leave(rec)
			rec.before.unaddressed, rec.after.unaddressed = 3, 10
			counted(rec, deliver(92))
		}, "93 92 1 7 0", ""},
		{"somebody left and came back, and the nodes know", func(rec *record, p *plan) {
			router(rec, p)
			counted(rec, func(r *flood.Result) { r.Delivered, r.Reconnect.Back = 92, 1 })
			rec.before.unaddressed, rec.after.unaddressed = 3, 10
		}, "93 92 1 7 0", ""},
		{"a stamp was cut by the end of a connection that came back", func(rec *record, _ *plan) {
			counted(rec, func(r *flood.Result) { r.Delivered, r.Reconnect.Back = 99, 1 })
			rec.after.dropped["closed"] = 2
		}, "100 99 1 0 1", ""},
		{"a node counts what it drops as for nobody too", func(rec *record, p *plan) {
			router(rec, p)
			leave(rec)
			rec.after.unaddressed, rec.after.dropped[overrun] = 30, 25
			counted(rec, deliver(70))
		}, "70 70 null 30 25", "25 messages were dropped by the servers, more than the 0"},
		{"everybody left a block, and some came to no node", func(rec *record, p *plan) {
			router(rec, p)
			leave(rec)
			rec.after.received, rec.after.unaddressed = 60, 2
			counted(rec, deliver(58))
		}, "null 58 null null 0", ""},
		{"somebody left, and a node did not read in time", func(rec *record, p *plan) {
			router(rec, p)
			leave(rec)
			rec.after.received, rec.after.strayed, rec.after.dropped[overrun] = 101, 5, 5
			counted(rec, deliver(90))
		}, "null 90 null null 5", ""},
		{"all are at each node, and one did not read in time", func(rec *record, p *plan) {
			router(rec, p)
			p.blocks, p.everywhere = false, true
			rec.after.strayed, rec.after.dropped[overrun] = 50, 50
			counted(rec, deliver(80))
		}, "100 80 20 0 null", "the router gave up 50 messages"},

		{"a connection's end cut a message behind its stamp", func(rec *record, _ *plan) {
			leave(rec)
			rec.after.dropped["slow"] = 11
			counted(rec, deliver(90))
		}, "100 90 10 0 10", ""},
		{"more are dropped and delivered than connections ended", func(rec *record, _ *plan) {
			leave(rec)
			rec.after.dropped["slow"] = 12
			counted(rec, deliver(90))
		}, "100 90 null 0 12", "12 messages were dropped"},
		{"more dropped than was sent, and of some nobody knows", func(rec *record, _ *plan) {
			rec.generated.Sent, rec.generated.Unknown = 90, 10
			rec.after.dropped["slow"] = 20
			counted(rec, deliver(85))
		}, "90 85 null 0 20", "more than the 15"},
		{"a flood was lost, and more for nobody than were sent", func(rec *record, _ *plan) {
			rec.floods[0].lost, rec.generated.Unaddressed = true, 300
		}, "null 100 null null 0", "300 messages were for nobody"},
		{"a flood was lost, and more arrived than were sent", func(rec *record, _ *plan) {
			rec.floods[0].lost = true
			counted(rec, deliver(101))
		}, "100 101 null 0 0", "101 messages were delivered"},
		{"what servers count goes backwards", func(rec *record, _ *plan) {
			rec.before.routed, rec.before.dropped["slow"] = 500, 3
		}, "100 100 0 0 null", "went backwards (routed from 500 to 100, dropped_slow from 3 to 0)"},
		{"what a server counts cannot be believed", func(rec *record, _ *plan) {
			rec.after.faults = []string{"in /stats routed is 2e300"}
		}, "100 100 0 0 null", "in /stats routed"},
		{"somebody left, and the nodes do not know", func(rec *record, p *plan) {
			router(rec, p)
			leave(rec)
			p.blocks = false
		}, "null 100 null null 0", ""},
		{"a node was lost", func(rec *record, p *plan) {
			router(rec, p)
			leave(rec)
			rec.losses = []loss{{phase: "messages", ended: true}}
		}, "null 100 null null 0", ""},
		{"a server was lost, and what it counted with it", func(rec *record, p *plan) {
			router(rec, p)
			rec.parts[0].lost, rec.before.routed, rec.after.routed = true, 500, 20
			rec.losses = []loss{{phase: "messages", ended: true}}
			leave(rec)
		}, "null 100 null null null", ""},
		{"a flood was lost: what it got is not known", func(rec *record, _ *plan) { rec.floods[0].lost = true }, "100 100 null 0 0", ""},
		{"a flood gave no last account", func(rec *record, _ *plan) { rec.floods[0].ended = nil }, "100 0 null 0 0", ""},
		{"the generator was killed", func(rec *record, _ *plan) { rec.generated = nil }, "null 100 null null 0", ""},
		{"a server did not say", func(rec *record, _ *plan) { rec.after = nil }, "100 100 0 0 null", ""},

		{"a server that is not ours", foreignSite, "100 100 0 0 null", ""},
		{"a server that is not ours, some do not arrive", func(rec *record, p *plan) {
			foreignSite(rec, p)
			counted(rec, deliver(80))
		}, "100 80 20 0 null", ""},
		{"a server that is not ours, a connection closed", func(rec *record, p *plan) {
			foreignSite(rec, p)
			leave(rec)
		}, "null 100 null null null", ""},
		{"a server that is not ours, a message is for several", func(rec *record, p *plan) {
			foreignSite(rec, p)
			p.each = 0
			counted(rec, deliver(200))
		}, "null 200 null null null", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			rec, p := made(c.change)
			a := newAccount(rec, p)
			got := strings.Join([]string{show(a.expected), show(a.delivered), show(a.missing), show(a.unaddressed), show(a.dropped)}, " ")
			if got != c.want {
				t.Errorf("expected, delivered, missing, unaddressed, dropped: %s, want %s", got, c.want)
			}
			faults := strings.Join(a.faults, "; ")
			if (c.fault == "") != (faults == "") || !strings.Contains(faults, c.fault) {
				t.Errorf("faults: %q, want %q", faults, c.fault)
			}
		})
	}
}

// router0 lets all stand, so that no node is asked.
func router0(router func(*record, *plan)) func(*record, *plan) {
	return func(rec *record, p *plan) {
		router(rec, p)
		rec.after.unaddressed = 50
	}
}

// Whatever numbers come in, what is stated adds up.
func TestTheAccountAddsUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	number := func() uint64 { return random.Uint64N([]uint64{1, 3, 100, 1 << 40}[random.IntN(4)]) }
	for range 20_000 {
		rec, p := made()
		g := rec.generated
		g.Sent, g.Refused, g.Unaddressed = number(), number(), number()
		if random.IntN(2) == 0 {
			g.Unknown, g.Unanswered = number(), number()
		}
		g.Asked, g.ReachUnknown, p.blocks, p.each = number(), random.IntN(2) == 0, random.IntN(2) == 0, random.IntN(4)
		if random.IntN(2) == 0 {
			g.Asked = g.Sent + g.Refused + g.Unknown + g.Unanswered
		}
		rec.after.received, rec.after.strayed, p.everywhere = number(), random.Uint64N(2), random.IntN(2) == 0
		rec.before.unaddressed, rec.after.unaddressed, rec.after.dropped[overrun], rec.before.dropped["slow"] = number(), number(), number(), number()
		rec.after.dropped["slow"] = rec.before.dropped["slow"] + random.Uint64N(2)
		counted(rec, func(r *flood.Result) { r.Delivered, r.Closed = number(), random.Uint64N(2) })
		a := newAccount(rec, p)
		if problem := addsUp(a); problem != "" {
			t.Fatalf("%s: %+v", problem, a)
		}
		if g.Asked != g.Sent+g.Refused+g.Unknown+g.Unanswered && len(a.faults) == 0 {
			t.Fatalf("a wrong sum is no fault: %+v", a)
		}
	}
}

// addsUp returns what is wrong with the figures of an account.
func addsUp(a *account) string {
	for name, f := range map[string]result.Figure{"expected": a.expected, "unaddressed": a.unaddressed, "dropped": a.dropped, "routed": a.routed} {
		if n, known := f.Value(); known && n < 0 {
			return name + " is negative"
		}
	}
	missing, known := a.missing.Value()
	if !known {
		return ""
	}
	expected, _ := a.expected.Value()
	offline, _ := a.missedOffline.Value()
	delivered, _ := a.delivered.Value()
	dropped, _ := a.dropped.Value()
	nobody, _ := a.unaddressed.Value()
	sent, _ := a.sent.Value()
	switch {
	case missing < 0:
		return "missing is negative"
	case missing < dropped:
		return "more is dropped than missing"
	case expected != delivered+missing+offline:
		return "expected is not delivered, missing and missed offline"
	case !a.partial && math.Abs((sent-nobody)*a.each-expected) > 1e-6*expected:
		return "sent is not expected and unaddressed"
	case a.uncertain > 0:
		return "missing is stated, and of some messages nobody knows"
	}
	return ""
}

func TestAccountInTheResult(t *testing.T) {
	rec, p := made(func(rec *record, _ *plan) {
		rec.generated.Sent, rec.generated.Refused, rec.generated.Unknown, rec.generated.Asked = 70, 20, 10, 101
		rec.after.dropped["slow"] = 3
		rec.floods[0].ended.Replayed = 5
	})
	m := figures(rec, p).Messages
	got := fmt.Sprintf("%s %s %s %s %s %s %s %s, %d faults", show(m.Sent), show(m.Refused), show(m.Unknown), show(m.Routed), show(m.Dropped), show(m.DroppedBy["slow"]),
		show(m.Replayed), show(m.Unaddressed), len(m.Faults))
	if got != "70 20 10 100 3 3 5 0, 2 faults" {
		t.Errorf("%s: %q", got, m.Faults)
	}
	// What a server does not say is null, also where it can be worked out.
	rec, p = made(foreignSite)
	if m := figures(rec, p).Messages; show(m.Unaddressed) != "null" || show(m.Routed) != "null" || show(m.Dropped) != "null" || show(m.Missing) != "0" {
		t.Errorf("%+v", m)
	}
}

// TestASilentFloodIsNotQuiet: of a flood that was stopped it is not known what
// arrives, and the end of the run does not come meanwhile.
func TestASilentFloodIsNotQuiet(t *testing.T) {
	r, _ := onStage(t, &stage{})
	f := &floodPart{Process: startPart(t, r, "flood", "is silent")}
	r.floods = []*floodPart{f}
	if r.silent() {
		t.Error("a flood that has not reported yet is silent")
	}
	for age, want := range map[time.Duration]bool{time.Second: false, time.Minute: true} {
		f.live.Store(&flood.Sample{Time: time.Now().Add(-age)})
		if got := r.silent(); got != want {
			t.Errorf("last heard of %v ago: silent %v", age, got)
		}
	}
	f.ended.Store(new(flood.Result))
	if r.silent() {
		t.Error("a flood that has given its last account is silent")
	}
}
