package msggen

import (
	"context"
	"errors"
	"time"

	"example.org/comet/flood/pace"
)

// window bounds what is in flight when there is no pace, in deliveries: each message
// makes several where it is for several connections.
type window struct {
	size, each int64
	delivered  func() uint64
	// last is what delivered said when it last moved, at moved.
	last  uint64
	moved time.Time
	// lost is how many were given up as lost.
	lost int64
}

// stallLimit is how long a full window may stand still: as long as a bench
// waits after the last arrival before it calls the rest missing.
const stallLimit = 2 * time.Second

// room returns how many messages may be sent now, given what is known of those that
// were. It may be negative.
func (w *window) room(receipt Receipt, now time.Time) int64 {
	unanswered := receipt.Unanswered * uint64(w.each)
	if w.delivered == nil {
		return w.messages(w.size - int64(unanswered))
	}
	delivered := w.delivered()
	if delivered != w.last || w.moved.IsZero() {
		w.last, w.moved = delivered, now
	}
	queued := receipt.Reached
	if receipt.ReachUnknown {
		queued = receipt.Sent * uint64(w.each)
	}
	delivered = min(delivered, queued+unanswered) // whatever it says
	flying := int64(queued+unanswered) - int64(delivered) - w.lost
	if flying < 0 {
		// Some that were given up have arrived after all.
		w.lost = max(0, w.lost+flying)
		flying = max(0, int64(queued+unanswered)-int64(delivered)-w.lost)
	}
	if flying >= w.size && receipt.Unanswered == 0 && now.Sub(w.moved) >= stallLimit {
		w.lost += flying
		w.moved = now
		flying = 0
	}
	return w.messages(w.size - flying)
}

// messages returns how many messages make so many deliveries, the last one perhaps
// more.
func (w *window) messages(deliveries int64) int64 {
	if deliveries <= 0 {
		return deliveries
	}
	return (deliveries + w.each - 1) / w.each
}

// flatOut sends as fast as the window lets it.
func (r *run) flatOut(ctx context.Context) error {
	if r.config.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, r.start.Add(r.config.Duration))
		defer cancel()
	}
	for r.next < r.total && ctx.Err() == nil {
		err := r.round(ctx)
		if errors.Is(err, ErrAway) && ctx.Err() == nil {
			r.lose(err)
			if err = reopen(ctx, r.sender); err == nil {
				r.regain()
			}
		}
		if err != nil {
			return unlessEnded(ctx, err)
		}
	}
	return nil
}

// round sends a batch, or settles, or waits a millisecond for the window.
func (r *run) round(ctx context.Context) error {
	now := time.Now()
	receipt := r.sender.Receipt()
	room := r.window.room(receipt, now)
	r.meter.writtenOff(uint64(r.window.messages(r.window.lost)))

	// A settlement makes room: it counts what reached nobody, which will never be
	// delivered. With a full window of the other kind it is not asked for more
	// than a hundred times per second.
	size := r.window.messages(r.window.size)
	unsettled := uint64(min(maxUnsettled, size))
	if receipt.ReachUnknown && r.answering == nil && r.window.delivered != nil {
		// It makes no room, and to wait for it in a busy machine
		// would be to send no more than that many each time.
		unsettled = uint64(size)
	}
	since := now.Sub(r.settled)
	enough := min(maxRound, (size+3)/4)
	full := room < enough
	mayHelp := full && (r.window.delivered == nil || since >= 10*time.Millisecond)
	switch {
	case receipt.Unanswered >= unsettled, receipt.Unanswered > 0 && (since >= settleEvery && r.answering == nil || mayHelp):
		return r.settle(ctx)
	case full:
		return pace.SleepUntil(ctx, now.Add(time.Millisecond))
	}
	batch := min(maxRound, uint64(room), unsettled-receipt.Unanswered, r.total-r.next)
	r.next += batch
	return r.send(ctx, batch)
}
