package main

import (
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// source says which comet is built.
type source struct {
	version string
	commit  string // with dirty behind it if files are changed
	date    time.Time
}

const dirty = "-dirty"

// readSource asks git. A commit without a tag has the version that the go command
// gives it.
func readSource(root string) (s source, err error) {
	git := func(args ...string) string {
		if err != nil {
			return ""
		}
		cmd := exec.Command("git", append([]string{"-C", root}, args...)...)
		out, gitErr := cmd.Output()
		if gitErr != nil {
			err = fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), gitErr)
		}
		return strings.TrimSpace(string(out))
	}
	s.commit = git("rev-parse", "HEAD")
	stamp := git("log", "-1", "--format=%cI")
	changes := git("status", "--porcelain", "--untracked-files=no")
	tag := git("tag", "--points-at", "HEAD", "--list", "v[0-9]*", "--sort=-version:refname")
	if err != nil {
		return s, err
	}
	if s.date, err = time.Parse(time.RFC3339, stamp); err != nil {
		return s, err
	}
	s.date = s.date.UTC()
	s.version, _, _ = strings.Cut(tag, "\n")
	if s.version == "" {
		s.version = "v0.0.0-" + s.date.Format("20060102150405") + "-" + s.commit[:12]
	}
	if changes != "" {
		s.commit += dirty
		s.version += dirty
	}
	return s, nil
}
