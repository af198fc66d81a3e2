package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/result"
)

// statedTargets are the flags --slo and --fail-if, which hold a run against targets.
type statedTargets struct{ must, mustNot []result.Target }

const (
	sloFlag    = "slo"
	failIfFlag = "fail-if"
)

func (s *statedTargets) bind(f *pflag.FlagSet) {
	flags.Group(f, flags.Targets, func() {
		flags.List(f, &s.must, sloFlag, "what must hold, or the exit code is 3: 'p99<50ms', 'loss=0'; repeatable (see comet help targets)", parseTarget, result.Target.String)
		not := func(t result.Target) string { return t.Not().String() }
		parseNot := func(text string) (result.Target, error) {
			t, err := parseTarget(text)
			if err != nil {
				return t, err
			}
			return t.Not(), nil
		}
		flags.List(f, &s.mustNot, failIfFlag, "what must not hold, or the exit code is 3: 'loss>1%'; repeatable", parseNot, not)
	})
}

// all returns the targets, each once: what --fail-if names is met by its opposite.
func (s *statedTargets) all() (all result.Targets) {
	for _, t := range slices.Concat(s.must, s.mustNot) {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}

// parseTarget reads a target, and names the figure that was probably meant.
func parseTarget(text string) (t result.Target, err error) {
	err = t.UnmarshalText([]byte(text))
	var unknown *result.UnknownKeyError
	if !errors.As(err, &unknown) {
		return t, err
	}
	return t, meant(unknown)
}

// meant returns err with the figure that was probably meant.
func meant(err *result.UnknownKeyError) error {
	if near := flags.Nearest(err.Key, result.TargetNames()); near != "" {
		return fmt.Errorf("%w: did you mean %s? comet help targets lists them all", err, near)
	}
	return fmt.Errorf("%w: use one that comet help targets lists", err)
}

// newTargets makes the help topic that lists the figures.
func newTargets() *cobra.Command {
	cmd := describe(&cobra.Command{Use: "targets", DisableFlagsInUseLine: true}, "targets")
	var b strings.Builder
	for _, name := range result.TargetNames() {
		m, _ := result.Lookup(name)
		label := m.Section + ": " + m.Label
		if name != m.Key {
			label = m.Key
		}
		fmt.Fprintf(&b, "\n  %-36s %-23s %s", name, m.Unit.Example(), label)
	}
	cmd.Long += "\n" + b.String()
	return cmd
}

// missedTargets returns the error that targets were not met, each with its figure and
// by how much; of a series, those of the first step that missed one. It is nil if all
// were met, or nothing was measured.
func missedTargets(o *bench.Outcome) error {
	if o.Scale == nil {
		if o.Result.Nothing() {
			return nil
		}
		return missed(o.Result.Targets)
	}
	for _, step := range o.Scale.Steps {
		if err := missed(step.Targets); err != nil {
			return targetError{fmt.Errorf("%s connections, the first step that missed a target: %w", step.Connections.Asked.Text(result.UnitCount), err)}
		}
	}
	return nil
}

// missed returns the error that targets were not met, nil if all were.
func missed(targets result.Outcomes) error {
	not := targets.Missed()
	if len(not) == 0 {
		return nil
	}
	lines := []string{fmt.Sprintf("%d of %d targets not met", len(not), len(targets))}
	for _, one := range not {
		lines = append(lines, one.String())
	}
	return targetError{errors.New(strings.Join(lines, "\n  "))}
}

// missedByFlood returns the error that a flood by itself missed targets, and why it
// does not know a figure.
func missedByFlood(targets result.Outcomes, notes []string) error {
	err := missed(targets)
	unknown := func(o result.Outcome) bool { return o.Figure == result.Figure{} }
	if err == nil || !slices.ContainsFunc(targets, unknown) {
		return err
	}
	notes = append(notes, "A flood by itself measures its connections and the stamped messages that come; comet bench measures the rest.")
	return targetError{fmt.Errorf("%w\n  %s", err, strings.Join(notes, "\n  "))}
}
