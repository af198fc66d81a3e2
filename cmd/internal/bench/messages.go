package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"example.org/comet/flood"
	"example.org/comet/msggen"
)

// sendMessages runs the generator to its end.
func (e *experiment) sendMessages(ctx context.Context) error {
	if e.cfg.Rate == "none" {
		return nil
	}
	var err error
	if e.statsBefore, err = e.serverStats(ctx); err != nil {
		return err
	}
	e.before = e.measure()
	e.workBefore = readProcessorTime()
	begun := time.Now()
	var to admin
	if len(e.servers) > 0 {
		to = e.servers[0].admin
	}
	generator, err := e.spawn(alone, nil, "msggen", e.cfg.msggenArgs(&e.plan, to, e.routerURL)...)
	if err != nil {
		return err
	}
	e.msggen.Store(generator)
	ended := e.show("messages", func() (float64, float64, string) {
		delivered := e.totals().Delivered
		text := fmt.Sprintf("%d delivered", delivered)
		if p99 := e.p99(); p99 != nil {
			text += fmt.Sprintf(", p99 %.2f ms", *p99)
		}
		return float64(time.Since(begun)) / float64(e.cfg.Duration), float64(delivered), text
	})
	stopNews := e.tellDelivered(generator)
	err = e.attend(ctx, func(ctx context.Context) error { return generator.await(ctx, "result", 0, nil) })
	stopNews()
	ended()
	if err != nil {
		return err
	}
	return e.endGenerator(ctx, generator)
}

// tellDelivered lets a generator without a pace know what was delivered, for its
// window, until the returned function is called.
func (e *experiment) tellDelivered(generator *child) (stop func()) {
	if e.cfg.Rate != "max" {
		return func() {}
	}
	done := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() {
		t := time.NewTicker(10 * time.Millisecond)
		defer t.Stop()
		var told uint64
		for {
			select {
			case <-done:
				return
			case <-t.C:
				if now := e.totals().Delivered; now != told {
					told = now
					// An error is a generator that has ended, which is noticed elsewhere.
					fmt.Fprintf(generator.stdin, "%d\n", now)
				}
			}
		}
	})
	return func() {
		close(done)
		teller.Wait()
	}
}

// endGenerator takes the generator's account.
func (e *experiment) endGenerator(ctx context.Context, generator *child) error {
	e.busyFlood = e.busy.mean()
	e.workAfter = readProcessorTime()
	stopErr := generator.stop(stopPatience)
	var r msggen.Result
	if err := generator.await(ctx, "result", stopPatience, &r); err != nil {
		return err
	}
	if r.Err() != nil {
		stopErr = nil // it fails because of refused messages, which its account holds
	}
	e.generated, e.generatorCPU = &r, new(generator.cpu())
	return stopErr
}

// salvage takes the accounts of messages that were cut short: hour 23 of a day's
// run must not take the other hours with it. What fails here stays null.
func (e *experiment) salvage() {
	generator := e.msggen.Load()
	if generator == nil || e.drained {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopPatience)
	defer cancel()
	if e.generated == nil {
		_ = e.endGenerator(ctx, generator)
	}
	if e.generated != nil {
		_ = e.drain(ctx)
	}
}

// drain waits for the last messages to arrive, then reads everybody's accounts.
func (e *experiment) drain(ctx context.Context) error {
	if e.generated != nil {
		e.settled = time.Now()
		err := e.attend(ctx, func(ctx context.Context) error {
			if err := e.awaitLast(ctx); err != nil {
				return err
			}
			return e.awaitServerLog(ctx)
		})
		if err != nil {
			return err
		}
		e.after = e.measure()
		if e.statsAfter, err = e.serverStats(ctx); err != nil {
			return err
		}
	}
	e.end = e.measure()
	e.machineEnd = memoryInUse()
	for _, f := range e.floods {
		f.stdin.Close()
	}
	for _, f := range e.floods {
		var r flood.Result
		if err := f.await(ctx, "result", e.patience, &r); err != nil {
			if err = e.unlessLost(f.child, err); err != nil {
				return err
			}
			continue
		}
		f.ended = &r
	}
	e.drained = true
	return nil
}

// awaitLast returns two seconds after the last arrival.
func (e *experiment) awaitLast(ctx context.Context) error {
	const quiet, longest = 2 * time.Second, 30 * time.Second
	begun, since := time.Now(), time.Now()
	seen := e.totals().Stamped
	ended := e.show("drain", func() (float64, float64, string) {
		delivered := e.totals().Delivered
		return float64(time.Since(since)) / float64(quiet), float64(delivered), fmt.Sprintf("%d delivered", delivered)
	})
	defer ended()
	for time.Since(since) < quiet && time.Since(begun) < longest {
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		if now := e.totals().Stamped; now != seen {
			seen, since = now, time.Now()
		}
	}
	return nil
}

// serverStats sums what our servers that are there say of themselves; nil
// without any.
func (e *experiment) serverStats(ctx context.Context) (*serverStats, error) {
	if e.cfg.Target != nil {
		return nil, nil //nolint:nilnil // others are not asked, which is no error
	}
	sum := new(serverStats)
	for _, s := range e.servers {
		if e.isLost(s.child) {
			continue
		}
		one, err := s.admin.stats(ctx)
		if err != nil {
			if err = e.unlessLost(s.child, err); err != nil {
				return nil, err
			}
			continue
		}
		sum.add(one)
	}
	return sum, nil
}
