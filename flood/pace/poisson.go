package pace

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Poisson returns the moments of events that come independently of each other,
// rate of them per second on average: a pure function of rate and of the stream
// of random numbers, of which each event takes one.
//
//	Due(n) = (-ln U(0) - ln U(1) - … - ln U(n)) / rate
//
// where U(i), in (0, 1], is made of the i-th number of random.
//
//	           rate = 3 per second
//	      ├──────┬┬──────────┬─────────┬──┬────┬─────▶ t
//	Due          n=0,1       n=2       n=3 n=4  n=5
//
// The gaps between events are exponentially distributed with a mean of 1/rate,
// and the events in any second are rate ± √rate. Nanoseconds are added up as
// whole ones and a fraction, so the sum is exact however long it gets. It fails
// for a rate that [PerSecond] refuses.
func Poisson(rate float64, random rand.Source) (Moments, error) {
	if _, err := PerSecond(rate); err != nil {
		return nil, fmt.Errorf("%w (as the mean of a Poisson process)", err)
	}
	mean := 1e9 / rate // nanoseconds
	var due time.Duration
	var fraction float64 // of a nanosecond, below 1
	return func() time.Duration {
		const bits = 53 // what a float64 holds
		u := float64(random.Uint64()>>(64-bits)+1) / (1 << bits)
		gap := fraction - math.Log(u)*mean
		if gap >= float64(math.MaxInt64-due) {
			due = math.MaxInt64
			return due
		}
		whole := math.Floor(gap)
		fraction = gap - whole
		due += time.Duration(whole)
		return due
	}, nil
}
