package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/msggen"
)

// benchOptions are the flags of comet bench.
type benchOptions struct {
	// Config takes what belongs to bench alone, and then what the parts' own flags
	// say.
	Config  bench.Config
	Msggen  msggen.Config
	Network ownNetwork
	Metrics flags.Metrics
	Target  benchTarget
	Targets statedTargets
	JSON    bool
	// Subscriptions is the text of Config.Graph.
	Subscriptions string
}

func newBench(env *Env, run func(context.Context, *Env, *benchOptions) error) *cobra.Command {
	o := new(benchOptions)
	cmd := describe(&cobra.Command{
		Use:  "bench",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(env, cmd.Flags()); err != nil {
				return usage(err)
			}
			if o.Network.Own {
				return o.Network.again(cmd, env, o.Config.Executable, max(o.Config.Connections, slices.Max(append(o.Config.Steps, 0))))
			}
			return run(cmd.Context(), env, o)
		},
	}, "bench")
	o.bind(cmd.Flags())
	return cmd
}

// runBench does the experiment and reports it.
func runBench(ctx context.Context, env *Env, o *benchOptions) error {
	ctx, err := o.Network.enter(ctx, env)
	if err != nil {
		return err
	}
	cfg := o.Config
	cfg.Progress, cfg.Terminal, cfg.AtExit = env.Stderr, env.Terminal, env.AtExit
	if env.verbosity < 0 {
		cfg.Progress, cfg.Terminal = io.Discard, false
	}
	page, closePage, err := watch(env, &o.Metrics, o.title())
	if err != nil {
		return err
	}
	defer closePage()
	if page != nil {
		cfg.OnMoment = page.Add
	}
	outcome, err := bench.Run(ctx, cfg)
	if outcome == nil {
		return usage(planned(ctx, err)) // nothing was started
	}
	if err == nil || bench.OnlyLost(err) && cfg.Targets.Names("errors") {
		err = faults(outcome, cfg.Targets)
	}
	err = planned(ctx, err)
	unmet := missedTargets(outcome)
	if page != nil {
		page.End(benchVerdict(outcome, errors.Join(err, unmet)))
	}
	told := err != nil && !o.JSON
	if told { // the reason first, and then what there is of figures
		printError(env.Stderr, err)
	}
	if showErr := showBench(env, outcome, o.JSON, err); err == nil {
		err = showErr
	}
	picture, figures := "mem.png", result.FileName
	if outcome.Scale != nil {
		picture, figures = "scale.png", result.ScaleFileName
	}
	listFiles(cfg.Progress, outcome.Folder, "report.html", picture, figures)
	if err == nil {
		return unmet
	}
	printError(env.Stderr, unmet)
	if told {
		return reported(exitCode(err))
	}
	return err
}

// listFiles prints where the three files of a folder are that people look at, as far as
// they were made.
func listFiles(w io.Writer, folder, report, picture, figures string) {
	for _, made := range []struct{ what, file string }{{"report", report}, {"picture", picture}, {"figures", figures}} {
		path := filepath.Join(folder, made.file)
		if _, err := os.Stat(path); err == nil {
			fmt.Fprintf(w, "%-8s %s\n", made.what, path)
		}
	}
}

// showBench prints what an experiment measured. In text it leaves out what why
// has told already, and a table of nothing.
func showBench(env *Env, outcome *bench.Outcome, asJSON bool, why error) error {
	var shown interface{ Table(w io.Writer) error } = outcome.Scale
	if outcome.Scale == nil {
		shown = outcome.Result
	}
	if asJSON {
		return jsonLine(env.Stdout, "result", shown)
	}
	if r := outcome.Result; outcome.Scale == nil && why != nil {
		if r.Nothing() {
			return nil
		}
		shown = r.Without(why.Error())
	}
	return shown.Table(env.Stdout)
}

// faults returns an error if not everything went well in a run that came to its
// end: a connection failed, a message was refused, or a part was lost, and no target
// is about that.
func faults(o *bench.Outcome, targets result.Targets) error {
	if o.Scale != nil {
		for _, step := range o.Scale.Steps {
			if err := failedOf(step.Connections, step.Messages, targets); err != nil {
				return fmt.Errorf("%s: %w", step.Folder, err)
			}
		}
		return nil
	}
	if o.Result == nil {
		return nil
	}
	for _, p := range o.Result.Processes.List {
		if p.Lost && !targets.Names("errors") {
			return fmt.Errorf("%s %d was lost", p.Role, p.Number)
		}
	}
	return failedOf(o.Result.Connections, o.Result.Messages, targets)
}

// failedOf returns an error if a connection failed, or if messages were refused or
// their outcome is unknown, and no target decides about that.
func failedOf(c result.Connections, m result.Messages, targets result.Targets) error {
	established, known := c.Established.Value()
	decided := targets.Names("errors", "connections.failed") && (!known || established > 0)
	if n, _ := c.Failed.Value(); n > 0 && !decided {
		asked, _ := c.Asked.Value()
		return fmt.Errorf("%.0f of %.0f connections failed", n, asked)
	}
	refused, _ := m.Refused.Value()
	unknown, _ := m.Unknown.Value()
	sent, _ := m.Sent.Value()
	switch all := sent + refused + unknown; {
	case refused > 0 && !targets.Names("errors", "messages.refused"):
		return fmt.Errorf("%.0f of %.0f messages were refused", refused, all)
	case unknown > 0 && !targets.Names("messages.unknown"):
		return fmt.Errorf("of %.0f of %.0f messages it is unknown whether they were accepted", unknown, all)
	}
	return nil
}
