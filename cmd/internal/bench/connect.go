package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// fullMemory is the share of the machine's memory at which the ramp stops.
const fullMemory = 0.9

// rampWidth is how many floods connect at a time: while one waits for its
// server, another has work. With more, the servers' accept queues fill up.
const rampWidth = 2

// errMemory ends a ramp before the machine is out of memory.
var errMemory = errors.New("the machine's memory is nearly full")

// connectAll has the floods open their connections, two at a time: what the
// accept side keeps up with, and so no SYN is sent twice.
func (e *experiment) connectAll(ctx context.Context) error {
	begun := time.Now()
	ended := e.show("connect", func() (float64, float64, string) {
		t := e.totals()
		tried := float64(t.Established()) + float64(t.Failed)
		return tried / float64(e.cfg.Connections), tried, fmt.Sprintf("%d connected, %d failed", t.Connected, t.Failed)
	})
	err := e.attend(ctx, func(ctx context.Context) error {
		width := rampWidth
		if e.cfg.ConnectRate != "max" {
			width = 1 // each keeps to the rate
		}
		return each(len(e.floods), width, func(i int) error {
			if err := e.memoryLeft(); err != nil {
				return err
			}
			return e.fill(ctx, e.floods[i])
		})
	})
	ended()
	e.connectSeconds = time.Since(begun).Seconds()
	if f := e.floods[0].connected; !e.several() && f != nil {
		e.connectSeconds = f.ConnectSeconds
	}
	e.settled = time.Now()
	e.connected = e.measure()
	e.tcpConnected = readTCPCounters()
	e.machineIdle = memoryInUse()
	t := e.totals()
	if t.Established() > 0 {
		e.progress.line("connect  %d of %d in %.2f s (%.0f/s)", t.Established(), e.cfg.Connections, e.connectSeconds, float64(t.Established())/e.connectSeconds)
	}
	if why := e.explanation(); why != "" {
		e.progress.line("         %s", why)
	}
	if err == nil && t.Established() == 0 {
		err = fmt.Errorf("bench: no connection was established: %s", e.explanation())
	}
	return err
}

// fill lets one flood go and waits until it has tried every connection. One that
// is lost meanwhile, while there are others, is no error.
func (e *experiment) fill(ctx context.Context, f *floodProcess) error {
	if e.isLost(f.child) {
		return nil
	}
	if _, err := f.stdin.Write([]byte("go\n")); err != nil {
		return e.unlessLost(f.child, f.lost())
	}
	var r flood.Result
	if err := f.await(ctx, "connected", 0, &r); err != nil {
		return e.unlessLost(f.child, err)
	}
	f.connected = &r
	return nil
}

// explanation says why connections failed, of the first flood where some did.
func (e *experiment) explanation() string {
	for _, f := range e.floods {
		if f.connected != nil && f.connected.Explanation != "" {
			return f.connected.Explanation
		}
	}
	return ""
}

// unlessLost is err, or nil if it is that a part was lost that others stand in
// for.
func (e *experiment) unlessLost(c *child, err error) error {
	select {
	case <-c.done:
		if e.several() && e.lose(c) {
			return nil
		}
	default:
	}
	return err
}

// memoryLeft is an error when the next flood and server would fill the machine.
func (e *experiment) memoryLeft() error {
	total, used := memoryTotal(), memoryInUse()
	if total == nil || used == nil || !e.several() {
		return nil
	}
	next := rampWidth * int64(e.plan.pairs[0].connections) * bytesPerConnection
	if limit := int64(fullMemory * float64(*total)); *used+next > limit {
		return fmt.Errorf("bench: %w: %.1f of %.1f GiB are used after %d connections, and the next processes would go above 90 %%: run with -c %d",
			errMemory, gib(*used), gib(*total), e.totals().Connected, e.totals().Connected)
	}
	return nil
}

// bytesPerConnection is what both ends of a connection take at the most, in the
// kernel (4.9 KiB each) and in processes.
const bytesPerConnection = 2*5018 + processBytes

func gib(n int64) float64 { return float64(n) / (1 << 30) }

// holdIdle lets the connections rest and reads what they cost.
func (e *experiment) holdIdle(ctx context.Context) error {
	begun := time.Now()
	ended := e.show("idle", func() (float64, float64, string) {
		return float64(time.Since(begun)) / float64(e.cfg.Idle), uncounted, "letting the memory settle"
	})
	err := e.attend(ctx, func(ctx context.Context) error {
		if err := wait(ctx, e.cfg.Idle); err != nil {
			return err
		}
		return e.awaitServerLog(ctx)
	})
	ended()
	if err != nil {
		return err
	}
	e.idle = e.measure(withPSS)
	e.slabsIdle = readSlabs()
	e.machineIdle = memoryInUse()
	if e.followsServerLog() {
		// No sample was there yet. A server at rest uses hardly any processor time.
		e.connected.servers = e.idle.servers
	}
	if err := e.collectAll(ctx); err != nil {
		return err
	}
	from, to := sumBoth(e.start.servers, e.idle.servers, rssOf)
	if number, ok := to.Minus(from).Per(result.Of(e.totals().Established())).Value(); ok {
		end, _ := to.Value()
		begin, _ := from.Value()
		e.progress.line("idle     %.0f bytes a connection (RSS %.1f MiB, from %.1f)", number, end/(1<<20), begin/(1<<20))
	}
	return nil
}

// collectAll has our servers free what they can, and notes what is left.
func (e *experiment) collectAll(ctx context.Context) error {
	var after int64
	for _, s := range e.servers {
		if e.isLost(s.child) {
			continue
		}
		rss, err := s.admin.collect(ctx)
		if err != nil {
			return e.unlessLost(s.child, err)
		}
		if rss != nil {
			after += *rss
		}
	}
	if after > 0 {
		e.afterGC = &after
	}
	return nil
}
