package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/report"
	"example.org/comet/cmd/internal/result"
)

// Outcome is what an experiment leaves.
type Outcome struct {
	Folder string
	Result *result.Result
	// Scale takes the place of Result where there are Steps.
	Scale *result.Scale
}

// Run does the experiment, Repeat times, for each of Steps. If it fails or ctx
// ends once the folder is there, the outcome holds what was measured until then,
// marked as interrupted, beside the error, which wraps the cause of ctx in that
// case. A part that was lost while the others went on is an error too, of a run
// that is complete. When Run returns, all processes have ended.
func Run(ctx context.Context, cfg Config) (*Outcome, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(cfg.Steps) > 0 {
		cfg.Connections = cfg.Steps[0]
	}
	s, err := cfg.Target.site(&cfg)
	if err != nil {
		return nil, err
	}
	defer s.leave()
	if err := cfg.muster(ctx); err != nil {
		return nil, err
	}
	defer func() { cfg.crew.Close() }()
	b := &bench{site: s}
	defer b.endsAtOnce(&cfg)()
	if err := b.arrange(&cfg); err != nil {
		return nil, err // before there is a folder
	}
	defer func() { cfg.friends.close() }()
	if err := b.befriend(ctx, &cfg); err != nil {
		return nil, err
	}
	folder, err := cfg.makeFolder(s.label(), time.Now())
	if err != nil {
		return nil, err
	}
	do := b.once
	if cfg.Repeat > 1 {
		do = b.repeat
	}
	if len(cfg.Steps) > 0 {
		return runSteps(ctx, &cfg, folder, do)
	}
	r, err := do(ctx, &cfg, folder)
	return &Outcome{Folder: folder, Result: r}, err
}

// bench does experiments at one site.
type bench struct {
	site site
	plan *plan // of the last number of connections
	// fleet is the processes of the run that goes on, or did last.
	fleet atomic.Pointer[fleet.Fleet]
}

// arrange makes the plan for cfg.
func (b *bench) arrange(cfg *Config) (err error) {
	if b.plan, err = makePlan(cfg, b.site); err == nil && cfg.friends != nil {
		b.plan.audience, err = cfg.friends.audience(cfg)
	}
	return err
}

// befriend opens the graph of cfg, if it has one.
func (b *bench) befriend(ctx context.Context, cfg *Config) (err error) {
	if cfg.Graph == nil {
		return nil
	}
	if cfg.friends, err = openFriends(ctx, cfg); err != nil {
		return err
	}
	cfg.Streams.Users = cfg.friends.connecting
	if b.plan.audience, err = cfg.friends.audience(cfg); err != nil {
		return err
	}
	a := b.plan.audience
	fmt.Fprintf(cfg.Progress, "graph    an event is for %.1f connections in the mean of %d publishers, for %d at most\n", a.mean(), len(a.weights), a.most)
	return nil
}

// lastWrite is how long a bench that must end at once has for writing what it
// measured.
const lastWrite = 3 * time.Second

// endsAtOnce arranges that all processes are killed if this one must end at once,
// because those that are stopped would not notice. The run then fails without
// them and writes what it measured. The caller calls ended when the bench has ended
// in time.
func (b *bench) endsAtOnce(cfg *Config) (ended func()) {
	written := make(chan struct{})
	forget := cfg.atExit(func() error {
		if f := b.fleet.Load(); f != nil {
			f.Kill()
		}
		select {
		case <-written:
			return nil
		case <-time.After(lastWrite):
			return fmt.Errorf("bench: the results were not written within %v", lastWrite)
		}
	})
	return func() {
		close(written)
		forget()
	}
}

// repeat does the experiment several times, each in a folder of its own, and
// leaves the median of each figure above them.
func (b *bench) repeat(ctx context.Context, cfg *Config, folder string) (*result.Result, error) {
	var runs []*result.Result
	with := report.Extras{Command: cfg.Command}
	var lost error
	failed := removeFiles(folder)
	for i := range cfg.Repeat {
		fmt.Fprintf(cfg.Progress, "run %d of %d\n", i+1, cfg.Repeat)
		if failed != nil {
			break
		}
		name := fmt.Sprintf("run-%d", i+1)
		below := filepath.Join(folder, name)
		if failed = os.MkdirAll(below, 0o755); failed != nil {
			break
		}
		var r *result.Result
		r, failed = b.once(ctx, cfg, below)
		runs, with.Runs = append(runs, r), append(with.Runs, name)
		if OnlyLost(failed) {
			lost, failed = errors.Join(lost, failed), nil
		}
	}
	median := result.Median(runs...)
	median.Targets = result.Check(cfg.Targets, median)
	if i := result.Nearest(runs...); i >= 0 && len(runs) > 1 {
		with.Course = with.Runs[i]
		with.Timeline, _ = result.ReadTimeline(filepath.Join(folder, with.Course)) // without it there are no pictures of it
	}
	return median, errors.Join(failed, lost, writeFolder(folder, median, with, runs...))
}

// once does the experiment once and writes its folder.
func (b *bench) once(ctx context.Context, cfg *Config, folder string) (*result.Result, error) {
	err := removeFiles(folder)
	if err == nil && b.plan.connections != cfg.Connections {
		err = b.arrange(cfg)
	}
	if err != nil {
		r := figures(&record{failure: err}, &plan{connections: cfg.Connections})
		describe(r, cfg, time.Now())
		r.Targets = result.Check(cfg.Targets, r)
		return r, errors.Join(err, writeFolder(folder, r, report.Extras{Command: cfg.Command}, r))
	}
	b.plan.address()
	run := newRun(cfg, b.plan, b.site, folder)
	b.fleet.Store(run.fleet)
	err = cfg.withLimits(ctx, b.plan.need, folder, run.progress, func() error { return run.do(ctx) })
	run.rec.failure = err
	r := figures(&run.rec, b.plan)
	describe(r, cfg, run.rec.started)
	r.Targets = result.Check(cfg.Targets, r)
	if g := run.rec.generated; g != nil {
		r.Settings["seed"] = g.Seed
	}
	for _, fault := range r.Messages.Faults {
		run.progress.line("account  it does not add up: %s", fault)
	}
	if err == nil && len(r.Processes.Lost) > 0 {
		err = &lostError{r.Processes.Lost}
	}
	with := report.Extras{Timeline: run.rec.timeline, Command: repeats(cfg.Command, r)}
	failed := errors.Join(drawMemory(folder, title(b.plan), run.rec.samples, run.rec.timeline), run.rec.timeline.Write(folder), writeFolder(folder, r, with, r))
	if failed != nil {
		err = errors.Join(err, failed)
	}
	return r, err
}

// describe adds to a result what it was measured with.
func describe(r *result.Result, cfg *Config, started time.Time) {
	r.Environment = result.ReadEnvironment(started)
	if r.Settings = maps.Clone(cfg.Settings); r.Settings == nil {
		r.Settings = make(map[string]any)
	}
}

// lostError is the error of a complete run in which parts were lost.
type lostError struct{ parts []string }

func (e *lostError) Error() string {
	return fmt.Sprintf("bench: the run is complete without what was lost: %s", strings.Join(e.parts, "; "))
}

// OnlyLost reports whether err says that parts of complete runs were lost, and nothing
// else.
func OnlyLost(err error) bool {
	switch e := err.(type) { //nolint:errorlint // each of those joined is asked
	case *lostError:
		return true
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(one error) bool { return !OnlyLost(one) })
	}
	return false
}
