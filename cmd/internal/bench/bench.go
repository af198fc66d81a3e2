package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/memlog"
	"example.org/comet/msggen"
)

// Outcome is what an experiment leaves.
type Outcome struct {
	Folder string
	Result *result.Result
}

// Run does the experiment, Repeat times. If it fails or ctx ends once the folder
// is there, the outcome holds what was measured until then, marked as
// interrupted, beside the error; the cause of ctx is the error in that case.
// When Run returns, all processes have ended.
func Run(ctx context.Context, cfg Config) (*Outcome, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if _, err := makePlan(cfg.Connections); err != nil {
		return nil, err // before there is a folder
	}
	folder, err := cfg.makeFolder(time.Now())
	if err != nil {
		return nil, err
	}
	if cfg.Repeat <= 1 {
		r, err := runOnce(ctx, &cfg, folder)
		return &Outcome{folder, r}, err
	}
	return repeat(ctx, &cfg, folder)
}

// repeat does the experiment several times, each in a folder of its own, and
// leaves the median of each figure above them.
func repeat(ctx context.Context, cfg *Config, folder string) (*Outcome, error) {
	var runs []*result.Result
	failed := removeFiles(folder)
	for i := range cfg.Repeat {
		fmt.Fprintf(cfg.Progress, "run %d of %d\n", i+1, cfg.Repeat)
		if failed != nil {
			break
		}
		below := filepath.Join(folder, fmt.Sprintf("run-%d", i+1))
		if failed = os.MkdirAll(below, 0o755); failed != nil {
			break
		}
		var r *result.Result
		r, failed = runOnce(ctx, cfg, below)
		runs = append(runs, r)
	}
	median := result.Median(runs...)
	return &Outcome{folder, median}, errors.Join(failed, writeFolder(folder, median, runs...))
}

// runOnce does the experiment once and writes its folder.
func runOnce(ctx context.Context, cfg *Config, folder string) (*result.Result, error) {
	e := &experiment{
		cfg:      cfg,
		folder:   folder,
		progress: &progress{w: cfg.Progress, terminal: cfg.Terminal},
		started:  time.Now(),
	}
	err := removeFiles(folder)
	if err == nil {
		// New addresses for each run: the ports of the last one are in TIME_WAIT.
		e.plan, err = makePlan(cfg.Connections)
	}
	if err == nil {
		err = e.run(ctx)
	}
	r := e.result(err)
	return r, errors.Join(err, e.drawMemory(), writeFolder(folder, r, r))
}

// experiment is one run, phase by phase. What a phase did not come to is nil.
type experiment struct {
	cfg      *Config
	plan     plan
	folder   string
	progress *progress
	started  time.Time

	server, memlog, flood *child
	msggen                atomic.Pointer[child]
	addr                  string // of the streams
	admin                 admin

	live      atomic.Pointer[flood.Sample] // the newest from the flood
	busy      mean                         // the flood's, while messages are sent
	busyFlood *float64

	// What was measured at the ends of the phases. after and before are those of
	// the messages.
	start, connected, idle, before, after, end usages
	slabStart, slabIdle                        *int64
	tcpStart, tcpConnected                     tcpCounters
	afterGC                                    *int64
	connect, flooded                           *flood.Result
	generated                                  *msggen.Result
	generatorCPU                               *time.Duration
	statsBefore, statsAfter                    *serverStats
}

// usages are what the parts use at one moment, nil where that is not known.
type usages struct{ server, flood, memlog *memlog.Usage }

func (e *experiment) measure() (u usages) {
	take := func(c *child) *memlog.Usage {
		if c == nil {
			return nil
		}
		usage, err := memlog.Take(c.pid())
		if err != nil {
			return nil // it has ended; whoever waits for it says so
		}
		return &usage
	}
	return usages{take(e.server), take(e.flood), take(e.memlog)}
}

