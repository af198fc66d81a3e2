package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"example.org/comet/sysctl"
)

// beforeFile holds, while settings are changed, what they were. It is there
// after the run only if bench was killed, or could not put them back.
const beforeFile = "sysctl-before.conf"

// refusal returns what this machine cannot hold, except for what withLimits will
// fix.
func (c *Config) refusal(need sysctl.Need, limits []sysctl.Limit) error {
	if c.ApplySysctl {
		limits = slices.DeleteFunc(slices.Clone(limits), func(l sysctl.Limit) bool { return len(kernelSettings(l)) > 0 })
	}
	return sysctl.Refusal(need, limits)
}

// withLimits runs do. With ApplySysctl it raises the kernel settings that are
// short of need before, and puts them back however do ends; without, it reports
// what it would have changed.
//
// Once ctx ends they are put back at once, before anything else ends: whoever
// asked may kill this process a few seconds later.
func (c *Config) withLimits(ctx context.Context, need sysctl.Need, folder string, w io.Writer, do func() error) error {
	return c.withLimitsOf(ctx, sysctl.Machine{}, need, folder, w, do)
}

func (c *Config) withLimitsOf(ctx context.Context, machine sysctl.Machine, need sysctl.Need, folder string, w io.Writer, do func() error) (err error) {
	if !c.ApplySysctl {
		proposeLimits(machine, need, w)
		return do()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	restore, err := applyLimits(machine, need, folder, w)
	if err != nil {
		return err
	}
	forget := c.atExit(restore)
	stop := context.AfterFunc(ctx, func() { _ = restore() }) // its error comes below
	defer func() {
		stop()
		err = errors.Join(err, restore())
		forget()
	}()
	return do()
}

// atExit calls AtExit if it is set.
func (c *Config) atExit(restore func() error) (forget func()) {
	if c.AtExit == nil {
		return func() {}
	}
	return c.AtExit(restore)
}

// kernelSettings returns the settings that fix a limit and can be put back. The
// open files of a process are not among them: they end with it.
func kernelSettings(l sysctl.Limit) []sysctl.Assignment {
	if !l.Short {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l.Set), func(a sysctl.Assignment) bool {
		return !strings.HasPrefix(a.Name, "net.") && !strings.HasPrefix(a.Name, "fs.")
	})
}

// shortSettings returns the limits that kernel settings fix, with those alone.
func shortSettings(need sysctl.Need, system sysctl.System) []sysctl.Limit {
	var short []sysctl.Limit
	for _, l := range sysctl.Check(need, system) {
		if l.Set = kernelSettings(l); len(l.Set) > 0 {
			short = append(short, l)
		}
	}
	return short
}

// proposeLimits reports what --apply-sysctl would change, where settings can be
// read at all.
func proposeLimits(m sysctl.Machine, need sysctl.Need, w io.Writer) {
	system, _ := m.Read()
	short := shortSettings(need, system)
	if len(short) == 0 || system.OS != "linux" {
		return
	}
	fmt.Fprintf(w, "sysctl   short of %s connections; --apply-sysctl (as root) would set until the end of the run:\n", sysctl.Value(need.Connections))
	for _, l := range short {
		for _, a := range l.Set {
			fmt.Fprintf(w, "         %s, now %s, to %s (%s)\n", a.Name, valueOf(m, a.Name, l.Now), a.Value, l.What)
		}
	}
}

func valueOf(m sysctl.Machine, name, otherwise string) string {
	if now, err := m.Settings(name); err == nil {
		return now[0].Value
	}
	return otherwise
}

// applyLimits raises the kernel settings that are short of need, and reports that
// on w. restore puts them back: call it once everything that needed them has
// ended; a second call does nothing. After an error everything is as it was, or
// the error says what is not.
func applyLimits(m sysctl.Machine, need sysctl.Need, folder string, w io.Writer) (restore func() error, err error) {
	system, err := m.Read()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("bench: --apply-sysctl: %w", err)
	}
	// Another error concerns single settings, which then are not known to be short.
	return raiseSettings(m, system, shortSettings(need, system), folder, w)
}

