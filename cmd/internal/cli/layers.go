package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"example.org/comet/cmd/internal/flags"
)

// layered lets the flags of cmd come from the environment, from --config and,
// with presets, from --preset, where they are not given.
func layered(env *Env, cmd *cobra.Command, presets bool) *cobra.Command {
	l := &flags.Layers{Known: func(name string) bool {
		for _, c := range cmd.Root().Commands() {
			if c.Flags().Lookup(name) != nil {
				return true
			}
		}
		return cmd.Root().PersistentFlags().Lookup(name) != nil
	}}
	l.Bind(cmd.Flags())
	if presets {
		l.BindPresets(cmd.Flags())
	}
	annotate(cmd, layeredCommand)
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if l.Show && l.Preset != "" {
			text, err := l.Text()
			if err == nil {
				_, err = fmt.Fprint(env.Stdout, text)
			}
			if err == nil {
				err = reported(exitDone)
			}
			return err
		}
		var taken []string
		if cmd.Name() == "flood" && len(args) > 0 {
			taken = []string{"url", "urls"} // the argument is one
		}
		if err := l.Fill(cmd.Flags(), env.Getenv, env.Stdin, taken...); err != nil {
			return usageError{err}
		}
		if err := env.speak(cmd); err != nil {
			return err
		}
		if env.config == nil {
			return nil
		}
		origins := l.Origins(cmd.Flags())
		if len(taken) > 0 {
			origins = slices.DeleteFunc(origins, func(o flags.Origin) bool { return slices.Contains(taken, o.Flag) })
			origins = append([]flags.Origin{{Flag: taken[0], Value: args[0], From: "argument"}}, origins...)
		}
		if err := env.config.show(env.Stdout, cmd, origins); err != nil {
			return err
		}
		return reported(exitDone)
	}
	return cmd
}

// layeredCommand marks a command whose flags may come from elsewhere.
const layeredCommand = "layered"

func isLayered(cmd *cobra.Command) bool { return cmd.Annotations[layeredCommand] != "" }

// annotate marks cmd.
func annotate(cmd *cobra.Command, mark string) {
	if cmd.Annotations == nil {
		cmd.Annotations = make(map[string]string)
	}
	cmd.Annotations[mark] = "yes"
}
