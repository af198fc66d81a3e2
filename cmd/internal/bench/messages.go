package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/msggen"
)

// messages runs the generator to its end.
func messages(ctx context.Context, r *run) (err error) {
	if r.plan.rate == 0 {
		return nil
	}
	if r.rec.before, err = r.site.traffic(ctx); err != nil {
		return err
	}
	r.rec.sending = r.take(false)
	begun := time.Now()
	args := msggenArgs(r.cfg, r.plan, r.site.publisher())
	if r.generator, err = r.start(ctx, fleet.Spec{Name: "msggen", Args: args, Finite: true, OnSample: r.sampleGenerator}); err != nil {
		return err
	}
	r.timeline.Load().follow(ours("msggen", 1, r.generator))
	r.sending.Store(true)
	if r.cfg.Streams.Storm.Share > 0 {
		for _, f := range r.floods {
			_ = f.Tell("messages") // the end of one is noticed elsewhere
		}
	}
	ended := r.show("messages", func() (float64, float64, string) {
		delivered := r.totals().Delivered
		text := fmt.Sprintf("%d delivered", delivered)
		if p99, ok := r.p99().Value(); ok {
			text += fmt.Sprintf(", p99 %.2f ms", p99)
		}
		return float64(time.Since(begun)) / float64(r.cfg.Duration), float64(delivered), text
	})
	stopNews := r.reportDelivered()
	err = r.watch(ctx, r.after(r.cfg.Duration), func(ctx context.Context) error {
		return r.generator.Await(ctx, "result", r.cfg.Duration+r.patience(), nil)
	})
	stopNews()
	ended()
	r.endSending()
	if err == nil {
		err = r.endGenerator(ctx, patience)
	}
	if _, named := errors.AsType[*fleet.HungError](err); err == nil || named || ctx.Err() != nil {
		return err
	}
	return errors.Join(r.hung(ctx), err) // a generator gives up on a server that hangs
}

// sampleGenerator takes a line from the generator as it comes.
func (r *run) sampleGenerator(line []byte) {
	var s struct {
		msggen.Stats
		Recent *msggen.Lateness `json:"recent_late_ms"`
	}
	if json.Unmarshal(line, &s) != nil {
		return // a line that was cut off with its process
	}
	r.timeline.Load().sent(time.Now(), s.Stats, s.Recent)
}

// p99 returns the highest of the floods' in their newest samples.
func (r *run) p99() (highest result.Figure) {
	for _, f := range r.accounts() {
		if l := f.live.Latency; l != nil {
			if n, ok := highest.Value(); !ok || l.P99 > n {
				highest = result.Of(l.P99)
			}
		}
	}
	return highest
}

// reportDelivered tells a generator without a pace what was delivered, for its
// window, until the returned function is called.
func (r *run) reportDelivered() (stop func()) {
	if !r.plan.rate.Unpaced() {
		return func() {}
	}
	var told uint64
	before := r.totals().Delivered
	return every(10*time.Millisecond, func() {
		if now := r.totals().Delivered - before; now != told {
			told = now
			_ = r.generator.Tell(fmt.Sprint(now)) // its end is noticed elsewhere
		}
	})
}

// endSending takes the machine's account of the messages.
func (r *run) endSending() {
	if r.sending.Swap(false) {
		r.rec.sent = r.take(false)
	}
}

// endGenerator ends the generator and takes its account.
func (r *run) endGenerator(ctx context.Context, grace time.Duration) error {
	r.fleet.Retire(r.generator)
	stopErr := r.generator.Stop(grace)
	if !r.generator.Ended() {
		return stopErr
	}
	var account msggen.Result
	if err := r.generator.Await(ctx, "result", grace, &account); err != nil {
		return errors.Join(stopErr, err)
	}
	r.timeline.Load().sendingEnded(account.Stats)
	r.rec.generated, r.rec.generatorCPU = &account, result.Seconds(r.generator.CPU())
	return stopErr
}

// drain waits for the last messages to arrive, then reads everybody's accounts.
func drain(ctx context.Context, r *run) error {
	if r.rec.generated != nil {
		r.settled = time.Now()
		err := r.watch(ctx, r.after(0), func(ctx context.Context) error {
			if err := r.awaitLast(ctx); err != nil {
				return err
			}
			return r.site.await(ctx, r.settled)
		})
		if err != nil {
			return err
		}
	}
	return r.readAccounts(ctx, r.patience())
}

// readAccounts reads what servers and floods have counted, and ends the floods.
func (r *run) readAccounts(ctx context.Context, limit time.Duration) error {
	r.rec.ended = r.take(false)
	var err error
	if r.rec.measured() {
		asking, cancel := fleet.WithPatience(ctx, limit, errNoAnswer)
		defer cancel()
		r.rec.after, err = r.site.traffic(asking)
	}
	errs := []error{err}
	var reading sync.WaitGroup
	for _, f := range r.floods {
		f.End()
	}
	for i, f := range r.floods {
		if errs = append(errs, nil); r.fleet.Lost(f.Process) || f.ended.Load() != nil {
			continue
		}
		reading.Go(func() {
			var account flood.Result
			if err := f.Await(ctx, "result", limit, &account); err != nil {
				errs[i+1] = r.unlessLost(f.Process, err)
				return
			}
			f.ended.Store(&account)
		})
	}
	reading.Wait()
	r.measureClocks(ctx)
	return errors.Join(errs...)
}

// awaitLast returns two seconds after the last arrival. While a flood reports
// nothing, it is not known whether something arrives.
func (r *run) awaitLast(ctx context.Context) error {
	const quiet, longest = 2 * time.Second, 30 * time.Second
	begun, since := time.Now(), time.Now()
	seen := r.totals().Stamped
	ended := r.show("drain", func() (float64, float64, string) {
		delivered := r.totals().Delivered
		return float64(time.Since(begun)) / float64(quiet), float64(delivered), fmt.Sprintf("%d delivered", delivered)
	})
	defer ended()
	for time.Since(since) < quiet && time.Since(begun) < longest && !r.floodsEnded() {
		if err := fleet.Wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		if now := r.totals().Stamped; now != seen || r.silent() {
			seen, since = now, time.Now()
		}
	}
	return nil
}

// silent reports whether a flood has not reported for longer than it should, as
// one that is stopped or has no processor.
func (r *run) silent() bool {
	const overdue = 1500 * time.Millisecond // they report once per second or more often
	return slices.ContainsFunc(r.accounts(), func(f floodAccount) bool {
		return !f.lost && f.ended == nil && !f.live.Time.IsZero() && time.Since(f.live.Time) > overdue
	})
}

// floodsEnded reports whether no flood is left to receive anything.
func (r *run) floodsEnded() bool {
	for _, f := range r.floods {
		if !f.Ended() {
			return false
		}
	}
	return true
}

// salvage takes the accounts of messages that were cut short by err: hour 23 of a
// day's run must not take the other hours with it, nor one part the figures of the
// others. What fails here stays unknown.
func salvage(ctx context.Context, r *run, err error) {
	if r.generator == nil {
		return
	}
	r.endSending()
	limit := r.patience()
	if _, hung := errors.AsType[*fleet.HungError](err); hung || ctx.Err() != nil {
		limit = r.hurry()
	}
	within := func(d time.Duration, do func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		defer cancel()
		_ = do(ctx)
	}
	if r.rec.generated == nil {
		within(limit, func(ctx context.Context) error { return r.endGenerator(ctx, limit/2) })
	}
	if !r.rec.ended.Taken() {
		within(limit, r.awaitLast)
	}
	within(limit, func(ctx context.Context) error { return r.readAccounts(ctx, limit/2) })
}
