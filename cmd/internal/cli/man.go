package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/version"
)

// newMan writes the manual pages.
func newMan(env *Env) *cobra.Command {
	return describe(&cobra.Command{
		Use:  "man FOLDER",
		Args: exactly(1, 1, "the folder for the pages: comet man ."),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return usageError{fmt.Errorf("cannot make the folder: %w", err)}
			}
			n, err := writePages(args[0], cmd.Root())
			if err != nil {
				return err
			}
			env.Logger().Info("wrote the manual pages", "folder", args[0], "pages", n)
			return nil
		},
	}, "man")
}

// writePages writes the pages of cmd and all below it, and returns how many.
func writePages(folder string, cmd *cobra.Command) (n int, err error) {
	if cmd.HasParent() && !isDescribed(cmd) {
		return 0, nil
	}
	path := filepath.Join(folder, pageName(cmd)+"."+pageSection(cmd))
	if err := os.WriteFile(path, []byte(manPage(cmd)), 0o644); err != nil {
		return 0, fmt.Errorf("cannot write a manual page: %w", err)
	}
	n = 1
	for _, sub := range cmd.Commands() {
		more, err := writePages(folder, sub)
		if n += more; err != nil {
			return n, err
		}
	}
	return n, nil
}

// pageName returns the name of cmd's page, comet-subscriptions-import.
func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// pageSection returns 1 for a command, 7 for a help topic.
func pageSection(cmd *cobra.Command) string {
	if cmd.IsAdditionalHelpTopicCommand() {
		return "7"
	}
	return "1"
}

// manPage returns the page of cmd, for man(7) of groff and mandoc.
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	built := version.Get()
	date, _, _ := strings.Cut(built.Date, "T")
	fmt.Fprintf(&b, ".TH %s %s %s %s %s\n", argument(strings.ToUpper(pageName(cmd))), pageSection(cmd), argument(date), argument("comet "+built.Version), argument("comet manual"))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(pageName(cmd)), roff(cmd.Short))
	if cmd.Runnable() {
		fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", roff(cmd.UseLine()))
	}
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, ".PP\nAlso called %s.\n", roff(strings.Join(cmd.Aliases, ", ")))
	}
	if cmd.Long != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n%s", paragraphs(cmd.Long))
	}
	if list := commandList(cmd); list != "" {
		fmt.Fprintf(&b, ".SH COMMANDS\n%s", verbatim(list))
	}
	if options := pageOptions(cmd); options != "" {
		fmt.Fprintf(&b, ".SH OPTIONS\n%s", options)
	}
	if isLayered(cmd) {
		fmt.Fprintf(&b, ".SH ENVIRONMENT\n%s", paragraphs("A flag that is not given has the value of a variable: COMET_CONNECTIONS for --connections. See comet-config(1)."))
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n%s", verbatim(cmd.Example))
	}
	fmt.Fprintf(&b, ".SH SEE ALSO\n%s\n", roff(seeAlso(cmd)))
	return b.String()
}

// seeAlso names the pages above and below cmd.
func seeAlso(cmd *cobra.Command) string {
	var pages []string
	if cmd.HasParent() {
		pages = append(pages, pageName(cmd.Parent())+"(1)")
	}
	for _, sub := range cmd.Commands() {
		if isDescribed(sub) {
			pages = append(pages, pageName(sub)+"("+pageSection(sub)+")")
		}
	}
	return strings.Join(pages, ", ")
}

// pageOptions lists the flags of cmd in their groups.
func pageOptions(cmd *cobra.Command) string {
	var b strings.Builder
	list := func(title string, set *pflag.FlagSet, group string) {
		var flagsOf strings.Builder
		set.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && flags.GroupOf(f) == group {
				flagsOf.WriteString(pageOption(f))
			}
		})
		if flagsOf.Len() > 0 {
			fmt.Fprintf(&b, ".SS %s\n%s", argument(title), flagsOf.String())
		}
	}
	for _, group := range append(flags.Groups(), "") {
		list(cmp.Or(group, "Other"), cmd.LocalFlags(), group)
	}
	list("Everywhere", cmd.InheritedFlags(), "")
	return b.String()
}

// pageOption describes one flag.
func pageOption(f *pflag.Flag) string {
	value, usage := pflag.UnquoteUsage(f)
	term := `\fB` + roff("--"+f.Name) + `\fR`
	if f.Shorthand != "" {
		term = `\fB` + roff("-"+f.Shorthand) + `\fR, ` + term
	}
	if value != "" {
		term += ` \fI` + roff(value) + `\fR`
	}
	if shown := shownFlag(f); shown.DefValue != "" && !zeroDefault.MatchString(shown.DefValue) {
		usage += " (default " + shown.DefValue + ")"
	}
	return ".TP\n" + term + "\n" + roff(usage) + "\n"
}

// zeroDefault are the defaults that mean nothing.
var zeroDefault = regexp.MustCompile(`^(0|false|<nil>)$`)

// paragraphs writes a text: what is indented stays as it is, all else is filled.
func paragraphs(text string) string {
	var b strings.Builder
	for paragraph := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		if strings.HasPrefix(strings.TrimLeft(paragraph, "\n"), "  ") || strings.Contains(paragraph, "\n  ") {
			b.WriteString(verbatim(paragraph))
			continue
		}
		b.WriteString(".PP\n")
		for line := range strings.Lines(paragraph) {
			b.WriteString(roff(strings.TrimSpace(line)) + "\n")
		}
	}
	return b.String()
}

// verbatim writes a text line by line as it is.
func verbatim(text string) string {
	var b strings.Builder
	b.WriteString(".PP\n.nf\n")
	for line := range strings.Lines(text) {
		b.WriteString(roff(strings.TrimRight(line, " \n")) + "\n")
	}
	b.WriteString(".fi\n")
	return b.String()
}

// plainText has the characters that troff would draw as others: a hyphen for a
// minus, curly quotes for those of a shell.
var plainText = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`)

// roff writes one line of text so that it stands on the page as it is.
func roff(line string) string {
	text := plainText.Replace(line)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// argument writes a text as one argument of a macro.
func argument(text string) string { return `"` + roff(text) + `"` }
