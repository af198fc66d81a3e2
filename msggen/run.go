package msggen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.org/comet/flood/pace"
)

// run is one Run under way. Its goroutine alone touches it, and the sender,
// except that an unreachable server is sought in another (see seek).
type run struct {
	*Generator
	start time.Time
	// next is the next message, counted over all senders, and upcoming when it
	// is due after the start; 0 without a pace.
	next     uint64
	upcoming time.Duration
	// ready is since when the run waits for what is due, after the start.
	ready time.Duration
	// dues are when the messages of the batch in hand are due.
	dues []time.Duration
	// overdue are when the messages were due that the outage under way refused.
	overdue overdue
	// settled is when the last settlement ended, settling how long it took.
	settled  time.Time
	settling time.Duration
	// back is not nil while the server is unreachable, and yields how seeking it
	// ended.
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
	wait := pace.SleepUntil
	if r.config.Alone {
		wait = pace.HoldUntil
	}
	var woke time.Time
	for r.upcoming = r.moments(); !r.over(); {
		wake := r.start.Add(r.upcoming)
		if soonest := woke.Add(minTick); wake.Before(soonest) {
			wake = soonest
		}
		if err := wait(ctx, wake); err != nil {
			return unlessEnded(ctx, err)
		}
		woke = time.Now()
		if err := r.tick(ctx, woke.Sub(r.start)); err != nil {
			if now := time.Now(); now.Sub(woke) > stallNotice {
				r.refuseDue(now.Sub(r.start), err)
			}
			return unlessEnded(ctx, err)
		}
		r.ready = time.Since(r.start)
	}
	return nil
}

// over reports whether no message is due any more before the planned end.
func (r *run) over() bool {
	return r.next >= r.total || r.config.Duration > 0 && r.upcoming >= r.config.Duration
}

// take puts the moments of the messages that are due by elapsed into dues, up
// to maxBatch of them.
func (r *run) take(elapsed time.Duration) {
	r.dues = r.dues[:0]
	for len(r.dues) < maxBatch && r.upcoming <= elapsed && !r.over() {
		r.dues = append(r.dues, r.upcoming)
		r.upcoming = r.moments()
		r.next++
	}
}

// unlessEnded returns err, or nil if ctx has ended.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// tick sends the messages that are due by elapsed, or refuses them while the
// server is unreachable.
func (r *run) tick(ctx context.Context, elapsed time.Duration) error {
	for {
		if err := r.found(); err != nil {
			return err
		}
		r.take(elapsed)
		switch {
		case len(r.dues) == 0:
			return nil
		case r.back != nil:
			r.refuse(uint64(len(r.dues)), r.lastLoss)
			r.overdue.add(r.dues)
			continue
		}
		r.meter.recordWoke(r.dues, r.ready, elapsed)
		err := r.send(ctx, uint64(len(r.dues)))
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
}

// send sends the next n messages, which are due at r.dues, or now if there is
// no pace.
func (r *run) send(ctx context.Context, n uint64) error {
	paced := !r.pacer.Unpaced()
	given, err := r.giveAll(n, paced)
	if err == nil {
		err = r.sender.Flush(ctx)
	} else {
		r.refuse(n-given, err)
	}
	r.meter.note(r.sender.Receipt())
	if paced && r.answering == nil {
		r.meter.record(r.dues, time.Since(r.start))
	}
	return err
}

// giveAll gives the next n messages to the sender, and returns how many that
// accounts for: up to the one that it fails for, with that.
func (r *run) giveAll(n uint64, paced bool) (done uint64, err error) {
	at := r.start.UnixNano()
	if !paced {
		at = time.Now().UnixNano()
	}
	for done < n {
		items := r.source.draw(n - done)
		r.source.number(items)
		for i := range items {
			var offset time.Duration
			if paced {
				offset = r.dues[done]
			}
			message := r.source.write(&items[i], at+int64(offset))
			done++
			if err := r.give(items[i].id, message, offset, paced); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// give gives one message to the sender. Without a pace its stamp holds the moment
// at which it is handed to the socket, or to a sender that cannot tell when that
// is.
func (r *run) give(id int64, message []byte, offset time.Duration, paced bool) error {
	switch {
	case paced && r.answering != nil:
		return r.answering.sendDue(id, message, r.start.Add(offset))
	case paced:
		return r.sender.Send(id, message)
	case r.timed != nil:
		return r.timed.sendNow(id, message)
	}
	restamp(message, time.Now())
	return r.sender.Send(id, message)
}

// refuse counts n messages as refused, because of why.
func (r *run) refuse(n uint64, why error) {
	r.meter.refuse(n, why)
	for n > 0 {
		n -= uint64(len(r.source.draw(n)))
	}
}

// refuseDue counts as refused what came due by elapsed while a call held the run
// up until its end.
func (r *run) refuseDue(elapsed time.Duration, why error) {
	for r.take(elapsed); len(r.dues) > 0; r.take(elapsed) {
		r.meter.refuse(uint64(len(r.dues)), why)
		r.overdue.add(r.dues)
	}
	r.giveUpOverdue()
}

// giveUpOverdue counts how late the messages are that an outage refused, now that
// it has ended: it is when the first of them could have been sent.
func (r *run) giveUpOverdue() {
	r.meter.recordNever(r.overdue.groups, time.Since(r.start))
	r.overdue = overdue{}
}

// settleIfQuiet asks what the server accepted, every second or so, at a moment
// when the answer comes before the next message is due; or without such a moment
// when a second period is over.
func (r *run) settleIfQuiet(ctx context.Context) error {
	if r.answering != nil {
		return nil // its receipt needs no settling
	}
	period := min(max(settleEvery, settleShare*r.settling), settleAtLeast)
	since := time.Since(r.settled)
	if since < period {
		return nil
	}
	quiet := time.Until(r.start.Add(r.upcoming))
	if quiet < r.settling && since < 2*period && !r.over() {
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
	r.config.Logger.Warn("the server cannot be reached", "error", err)
}

// regain books that the server is back.
func (r *run) regain() {
	r.lastLoss = nil
	r.giveUpOverdue()
	r.settled = time.Now()
	r.meter.setAway(false)
	r.config.Logger.Info("the server is back")
}

// seek looks for the server while the run goes on; found learns the outcome.
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

// closing returns the context of the last settlement, which outlasts ctx: once
// that has ended, by hurriedGrace.
func closing(ctx context.Context) (context.Context, context.CancelFunc) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
	forget := context.AfterFunc(ctx, func() {
		hurry := time.AfterFunc(hurriedGrace, cancel)
		context.AfterFunc(last, func() { hurry.Stop() })
	})
	return last, func() {
		forget()
		cancel()
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
	r.giveUpOverdue()
	ctx, cancel := closing(ctx)
	defer cancel()
	err := r.sender.Close(ctx)
	r.meter.note(r.sender.Receipt())
	r.meter.end(time.Now())
	if err == nil && r.lastLoss != nil {
		err = fmt.Errorf("msggen: the server could still not be reached at the end: %w", r.lastLoss)
	}
	return err
}