func (e *experiment) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() { err = e.stopAll(err) }()
	phases := []struct {
		name string
		run  func(context.Context) error
	}{
		{"start", e.startServer},
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

// startServer brings up the server and its witness, and warms it up.
func (e *experiment) startServer(ctx context.Context) error {
	var err error
	if e.server, err = start(e.cfg, e.progress, nil, "serve", e.cfg.serveArgs(e.plan)...); err != nil {
		return err
	}
	var listening struct{ Addr, Admin string }
	if err := e.server.await(ctx, "listening", patience, &listening); err != nil {
		return err
	}
	e.addr, e.admin = listening.Addr, admin{"http://" + listening.Admin}
	e.progress.line("server   pid %d on %s (%s), admin listener %s, %d connections to come; results in %s",
		e.server.pid(), e.addr, e.cfg.Engine, e.admin.url, e.cfg.Connections, e.folder)
	if err := warmUp(ctx, e.addr, e.admin); err != nil {
		return err
	}
	e.memlog, err = start(e.cfg, e.progress, nil, "memlog", e.cfg.memlogArgs(e.server.pid(), e.addr, e.admin, filepath.Join(e.folder, memLog))...)
	if err != nil {
		return err
	}
	e.flood, err = start(e.cfg, e.progress, e.floodSample, "flood", e.cfg.floodArgs(e.plan, e.addr, filepath.Join(e.folder, floodLog))...)
	if err != nil {
		return err
	}
	if err := e.flood.await(ctx, "ready", patience, nil); err != nil {
		return err
	}
	if err := wait(ctx, time.Second); err != nil { // for the memory to settle
		return err
	}
	e.start = e.measure()
	e.slabStart = slabBytes()
	e.tcpStart = readTCPCounters()
	return nil
}

// floodSample takes a line from the flood as it comes.
func (e *experiment) floodSample(line []byte) {
	var s flood.Sample
	if json.Unmarshal(line, &s) != nil {
		return // a line that was cut off with its process
	}
	e.live.Store(&s)
	generator := e.msggen.Load()
	if generator == nil {
		return
	}
	if s.Busy != nil {
		e.busy.add(*s.Busy)
	}
	if e.cfg.Rate == "max" {
		// An error here is a generator that has ended, which is noticed elsewhere.
		fmt.Fprintf(generator.stdin, "%d\n", s.Delivered)
	}
}

// latest is the newest sample from the flood.
func (e *experiment) latest() flood.Sample {
	if s := e.live.Load(); s != nil {
		return *s
	}
	return flood.Sample{}
}

// connectAll lets the flood go and waits until it has tried every connection.
func (e *experiment) connectAll(ctx context.Context) error {
	if _, err := e.flood.stdin.Write([]byte("go\n")); err != nil {
		return e.flood.lost()
	}
	ended := e.show("connect", func() (float64, string) {
		s := e.latest()
		tried := float64(s.Established()) + float64(s.Failed)
		return tried / float64(e.cfg.Connections), fmt.Sprintf("%d connected, %d failed", s.Counts.Connected, s.Failed)
	})
	var r flood.Result
	err := e.attend(ctx, func(ctx context.Context) error { return e.flood.await(ctx, "connected", 0, &r) })
	ended()
	if err != nil {
		return err
	}
	e.connected = e.measure()
	e.tcpConnected = readTCPCounters()
	e.connect = &r
	if r.Established() > 0 {
		e.progress.line("connect  %d of %d in %.2f s (%.0f/s)", r.Established(), r.Asked, r.ConnectSeconds, float64(r.Established())/r.ConnectSeconds)
	}
	if r.Explanation != "" {
		e.progress.line("         %s", r.Explanation)
	}
	if r.Established() == 0 {
		return fmt.Errorf("bench: no connection was established: %s", r.Explanation)
	}
	return nil
}

// holdIdle lets the connections rest and reads what they cost.
func (e *experiment) holdIdle(ctx context.Context) error {
	begun := time.Now()
	ended := e.show("idle", func() (float64, string) {
		return float64(time.Since(begun)) / float64(e.cfg.Idle), "letting the memory settle"
	})
	err := e.attend(ctx, func(ctx context.Context) error { return wait(ctx, e.cfg.Idle) })
	ended()
	if err != nil {
		return err
	}
	e.idle = e.measure()
	e.slabIdle = slabBytes()
	if e.afterGC, err = e.admin.collect(ctx); err != nil {
		return err
	}
	if e.start.server != nil && e.idle.server != nil {
		e.progress.line("idle     %.0f bytes a connection (RSS %.1f MiB, from %.1f)",
			float64(e.idle.server.RSSBytes-e.start.server.RSSBytes)/float64(e.connect.Established()), mib(e.idle.server.RSSBytes), mib(e.start.server.RSSBytes))
	}
	return nil
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// sendMessages runs the generator to its end.
func (e *experiment) sendMessages(ctx context.Context) error {
	if e.cfg.Rate == "none" {
		return nil
	}
	stats, err := e.admin.stats(ctx)
	if err != nil {
		return err
	}
	e.statsBefore = &stats
	e.before = e.measure()
	begun := time.Now()
	generator, err := start(e.cfg, e.progress, nil, "msggen", e.cfg.msggenArgs(e.admin)...)
	if err != nil {
		return err
	}
	e.msggen.Store(generator)
	ended := e.show("messages", func() (float64, string) {
		text := fmt.Sprintf("%d delivered", e.latest().Delivered)
		if l := e.latest().Latency; l != nil {
			text += fmt.Sprintf(", p99 %.2f ms", l.P99)
		}
		return float64(time.Since(begun)) / float64(e.cfg.Duration), text
	})
	err = e.attend(ctx, func(ctx context.Context) error { return generator.await(ctx, "result", 0, nil) })
	ended()
	if err != nil {
		return err
	}
	return e.endGenerator(ctx, generator)
}

// endGenerator takes the generator's account.
func (e *experiment) endGenerator(ctx context.Context, generator *child) error {
	e.busyFlood = e.busy.mean()
	stopErr := generator.stop(stopPatience)
	var r msggen.Result
	if err := generator.await(ctx, "result", stopPatience, &r); err != nil {
		return err
	}
	e.generated, e.generatorCPU = &r, new(generator.cpu())
	return stopErr
}

// salvage takes the accounts of messages that were cut short: hour 23 of a day's
// run must not take the other hours with it. What fails here stays null.
func (e *experiment) salvage() {
	generator := e.msggen.Load()
	if generator == nil || e.flooded != nil {
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
		if err := e.attend(ctx, e.awaitLast); err != nil {
			return err
		}
		e.after = e.measure()
		stats, err := e.admin.stats(ctx)
		if err != nil {
			return err
		}
		e.statsAfter = &stats
	}
	e.end = e.measure()
	e.flood.stdin.Close()
	var r flood.Result
	if err := e.flood.await(ctx, "result", patience, &r); err != nil {
		return err
	}
	e.flooded = &r
	return nil
}

// awaitLast returns two seconds after the last arrival.
func (e *experiment) awaitLast(ctx context.Context) error {
	const quiet, longest = 2 * time.Second, 30 * time.Second
	begun, since := time.Now(), time.Now()
	seen := e.latest().Stamped
	ended := e.show("drain", func() (float64, string) {
		return float64(time.Since(since)) / float64(quiet), fmt.Sprintf("%d delivered", e.latest().Delivered)
	})
	defer ended()
	for time.Since(since) < quiet && time.Since(begun) < longest {
		if err := wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		if now := e.latest().Stamped; now != seen {
			seen, since = now, time.Now()
		}
	}
	return nil
}

// attend does something while the server, the flood and the witness must not
// end; if one does, that is the error.
func (e *experiment) attend(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, c := range []*child{e.server, e.flood, e.memlog} {
		go func() {
			select {
			case <-c.done:
				cancel(c.lost())
			case <-ctx.Done():
			}
		}()
	}
	return do(ctx)
}

// show keeps the progress up to date until the returned function is called.
func (e *experiment) show(phase string, figures func() (float64, string)) (ended func()) {
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
				fraction, text := figures()
				e.progress.update(phase, fraction, "%s", text)
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
	for _, c := range []*child{e.msggen.Load(), e.flood, e.memlog, e.server} {
		if c == nil {
			continue
		}
		// After a failure the one that failed has been named already.
		if stopErr := c.stop(stopPatience); err == nil {
			errs = append(errs, stopErr)
		}
	}
	return errors.Join(errs...)
}
