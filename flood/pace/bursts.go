package pace

import (
	"math"
	"time"
)

// Bursts keeps the rate of Pacer and sends Size events at a time: each is due with
// the first of its burst.
//
//	Due(n)   = Pacer.Due(⌊n/Size⌋ * Size)
//	Count(t) = ⌈Pacer.Count(t)/Size⌉ * Size
//
//	                     Size = 3, Pacer = 3 in each second
//	Count 3                       6                       9
//	      ├───────────────────────┼───────────────────────┼─────▶ t
//	      n=0,1,2                 n=3,4,5                 n=6,7,8
//	Due   0s                      1s                      2s
//
// It is a [Schedule].
type Bursts struct {
	Pacer Pacer
	// Size is how many are due at once. 0 means 1, which is Pacer itself.
	Size uint64
}

// Due returns when event n, counted from 0, is due after the start.
func (b Bursts) Due(n uint64) time.Duration {
	return b.Pacer.Due(n - n%max(b.Size, 1))
}

// Count returns how many events are due once elapsed has passed since the start.
func (b Bursts) Count(elapsed time.Duration) uint64 {
	count, size := b.Pacer.Count(elapsed), max(b.Size, 1)
	rest := count % size
	if rest == 0 {
		return count
	}
	if missing := size - rest; count <= math.MaxUint64-missing {
		return count + missing
	}
	return math.MaxUint64
}
