// Package pace says when things are due, and waits for that moment.
//
// A [Pacer] is a pure function of n: it holds no clock and no state, so a rate
// is exact however long it runs and however late its user wakes. Whoever wakes
// asks how many events are due by now, does them all as one batch, and sleeps
// until the next:
//
//	pacer := pace.Every(10 * time.Millisecond)
//	start := time.Now()
//	for n := uint64(0); ; {
//		if err := pace.SleepUntil(ctx, start.Add(pacer.Due(n))); err != nil {
//			return err
//		}
//		for due := pacer.Count(time.Since(start)); n < due; n++ {
//			do(n)
//		}
//	}
package pace

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Pacer is a constant rate: Events of them in each Per, evenly spread, the
// first one at the start.
//
//	            n * Per                      ┌ (t+1ns) * Events ┐
//	Due(n) = └ ───────── ┘       Count(t) = │ ───────────────── │
//	             Events                             Per
//
//	                        Events = 3, Per = 1s
//	Count 1       2       3       4       5
//	      ├───────┼───────┼───────┼───────┼──────▶ t
//	      n=0     n=1     n=2     n=3     n=4
//	Due   0s      .333s   .666s   1s      1.333s
//
// The products are 128 bits wide, so nothing drifts: event 3,600,000 of 1,000/s
// is due after one hour to the nanosecond. The zero value is [Max]. It is a
// [Schedule].
type Pacer struct {
	// Events is how many are due in each Per. 0 means no pace: all at once.
	Events uint64
	// Per is the time in which Events are due. 0 or less means no pace.
	Per time.Duration
}

// Max is no pace at all: every event is due at the start.
var Max Pacer

// Every returns a pacer of one event in each interval. An interval of 0 or less is [Max].
func Every(interval time.Duration) Pacer {
	return Pacer{Events: 1, Per: interval}
}

// PerSecond returns a pacer of rate events per second. A whole rate is kept
// exactly, another one to the nearest billionth. It fails if rate is not a
// positive finite number.
func PerSecond(rate float64) (Pacer, error) {
	// A Duration holds 9.2 billion seconds, enough to count billionths in.
	const fraction = 1e9
	switch {
	case !(rate > 0) || rate >= 1<<53:
		return Pacer{}, fmt.Errorf("pace: a rate of %v/s cannot be paced: it must be above 0 and below 2^53", rate)
	case rate == math.Trunc(rate):
		return Pacer{Events: uint64(rate), Per: time.Second}, nil
	case rate*fraction >= 1<<63:
		return Pacer{Events: uint64(math.Round(rate)), Per: time.Second}, nil
	case rate*fraction < 1:
		return Pacer{}, fmt.Errorf("pace: a rate of %v/s cannot be paced: that is less than one event in 31 years", rate)
	}
	return Pacer{Events: uint64(math.Round(rate * fraction)), Per: fraction * time.Second}, nil
}

// Unpaced reports whether every event is due at once, as with [Max].
func (p Pacer) Unpaced() bool { return p.Events == 0 || p.Per <= 0 }

// Rate returns the events per second, +Inf without a pace.
func (p Pacer) Rate() float64 {
	if p.Unpaced() {
		return math.Inf(1)
	}
	return float64(p.Events) / p.Per.Seconds()
}

// Due returns when event n, counted from 0, is due after the start, rounded down
// to the nanosecond, and at most 292 years, which is what a Duration holds.
func (p Pacer) Due(n uint64) time.Duration {
	if p.Unpaced() {
		return 0
	}
	high, low := bits.Mul64(n, uint64(p.Per))
	if high >= p.Events {
		return math.MaxInt64
	}
	due, _ := bits.Div64(high, low, p.Events)
	return time.Duration(min(due, math.MaxInt64))
}

// Count returns how many events are due once elapsed has passed since the start:
// those n for which Due(n) <= elapsed. That is 0 before the start, and the
// highest uint64 without a pace.
func (p Pacer) Count(elapsed time.Duration) uint64 {
	if elapsed < 0 {
		return 0
	}
	if p.Unpaced() {
		return math.MaxUint64
	}
	// Due(n) rounds down, so it is <= elapsed as long as n*Per/Events is below
	// elapsed + 1 ns: n < (elapsed+1ns)*Events/Per.
	high, low := bits.Mul64(uint64(elapsed)+1, p.Events)
	if high >= uint64(p.Per) {
		return math.MaxUint64
	}
	count, rest := bits.Div64(high, low, uint64(p.Per))
	if rest > 0 && count < math.MaxUint64 {
		count++
	}
	return count
}