// raiseSettings writes what fixes limits.
func raiseSettings(m sysctl.Machine, system sysctl.System, limits []sysctl.Limit, folder string, w io.Writer) (restore func() error, err error) {
	var names []string
	for _, l := range limits {
		for _, a := range l.Set {
			names = append(names, a.Name)
		}
	}
	file := filepath.Join(folder, beforeFile)
	if _, err := os.Stat(file); err == nil {
		return nil, fmt.Errorf("bench: an earlier run was ended before it put the kernel's settings back: load them with `sudo sysctl -p %s`, then remove that file", file)
	}
	if len(names) == 0 {
		return func() error { return nil }, nil
	}
	before, err := m.Settings(names...)
	if err != nil {
		return nil, fmt.Errorf("bench: --apply-sysctl: %w", err)
	}
	if err := os.WriteFile(file, beforeText(file, before), 0o644); err != nil {
		return nil, fmt.Errorf("bench: --apply-sysctl changes nothing that it cannot note first: %w", err)
	}
	changes, err := m.Apply(system, limits)
	r := &raised{machine: m, file: file, before: before, w: w}
	refused := []error{err}
	for _, c := range changes {
		refused = append(refused, c.Err)
		if c.Before != c.After {
			r.changes = append(r.changes, c)
			fmt.Fprintf(w, "sysctl   %s was %s, is %s until the end of the run\n", c.Setting, c.Before, c.After)
		}
	}
	restore = sync.OnceValue(r.restore)
	if err := errors.Join(refused...); err != nil {
		return nil, errors.Join(fmt.Errorf("bench: --apply-sysctl: %w", err), restore())
	}
	return restore, nil
}

// beforeText returns a file for sysctl -p.
func beforeText(file string, before []sysctl.Assignment) []byte {
	if absolute, err := filepath.Abs(file); err == nil {
		file = absolute
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The kernel's settings before comet bench raised them. It puts them back and\n"+
		"# removes this file. If it was killed: sudo sysctl -p '%s'\n", file)
	for _, a := range before {
		fmt.Fprintf(&b, "%s = %s\n", a.Name, a.Value)
	}
	return []byte(b.String())
}

// raised is settings that must be put back.
type raised struct {
	machine sysctl.Machine
	file    string
	before  []sysctl.Assignment
	changes []sysctl.Change // what was written
	w       io.Writer
}

// restore puts back what is still as it was written. It leaves what someone else
// has set since then, and returns an error about that.
func (r *raised) restore() error {
	var errs []error
	var left []sysctl.Assignment
	var said strings.Builder // printed last: that may block, as on a terminal that is held
	defer func() { _, _ = io.WriteString(r.w, said.String()) }()
	for _, c := range slices.Backward(r.changes) {
		was := sysctl.Assignment{Name: c.Setting, Value: c.Before}
		if i := slices.IndexFunc(r.before, func(a sysctl.Assignment) bool { return a.Name == c.Setting }); i >= 0 {
			was = r.before[i]
		}
		err := r.putBack(c, was)
		if err == nil {
			fmt.Fprintf(&said, "sysctl   %s is %s again\n", was.Name, was.Value)
			continue
		}
		errs, left = append(errs, err), append(left, was)
	}
	if len(left) > 0 {
		return leftOver(r.file, left, errs)
	}
	if err := os.Remove(r.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("bench: the kernel's settings are what they were; remove the note of them: %w", err)
	}
	return nil
}

func (r *raised) putBack(c sysctl.Change, was sysctl.Assignment) error {
	now, err := r.machine.Settings(was.Name)
	if err == nil && c.After != "" && now[0].Value != c.After && now[0].Value != was.Value {
		return fmt.Errorf("%s was set to %s by something else while this ran, and is left at that", was.Name, now[0].Value)
	}
	return r.machine.Put([]sysctl.Assignment{was})[0].Err
}

// leftOver returns an error that says what a person has to do.
func leftOver(file string, left []sysctl.Assignment, errs []error) error {
	var b strings.Builder
	for _, a := range left {
		fmt.Fprintf(&b, "\n  sudo %s", a.Command())
	}
	return fmt.Errorf("bench: %d of the kernel's settings are not what they were before the run (%s has them all): %w\nThis puts them back:%s",
		len(left), file, errors.Join(errs...), b.String())
}
