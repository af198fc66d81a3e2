package cli

import (
	"errors"
	"io"

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
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(env.Stdout, textOf("start"))
			return err
		},
	}, "comet")
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { env.unhelped = help(cmd) })
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().BoolP("quiet", "q", false, "print warnings and errors only")
	root.PersistentFlags().BoolP("verbose", "v", false, "print debug detail")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return env.speak(cmd) }
	root.AddCommand(commands(env)...)
	root.SetHelpCommand(newHelp())
	completeAll(root)
	return root
}

// speak sets how much is said, as -q and -v of cmd ask for.
func (e *Env) speak(cmd *cobra.Command) error {
	quiet, _ := cmd.Flags().GetBool("quiet") // both are flags of every command
	verbose, _ := cmd.Flags().GetBool("verbose")
	switch {
	case quiet && verbose:
		return usageError{errors.New("-q and -v exclude each other")}
	case quiet:
		e.verbosity = -1
	case verbose:
		e.verbosity = 1
	}
	return nil
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
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return commandNames(cmd.Root(), args, isDescribed), cobra.ShellCompDirectiveNoFileComp
		},
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
