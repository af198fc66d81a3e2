package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/agent"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood"
	"example.org/comet/server/wire"
)

func newAgent(env *Env, run func(context.Context, *Env, agent.Config) error) *cobra.Command {
	o := new(flags.AgentCommand)
	cmd := describe(&cobra.Command{
		Use:  "agent",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := agentConfig(env, cmd.Flags(), o)
			if err != nil {
				return usageError{err}
			}
			return run(cmd.Context(), env, cfg)
		},
	}, "agent")
	o.Bind(cmd.Flags())
	return cmd
}

// agentConfig returns what the flags say.
func agentConfig(env *Env, f *pflag.FlagSet, o *flags.AgentCommand) (cfg agent.Config, err error) {
	if !o.Router.Given() {
		return cfg, errors.New("an agent waits for work at a router: name it with --router nats://HOST:4222 (comet router starts one)")
	}
	if cfg.Servers, err = o.Router.Servers(f, env.Getenv); err != nil {
		return cfg, err
	}
	if cfg.Executable, err = os.Executable(); err != nil {
		return cfg, fmt.Errorf("an agent starts copies of this program, whose file cannot be found: %w", err)
	}
	cfg.Name = o.Name
	cfg.Environ = func() []string { return flags.WithoutSettings(os.Environ()) } // floods are told by their arguments
	return cfg, nil
}

// runAgent waits for work, and does it, until ctx ends.
func runAgent(ctx context.Context, env *Env, cfg agent.Config) error {
	env.OutlivesReaders()
	cfg.Logger = env.Logger()
	a, err := agent.New(cfg)
	if err != nil {
		return usageError{err}
	}
	if err := a.Run(ctx); err != nil {
		return unprefixed{err}
	}
	return nil
}

// findAgents reads where the hosts of --agents wait, which flood's --router is for.
func findAgents(env *Env, f *pflag.FlagSet, o *floodOptions) (err error) {
	if o.Router.Given() && !o.Agents.Given() && env.Getenv("COMET_ROUTER") == "" {
		return errors.New("--router is where the hosts of --agents wait: say how many, or which, or leave it out")
	}
	o.Rendezvous, err = o.Agents.Rendezvous(f, &o.Router, env.Getenv)
	return err
}

// runFloodAway floods from agents as o says, and reports.
func runFloodAway(ctx context.Context, env *Env, o *floodOptions, cfg flood.Config, out *floodOutput) error {
	crew, err := agent.Muster(ctx, agent.Call{Servers: o.Rendezvous, Agents: o.Agents, Logger: env.Logger()})
	if err != nil {
		return usage(planned(ctx, unprefixed{err})) // nothing was started
	}
	defer crew.Close()
	f := agent.Flood{Config: cfg, Crew: crew, Say: func(line string) { fmt.Fprintf(env.Stderr, "comet: %s\n", wire.PrintableLines(line)) }}
	outcome, err := f.Run(ctx)
	if errors.As(err, new(agent.Refusal)) {
		return usage(err)
	}
	out.away = &outcome
	if err = out.end(ctx, cfg.Duration > 0, outcome.Result, err); err == nil && len(outcome.Lost) > 0 && !out.targets.Names("errors") {
		err = fmt.Errorf("%d of the parts were lost, and their connections count as closed", len(outcome.Lost))
	}
	return err
}
