package msggen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.org/comet/flood/pace"
)

// run is one Run under way. Its goroutine alone touches it, and the sender,
// except that a server which is away is sought in another (see seek).
type run struct {
	*Generator
	start time.Time
	// next is the next message, counted over all senders.
	next uint64
	// settled is when the last settlement ended, settling how long it took.
	settled  time.Time
	settling time.Duration
	// back is not nil while the server is away, and yields how seeking it ended.
	back     chan error
	giveUp   context.CancelFunc
	lastLoss error
	window   window
}

// open reaches the server, and starts the clock.
func (r *run) open(ctx context.Context) error {
	opening := time.Now()
	if err := r.sender.Open(ctx); err != nil {
		return err
	}
	r.start = time.Now()
	r.settled, r.settling = r.start, r.start.Sub(opening)
	r.meter.start(r.start)
	return nil
}

// paced sends what is due when it is due.
func (r *run) paced(ctx context.Context) error {
	var woke time.Time
	for r.next < r.total {
		wake := r.start.Add(r.pacer.Due(r.next))
		if soonest := woke.Add(minTick); wake.Before(soonest) {
			wake = soonest
		}
		if err := pace.SleepUntil(ctx, wake); err != nil {
			return unlessEnded(ctx, err)
		}
		woke = time.Now()
		due := min(r.pacer.Count(woke.Sub(r.start)), r.total)
		if err := r.tick(ctx, due); err != nil {
			return unlessEnded(ctx, err)
		}
	}
	return nil
}

// unlessEnded is err, or nil if that is because ctx has ended.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// tick deals with the messages up to due: sends them, or refuses them while the
// server is away.
func (r *run) tick(ctx context.Context, due uint64) error {
	for r.next < due {
		if err := r.found(); err != nil {
			return err
		}
		if r.back != nil {
			r.refuse(due)
			return nil
		}
		err := r.send(ctx, min(due, r.next+maxBatch))
		if err == nil {
			err = r.settleIfQuiet(ctx)
		}
		if err != nil {
			if ctx.Err() != nil || !errors.Is(err, ErrAway) {
				return err
			}
			r.lose(err)
			r.seek(ctx)
		}
	}
	return nil
}

// send sends the messages up to end.
func (r *run) send(ctx context.Context, end uint64) error {
	first := r.next
	paced := !r.pacer.Unpaced()
	at := r.start.UnixNano()
	if !paced {
		at = time.Now().UnixNano()
	}
	for ; r.next < end; r.next++ {
		id, num := r.source.draw()
		due := at + int64(r.pacer.Due(r.next))
		if err := r.sender.Send(id, r.source.stamp(id, num, due)); err != nil {
			return err
		}
	}
	err := r.sender.Flush(ctx)
	r.meter.note(r.sender.Receipt())
	if err == nil && paced {
		r.meter.record(first, end, r.pacer.Due, time.Since(r.start))
	}
	return err
}

// refuse counts the messages up to end as refused.
func (r *run) refuse(end uint64) {
	r.meter.refuse(end - r.next)
	for ; r.next < end; r.next++ {
		r.source.draw()
	}
}

// settleIfQuiet asks what the server accepted, every second or so, at a moment
// when the answer is there before the next message is due; or without such a
// moment when a second period is over.
func (r *run) settleIfQuiet(ctx context.Context) error {
	period := min(max(settleEvery, settleShare*r.settling), settleAtLeast)
	since := time.Since(r.settled)
	if since < period {
		return nil
	}
	quiet := time.Until(r.start.Add(r.pacer.Due(r.next)))
	if quiet < r.settling && since < 2*period && r.next < r.total {
		return nil
	}
	return r.settle(ctx)
}

func (r *run) settle(ctx context.Context) error {
	began := time.Now()
	err := r.sender.Settle(ctx)
	r.meter.note(r.sender.Receipt())
	r.settled = time.Now()
	r.settling = r.settled.Sub(began)
	return err
}

// lose books that the server has gone.
func (r *run) lose(err error) {
	r.lastLoss = err
	r.meter.note(r.sender.Receipt())
	r.meter.setAway(true)
	r.config.Logger.Warn("the server is away", "error", err)
}

// regain books that the server is back.
func (r *run) regain() {
	r.lastLoss = nil
	r.settled = time.Now()
	r.meter.setAway(false)
	r.config.Logger.Info("the server is back")
}

// seek looks for the server while the run goes on; found tells the outcome.
func (r *run) seek(ctx context.Context) {
	ctx, r.giveUp = context.WithCancel(ctx)
	back := make(chan error, 1)
	r.back = back
	go func() { back <- reopen(ctx, r.sender) }()
}

// found takes note if the server is there again.
func (r *run) found() error {
	if r.back == nil {
		return nil
	}
	select {
	case err := <-r.back:
		r.back = nil
		r.giveUp()
		if err != nil {
			return err
		}
		r.regain()
	default:
	}
	return nil
}

// reopen tries until the server is there, ctx ends, or it answers something
// that trying again would not change.
func reopen(ctx context.Context, sender Sender) error {
	const first, longest = 50 * time.Millisecond, 2 * time.Second
	for wait := first; ; wait = min(2*wait, longest) {
		err := sender.Open(ctx)
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrAway) {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// finish closes the sender and takes the last receipt. A ctx that has ended
// does not keep it from asking for the last answer.
func (r *run) finish(ctx context.Context) error {
	if r.back != nil {
		r.giveUp()
		if err := <-r.back; err == nil {
			r.regain()
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	defer cancel()
	err := r.sender.Close(ctx)
	r.meter.note(r.sender.Receipt())
	r.meter.end(time.Now())
	if err == nil && r.lastLoss != nil {
		err = fmt.Errorf("msggen: the server was still away at the end: %w", r.lastLoss)
	}
	return err
}
