package cli

import (
	"embed"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
)

// texts are the help texts: a line that says what the command does, the
// examples, and what else there is to know.
//
//go:embed help/*.txt
var texts embed.FS

// describe gives cmd the text of that name.
func describe(cmd *cobra.Command, name string) *cobra.Command {
	short, rest, _ := strings.Cut(textOf(name), "\n")
	cmd.Short = short
	rest = strings.TrimSpace(rest)
	if examples, long, found := strings.Cut(strings.TrimPrefix(rest, "Examples:\n"), "\n\n\n"); found {
		cmd.Example, rest = strings.TrimRight(examples, "\n"), strings.TrimSpace(long)
	}
	cmd.Long = rest
	return cmd
}

// textOf returns the text of that name.
func textOf(name string) string {
	text, err := texts.ReadFile("help/" + name + ".txt")
	if err != nil {
		panic(err) // a file that is not in the binary: every test fails
	}
	return string(text)
}

const helpWidth = 100

// help prints what cmd does: examples first, then the flags in groups.
func help(cmd *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", cmd.Short)
	section := func(title, body string) {
		if body = strings.TrimRight(body, "\n"); body != "" {
			fmt.Fprintf(&b, "\n%s:\n%s\n", title, body)
		}
	}
	section("Examples", cmd.Example)
	if cmd.Long != "" {
		fmt.Fprintf(&b, "\n%s\n", cmd.Long)
	}
	section("Usage", "  "+cmd.UseLine())
	if len(cmd.Aliases) > 0 {
		section("Also called", "  "+strings.Join(cmd.Aliases, ", "))
	}
	section("Commands", commandList(cmd))
	for _, group := range append(flags.Groups(), "") {
		title := group
		if title == "" {
			title = "Other"
		}
		section(title, flagList(cmd.LocalFlags(), group))
	}
	section("Everywhere", flagList(cmd.InheritedFlags(), ""))
	_, err := fmt.Fprint(cmd.OutOrStdout(), b.String())
	return err
}

// isDescribed reports whether cmd has a help for people.
func isDescribed(cmd *cobra.Command) bool {
	return cmd.IsAvailableCommand() || cmd.IsAdditionalHelpTopicCommand()
}

// commandList lists what cmd has below it.
func commandList(cmd *cobra.Command) string {
	var b strings.Builder
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(&b, "  %-13s %s\n", c.Name(), c.Short)
		}
	}
	return b.String()
}

// flagList lists the flags of one group. A default of nothing is left out.
func flagList(set *pflag.FlagSet, group string) string {
	shown := pflag.NewFlagSet("", pflag.ContinueOnError)
	shown.SortFlags = false
	set.VisitAll(func(f *pflag.Flag) {
		if flags.GroupOf(f) != group {
			return
		}
		shown.AddFlag(shownFlag(f))
	})
	return shown.FlagUsagesWrapped(helpWidth)
}

// shownFlag returns f without a default of nothing.
func shownFlag(f *pflag.Flag) *pflag.Flag {
	one := *f
	if one.DefValue == "[]" || one.DefValue == "0s" {
		one.DefValue = ""
	}
	return &one
}
