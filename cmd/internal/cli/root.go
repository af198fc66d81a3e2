package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/version"
)

func newRoot(env *Env) *cobra.Command {
	root := describe(&cobra.Command{
		Use:           "comet",
		Version:       version.Get().String(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}, "comet")
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { env.unhelped = help(cmd) })
	root.SetFlagErrorFunc(flagError)
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
	root.SetHelpCommand(newHelp())
	return root
}

// unknownCommand returns an error that names the command that was probably meant.
func unknownCommand(root *cobra.Command, name string) error {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	if near := flags.Nearest(name, names); near != "" {
		return usagef("there is no command %q: did you mean %s? See comet --help", name, near)
	}
	return usagef("there is no command %q; see comet --help", name)
}

// newHelp makes comet help COMMAND print what comet COMMAND --help does.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print the help of a command",
		Args:  exactly(0, 1, "one command"),
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd.Root(), args[0])
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}
