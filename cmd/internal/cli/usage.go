package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
)

// takesValues marks a command whose arguments may begin with a dash.
const takesValues = "takes_values"

// takesCommand marks a command whose arguments are another command's line.
const takesCommand = "takes_command"

// checkArgs finds the mistakes that pflag would read as something else: a flag
// with one dash too few, a value taken for a flag. A flag given twice is none,
// since scripts put their defaults before "$@", but a person who did not mean it
// is told on w.
func checkArgs(w io.Writer, root *cobra.Command, args []string) error {
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		return nil
	}
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return nil // an unknown command, of which cobra tells
	}
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	cmd.LocalFlags() // merges those of the root
	c := argChecker{cmd: cmd, set: cmd.Flags(), given: make(map[string]string)}
	for i := 0; i < len(rest) && rest[i] != "--"; {
		if cmd.Annotations[takesCommand] != "" && !strings.HasPrefix(rest[i], "-") {
			return checkArgs(w, root, rest[i:])
		}
		used, err := c.check(rest, i)
		if err != nil {
			return usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
		}
		i += used
	}
	for _, note := range c.notes {
		fmt.Fprintf(w, "comet: %s\n", note)
	}
	return nil
}

type argChecker struct {
	cmd    *cobra.Command
	set    *pflag.FlagSet
	given  map[string]string
	values []string // the arguments that are no flags
	notes  []string // what is odd and no mistake
}

// check looks at args[i] and returns how many arguments it takes.
func (c *argChecker) check(args []string, i int) (used int, err error) {
	arg := args[i]
	switch {
	case strings.HasPrefix(arg, "--"):
		return c.long(args, i)
	case strings.HasPrefix(arg, "-") && arg != "-":
		return c.short(args, i)
	}
	c.values = append(c.values, arg)
	return 1, nil
}

// long checks a flag with two dashes.
func (c *argChecker) long(args []string, i int) (used int, err error) {
	name, value, assigned := strings.Cut(args[i][2:], "=")
	f := c.set.Lookup(name)
	switch {
	case f == nil:
		return 0, c.unknown("unknown flag: --"+name, name, args[i])
	case assigned:
		c.take(f, value)
		return 1, nil
	case f.NoOptDefVal != "":
		c.take(f, f.NoOptDefVal)
		return 1, nil
	case i+1 == len(args):
		return 1, nil // pflag says that it needs a value
	}
	c.take(f, args[i+1])
	return 2, nil
}

// short checks one dash with letters.
func (c *argChecker) short(args []string, i int) (used int, err error) {
	letters := args[i][1:]
	name, _, _ := strings.Cut(letters, "=")
	if f := c.set.Lookup(name); f != nil && len(name) > 1 && !f.Hidden {
		return 0, fmt.Errorf("-%s has one dash too few: write --%s", name, letters)
	}
	for at, letter := range letters {
		f := c.set.ShorthandLookup(string(letter))
		if letter > 127 || f == nil {
			return 0, c.unknown(fmt.Sprintf("unknown shorthand flag: %q in -%s", letter, letters), name, args[i])
		}
		rest := letters[at+1:]
		switch {
		case f.NoOptDefVal != "":
			c.take(f, f.NoOptDefVal)
			if strings.HasPrefix(rest, "=") {
				return 1, nil
			}
		case rest != "":
			c.take(f, strings.TrimPrefix(rest, "="))
			return 1, nil
		case i+1 == len(args):
			return 1, nil
		default:
			c.take(f, args[i+1])
			return 2, nil
		}
	}
	return 1, nil
}

// take notes another value for a flag that takes one.
func (c *argChecker) take(f *pflag.Flag, value string) {
	if _, ok := f.Value.(pflag.SliceValue); ok {
		return
	}
	if before, twice := c.given[f.Name]; twice && before != value {
		c.notes = append(c.notes, fmt.Sprintf("--%s is given twice, %q and %q: the last one counts", f.Name, before, value))
	}
	c.given[f.Name] = value
}

// unknown returns an error that says what arg may have been meant to be.
func (c *argChecker) unknown(what, name, arg string) error {
	for _, other := range c.cmd.Root().Commands() {
		if f := other.Flags().Lookup(name); f != nil && !f.Hidden && other != c.cmd {
			return fmt.Errorf("%s: it is a flag of %s", what, other.CommandPath())
		}
	}
	if near := flags.Nearest(name, c.names()); near != "" && len(name) > 1 {
		return fmt.Errorf("%s: did you mean --%s?", what, near)
	}
	if c.cmd.Annotations[takesValues] != "" {
		return fmt.Errorf("%s; a value that begins with a dash goes behind --: %s", what, c.behindDashes(arg))
	}
	return errors.New(what)
}

// behindDashes writes the command line with arg as a value.
func (c *argChecker) behindDashes(arg string) string {
	words := append([]string{c.cmd.CommandPath()}, c.values...)
	words = append(words, "--", arg)
	for i, w := range words[1:] {
		words[i+1] = shellQuote(w)
	}
	return strings.Join(words, " ")
}

var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// shellQuote writes a word as a shell reads it.
func shellQuote(w string) string {
	if plainWord.MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// names returns the long names of the flags that the help shows.
func (c *argChecker) names() (names []string) {
	c.set.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// flagError rewrites an error of pflag: which flag, what is wrong, what to do.
func flagError(cmd *cobra.Command, err error) error {
	var missing *pflag.ValueRequiredError
	invalid, isInvalid := errors.AsType[*pflag.InvalidValueError](err)
	switch {
	case isInvalid:
		err = fmt.Errorf("--%s: %w", invalid.GetFlag().Name, flags.Explain(err))
	case errors.As(err, &missing):
		f := missing.GetFlag()
		name, _ := pflag.UnquoteUsage(f)
		err = fmt.Errorf("--%s needs a value: --%s %s", f.Name, f.Name, strings.ToUpper(name))
	}
	return usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
}

// oneDash returns err, a usage error, with the question whether -conections was
// meant to have two dashes, of which pflag has made -c with the value onections.
func oneDash(root *cobra.Command, args []string, err error) error {
	cmd, rest, findErr := root.Find(args)
	if findErr != nil || strings.Contains(err.Error(), "did you mean") || strings.Contains(err.Error(), "one dash too few") {
		return err
	}
	c := argChecker{set: cmd.Flags()}
	for _, arg := range rest {
		if arg == "--" {
			break
		}
		letters, short := strings.CutPrefix(arg, "-")
		if name, _, _ := strings.Cut(letters, "="); short && len(name) > 2 && name[0] != '-' {
			if near := flags.Nearest(name, c.names()); near != "" && c.set.ShorthandLookup(name[:1]) != nil {
				what, see, found := strings.Cut(err.Error(), " (see ")
				if found {
					see = " (see " + see
				}
				return usagef("%s; or did you mean --%s?%s", what, near, see)
			}
		}
	}
	return err
}

// exactly returns a check of how many arguments there are.
func exactly(least, most int, say string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most && most >= 0 {
			return usagef("%s takes %s", cmd.CommandPath(), say)
		}
		return nil
	}
}

// noArgs refuses positional arguments with the usage exit code.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.Flags().Lookup("url") != nil && strings.Contains(args[0], "://") {
		return usagef("%s takes no argument, got %q: write --url %s", cmd.CommandPath(), args[0], shellQuote(args[0]))
	}
	return usagef("%s takes no argument, got %q", cmd.CommandPath(), args[0])
}
