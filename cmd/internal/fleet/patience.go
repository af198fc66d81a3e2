package fleet

import (
	"context"
	"time"
)

// heartbeat is how often WithPatience looks at the time.
const heartbeat = 250 * time.Millisecond

// WithPatience returns a context that ends with a cause once this process ran for
// limit. The time in which it was suspended, as by Ctrl-Z, does not count: what
// others have said meanwhile is still to be read.
func WithPatience(ctx context.Context, limit time.Duration, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		ran := time.Duration(0)
		for last := time.Now(); ran < limit; {
			if Wait(ctx, min(heartbeat, limit-ran)) != nil {
				return
			}
			now := time.Now()
			ran += running(now.Sub(last))
			last = now
		}
		cancel(cause)
	}()
	return ctx, func() { cancel(nil) }
}

// running returns for how much of a step of at most a heartbeat this process ran.
// A step that is much too long was a suspension.
func running(step time.Duration) time.Duration {
	const most = 3 * time.Second // a busy machine is late, too
	if step > most {
		return heartbeat
	}
	return step
}
