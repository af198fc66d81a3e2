package pace

import (
	"fmt"
	"math"
	"time"
)

const (
	// maxRampRate and maxRampTime keep a Ramp's moments, which it computes in
	// float64, in the right order: the events are 10 ns apart, and the last of
	// them has 53 bits for less than 2^52 ns.
	maxRampRate = 1e8
	maxRampTime = 30 * 24 * time.Hour
)

// Ramp is a rate that changes evenly from one to another, and stays there.
// Make one with NewRamp.
//
//	rate                        With rates in events per second, times in seconds,
//	 to ┤        ╭──────        and a = (to - from) / over:
//	    │      ╱
//	    │    ╱                  N(t) = from*t + a*t²/2                 t <= over
//	from┤  ╱                    N(t) = N(over) + to * (t - over)       t >= over
//	    └──┬─────┬─────▶ t
//	       0    over            Due(n) is the t for which N(t) = n
//
// Up to over that is Due(n) = 2n / (from + √(from² + 2an)). N is computed anew
// for each n, so nothing drifts. It is a [Schedule].
type Ramp struct {
	from, to float64 // events per second
	over     float64 // seconds
	slope    float64 // events per second, per second
	risen    float64 // N(over)
}

// NewRamp returns a ramp from one rate to another, in events per second. from may
// be 0; an over of 0 is the second rate at once. Rates over 100 million per
// second, and times over 30 days, are refused.
func NewRamp(from, to float64, over time.Duration) (Ramp, error) {
	switch {
	case !(from >= 0) || from > maxRampRate:
		return Ramp{}, fmt.Errorf("pace: a ramp cannot begin at %v/s: that must be from 0 to %.0f", from, maxRampRate)
	case !(to > 0) || to > maxRampRate:
		return Ramp{}, fmt.Errorf("pace: a ramp cannot lead to %v/s: that must be above 0 and up to %.0f", to, maxRampRate)
	case over < 0 || over > maxRampTime:
		return Ramp{}, fmt.Errorf("pace: a ramp cannot take %v: that must be from 0 to %v", over, maxRampTime)
	}
	r := Ramp{from: from, to: to, over: over.Seconds()}
	if r.over > 0 {
		r.slope = (to - from) / r.over
		r.risen = (from + to) / 2 * r.over
	}
	return r, nil
}

// Due returns when event n, counted from 0, is due after the start, rounded down
// to the nanosecond, and at most 292 years.
func (r Ramp) Due(n uint64) time.Duration {
	if n == 0 || r.to == 0 {
		return 0
	}
	events := float64(n)
	seconds := r.over + (events-r.risen)/r.to
	if events < r.risen {
		// Rounding may bring the root of a falling ramp's last event below 0.
		root := math.Sqrt(max(0, r.from*r.from+2*r.slope*events))
		seconds = 2 * events / (r.from + root)
	}
	if seconds >= math.MaxInt64/1e9 {
		return math.MaxInt64
	}
	return time.Duration(seconds * 1e9)
}

// Count returns how many events are due once elapsed has passed since the start,
// 0 before it.
func (r Ramp) Count(elapsed time.Duration) uint64 {
	if elapsed < 0 || r.to == 0 {
		return 0
	}
	seconds := elapsed.Seconds()
	reached := r.risen + r.to*(seconds-r.over)
	if seconds < r.over {
		reached = r.from*seconds + r.slope*seconds*seconds/2
	}
	// That is right but for rounding; Due has the last word.
	count := uint64(max(0, reached)) + 1
	for r.Due(count-1) > elapsed {
		count--
	}
	for next := r.Due(count); next <= elapsed && next < math.MaxInt64; next = r.Due(count) {
		count++
	}
	return count
}
