package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"example.org/comet/flood"
	"example.org/comet/msggen"
)

// experiment is one run, phase by phase. What a phase did not come to is nil.
type experiment struct {
	cfg      *Config
	plan     plan
	folder   string
	progress *progress
	started  time.Time

	router, memlog *child
	servers        []*server
	floods         []*floodProcess
	msggen         atomic.Pointer[child]
	routerURL      string
	stopCopy       func() error  // of a server's memory log from its own host
	targetGone     atomic.Bool   // the server that is not ours has ended
	patience       time.Duration // for many connections to close

	losing sync.Mutex
	lost   []string        // parts that ended before their time, while the others went on
	gone   map[*child]bool // the same

	busy      mean // the floods', while messages are sent
	busyFlood *float64

	// settled is since when nothing went on that the next measurement is not to
	// see.
	settled time.Time
	// What was measured at the ends of the phases. after and before are those of
	// the messages.
	start, connected, idle, before, after, end usages
	machineStart, machineIdle, machineEnd      *int64 // memory in use
	workBefore, workAfter                      *processorTime
	slabsStart, slabsIdle                      slabs
	tcpStart, tcpConnected                     tcpCounters
	afterGC                                    *int64
	connectSeconds                             float64
	generated                                  *msggen.Result
	generatorCPU                               *time.Duration
	statsBefore, statsAfter                    *serverStats
	drained                                    bool
}

// server is a server process.
type server struct {
	*child
	addr  string
	admin admin
}

// floodProcess is one that fills a server.
type floodProcess struct {
	*child
	live             atomic.Pointer[flood.Sample] // the newest
	connected, ended *flood.Result
}

// latest is the newest sample.
func (f *floodProcess) latest() flood.Sample {
	if s := f.live.Load(); s != nil {
		return *s
	}
	return flood.Sample{}
}

// several tells whether the end of one server or flood leaves others to go on.
func (e *experiment) several() bool { return len(e.plan.pairs) > 1 }

func (e *experiment) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer e.leaveTarget()
	defer func() { err = e.stopAll(err) }()
	e.patience = stopPatience + time.Duration(e.cfg.Connections/25_000)*time.Second
	e.gone = make(map[*child]bool)
	phases := []struct {
		name string
		run  func(context.Context) error
	}{
		{"start", e.startAll},
		{"connect", e.connectAll},
		{"idle", e.holdIdle},
		{"messages", e.sendMessages},
		{"drain", e.drain},
	}
	for _, phase := range phases {
		if err := phase.run(ctx); err != nil {
			e.salvage()
			return fmt.Errorf("in phase %s: %w", phase.name, err)
		}
	}
	return nil
}

// totals are the floods' counts, summed.
func (e *experiment) totals() (t flood.Counts) {
	for _, f := range e.floods {
		c := f.latest().Counts
		if f.ended != nil {
			c = f.ended.Counts
		}
		if e.isLost(f.child) {
			c.Closed += uint64(c.Connected) // with their process
			c.Connected = 0
		}
		t.Asked += c.Asked
		t.Connected += c.Connected
		t.Closed += c.Closed
		t.Failed += c.Failed
		t.Chunks += c.Chunks
		t.Stamped += c.Stamped
		t.Delivered += c.Delivered
		t.Duplicated += c.Duplicated
		t.Reordered += c.Reordered
	}
	return t
}

// p99 is the highest of the floods' in their newest samples, nil without any.
func (e *experiment) p99() *float64 {
	var highest *float64
	for _, f := range e.floods {
		if l := f.latest().Latency; l != nil && (highest == nil || l.P99 > *highest) {
			highest = &l.P99
		}
	}
	return highest
}

// parts are all processes that must not end while the experiment goes on.
func (e *experiment) parts() []*child {
	parts := make([]*child, 0, 2+2*len(e.plan.pairs))
	for _, c := range []*child{e.router, e.memlog} {
		if c != nil {
			parts = append(parts, c)
		}
	}
	for _, s := range e.servers {
		parts = append(parts, s.child)
	}
	for _, f := range e.floods {
		parts = append(parts, f.child)
	}
	return parts
}

