package pace

import (
	"context"
	"runtime"
	"time"
)

// SleepUntil waits until t and returns nil, or until ctx ends and returns its
// error. It returns at once if t has passed, and never returns nil early.
//
// On Linux it is late by the kernel's timer slack, some 50 µs (prctl(2),
// PR_SET_TIMERSLACK), because it ends its wait in clock_nanosleep(2): Go's own
// timers wait in epoll_wait, in whole milliseconds. That last stretch cannot be
// cancelled, so it may notice the end of ctx 3 ms late. Elsewhere it uses a
// time.Timer. A caller who must not wait for a thread after waking keeps its own
// (runtime.LockOSThread).
//
// t is compared on the monotonic clock if it has a reading, as the results of
// time.Now and Add do, so that a step of the wall clock changes nothing.
func SleepUntil(ctx context.Context, t time.Time) error {
	return wait(ctx, t, sleepPunctually)
}

// HoldUntil sleeps as [SleepUntil] does, for the one goroutine of a process that
// wakes a thousand times a second: on Linux it keeps its processor, of which
// GOMAXPROCS says how many there are, while it sleeps the last 3 ms. Go's runtime does not notice that
// it sleeps, and so does not look for other work and wake threads for it each time,
// which costs more than what most wake for. What else the process does has the
// other processors; if there are none, HoldUntil is SleepUntil.
func HoldUntil(ctx context.Context, t time.Time) error {
	if runtime.GOMAXPROCS(0) == 1 {
		return SleepUntil(ctx, t)
	}
	return wait(ctx, t, holdPunctually)
}

// wait waits until t, the last stretch by punctually.
func wait(ctx context.Context, t time.Time, punctually func(time.Time) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	wait := time.Until(t)
	if wait <= 0 {
		return nil
	}
	if coarse := wait - lastStretch; coarse > 0 {
		timer := time.NewTimer(coarse)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := punctually(t); err != nil {
		return err
	}
	return ctx.Err()
}
