package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/memlog"
	"example.org/comet/memlog/series"
)

func newMemlog(env *Env, run func(context.Context, *Env, *flags.MemlogCommand) error) *cobra.Command {
	o := new(flags.MemlogCommand)
	cmd := describe(&cobra.Command{
		Use:  "memlog (--pid N[,N...] | --match PATTERN | --mark TEXT --out FILE)",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Complete(cmd.Flags(), env.Getenv); err != nil {
				return usageError{err}
			}
			return run(cmd.Context(), env, o)
		},
	}, "memlog")
	o.Bind(cmd.Flags())
	return cmd
}

// runMemlog logs as o says, or marks a log.
func runMemlog(ctx context.Context, env *Env, o *flags.MemlogCommand) error {
	if o.Mark != "" {
		return runMark(env, o)
	}
	env.HangupReopens()
	cfg := o.Config
	cfg.Logger = env.Logger()
	out, err := openMemlog(env, o)
	if err != nil {
		return usageError{err}
	}
	defer out.Close()
	cfg.Out = out
	log, err := memlog.New(cfg)
	if err != nil {
		return usageError{err}
	}
	if o.Out != "-" {
		defer env.reopenLog(out)()
		cfg.Logger.Info("watching", "out", o.Out, "interval", cfg.Interval)
	}
	running := ctx
	if o.EndWithStdin {
		running = untilEOF(ctx, env.Stdin)
	}
	err = log.Run(running)
	if cfg.Duration > 0 {
		return planned(ctx, err)
	}
	if errors.Is(err, memlog.ErrTargetGone) { // as good an end as any, if none was planned
		cfg.Logger.Info("done", "reason", err)
		return nil
	}
	return err
}

// runMark puts an event into a log.
func runMark(env *Env, o *flags.MemlogCommand) error {
	s, err := memlog.Mark(o.Out, o.Mark)
	if errors.Is(err, fs.ErrNotExist) {
		return usageError{fmt.Errorf("%w; begin one by --pid or --match", err)}
	}
	if err != nil {
		return err
	}
	env.Logger().Info("marked", "out", o.Out, "event", o.Mark, "measured", s.RSSKB != series.Unknown)
	return nil
}

// openMemlog opens the log, unless the target is not to be found: then a file
// made for it would only be left empty.
func openMemlog(env *Env, o *flags.MemlogCommand) (*series.Writer, error) {
	quiet := o.Config
	quiet.Listen, quiet.Logger = nil, nil
	target, err := memlog.NewSampler(quiet)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	out := series.NewWriter(env.Stdout)
	if o.Out != "-" {
		if out, err = series.OpenAppend(o.Out); err != nil {
			return nil, err
		}
	}
	out.Millis = o.Config.Interval%time.Second != 0
	return out, nil
}
