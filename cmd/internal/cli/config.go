package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"example.org/comet/cmd/internal/flags"
)

// configView has a command print its settings instead of running.
type configView struct{ all, json bool }

// newConfig prints what is in force for another command.
func newConfig(env *Env) *cobra.Command {
	view := new(configView)
	cmd := describe(&cobra.Command{
		Use:         "config [--json] [--all] COMMAND [FLAG...]",
		Annotations: map[string]string{takesCommand: "yes"},
		Args:        exactly(1, -1, "a command with its flags: comet config bench -c 10k"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return completeCommand(env, args, begun)
			}
			return commandNames(cmd.Root(), nil, isLayered), cobra.ShellCompDirectiveNoFileComp
		},
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, _, err := cmd.Root().Find(args)
			if err != nil || about == cmd.Root() {
				return unknownCommand(cmd.Root(), args[0])
			}
			if !isLayered(about) {
				return usagef("%s takes its settings from its command line alone: comet config is for %s",
					about.CommandPath(), strings.Join(commandNames(cmd.Root(), nil, isLayered), ", "))
			}
			env.config = view
			root := newRoot(env)
			root.SetArgs(args)
			root.SetOut(env.Stdout)
			root.SetErr(env.Stderr)
			return root.ExecuteContext(cmd.Context())
		},
	}, "config")
	f := cmd.Flags()
	f.SetInterspersed(false) // what follows the command is the command's
	flags.Group(f, flags.Output, func() {
		f.BoolVar(&view.all, "all", false, "print the defaults as well")
		f.BoolVar(&view.json, "json", false, "print a line of JSON")
	})
	return cmd
}

// commandNames lists the commands below root that are for a person and that also
// passes, if nothing was named before.
func commandNames(root *cobra.Command, named []string, also func(*cobra.Command) bool) (names []string) {
	for _, c := range root.Commands() {
		if len(named) == 0 && also(c) {
			names = append(names, c.Name())
		}
	}
	return names
}

// show prints the settings of cmd: in text as a file for --config, with a comment
// for each on where it comes from.
func (v *configView) show(w io.Writer, cmd *cobra.Command, origins []flags.Origin) error {
	if !v.all {
		origins = slices.DeleteFunc(origins, isDefault)
	}
	hidden := make([]bool, len(origins))
	for i, o := range origins {
		origins[i].Value, hidden[i] = hideSecret(o.Flag, o.Value)
	}
	if v.json {
		return jsonLine(w, "config", struct {
			Command  string         `json:"command"`
			Settings []flags.Origin `json:"settings"`
		}{cmd.Name(), append([]flags.Origin{}, origins...)})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s; a file for --config\n", cmd.CommandPath())
	if len(origins) == 0 {
		fmt.Fprintf(&b, "# everything is at its default: --all prints it\n")
	}
	for len(origins) > 0 {
		n := 1
		for n < len(origins) && origins[n].Flag == origins[0].Flag {
			n++
		}
		_, repeatable := cmd.Flags().Lookup(origins[0].Flag).Value.(pflag.SliceValue)
		writeSetting(&b, origins[:n], hidden[:n], repeatable)
		origins, hidden = origins[n:], hidden[n:]
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func isDefault(o flags.Origin) bool { return o.From == flags.FromDefault }

// writeSetting writes the values of one flag as YAML. What is hidden or a default is
// a comment, so that the file sets neither.
func writeSetting(b *strings.Builder, values []flags.Origin, hidden []bool, repeatable bool) {
	if repeatable {
		off := isDefault(values[0]) || !slices.Contains(hidden, false)
		fmt.Fprintf(b, "%s%s:\n", commentIf(off), values[0].Flag)
	}
	for i, o := range values {
		line, from := o.Flag+": "+yamlText(o.Value), o.From
		if repeatable {
			line = "  - " + yamlText(o.Value)
		}
		line = commentIf(hidden[i] || isDefault(o)) + line
		if hidden[i] {
			from += "; hidden, since it may be a secret"
		}
		const width, column = 80, 36
		if max(len(line), column)+len("  # ")+len(from) > width {
			fmt.Fprintf(b, "# from %s:\n%s\n", from, line)
		} else {
			fmt.Fprintf(b, "%-*s  # %s\n", column, line, from)
		}
	}
}

func commentIf(off bool) string {
	if off {
		return "# "
	}
	return ""
}

// yamlText writes a value on one line, as YAML reads it.
func yamlText(value string) string {
	node := yaml.Node{Kind: yaml.ScalarNode, Value: value}
	if value == "" || strings.ContainsAny(value, "\n\r") || node.ShortTag() == "!!null" {
		node.Style = yaml.DoubleQuotedStyle
	}
	text, err := yaml.Marshal(&node)
	if err != nil || strings.Count(string(text), "\n") > 1 { // it would fold a long text
		return fmt.Sprintf("%q", value)
	}
	return strings.TrimSuffix(string(text), "\n")
}
