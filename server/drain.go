package server

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"example.org/comet/server/wire"
)

// beginDrain sets the end of the drain and returns how long it may take.
func (c *core) beginDrain() time.Duration {
	left, passed := max(c.DrainTimeout, 0), time.Since(c.started)
	c.giveUp.Store(int64(passed + min(left, math.MaxInt64-passed)))
	return left
}

// drainEnd returns when the drain ends, whatever is left to do. All its stages
// share that time: leaving the exchange, taking in what publishers have begun to
// send, delivering.
func (c *core) drainEnd() time.Time {
	giveUp := c.giveUp.Load()
	if giveUp == 0 { // an engine that ends by itself
		return time.Now().Add(max(c.DrainTimeout, 0))
	}
	return c.started.Add(time.Duration(giveUp))
}

// leaves reports whether the server takes no more streams, since it drains.
func (c *core) leaves() bool { return c.giveUp.Load() != 0 }

// returnAfter returns how long one client is asked to stay away: a random part of
// DrainSpread, so that they do not all return at once. 0 asks for nothing.
func (c *core) returnAfter() time.Duration {
	if c.DrainSpread <= 0 {
		return 0
	}
	return rand.N(c.DrainSpread) + 1 //nolint:gosec // nobody gains by guessing it
}

// appendRestart appends what ends a stream that the drain ends.
func (c *core) appendRestart(kind wire.Kind, dst []byte) []byte {
	return kind.AppendRestart(dst, c.returnAfter())
}

// leaving answers a request that comes during the drain.
func (c *core) leaving() *wire.Answer { return wire.Leaving(c.returnAfter()) }

// orGiveUp returns a context that ends with ctx, which ends some time after
// serving, or else with the time for the drain.
func (c *core) orGiveUp(ctx, serving context.Context) context.Context {
	ended, end := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, end)
	context.AfterFunc(serving, func() {
		sleep(ended, time.Until(c.drainEnd()))
		end()
	})
	return ended
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
