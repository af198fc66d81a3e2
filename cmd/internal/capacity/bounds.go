package capacity

import (
	"cmp"
	"maps"
	"slices"
)

// votes are the outcomes of trials of one load, in their order: whether it held.
type votes []bool

func (v votes) count() int { return len(v) }

// latest returns the last n.
func (v votes) latest(n int) votes { return v[max(len(v)-n, 0):] }

// holds reports whether more than half of them held.
func (v votes) holds() bool { return 2*v.held() > len(v) }

// held returns how many held.
func (v votes) held() (n int) {
	for _, one := range v {
		if one {
			n++
		}
	}
	return n
}

// majority reports whether the latest of n votes decide whatever those that are
// left would be.
func (v votes) majority(n int) bool {
	last := v.latest(n)
	held := last.held()
	return 2*max(held, len(last)-held) > n
}

// load is what the trials say of one load. Short trials count as long as there is no
// full one.
type load struct {
	at          float64
	brief, full votes
	carried     float64 // by the last trial that failed
	last        int     // the number of the last trial in full, from 1
}

// holds reports whether the load holds, as far as is known: of a load that was tried
// in full, by the latest full trials.
func (l *load) holds(repeat int) bool {
	if l.full.count() > 0 {
		return l.full.latest(repeat).holds()
	}
	return l.brief.latest(briefVotes).holds()
}

// briefVotes bounds how often a short trial that failed is tried again.
const briefVotes = 3

// open reports whether one more short trial is to decide: one failure alone may be an
// accident, and would cut off everything above it.
func (l *load) open() bool {
	if l.full.count() > 0 || l.brief.count() == 0 || l.brief.holds() {
		return false
	}
	return !l.brief.majority(briefVotes)
}

// settled reports whether a load that holds has held often enough, and at last.
func (l *load) settled(repeat int) bool {
	return l.full.count() >= repeat && l.full[l.full.count()-1]
}

// bounds are where the trials so far say the limit is. The lowest load that fails
// counts, and the highest that holds below it: what holds above a failure was luck
// (Relevant Upper Bound and Relevant Lower Bound in draft-ietf-bmwg-mlrsearch).
type bounds struct {
	loads     []*load // by load
	low, high *load
	// below is the highest load under low, over the lowest above high.
	below, over *load
	// undecided is a load that one more short trial decides.
	undecided *load
	// fine says that the search is near enough for full trials.
	fine bool
}

// bounds returns what the trials say.
func (p plan) bounds(trials []trial) bounds {
	b := bounds{loads: p.gather(trials)}
	for _, l := range b.loads {
		b.fine = b.fine || l.full.count() > 0
		if l.open() {
			b.undecided = l
		}
	}
	for i, l := range b.loads {
		if !l.holds(p.Repeat) {
			b.high = l
			if i+1 < len(b.loads) {
				b.over = b.loads[i+1]
			}
			break
		}
		b.low = l
		b.below = nil
		if i > 0 {
			b.below = b.loads[i-1]
		}
	}
	if b.low != nil && b.high != nil {
		// Both sides of the answer are found by short trials: the rest is done in full.
		b.fine = b.fine || p.narrow(b.low.at, b.high.at)
	}
	return b
}

// gather sums the trials up by load, up to the highest that is allowed.
func (p plan) gather(trials []trial) []*load {
	byLoad := make(map[float64]*load)
	for i, t := range trials {
		if p.To > 0 && t.Load > p.To {
			continue // above what the generator can make
		}
		l := byLoad[t.Load]
		if l == nil {
			l = &load{at: t.Load}
			byLoad[t.Load] = l
		}
		if t.Hold >= p.Hold {
			l.full, l.last = append(l.full, t.Held), i+1
		} else {
			l.brief = append(l.brief, t.Held)
		}
		if !t.Held {
			l.carried = t.Carried
		}
	}
	return slices.SortedFunc(maps.Values(byLoad), func(a, b *load) int { return cmp.Compare(a.at, b.at) })
}
