package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.org/comet/cmd/internal/result"
)

// Outcome is what an experiment leaves.
type Outcome struct {
	Folder string
	Result *result.Result
	// Scale is instead of Result where there are Steps.
	Scale *result.Scale
}

// Run does the experiment, Repeat times, for each of Steps. If it fails or ctx
// ends once the folder is there, the outcome holds what was measured until then, marked as
// interrupted, beside the error; the cause of ctx is the error in that case.
// When Run returns, all processes have ended.
func Run(ctx context.Context, cfg Config) (*Outcome, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(cfg.Steps) > 0 {
		cfg.Connections = cfg.Steps[0]
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if cfg.Target != nil {
		if err := cfg.Target.prepare(ctx, &cfg); err != nil {
			return nil, err
		}
	}
	if _, err := makePlan(&cfg); err != nil {
		return nil, err // before there is a folder
	}
	folder, err := cfg.makeFolder(time.Now())
	if err != nil {
		return nil, err
	}
	run := runOnce
	if cfg.Repeat > 1 {
		run = repeat
	}
	if len(cfg.Steps) > 0 {
		return runSteps(ctx, &cfg, folder, run)
	}
	r, err := run(ctx, &cfg, folder)
	return &Outcome{Folder: folder, Result: r}, err
}

// repeat does the experiment several times, each in a folder of its own, and
// leaves the median of each figure above them.
func repeat(ctx context.Context, cfg *Config, folder string) (*result.Result, error) {
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
	return median, errors.Join(failed, writeFolder(folder, median, runs...))
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
		e.plan, err = makePlan(cfg)
	}
	if err == nil {
		err = cfg.withLimits(e.plan.need, folder, func() error { return e.run(ctx) })
	}
	r := e.result(err)
	return r, errors.Join(err, e.drawMemory(), writeFolder(folder, r, r))
}
