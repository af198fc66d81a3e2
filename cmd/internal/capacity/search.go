package capacity

import (
	"math"
	"time"
)

// plan is what a search is asked for.
type plan struct {
	// From is the first load and To the highest, 0 if nothing bounds it.
	From, To float64
	// Precision is how far the answer may be from the lowest load that fails, as a
	// share of it.
	Precision float64
	// Hold is how long a load must hold, Repeat how many times: the answer is what
	// holds in more than half of them.
	Hold   time.Duration
	Repeat int
	// Budget bounds the time of all trials together; 0 is none.
	Budget time.Duration
}

// trial is one load that was tried.
type trial struct {
	Load float64
	// Hold is how long it was asked to hold, Took everything that it took.
	Hold, Took time.Duration
	Held       bool
	// Carried is what the server carried of a load that failed, a hint at where
	// its limit is; 0 is none.
	Carried float64
}

// move is what a search does next: a trial, or the end.
type move struct {
	Load float64
	Hold time.Duration
	End  ending // "" goes on
}

// ending says why a search ended.
type ending string

const (
	found      ending = "found"       // both sides of the answer were held in full
	atTheTop   ending = "to"          // the highest load that was allowed holds
	firstFails ending = "first step"  // the lowest load fails
	noTime     ending = "budget"      // the next trial would not end in time
	ended      ending = "interrupted" // from outside
)

const (
	// shortest is the least that a short trial takes, unless a full one is shorter:
	// fewer seconds show no slope.
	shortest = 3 * time.Second
	// shortShare is how much shorter it is than a full one.
	shortShare = 6
	// usualOverhead is what a trial takes besides its hold, while none has ended.
	usualOverhead = 5 * time.Second
)

// short returns how long a trial takes while the search is far from the answer.
func (p plan) short() time.Duration { return max(p.Hold/shortShare, min(p.Hold, shortest)) }

// next returns what to do after the trials so far.
func (p plan) next(trials []trial) move {
	p.Precision = p.precision(spent(trials))
	b := p.bounds(trials)
	m := p.choose(b)
	if m.End != "" || p.Budget == 0 {
		return m
	}
	left := p.Budget - spent(trials)
	cost := func(hold time.Duration) time.Duration { return hold + overhead(trials) }
	// What is left is better spent on holding the answer in full than on a narrower
	// interval around one that was never held so.
	if low := b.low; low != nil && low.full.count() < p.Repeat && m.Load != low.at {
		need := time.Duration(p.Repeat-low.full.count()) * cost(p.Hold)
		if left < need+cost(m.Hold) {
			m = move{Load: low.at, Hold: p.Hold}
		}
	}
	if left < cost(m.Hold) {
		return move{End: noTime}
	}
	return m
}

// What is asked for a precise answer grows coarser after so much of the budget, and is
// so much coarser at its end.
const (
	patient  = 0.4
	coarsest = 8
)

// precision returns how precise the answer still can be when the trials have taken so
// long. A limit that moves faster than it is measured is then bounded by wider steps,
// instead of by none.
func (p plan) precision(spent time.Duration) float64 {
	if p.Budget == 0 {
		return p.Precision
	}
	late := max(spent.Seconds()/p.Budget.Seconds()-patient, 0) / (1 - patient)
	return p.Precision * (1 + late*(coarsest-1))
}

// choose returns what to do with such bounds, however long it takes.
func (p plan) choose(b bounds) move {
	full := func(l *load) move { return move{Load: l.at, Hold: p.Hold} }
	brief := p.short()
	if b.fine {
		brief = p.Hold
	}
	switch {
	case len(b.loads) == 0:
		return move{Load: p.From, Hold: brief}
	case b.undecided != nil:
		return move{Load: b.undecided.at, Hold: brief}
	case b.high == nil && p.To > 0 && b.low.at >= p.To:
		if !b.low.settled(p.Repeat) {
			return full(b.low)
		}
		return move{End: atTheTop}
	case b.high == nil:
		return move{Load: p.above(b), Hold: brief}
	case b.low == nil:
		if b.high.full.majority(p.Repeat) {
			return move{End: firstFails}
		}
		return full(b.high)
	case b.fine && b.high.full.count() == 0:
		return full(b.high) // before more trials rest on it
	case !p.narrow(b.low.at, b.high.at):
		if b.fine && b.low.full.count() == 0 {
			return full(b.low)
		}
		return move{Load: p.between(b), Hold: brief}
	case !b.high.full.majority(p.Repeat):
		return full(b.high)
	case !b.low.settled(p.Repeat), b.low.last < b.high.last:
		return full(b.low) // last, so that the answer is what holds now
	}
	return move{End: found}
}

// narrow reports whether an interval is as narrow as was asked for: loads are whole
// numbers.
func (p plan) narrow(low, high float64) bool {
	return high-low <= max(1, math.Floor(p.Precision*low))
}

// above returns the load to try where nothing has failed yet: twice the highest, or
// less after a bound was taken back, and then in growing steps (external search in
// draft-ietf-bmwg-mlrsearch).
func (p plan) above(b bounds) float64 {
	growth := 2.0
	if b.below != nil {
		growth = max(min(growth, squared(b.low.at/b.below.at)), 1+p.Precision)
	}
	at := max(math.Round(b.low.at*growth), b.low.at+1)
	if p.To > 0 {
		at = min(at, p.To)
	}
	return at
}

// between returns the load to try inside the interval: where a load that failed
// hints that the limit is, or the geometric middle, or a place nearer to the upper end
// if a load just above that had failed before: a limit that moves is followed in
// growing steps.
func (p plan) between(b bounds) float64 {
	inside := func(at float64) bool { return at > b.low.at && at < b.high.at }
	if hint := math.Floor(b.high.carried); inside(hint) {
		return hint
	} else if hint == b.low.at && inside(hint+1) {
		return hint + 1 // and if that fails, the limit is known exactly
	}
	middle := math.Round(math.Sqrt(b.low.at * b.high.at))
	if b.over != nil {
		fall := max(squared(b.over.at/b.high.at), 1+p.Precision)
		middle = max(middle, math.Round(b.high.at/fall))
	}
	return min(max(middle, b.low.at+1), b.high.at-1)
}

func squared(x float64) float64 { return x * x }

// spent returns what the trials took.
func spent(trials []trial) (sum time.Duration) {
	for _, t := range trials {
		sum += t.Took
	}
	return sum
}

// overhead returns what a trial takes besides its hold: the most of the last ones.
func overhead(trials []trial) time.Duration {
	if len(trials) == 0 {
		return usualOverhead
	}
	var most time.Duration
	for _, t := range trials[max(len(trials)-5, 0):] {
		most = max(most, t.Took-t.Hold)
	}
	return most
}