// attend does something while no part must end; if one does, that is the error.
// Of several servers or floods one may be lost: that is noted, and the rest
// goes on.
func (e *experiment) attend(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if e.cfg.Target != nil && !e.targetGone.Load() {
		go e.watchTarget(ctx, cancel)
	}
	for _, c := range e.parts() {
		if e.isLost(c) || c == e.memlog && e.targetGone.Load() {
			continue
		}
		go func() {
			select {
			case <-c.done:
				if ctx.Err() == nil && (c == e.router || c == e.memlog || !e.lose(c)) {
					cancel(e.whyLost(c))
				}
			case <-ctx.Done():
			}
		}()
	}
	return do(ctx)
}

// whyLost is the error that a part has ended. The memory log ends with what it
// watches.
func (e *experiment) whyLost(c *child) error {
	if c == e.memlog && e.cfg.Target != nil {
		if err := e.cfg.Target.gone(); err != nil {
			e.targetGone.Store(true)
			return err
		}
	}
	return c.lost()
}

// lose notes that a part is gone. It reports false if nothing is left to go on
// with.
func (e *experiment) lose(c *child) bool {
	e.losing.Lock()
	defer e.losing.Unlock()
	if !e.gone[c] {
		e.gone[c] = true
		if e.several() {
			e.lost = append(e.lost, c.lost().Error())
			e.progress.line("lost     %v", c.lost())
		}
	}
	servers, floods := 0, 0
	for _, s := range e.servers {
		if !e.gone[s.child] {
			servers++
		}
	}
	for _, f := range e.floods {
		if !e.gone[f.child] {
			floods++
		}
	}
	return (servers > 0 || e.cfg.Target != nil) && (floods > 0 || len(e.floods) == 0)
}

func (e *experiment) isLost(c *child) bool {
	e.losing.Lock()
	defer e.losing.Unlock()
	return e.gone[c]
}

// show keeps the progress up to date until the returned function is called.
func (e *experiment) show(phase string, figures func() (fraction, count float64, text string)) (ended func()) {
	stop := make(chan struct{})
	var shower sync.WaitGroup
	shower.Go(func() {
		t := time.NewTicker(200 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case <-t.C:
				fraction, count, text := figures()
				e.progress.counted(phase, fraction, count, "%s", text)
			}
		}
	})
	return func() {
		close(stop)
		shower.Wait()
	}
}

// stopAll ends the processes, clients first, and adds what went wrong with it
// to err.
func (e *experiment) stopAll(err error) error {
	errs := []error{err}
	stop := func(parts ...*child) {
		var stopping sync.WaitGroup
		failed := make([]error, len(parts))
		for i, c := range parts {
			if c != nil && !e.isLost(c) {
				stopping.Go(func() { failed[i] = c.stop(e.patience) })
			}
		}
		stopping.Wait()
		// After a failure the one that failed has been named already.
		if err == nil {
			errs = append(errs, failed...)
		}
	}
	stop(e.msggen.Load())
	floods := make([]*child, 0, len(e.floods))
	for _, f := range e.floods {
		floods = append(floods, f.child)
	}
	stop(floods...)
	stop(e.memlog)
	servers := make([]*child, 0, len(e.servers))
	for _, s := range e.servers {
		servers = append(servers, s.child)
	}
	stop(servers...)
	stop(e.router)
	return errors.Join(errs...)
}

// each does something for every i below n, a few at a time, until one fails.
func each(n, atOnce int, do func(i int) error) error {
	var (
		next    atomic.Int64
		workers sync.WaitGroup
		once    sync.Once
		failed  error
	)
	for range min(n, atOnce) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					once.Do(func() { failed = err })
					next.Store(int64(n))
					return
				}
			}
		})
	}
	workers.Wait()
	return failed
}
