package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// Change is one setting that [Machine.Apply] wrote or could not write.
type Change struct {
	Setting string
	// Before and After are its values as the system shows them; equal if it was
	// not changed, "" if it could not be read.
	Before, After string
	// Err says why it does not have the value that was asked for, and what to do
	// then; nil if it has.
	Err error
}

// Apply writes the settings that lift limits, which [Examine] made of s. They hold
// until the next boot, a limit of a process until that process ends. Apply writes
// nothing for a limit that is not Short, never lowers a number, and goes on after
// a write that fails. Its error wraps [errors.ErrUnsupported] where this platform
// cannot do it at all.
func (m Machine) Apply(s System, limits []Limit) ([]Change, error) {
	if !m.linux() {
		return nil, fmt.Errorf("sysctl: comet cannot write settings here, only name the commands that can: %w", errors.ErrUnsupported)
	}
	var settings, files []Assignment
	for _, l := range limits {
		if !l.Short {
			continue
		}
		for _, a := range l.Set {
			if a.Name == SoftOpenFiles || a.Name == HardOpenFiles {
				files = append(files, a)
			} else {
				settings = append(settings, a)
			}
		}
	}
	var changes []Change
	for _, a := range settings {
		changes = append(changes, m.write(a))
	}
	// After fs.nr_open, which bounds both, and the hard limit first, which bounds
	// the soft one.
	slices.SortStableFunc(files, func(a, b Assignment) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range files {
		changes = append(changes, m.writeOpenFiles(s.Process, a))
	}
	return changes, nil
}

// write sets a sysctl by its file.
func (m Machine) write(a Assignment) Change {
	c := Change{Setting: a.Name}
	fail := func(err error) Change {
		c.Err = fmt.Errorf("sysctl: %s stays at %s: %w", a.Name, orUnknown(c.Before), err)
		return c
	}
	name := m.file(a.Name)
	before, err := readFields(name)
	if err != nil {
		return fail(refused(a, err))
	}
	c.Before, c.After = before, before
	wanted, err := raised(a, before)
	if err != nil {
		return fail(err)
	}
	if wanted == before {
		return c // another program has done it meanwhile
	}
	if err := writeFile(name, wanted); err != nil {
		return fail(refused(a, err))
	}
	if c.After, err = readFields(name); err != nil {
		return fail(err)
	}
	if c.After != wanted {
		c.Err = fmt.Errorf("sysctl: %s was written as %s and is %s: something else on this machine sets it too", a.Name, wanted, c.After)
	}
	return c
}

// readFields reads a file of numbers and puts one blank between them.
func readFields(name string) (string, error) {
	b, err := os.ReadFile(name)
	return strings.Join(strings.Fields(string(b)), " "), err
}

// writeFile writes to a file that exists, in one write(2), as the kernel demands
// (proc_sys(5)).
func writeFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}

// raised returns what to write so that no number gets smaller and no range of
// ports narrower.
func raised(a Assignment, before string) (string, error) {
	was, want := strings.Fields(before), strings.Fields(a.Value)
	if len(was) != len(want) {
		return "", fmt.Errorf("%q is not the %d numbers that comet expects; set it by hand to %s", before, len(want), a.Value)
	}
	out := slices.Clone(was)
	for i := range was {
		old, err := parseValue(was[i])
		if err != nil {
			return "", err
		}
		v, err := parseValue(want[i])
		if err != nil {
			return "", err
		}
		low := i == 0 && strings.HasSuffix(a.Name, "ip_local_port_range")
		if low && v < old || !low && v > old {
			out[i] = want[i]
		}
	}
	return strings.Join(out, " "), nil
}

// refused adds to the error of a write what a person can do about it.
func refused(a Assignment, err error) error {
	host := "set it on the host"
	if strings.HasPrefix(a.Name, "net.") {
		host = fmt.Sprintf("set it on the host, or start the container with --sysctl %s=%q", a.Name, a.Value)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("it is not there, as in a container: %s: %w", host, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("/proc/sys cannot be written here, as in a container: %s: %w", host, err)
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return fmt.Errorf("only root may write it: run this again with sudo: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("refused even to root, as in a container: %s: %w", host, err)
	}
	return fmt.Errorf("the kernel does not take %s: %w", a.Value, err)
}

// writeOpenFiles raises one of the two limits of a process.
func (m Machine) writeOpenFiles(whose Process, a Assignment) Change {
	c := Change{Setting: a.Name + " of " + whose.String()}
	fail := func(err error) Change {
		c.Err = fmt.Errorf("sysctl: the %s stays at %s: %w", c.Setting, orUnknown(c.Before), err)
		return c
	}
	read := func() (soft, hard, this Value, err error) {
		s, p := UnknownSystem(), &proc{root: os.DirFS(m.root()), pid: whose.PID}
		p.openFiles(&s)
		if !s.OpenFiles.Known() || !s.OpenFilesHard.Known() {
			return 0, 0, 0, errors.Join(append(p.errs, errors.New("it has ended, or its limits cannot be read"))...)
		}
		if a.Name == HardOpenFiles {
			return s.OpenFiles, s.OpenFilesHard, s.OpenFilesHard, nil
		}
		return s.OpenFiles, s.OpenFilesHard, s.OpenFiles, nil
	}
	soft, hard, this, err := read()
	if err != nil {
		return fail(err)
	}
	c.Before, c.After = plain(this), plain(this)
	wanted, err := parseValue(a.Value)
	if err != nil {
		return fail(err)
	}
	if wanted <= this {
		return c
	}
	if a.Name == HardOpenFiles {
		hard = wanted
	} else if soft = wanted; soft > hard {
		return fail(fmt.Errorf("it cannot pass the hard limit of %s", hard))
	}
	set := m.SetOpenFiles
	if set == nil {
		set = setOpenFiles
	}
	if err := set(whose.PID, soft, hard); err != nil {
		return fail(refusedFiles(a, err))
	}
	if _, _, this, err = read(); err != nil {
		return fail(err)
	}
	c.After = plain(this)
	return c
}

func refusedFiles(a Assignment, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 && a.Name == HardOpenFiles:
		return fmt.Errorf("only root may raise it: run this again with sudo: %w", err)
	case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0:
		return fmt.Errorf("another user owns the process: run this again with sudo: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("refused even to root, as in a container, where root lacks CAP_SYS_RESOURCE, or above fs.nr_open: start the container with --ulimit nofile=%s: %w", a.Value, err)
	}
	return err
}

// plain returns the number as the kernel writes it.
func plain(v Value) string {
	return strings.ReplaceAll(v.String(), ",", "")
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown value"
	}
	return s
}
