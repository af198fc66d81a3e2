package fleet

import (
	"context"
	"sync/atomic"
	"time"
)

// heartbeat is how often a Clock looks at the time.
const heartbeat = 250 * time.Millisecond

// Clock counts the time in which this process ran: not while it was suspended,
// as by Ctrl-Z, when what others have said meanwhile is still to be read. The
// zero value starts with Run.
type Clock struct {
	ran, missed atomic.Int64 // nanoseconds
}

// Run counts until ctx ends.
func (c *Clock) Run(ctx context.Context) {
	last := time.Now()
	for Wait(ctx, heartbeat) == nil {
		now := time.Now()
		c.add(now.Sub(last))
		last = now
	}
}

// add counts a step. One that is much too long was a suspension.
func (c *Clock) add(step time.Duration) {
	const most = 3 * time.Second // a busy machine is late, too
	if step > most {
		c.missed.Add(int64(step - heartbeat))
		step = heartbeat
	}
	c.ran.Add(int64(step))
}

// Ran returns for how long the process ran.
func (c *Clock) Ran() time.Duration { return time.Duration(c.ran.Load()) }

// Missed returns for how long it was suspended.
func (c *Clock) Missed() time.Duration { return time.Duration(c.missed.Load()) }

// withPatience returns a context that ends with a cause once this process ran for
// limit.
func withPatience(ctx context.Context, limit time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		var clock Clock
		last := time.Now()
		for clock.Ran() < limit {
			if Wait(ctx, min(heartbeat, limit-clock.Ran())) != nil {
				return
			}
			now := time.Now()
			clock.add(now.Sub(last))
			last = now
		}
		cancel(cause)
	}()
	return ctx, func() { cancel(nil) }
}
