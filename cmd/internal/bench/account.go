package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/msggen"
)

// account says what became of the messages of a run. A figure without a value is
// unknown. It adds up:
//
//	asked = sent + refused + unknown + unanswered
//	expected = delivered + missing + missed offline
//	expected = (sent - unaddressed) x the connections that each message is for
//
// or, of events, the sum of the connections that the publisher of each has as
// followers. That is so as long as all connections of an id are there: where several have one and
// some are not, or are between two polls, expected is how many the server says there
// were.
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
	missedOffline                result.Figure // null if no connection was to come back
	faults                       []string

	uncertain float64       // unknown and unanswered: each may have arrived
	unsure    bool          // delivered is the least that it may be
	each      float64       // connections that every message is for, or at most
	full      result.Figure // deliveries to be made if all connections are there
	complete  bool          // every connection that was asked for was there all the time
	partial   bool          // expected is what the server found of rooms that were not
}

// newAccount computes the account of the messages, with none if there were none.
func newAccount(rec *record, p *plan) *account {
	a := new(account)
	if !rec.measured() {
		return a
	}
	t := totals(rec.floods)
	a.delivered, a.duplicated, a.reordered, a.replayed = result.Of(t.Delivered), result.Of(t.Duplicated), result.Of(t.Reordered), result.Of(t.Replayed)
	a.complete = t.ends() == 0 && t.Established() == p.connections
	gone := slices.ContainsFunc(rec.parts, func(p part) bool { return p.Role == "server" && p.lost })
	if rec.before != nil && rec.after != nil && !gone { // what a lost server counted went with it
		a.servers(rec.before, rec.after, p.everywhere)
	}
	g := rec.generated
	if g == nil {
		return a
	}
	a.asked, a.sent, a.refused = result.Of(g.Asked), result.Of(g.Sent), result.Of(g.Refused)
	a.unknown, a.unanswered = result.Of(g.Unknown), result.Of(g.Unanswered)
	a.uncertain = float64(g.Unknown + g.Unanswered)
	a.unsure = t.UnknownTracks > 0 || t.Untracked > 0 && t.Duplicated > 0
	if sum := g.Sent + g.Refused + g.Unknown + g.Unanswered; g.Asked != sum {
		a.fault("of %d messages that were due, the generator accounts for %d: sent %d, refused %d, unknown %d, unanswered %d",
			g.Asked, sum, g.Sent, g.Refused, g.Unknown, g.Unanswered)
	}
	a.unaddressed = a.forNobody(rec, p)
	a.expect(g, p)
	if p.returns {
		a.whileAway(t, p)
	}
	a.balance(t)
	return a
}

// expect works out how many deliveries there were to be. What is for several connections
// each, of which some were not there, or not in the graph's count, is as many as the
// server says.
func (a *account) expect(g *msggen.Result, p *plan) {
	a.each = float64(max(p.each, 1))
	a.full = a.sent.Times(a.each)
	a.expected = a.sent.Minus(a.unaddressed).Times(a.each)
	there := a.complete && !p.polls
	if p.audience != nil {
		a.each = float64(p.audience.most)
		a.full = p.audience.deliveries(g)
		a.expected = a.full
		there = there && a.full != (result.Figure{})
	}
	if a.partial = (a.each > 1 || p.audience != nil) && !there && !g.ReachUnknown; a.partial {
		a.expected = a.found(g.Reached)
	} else if !there && p.audience != nil {
		a.expected = result.Figure{}
	}
}

// found returns how many connections the messages found, of which those reached were
// queued to. The rest was dropped before.
func (a *account) found(reached uint64) result.Figure {
	if _, known := a.dropped.Value(); !known {
		return result.Figure{}
	}
	behind, _ := a.droppedBy[overrun].Value()
	return result.Of(float64(reached) + behind)
}

// whileAway takes the messages that were sent while their connections were away.
// Our own servers count them as unaddressed, if each was there once. Others do not:
// then it is the numbers that connections jumped over as they came back, and what
// nothing followed is missing.
func (a *account) whileAway(t counts, p *plan) {
	switch _, known := a.unaddressed.Value(); {
	case t.Established() != p.connections: // some were never there
		return
	case p.audience != nil && !a.partial: // none was away, or it is not known who was
		a.missedOffline = a.full.Minus(a.expected)
		return
	case a.partial:
		if a.missedOffline = a.full.Minus(a.expected); a.missedOffline == (result.Figure{}) {
			return
		}
		if away, _ := a.missedOffline.Value(); away < 0 {
			a.missedOffline = result.Figure{}
			a.fault("the messages found %.0f connections more than there are on their ids: do others listen to these streams?", -away)
			return
		}
	case p.counted && known:
		a.missedOffline = a.unaddressed
	case !p.counted && p.each > 0:
		a.missedOffline = result.Of(t.Reconnect.MissedOffline)
	default:
		return
	}
	if p.audience == nil { // else some events have no follower who connects
		a.unaddressed = result.Of(0)
	}
	a.expected = a.full
}

func (a *account) fault(format string, args ...any) {
	a.faults = append(a.faults, fmt.Sprintf(format, args...))
}

