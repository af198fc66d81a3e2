package flood

import (
	"math"
	"time"
)

// A moment is a time of a run that a connection keeps in four bytes: in units of 64
// µs since the run began, so that it comes round after three days, and tells times
// that are less than half of that apart.
type moment uint32

const momentUnit = 64 * time.Microsecond

func momentOf(sinceBegun time.Duration) moment { return moment(sinceBegun / momentUnit) }

// until returns the time from m to a later moment, 0 if that is earlier: the clock that
// says when something came may have been set.
func (m moment) until(later moment) time.Duration {
	return time.Duration(max(int32(later-m), 0)) * momentUnit
}

// came takes n messages of a stream that have come now.
func (o *observer) came(r *reading, n int, now time.Time) {
	if n == 0 {
		return
	}
	o.messages += uint64(n)
	at := momentOf(now.Sub(o.begun))
	since := r.moment.until(at)
	if r.messages == 0 {
		record(o.firstMessage, since)
	} else {
		record(o.gap, since)
	}
	for range n - 1 { // they came together
		record(o.gap, 0)
	}
	r.moment = at
	r.messages = uint16(min(int(r.messages)+n, math.MaxUint16))
}
