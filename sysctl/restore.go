package sysctl

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Settings reads sysctls by their dotted names, for [Machine.Put]. Several numbers
// have one blank between them.
func (m Machine) Settings(names ...string) ([]Assignment, error) {
	var settings []Assignment
	for _, name := range names {
		value, err := readFields(m.file(name))
		if err != nil {
			return nil, fmt.Errorf("sysctl: %s cannot be read: %w", name, err)
		}
		settings = append(settings, Assignment{name, value})
	}
	return settings, nil
}

// Put writes sysctls back as they are given, smaller or larger than what is there,
// and goes on after one that fails. To raise a limit, use [Machine.Apply].
func (m Machine) Put(settings []Assignment) []Change {
	changes := make([]Change, 0, len(settings))
	for _, a := range settings {
		changes = append(changes, m.put(a))
	}
	return changes
}

func (m Machine) put(a Assignment) Change {
	c := Change{Setting: a.Name}
	name := m.file(a.Name)
	before, err := readFields(name)
	c.Before, c.After = before, before
	if err == nil && before != a.Value {
		if err = writeFile(name, a.Value); err == nil {
			c.After, err = readFields(name)
		}
	}
	switch {
	case err != nil:
		c.Err = fmt.Errorf("sysctl: %s stays at %s: %w", a.Name, orUnknown(c.Before), refused(a, err))
	case c.After != a.Value:
		c.Err = fmt.Errorf("sysctl: %s was written as %s and is %s: something else on this machine sets it too", a.Name, a.Value, c.After)
	}
	return c
}

// file returns the path at which a sysctl is read and written (proc_sys(5)).
func (m Machine) file(name string) string {
	return filepath.Join(m.root(), "proc/sys", filepath.FromSlash(strings.ReplaceAll(name, ".", "/")))
}

// Command returns the command that gives a sysctl this value.
func (a Assignment) Command() string {
	if strings.ContainsRune(a.Value, ' ') {
		return fmt.Sprintf("sysctl -w %s=%q", a.Name, a.Value)
	}
	return fmt.Sprintf("sysctl -w %s=%s", a.Name, a.Value)
}
