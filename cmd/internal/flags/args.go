package flags

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Command is the flags of a whole command.
type Command[T any] interface {
	*T
	Bind(fs *pflag.FlagSet)
}

// Args returns the arguments that make a comet process parse to cmd: what
// differs from the defaults, each as --name=value. A field that is zero stands
// for its default and is left out.
func Args[T any, C Command[T]](cmd T) []string {
	bound := new(T)
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	C(bound).Bind(fs)
	*bound = cmd
	var args []string
	fs.VisitAll(func(f *pflag.Flag) {
		if _, ok := f.Value.(pflag.SliceValue); ok || f.Value.String() != f.DefValue {
			args = append(args, render(f)...)
		}
	})
	return args
}

// Given returns the flags that were set in fs, as arguments, but for those named.
func Given(fs *pflag.FlagSet, but ...string) []string {
	var args []string
	fs.Visit(func(f *pflag.Flag) {
		if !slices.Contains(but, f.Name) {
			args = append(args, render(f)...)
		}
	})
	return args
}

// valuesIn returns the values of a flag, each as it would be given.
func valuesIn(f *pflag.Flag) []string {
	if l, ok := f.Value.(pflag.SliceValue); ok {
		return l.GetSlice()
	}
	return []string{f.Value.String()}
}

func render(f *pflag.Flag) []string {
	values := valuesIn(f)
	args := make([]string, len(values))
	for i, v := range values {
		args[i] = "--" + f.Name + "=" + v
	}
	return args
}

const groupAnnotation = "comet_group"

// The groups that flags are listed in, in this order.
const (
	Search       = "Search"
	Target       = "Target"
	Load         = "Load"
	Talking      = "What connections say"
	RealClients  = "What real clients do"
	Messages     = "Messages"
	Server       = "Server"
	Admin        = "Admin listener"
	SeveralHosts = "Several hosts"
	Targets      = "What must hold"
	Output       = "Output"
	Other        = "Settings"
)

// Groups returns the names of the groups in the order of the help.
func Groups() []string {
	return []string{Search, Target, Talking, Load, RealClients, Messages, Server, SeveralHosts, Admin, Targets, Output, Other}
}

// Group puts the flags that bind adds, and that are in no group yet, into one.
func Group(fs *pflag.FlagSet, group string, bind func()) {
	before := make(map[string]bool)
	fs.VisitAll(func(f *pflag.Flag) { before[f.Name] = true })
	bind()
	fs.VisitAll(func(f *pflag.Flag) {
		if !before[f.Name] && GroupOf(f) == "" {
			_ = fs.SetAnnotation(f.Name, groupAnnotation, []string{group}) // fails only for a name that is no flag
		}
	})
}

// GroupOf returns the group of a flag, "" if it is in none.
func GroupOf(f *pflag.Flag) string { return strings.Join(f.Annotations[groupAnnotation], "") }

// Names returns the names of all flags that are in fs.
func Names(fs *pflag.FlagSet) (names []string) {
	fs.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}

// FirstGiven returns the first of names that was set in fs, "" if none was.
func FirstGiven(fs *pflag.FlagSet, names ...string) string {
	for _, name := range names {
		if fs.Changed(name) {
			return name
		}
	}
	return ""
}

// hide keeps a flag out of the help: it is for processes that comet starts.
func hide(fs *pflag.FlagSet, name string) {
	_ = fs.MarkHidden(name) // fails only for a name that is no flag
}

// EndWithStdin adds the hidden flag by which a command that bench started ends
// when bench does, however bench ended: its pipe closes. That works on every
// system, which signals do not.
func EndWithStdin(fs *pflag.FlagSet, on *bool) {
	const name = "end-with-stdin"
	fs.BoolVar(on, name, false, "end when standard input does")
	hide(fs, name)
}

// exclusive refuses two flags of which only one can hold.
func exclusive(fs *pflag.FlagSet, one, other string) error {
	if fs.Changed(one) && fs.Changed(other) {
		return fmt.Errorf("--%s and --%s exclude each other", one, other)
	}
	return nil
}
