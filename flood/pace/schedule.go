package pace

import "time"

// Schedule says when events are due, as a pure function of their number: it
// holds no clock and no state.
type Schedule interface {
	// Due returns when event n, counted from 0, is due after the start. It never
	// decreases with n.
	Due(n uint64) time.Duration
	// Count returns how many events are due once elapsed has passed: those n for
	// which Due(n) <= elapsed.
	Count(elapsed time.Duration) uint64
}

// Moments yields, one call after the other, when each event is due after the
// start, never decreasing. It is for one goroutine.
type Moments func() time.Duration

// Of returns the moments of schedule, from event 0 on.
func Of(schedule Schedule) Moments {
	n := uint64(0)
	return func() time.Duration {
		n++
		return schedule.Due(n - 1)
	}
}
