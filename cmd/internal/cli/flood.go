package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/sysctl"
)

// floodOptions are the flags of comet flood.
type floodOptions struct {
	flags.FloodCommand
	Targets statedTargets
}

func newFlood(env *Env, run func(context.Context, *Env, *floodOptions) error) *cobra.Command {
	o := new(floodOptions)
	cmd := describe(&cobra.Command{
		Use:               "flood [URL]",
		Annotations:       map[string]string{takesValues: "yes"},
		ValidArgsFunction: cobra.NoFileCompletions,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("flood takes one URL, got %q as well; --urls FILE takes many", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.UsersFromStdin(o.Config.Users) && o.URLFile == "-" {
				return usagef("--users and --urls cannot both be standard input")
			}
			if err := flags.ReadUsers(&o.Config.Users, env.Stdin); err != nil {
				return usage(err)
			}
			if err := errors.Join(o.Complete(cmd.Flags(), args), o.Metrics.Complete(env.Getenv)); err != nil {
				return usageError{err}
			}
			if err := findAgents(env, cmd.Flags(), o); err != nil {
				return usageError{err}
			}
			return run(cmd.Context(), env, o)
		},
	}, "flood")
	o.Bind(cmd.Flags())
	o.Targets.bind(cmd.Flags())
	return cmd
}

// runFlood floods as o says and reports.
func runFlood(ctx context.Context, env *Env, o *floodOptions) (err error) {
	cfg := o.Config
	if o.URLFile != "" {
		stdin := env.Stdin // which is put back when ctx has ended
		read := func() ([]string, error) { return flags.ReadURLs(o.URLFile, stdin) }
		if cfg.URLs, err = await(ctx, read); err != nil {
			return usage(err)
		}
	}
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	out, err := newFloodOutput(env, o)
	if err != nil {
		return err
	}
	defer out.close()
	page, closePage, err := watch(env, &o.Metrics, floodTitle(&cfg))
	if err != nil {
		return err
	}
	defer closePage()
	out.page = newFloodPage(page)
	cfg.Logger, cfg.OnSample, cfg.StormAfterMark = env.Logger(), out.sample, o.Attended
	if o.Agents.Given() {
		return runFloodAway(ctx, env, o, cfg, out)
	}
	fl, err := await(ctx, func() (*flood.Flood, error) { return flood.New(cfg) })
	if err != nil {
		return usage(err)
	}
	if err := checkLimits(env, sysctl.Need{
		Connections:     fl.Connections(),
		Role:            sysctl.Client,
		SourceAddresses: len(cfg.Sources),
		Destinations:    len(fl.Destinations()),
	}); err != nil {
		return err
	}
	if !o.Attended {
		result, err := fl.Run(ctx)
		return out.end(ctx, cfg.Duration > 0, result, err)
	}
	stdin := bufio.NewReader(env.Stdin)
	if err := out.line("ready", nil); err != nil {
		return err
	}
	if _, err := stdin.ReadString('\n'); err != nil {
		return nil // whoever started it has gone
	}
	result, err := fl.Run(untilEOF(ctx, &orders{stdin, fl}))
	err = out.end(ctx, cfg.Duration > 0, result, err)
	if result.Established() > 0 && errors.As(err, new(failedConnections)) {
		return nil // the result says so to whoever started it
	}
	return err
}

// orders reads standard input of an attended flood: a line "messages" says that
// messages are sent from now on, and "lap" asks for the figures since the last one.
type orders struct {
	in    *bufio.Reader
	flood *flood.Flood
}

func (o *orders) Read([]byte) (int, error) {
	line, err := o.in.ReadString('\n')
	switch strings.TrimSpace(line) {
	case "messages":
		o.flood.Mark()
	case "lap":
		o.flood.Lap()
	}
	return 0, err
}

// failedConnections is the error that not every connection was established.
type failedConnections struct{ error }

// failed reports whether a connection failed, and no target decides about that, or
// none was answered.
func (o *floodOutput) failed(r flood.Result) bool {
	return r.Established() == 0 || r.Failed > 0 && !o.targets.Names("errors", "connections.failed")
}

// end reports what came of a run and returns its outcome.
func (o *floodOutput) end(ctx context.Context, hasEnd bool, r flood.Result, err error) error {
	if err != nil {
		o.page.end(r, err)
		return err
	}
	o.judgeClocks(&r)
	outcome := func(err error) error { return err }
	if hasEnd {
		outcome = func(err error) error { return planned(ctx, err) }
	}
	end := outcome(o.failure(r, outcome(nil) != nil))
	said := !o.json && o.failed(r) && outcome(nil) == nil
	whole := bench.FloodResult(o.config, r)
	targets := result.Check(o.targets, whole)
	unmet := missedByFlood(targets, whole.Notes)
	o.page.end(r, errors.Join(end, unmet))
	if said { // the reason first, and then what there is of figures
		printError(o.env.Stderr, end)
	}
	if err := o.result(r, targets, outcome(nil) != nil); err != nil {
		return outcome(err)
	}
	if end == nil {
		return unmet
	}
	if r.Established() > 0 {
		printError(o.env.Stderr, unmet)
	}
	if said {
		return reported(exitCode(end))
	}
	return end
}

// failure returns why a run failed, nil if it did not. That no connection was
// answered is no failure of a run that was interrupted.
func (o *floodOutput) failure(r flood.Result, interrupted bool) error {
	switch {
	case !o.failed(r):
		return nil
	case r.Explanation != "":
		return failedConnections{errors.New(r.Explanation)}
	case r.Failed > 0:
		return failedConnections{fmt.Errorf("%d of %d connections failed", r.Failed, r.Asked)}
	case interrupted:
		return nil
	}
	return failedConnections{fmt.Errorf("none of %d connections was answered before the end: the server takes connections and keeps silent, or does not say what --ready waits for, or something drops the packets on the way; a run (-d) longer than --connect-timeout tells which", r.Asked)}
}
