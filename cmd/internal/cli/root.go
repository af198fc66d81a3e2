package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func newRoot(env *Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "comet",
		Short: "How many connections does this box hold, at what cost, and what stops it first?",
		Long: `comet measures servers that hold many long-lived connections.

Start with the whole experiment in one command:

  comet bench

Every other command is one part of it and runs alone, also against servers
that are not comet's.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; see comet --help", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
	})
	var quiet, verbose bool
	root.PersistentFlags().BoolVarP(&quiet, "quiet", "q", false, "print warnings and errors only")
	root.PersistentFlags().BoolVarP(&verbose, "verbose", "v", false, "print debug detail")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		switch {
		case quiet && verbose:
			return usageError{errors.New("-q and -v exclude each other")}
		case quiet:
			env.verbosity = -1
		case verbose:
			env.verbosity = 1
		}
		return nil
	}
	root.AddCommand(commands(env)...)
	return root
}

// noArgs refuses positional arguments with the usage exit code.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument, got %q", cmd.CommandPath(), args[0])
	}
	return nil
}
