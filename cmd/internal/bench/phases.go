package bench

import (
	"context"
	"fmt"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// rampWidth is how many floods connect at a time: while one waits for its
// server, another has work. With more, the servers' accept queues fill up.
const rampWidth = 2

// start brings up all parts but the generator, and warms the servers up.
func start(ctx context.Context, r *run) error {
	if err := open(ctx, r, len(r.plan.pairs)); err != nil {
		return err
	}
	floods := make([]*floodPart, len(r.plan.pairs))
	err := fleet.Each(len(floods), atOnce, func(i int) (err error) {
		floods[i], err = r.startFlood(ctx, i, r.plan.pairs[i])
		return err
	})
	for _, f := range floods {
		if f != nil {
			r.floods = append(r.floods, f)
		}
	}
	if err != nil {
		return err
	}
	if err := fleet.Wait(ctx, time.Second); err != nil { // for the memory to settle
		return err
	}
	if err := r.site.await(ctx, r.settled); err != nil {
		return err
	}
	r.rec.begun = r.take(true)
	return nil
}

// open finds the servers, or starts those of the first pairs, and warms them up.
func open(ctx context.Context, r *run, pairs int) error {
	r.rec.bare = probe.Take(false, nil)
	err := r.site.open(ctx, r)
	if err == nil {
		_, err = r.site.serve(ctx, pairs)
	}
	if err == nil && r.cfg.crew != nil {
		if r.clocks, err = r.cfg.crew.Measure(ctx); err == nil {
			r.announceAgents()
		}
	}
	r.settled = time.Now()
	return err
}

// connect has the floods of each host open their connections, two at a time: what the
// accept side keeps up with, so that no SYN is sent twice.
func connect(ctx context.Context, r *run) error {
	begun := time.Now()
	ended := r.show("connect", func() (float64, float64, string) {
		t := r.totals()
		tried := float64(t.Established()) + float64(t.Failed)
		return tried / float64(r.cfg.Connections), tried, fmt.Sprintf("%d connected, %d failed", t.Connected, t.Failed)
	})
	established := func() int { return r.totals().Established() }
	err := r.watch(ctx, r.stalled(established), func(ctx context.Context) error {
		width := rampWidth
		switch {
		case r.cfg.Streams.Ramp != "":
			width = len(r.floods) // each has its part of it
		case !r.cfg.Streams.Pace.Unpaced():
			width = 1 // each keeps to the rate
		}
		return r.fillAll(r.floods, width, func(f *floodPart) error {
			if err := r.memoryLeft(); err != nil {
				return err
			}
			return r.fill(ctx, f)
		})
	}, r.untilFull)
	ended()
	r.rec.connectSeconds = result.Seconds(time.Since(begun))
	if f := r.floods[0].connected.Load(); !r.plan.several() && f != nil {
		r.rec.connectSeconds = result.Of(f.ConnectSeconds)
	}
	r.settled = time.Now()
	r.rec.connected = r.take(false)
	return r.connected(err)
}

// connected reports the end of connecting. It returns err, or that there is no
// connection.
func (r *run) connected(err error) error {
	t, why := r.totals(), explanation(r.accounts())
	if n := result.Of(t.Established()); t.Established() > 0 {
		seconds, _ := r.rec.connectSeconds.Value()
		perSecond, _ := n.Per(r.rec.connectSeconds).Value()
		r.progress.line("connect  %d of %d in %.2f s (%.0f/s)", t.Established(), r.cfg.Connections, seconds, perSecond)
	}
	if why != "" && t.Established() > 0 {
		r.progress.line("         %s", why)
	}
	if err == nil && t.Established() == 0 {
		err = fmt.Errorf("bench: no connection was established: %s", why)
	}
	return err
}

// fill lets one flood go and waits until it has tried every connection.
func (r *run) fill(ctx context.Context, f *floodPart) error {
	if r.fleet.Lost(f.Process) {
		return nil
	}
	f.Expect()
	_ = f.Tell("go") // Await has the error of one that has ended
	var account flood.Result
	if err := f.Await(ctx, "connected", 0, &account); err != nil {
		return r.unlessLost(f.Process, err)
	}
	f.connected.Store(&account)
	return nil
}

// idle lets the connections rest and reads what they cost.
func idle(ctx context.Context, r *run) error {
	begun := time.Now()
	ended := r.show("idle", func() (float64, float64, string) {
		return float64(time.Since(begun)) / float64(r.cfg.Idle), uncounted, "letting the memory settle"
	})
	err := r.watch(ctx, r.after(r.cfg.Idle), func(ctx context.Context) error {
		if err := fleet.Wait(ctx, r.cfg.Idle); err != nil {
			return err
		}
		return r.site.await(ctx, r.settled)
	})
	ended()
	if err != nil {
		return err
	}
	r.rec.idle = r.take(true)
	if r.rec.afterGC, err = r.site.collect(ctx); err != nil {
		return err
	}
	figure, _ := perConnection(&r.rec, r.plan, result.Of(r.totals().Established()))
	if each, ok := figure.Value(); ok {
		end, _ := r.rec.idle.Sum("server", probe.RSS).Value()
		begin, _ := r.rec.begun.Sum("server", probe.RSS).Value()
		r.progress.line("idle     %.0f bytes per connection (RSS %.1f MiB, from %.1f)", each, end/(1<<20), begin/(1<<20))
	}
	return nil
}
