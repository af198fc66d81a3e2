package cli

import (
	"context"
	"io"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/bench"
)

// ownNetwork is whether bench runs in a network namespace of its own, for which
// it starts itself again.
type ownNetwork struct{ own, inside bool }

func (n *ownNetwork) add(f *pflag.FlagSet) {
	const inside = "inside-own-network"
	f.BoolVar(&n.own, "own-network", false, "run in a network namespace of its own, with a table of connections that fits (root)")
	f.BoolVar(&n.inside, inside, false, "we are in it")
	_ = f.MarkHidden(inside) // fails only for a name that is no flag
}

// again runs the same command line in a namespace.
func (n *ownNetwork) again(cmd *cobra.Command, env *Env, executable string, connections int) error {
	args := []string{cmd.Name(), "--inside-own-network"}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name == "own-network" {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	code, err := bench.OwnNetwork(cmd.Context(), executable, args, connections, env.Stdout, env.Stderr)
	if err != nil {
		return err
	}
	if sig, ok := context.Cause(cmd.Context()).(interrupted); ok { //nolint:errorlint // set by us
		code = exitCode(sig)
	}
	if code == exitDone {
		return nil
	}
	return reported(code)
}

// enter makes a namespace usable that again has made, and returns a context that
// ends when the one who made it does.
func (n *ownNetwork) enter(ctx context.Context, env *Env) (context.Context, error) {
	if !n.inside {
		return ctx, nil
	}
	if err := bench.LoopbackUp(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, env.Stdin) // an error is an end as well
		cancel(interrupted{syscall.SIGINT})
	}()
	return ctx, nil
}
