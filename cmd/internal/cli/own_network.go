package cli

import (
	"context"
	"errors"
	"io"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/flags"
)

// ownNetwork is whether bench runs in a network namespace of its own, for which
// it starts itself again.
type ownNetwork struct{ Own, inside bool }

const insideOwnNetwork = "inside-own-network"

func (n *ownNetwork) bind(f *pflag.FlagSet) {
	f.BoolVar(&n.Own, "own-network", false, "run in a network namespace of its own, with a table of connections that fits (root)")
	f.BoolVar(&n.inside, insideOwnNetwork, false, "we are in it")
	_ = f.MarkHidden(insideOwnNetwork) // fails only for a name that is no flag
}

// again runs the same command line in a namespace.
func (n *ownNetwork) again(cmd *cobra.Command, env *Env, executable string, connections int) error {
	args := append([]string{cmd.Name(), "--" + insideOwnNetwork}, flags.Given(cmd.Flags(), "own-network")...)
	code, err := bench.OwnNetwork(cmd.Context(), executable, args, connections, plain(env.Stdout), plain(env.Stderr), env.AtExit)
	if err != nil {
		return err
	}
	var sig interrupted
	switch {
	case errors.As(context.Cause(cmd.Context()), &sig):
		return reported(exitCode(sig))
	case code == exitDone:
		return nil
	}
	return reported(code)
}

// enter makes a namespace usable that again has made, and returns a context that
// ends when the one who made it does or says so. If it has said so and is gone
// then, what it began ends at once.
func (n *ownNetwork) enter(ctx context.Context, env *Env) (context.Context, error) {
	if !n.inside {
		return ctx, nil
	}
	if err := bench.LoopbackUp(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		n, err := env.Stdin.Read(make([]byte, 64))
		cancel(interrupted{syscall.SIGINT})
		if n > 0 && err == nil {
			_, _ = io.Copy(io.Discard, env.Stdin) // an error is an end as well
			env.restore()
		}
	}()
	return ctx, nil
}
