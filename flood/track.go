package flood

import (
	"slices"

	"example.org/comet/server/wire"
)

// track is which numbers of one sequence have come to one connection: all from
// first to last but those in its gaps. What came before the first was not sent
// to this connection. A last of 0 means that none has come.
type track struct{ first, last uint64 }

// arrival is what a number means to the account of its sequence.
type arrival struct {
	fresh     bool // not seen before
	reordered bool // fresh, but a later one came first
	// unknown: it cannot be told whether it is fresh, because gaps were given up.
	unknown bool
	// missing is how the number of those in gaps changes: numbers that were jumped
	// over, or one that is filled.
	missing int64
}

// usual takes the number that is next, and the first one. ok is false for any
// other, which needs the gaps.
func (t *track) usual(n uint64) (ok bool) {
	switch {
	case t.last == 0:
		t.first, t.last = n, n
	case n == t.last+1:
		t.last = n
	default:
		return false
	}
	return true
}

// see takes any number.
func (t *track) see(n uint64, g *gaps, held *budget) arrival {
	switch {
	case t.usual(n):
		return arrival{fresh: true}
	case n > t.last:
		gap := span{t.last + 1, n - 1}
		t.last = n
		g.insert(len(g.spans), gap, held)
		return arrival{fresh: true, missing: gap.size()}
	case n < t.first:
		a := arrival{fresh: true, reordered: true}
		if gap := (span{n + 1, t.first - 1}); gap.from <= gap.to {
			g.insert(0, gap, held)
			a.missing = gap.size()
		}
		t.first = n
		return a
	}
	return g.fill(n, held)
}

// span is the numbers from one to another, both inclusive.
type span struct{ from, to uint64 }

func (s span) size() int64 { return int64(s.to - s.from + 1) }

// gaps are the numbers that were jumped over and have not come since.
type gaps struct {
	spans []span // in order, apart from each other
	// known is the lowest number of which it is known whether it has come: gaps
	// below were given up to keep within the budget.
	known uint64
	// unknown: a number below known came, and was counted in Counts.UnknownTracks.
	unknown bool
}

// insert puts gap in front of spans[at].
func (g *gaps) insert(at int, gap span, held *budget) {
	if gap.to < g.known {
		return
	}
	for len(g.spans) >= held.gapsPerSequence || !held.take(gapUnits) {
		if len(g.spans) == 0 {
			g.known = gap.to + 1
			return
		}
		at = max(at-g.giveUp(held), 0)
		if gap.to < g.known {
			return
		}
	}
	g.spans = slices.Insert(g.spans, at, gap)
}

// giveUp forgets the lowest quarter of the gaps, and returns how many that is.
// They stay counted as missing, unless one of them comes.
func (g *gaps) giveUp(held *budget) int {
	n := len(g.spans)/4 + 1
	g.known = g.spans[n-1].to + 1
	g.spans = slices.Delete(g.spans, 0, n)
	held.give(n * gapUnits)
	return n
}

// fill takes a number between the first and the last: one from a gap, or a
// duplicate.
func (g *gaps) fill(n uint64, held *budget) arrival {
	if n < g.known {
		return arrival{unknown: true}
	}
	at, found := slices.BinarySearchFunc(g.spans, n, func(s span, n uint64) int {
		switch {
		case s.to < n:
			return -1
		case s.from > n:
			return 1
		}
		return 0
	})
	if !found {
		return arrival{}
	}
	switch s := &g.spans[at]; {
	case s.from == s.to:
		g.spans = slices.Delete(g.spans, at, at+1)
		held.give(gapUnits)
	case n == s.from:
		s.from++
	case n == s.to:
		s.to--
	default:
		below := span{s.from, n - 1}
		s.from = n + 1
		g.insert(at, below, held)
	}
	return arrival{fresh: true, reordered: true, missing: -1}
}

// What accounts cost, in units of 16 bytes, and what they may cost: a megabyte
// for one connection, and 256 for all. A peer needs more than that many bytes of
// stamps to get there.
const (
	gapUnits      = 1
	sequenceUnits = 5

	unitsPerConnection = 1 << 16
	unitsOfAll         = 1 << 24
	// gapsPerSequence bounds the time that one more takes, in which up to 64 KB of
	// others are moved.
	gapsPerSequence = 1 << 12
)

// budget bounds what an account may hold.
type budget struct {
	used, most      int
	all             *budget // of all accounts; nil in that itself
	gapsPerSequence int
}

// newBudget returns what each connection may hold.
func newBudget() budget {
	return budget{most: unitsPerConnection, gapsPerSequence: gapsPerSequence, all: &budget{most: unitsOfAll}}
}

func (b *budget) take(units int) bool {
	if b.used+units > b.most || b.all != nil && !b.all.take(units) {
		return false
	}
	b.used += units
	return true
}

func (b *budget) give(units int) {
	b.used -= units
	if b.all != nil {
		b.all.give(units)
	}
}

// sequenceKey is a sequence in one run of a generator.
type sequenceKey struct {
	sequence wire.Sequence
	run      wire.Run
}

// account is what a connection has seen beyond its usual sequence, or out of
// order.
type account struct {
	held   budget
	gaps   gaps // of the usual sequence
	others []*sequenceAccount
	// index finds the others once they are many; nil before.
	index map[sequenceKey]*sequenceAccount
	// full: a sequence came for which there was no room, and was counted.
	full bool
}

type sequenceAccount struct {
	key sequenceKey
	track
	gaps gaps
}

// fewSequences are found quicker one by one.
const fewSequences = 8

// other returns the account of a sequence other than the usual one, nil if there
// is no room for it.
func (a *account) other(key sequenceKey) *sequenceAccount {
	if a.index != nil {
		if s := a.index[key]; s != nil {
			return s
		}
	} else {
		for _, s := range a.others {
			if s.key == key {
				return s
			}
		}
	}
	if !a.held.take(sequenceUnits) {
		return nil
	}
	s := &sequenceAccount{key: key}
	a.others = append(a.others, s)
	switch {
	case a.index != nil:
		a.index[key] = s
	case len(a.others) > fewSequences:
		a.index = make(map[sequenceKey]*sequenceAccount)
		for _, s := range a.others {
			a.index[s.key] = s
		}
	}
	return s
}
