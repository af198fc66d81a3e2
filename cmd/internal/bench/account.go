package bench

import (
	"fmt"
	"slices"

	"example.org/comet/cmd/internal/result"
)

// account says what became of the messages of a run. A figure without a value is
// unknown. It adds up:
//
//	asked = sent + refused + unknown + unanswered
//	expected = delivered + missing
//
// and missing, of which dropped is a part, is never negative. What does not add
// up is a fault, and the figure that it would make wrong is unknown.
type account struct {
	asked, sent, refused, unknown, unanswered result.Figure
	routed, dropped                           result.Figure
	droppedBy                                 map[string]result.Figure
	// unaddressed are those of sent for whom nobody was connected, and expected
	// the others.
	unaddressed, expected        result.Figure
	delivered, duplicated        result.Figure
	reordered, missing, replayed result.Figure
	faults                       []string

	uncertain float64 // unknown and unanswered: each may have arrived
	unsure    bool    // delivered is the least that it may be
	told      bool    // a part said how many were for nobody
	complete  bool    // every connection that was asked for is there
}

// newAccount computes the account of the messages, with none if there were none.
func newAccount(rec *record, p *plan) *account {
	a := new(account)
	if !rec.measured() {
		return a
	}
	t := totals(rec.floods)
	a.delivered, a.duplicated, a.reordered, a.replayed = result.Of(t.Delivered), result.Of(t.Duplicated), result.Of(t.Reordered), result.Of(t.Replayed)
	a.complete = t.Closed == 0 && t.Established() == p.connections
	gone := slices.ContainsFunc(rec.parts, func(p part) bool { return p.Role == "server" && p.lost })
	if rec.before != nil && rec.after != nil && !gone { // what a lost server counted went with it
		a.servers(rec.before, rec.after)
	}
	g := rec.generated
	if g == nil {
		return a
	}
	a.asked, a.sent, a.refused = result.Of(g.Asked), result.Of(g.Sent), result.Of(g.Refused)
	a.unknown, a.unanswered = result.Of(g.Unknown), result.Of(g.Unanswered)
	a.uncertain = float64(g.Unknown + g.Unanswered)
	a.unsure = t.UnknownTracks > 0
	if sum := g.Sent + g.Refused + g.Unknown + g.Unanswered; g.Asked != sum {
		a.fault("of %d messages that were due, the generator accounts for %d: sent %d, refused %d, unknown %d, unanswered %d",
			g.Asked, sum, g.Sent, g.Refused, g.Unknown, g.Unanswered)
	}
	a.unaddressed = a.forNobody(rec, p)
	fanout := 1.0
	if p.perID > 1 {
		fanout = float64(p.perID)
	}
	a.uncertain *= fanout
	a.expected = a.sent.Minus(a.unaddressed).Times(fanout)
	if t.all {
		a.balance()
	}
	return a
}

func (a *account) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// servers takes what the servers counted between two moments.
func (a *account) servers(before, after *traffic) {
	a.routed = result.Of(after.routed).Minus(result.Of(before.routed))
	a.dropped, a.droppedBy = result.Of(0), make(map[string]result.Figure)
	var all float64
	for reason, n := range after.dropped {
		lost := float64(n) - float64(before.dropped[reason])
		if all += lost; lost != 0 {
			a.droppedBy[reason] = result.Of(lost)
		}
	}
	a.dropped = result.Of(all)
}

// forNobody returns how many of the sent messages were for ids with nobody there.
// A generator knows from the server's answers, which a router does not give; then
// there are none where every id has the same number of connections and all are
// there, and
// else the servers know if each message is at one of them.
func (a *account) forNobody(rec *record, p *plan) result.Figure {
	switch g := rec.generated; {
	case !g.ReachUnknown:
		a.told = true
		return result.Of(g.Unaddressed)
	case (p.single || p.perID > 1) && a.complete:
		return result.Of(0)
	case p.blocks && len(rec.losses) == 0 && rec.before != nil && rec.after != nil:
		a.told = true
		return result.Of(rec.after.unaddressed).Minus(result.Of(rec.before.unaddressed))
	}
	return result.Figure{}
}

// balance works out what is missing, and holds against each other what the parts
// have counted.
func (a *account) balance() {
	expected, known := a.expected.Value()
	if !known {
		return
	}
	sent, _ := a.sent.Value()
	delivered, _ := a.delivered.Value()
	dropped, _ := a.dropped.Value()
	if expected < 0 {
		nobody, _ := a.unaddressed.Value()
		a.fault("%.0f messages were for nobody, of %.0f that were sent", nobody, sent)
		a.unaddressed, a.expected = result.Figure{}, result.Figure{}
		return
	}
	// A node that is too far behind to take a message may count it as dropped and
	// as for nobody too. Then it was for somebody.
	if a.told && a.uncertain == 0 && !a.unsure && expected-delivered < dropped {
		nobody, _ := a.unaddressed.Value()
		both := min(nobody, delivered+dropped-expected)
		expected += both
		a.expected, a.unaddressed = result.Of(expected), result.Of(nobody-both)
	}
	if delivered > expected+a.uncertain {
		a.fault("%.0f messages were delivered, more than the %.0f that were sent to somebody and the %.0f of which nobody knows: do others send stamped messages to these streams?",
			delivered, expected, a.uncertain)
		return
	}
	if a.uncertain > 0 || a.unsure {
		return // each may be missing, never sent, or delivered after all
	}
	if expected-delivered < dropped {
		a.fault("%.0f messages were dropped by the servers, more than the %.0f that did not arrive", dropped, expected-delivered)
		return
	}
	a.missing = result.Of(expected - delivered)
}

// write puts the account into the result.
func (a *account) write(m *result.Messages, counted bool) {
	m.Sent, m.Refused, m.Unknown = a.sent, a.refused, a.unknown
	m.Routed, m.Dropped, m.DroppedBy = a.routed, a.dropped, a.droppedBy
	m.Expected, m.Delivered, m.Missing = a.expected, a.delivered, a.missing
	m.Duplicated, m.Reordered, m.Replayed = a.duplicated, a.reordered, a.replayed
	if counted {
		m.Unaddressed = a.unaddressed
	}
	m.Faults = a.faults
}
