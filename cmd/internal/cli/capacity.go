package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/capacity"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// capacityOptions are the flags of comet capacity.
type capacityOptions struct {
	// Bench is the experiment of each step.
	Bench     benchOptions
	Search    capacity.Config
	Precision flood.Share
}

func newCapacity(env *Env, run func(context.Context, *Env, *capacityOptions) error) *cobra.Command {
	o := new(capacityOptions)
	cmd := describe(&cobra.Command{
		Use:  "capacity",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(env, cmd.Flags()); err != nil {
				return usage(err)
			}
			return run(cmd.Context(), env, o)
		},
	}, "capacity")
	o.bind(cmd.Flags())
	return cmd
}

// bind adds the flags of the search, and those of bench for target and load.
func (o *capacityOptions) bind(f *pflag.FlagSet) {
	s, cfg := &o.Search, &o.Bench.Config
	flags.Group(f, flags.Search, func() {
		flags.Enum(f, &s.Search, "search", result.SearchConnections, "what to find the most of: connections, or rate, the messages per second", result.SearchConnections, result.SearchRate)
		flags.Count(f, &s.From, "from", "", 100, "the first step", flags.Least(1))
		flags.Count(f, &s.To, "to", "", 0, "the highest step; 0: as many connections as this machine can make")
		flags.Share(f, &o.Precision, "precision", 0.01, "how far the answer may be from a step that fails")
		flags.Duration(f, &s.Hold, "hold", "", 30*time.Second, "how long a step must hold; far from the answer it is a sixth of that", flags.Least(time.Second))
		flags.Count(f, &s.Repeat, "repeat", "", 3, "how often the answer is held in full; it must hold more than half of the times", flags.Least(1))
		flags.Duration(f, &s.Budget, "budget", "", 20*time.Minute, "how long the whole search may take; 0: as long as it needs")
	})
	flags.Group(f, flags.Load, func() {
		flags.Count(f, &cfg.Connections, "connections", "c", 10_000, "with --search rate: how many to open", flags.Least(1))
		flags.Duration(f, &cfg.Idle, "idle", "", time.Second, "time from the last connect of a step to reading the memory, and to messages", flags.Least(time.Second))
	})
	o.Bench.bindExperiment(f, "with --search connections: messages per second, or none")
	flags.Group(f, flags.Output, func() { f.BoolVar(&o.Bench.JSON, "json", false, "print each step, and the answer, as a line of JSON") })
}

// complete checks the flags against each other, and has bench check the rest.
func (o *capacityOptions) complete(env *Env, f *pflag.FlagSet) error {
	s, cfg := &o.Search, &o.Bench.Config
	byRate := s.Search == result.SearchRate
	switch {
	case byRate && f.Changed("rate"):
		return errors.New("--rate is what --search rate looks for: say where it begins and ends (--from, --to)")
	case !byRate && f.Changed("connections"):
		return errors.New("--connections is what --search connections looks for: say where it begins and ends (--from, --to), or --search rate")
	case cfg.Rate.Unpaced():
		return errors.New("--rate max has no step that could hold: give a number, none, or --search rate")
	}
	if !byRate {
		cfg.Connections = max(s.From, s.To)
	}
	s.Precision, cfg.Repeat, cfg.Duration = float64(o.Precision), 1, s.Hold
	if err := o.Bench.complete(env, f); err != nil {
		return err
	}
	s.Bench, s.Server = o.Bench.Config, capacity.NameOf(&o.Bench.Config)
	return s.Validate()
}

// runCapacity searches, and reports each step and the answer.
func runCapacity(ctx context.Context, env *Env, o *capacityOptions) error {
	cfg := o.Search
	shown := &searchLines{env: env, json: o.Bench.JSON}
	cfg.Step, cfg.Trying = shown.step, shown.trying
	cfg.Bench.Progress, cfg.Bench.AtExit = io.Discard, env.AtExit
	if env.verbosity > 0 {
		cfg.Bench.Progress = env.Stderr
	}
	page, closePage, err := watch(env, &o.Bench.Metrics, "comet capacity: "+cfg.Search+" of "+cfg.Server)
	if err != nil {
		return err
	}
	defer closePage()
	if page != nil {
		cfg.Bench.OnMoment = page.Add
	}
	outcome, err := capacity.Run(ctx, cfg)
	shown.erase()
	if outcome == nil {
		return usage(planned(ctx, err)) // nothing was started
	}
	err = planned(ctx, err)
	if page != nil {
		page.End(withReason(strings.Join(outcome.Capacity.Sentences(), " "), err))
	}
	showErr := shown.answer(outcome.Capacity)
	if env.verbosity >= 0 {
		listFiles(env.Stderr, outcome.Folder, "report.html", "capacity.png", result.CapacityFileName)
	}
	switch {
	case err != nil:
		return err
	case showErr != nil:
		return showErr
	case outcome.Capacity.Failed():
		return targetError{fmt.Errorf("the first step, %s, does not meet every target", o.first())}
	}
	return nil
}

// first names the first step.
func (o *capacityOptions) first() string {
	n := result.Of(o.Search.From)
	if o.Search.Search == result.SearchRate {
		return n.Text(result.UnitPerSecond)
	}
	return n.Text(result.UnitCount) + " connections"
}

// searchLines shows a search as it goes.
type searchLines struct {
	env   *Env
	json  bool
	drawn bool
}

// trying shows on a terminal what is being tried.
func (s *searchLines) trying(load float64, hold time.Duration) {
	if s.env.Terminal && !s.json && s.env.verbosity == 0 {
		s.erase()
		fmt.Fprintf(s.env.Stderr, "%9s  ...     for %v", result.Of(load).Text(result.UnitCount), hold)
		s.drawn = true
	}
}

// erase removes what trying has drawn.
func (s *searchLines) erase() {
	if s.drawn {
		fmt.Fprint(s.env.Stderr, "\r\x1b[K")
		s.drawn = false
	}
}

// step prints a step that has ended.
func (s *searchLines) step(step result.CapacityStep) {
	s.erase()
	switch {
	case s.json:
		_ = jsonLine(s.env.Stdout, "step", step) // the answer's line has the same error
	case s.env.verbosity >= 0:
		fmt.Fprintln(s.env.Stdout, step.Line())
	}
}

// answer prints what was found.
func (s *searchLines) answer(c *result.Capacity) error {
	if s.json {
		return jsonLine(s.env.Stdout, "result", c)
	}
	if s.env.verbosity >= 0 && len(c.Steps) > 0 {
		fmt.Fprintln(s.env.Stdout)
	}
	return c.Text(s.env.Stdout)
}