// servers takes what the servers counted between two moments. Everywhere says
// that each message is at every server: what one did not receive may have been
// for another.
func (a *account) servers(before, after *traffic, everywhere bool) {
	if doubts := append(slices.Clone(before.faults), after.faults...); len(doubts) > 0 {
		slices.Sort(doubts)
		a.faults = append(a.faults, slices.Compact(doubts)...)
		return
	}
	if back := backwards(before, after); back != "" {
		a.fault("what the servers count went backwards (%s): was one of them restarted?", back)
		return
	}
	a.routed = result.Of(after.routed - before.routed)
	a.dropped, a.droppedBy = result.Of(0), make(map[string]result.Figure)
	var all uint64
	for reason, n := range after.dropped {
		lost := n - before.dropped[reason]
		if all += lost; lost != 0 {
			a.droppedBy[reason] = result.Of(lost)
		}
	}
	a.dropped = result.Of(all)
	if strayed := after.strayed - before.strayed; everywhere && strayed > 0 {
		a.fault("the router gave up %d messages to servers that did not read in time. With --interest all each is given to every server, so it is not known how many of them were for a connection of that server", strayed)
		a.dropped, a.droppedBy[overrun] = result.Figure{}, result.Figure{}
	}
}

// backwards returns which counters are lower after than before, "" for none.
func backwards(before, after *traffic) string {
	var list []string
	check := func(name string, from, to uint64) {
		if to < from {
			list = append(list, fmt.Sprintf("%s from %d to %d", name, from, to))
		}
	}
	check("routed", before.routed, after.routed)
	check("unaddressed", before.unaddressed, after.unaddressed)
	check("received", before.received, after.received)
	check("dropped_slow_consumer", before.strayed, after.strayed)
	for _, reason := range slices.Sorted(maps.Keys(before.dropped)) {
		check("dropped_"+reason, before.dropped[reason], after.dropped[reason])
	}
	return strings.Join(list, ", ")
}

// forNobody returns how many of the sent messages were for ids with nobody there.
// A generator knows from the server's answers, which a router does not give; then
// there are none where every id has the same number of connections and all are
// there, and
// else the servers know if each message is at one of them.
func (a *account) forNobody(rec *record, p *plan) result.Figure {
	switch g := rec.generated; {
	case !g.ReachUnknown:
		return result.Of(g.Unaddressed)
	case p.each > 0 && a.complete:
		return result.Of(0)
	case p.blocks && len(rec.losses) == 0 && a.routed != (result.Figure{}) && sawAll(rec):
		return result.Of(rec.after.unaddressed).Minus(result.Of(rec.before.unaddressed))
	}
	return result.Figure{}
}

// sawAll reports whether every sent message came to a server. One that did not was
// for a block that nobody is in any more, or was lost on the way.
func sawAll(rec *record) bool {
	return rec.after.strayed == rec.before.strayed && rec.after.received-rec.before.received >= rec.generated.Sent
}

// balance works out what is missing, and holds against each other what the parts
// have counted.
func (a *account) balance(t counts) {
	expected, known := a.expected.Value()
	if !known {
		return
	}
	sent, _ := a.sent.Value()
	delivered, _ := a.delivered.Value()
	if expected < 0 {
		nobody, _ := a.unaddressed.Value()
		a.fault("%.0f messages were for nobody, of %.0f that were sent", nobody, sent)
		a.unaddressed, a.expected = result.Figure{}, result.Figure{}
		return
	}
	away, _ := a.missedOffline.Value()
	if beyond := away + delivered - expected; beyond > 0 && beyond <= away { // numbers that were refused are jumped over as well
		away -= beyond
		a.missedOffline = result.Of(away)
	}
	most := expected + a.uncertain*a.each - delivered - away // that may be missing
	if most < 0 {
		a.fault("%.0f messages were delivered, more than the %.0f that were sent to somebody and the %.0f of which nobody knows: do others send stamped messages to these streams?",
			delivered, expected, a.uncertain)
		return
	}
	a.cutShort(most, t.ends())
	if dropped, _ := a.dropped.Value(); dropped > most {
		a.fault("%.0f messages were dropped by the servers, more than the %.0f that did not arrive", dropped, most)
		return
	}
	// Each of the uncertain is missing or was never sent, and of a flood that was
	// lost nobody knows what it got.
	if a.uncertain == 0 && t.all && !a.unsure {
		a.missing = result.Of(most)
	}
}

// cutShort takes messages out of dropped that arrived all the same. The end of a
// connection may cut one message, behind its stamp: the server counts it as
// dropped, and it is delivered.
func (a *account) cutShort(most float64, ends uint64) {
	dropped, _ := a.dropped.Value()
	excess := dropped - most
	if excess <= 0 || excess > float64(ends) {
		return
	}
	for _, reason := range []string{"closed", "slow"} {
		n, _ := a.droppedBy[reason].Value()
		if cut := min(n, excess); cut > 0 {
			a.droppedBy[reason], excess, dropped = result.Of(n-cut), excess-cut, dropped-cut
		}
	}
	a.dropped = result.Of(dropped)
}

// write puts the account into the result.
func (a *account) write(m *result.Messages, counted bool) {
	m.Sent, m.Refused, m.Unknown = a.sent, a.refused, a.unknown
	m.Routed, m.Dropped, m.DroppedBy = a.routed, a.dropped, a.droppedBy
	m.Expected, m.Delivered, m.Missing = a.expected, a.delivered, a.missing
	m.MissedOffline = a.missedOffline
	m.Duplicated, m.Reordered, m.Replayed = a.duplicated, a.reordered, a.replayed
	if counted {
		m.Unaddressed = a.unaddressed
	}
	m.Faults = a.faults
}
