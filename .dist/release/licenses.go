package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// licensesFile lists the modules that are in a binary with their licenses, for
// reviewers. It is held against the modules themselves by -check-licenses.
const licensesFile = ".dist/licenses.txt"

// allowed are the licenses, by SPDX id, that a module of comet may have, each with
// words that no other license has all of. The first match counts.
var allowed = []struct {
	id    string
	words []string
}{
	{"Apache-2.0", []string{"Apache License", "Version 2.0"}},
	{"BSD-3-Clause", []string{"Redistribution and use in source and binary forms", "endorse or promote"}},
	{"BSD-2-Clause", []string{"Redistribution and use in source and binary forms"}},
	{"MIT", []string{"Permission is hereby granted, free of charge", "THE SOFTWARE IS PROVIDED \"AS IS\""}},
	{"ISC", []string{"Permission to use, copy, modify, and/or distribute this software"}},
	{"CC0-1.0", []string{"CC0 1.0 Universal"}},
	{"MPL-2.0", []string{"Mozilla Public License, version 2.0"}}, // its own files alone
	{"CC-BY-4.0", []string{"Creative Commons Attribution 4.0 International"}},
	{"FTL", []string{"choice of exactly one of", "The FreeType License"}},
}

// dependency is a module that is in a binary for some platform.
type dependency struct {
	path, version, license, text string
}

// dependencies returns the modules behind the packages of comet on every system that
// a release is for, with their licenses. An error names each that has none that is
// allowed.
func (o options) dependencies() ([]dependency, error) {
	found := make(map[string]dependency)
	var problems []error
	for _, system := range []string{"linux", "darwin", "windows"} {
		cmd := exec.Command("go", "list", "-deps", "-json=Module", "./cmd/comet")
		cmd.Dir, cmd.Stderr = o.root, os.Stderr
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOWORK=off")
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		for in := json.NewDecoder(strings.NewReader(string(out))); ; {
			var pkg struct {
				Module *struct {
					Path, Version, Dir string
					Main               bool
				}
			}
			if err := in.Decode(&pkg); err == io.EOF {
				break
			} else if err != nil {
				return nil, err
			}
			if m := pkg.Module; m != nil && !m.Main && found[m.Path].path == "" {
				d := dependency{path: m.Path, version: m.Version}
				if d.license, d.text, err = licenseOf(m.Dir); err != nil {
					problems = append(problems, fmt.Errorf("%s: %w", m.Path, err))
				}
				found[m.Path] = d
			}
		}
	}
	all := slices.SortedFunc(maps.Values(found), func(a, b dependency) int { return strings.Compare(a.path, b.path) })
	return all, errors.Join(problems...)
}

// licenseOf returns the license of the module in dir, and its text.
func licenseOf(dir string) (id, text string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", "", err
	}
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if e.IsDir() || !strings.HasPrefix(name, "LICEN") && !strings.HasPrefix(name, "COPYING") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return "", "", err
		}
		if id := classify(string(content)); id != "" {
			if id == "FTL" { // of which LICENSE only speaks
				more, err := os.ReadFile(filepath.Join(dir, "licenses", "ftl.txt"))
				return id, string(content) + "\n" + string(more), err
			}
			return id, string(content), nil
		}
	}
	return "", "", errors.New("no license that is allowed: see allowed in .dist/release/licenses.go")
}

// classify returns the id of an allowed license from its text, "" for any other.
func classify(text string) string {
	text = strings.NewReplacer("“", `"`, "”", `"`).Replace(strings.Join(strings.Fields(text), " "))
	for _, l := range allowed {
		if !slices.ContainsFunc(l.words, func(w string) bool { return !strings.Contains(text, w) }) {
			return l.id
		}
	}
	return ""
}

// licenseList writes modules as they stand in the licensesFile.
func licenseList(all []dependency) string {
	var b strings.Builder
	for _, d := range all {
		fmt.Fprintf(&b, "%s %s\n", d.path, d.license)
	}
	return b.String()
}

// checkLicenses holds the licensesFile against the modules, or with write replaces it.
func (o options) checkLicenses(write bool) error {
	all, err := o.dependencies()
	if err != nil {
		return err
	}
	path, list := filepath.Join(o.root, licensesFile), licenseList(all)
	if write {
		return os.WriteFile(path, []byte(list), 0o644)
	}
	listed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := compareLicenses(string(listed), list); err != nil {
		return err
	}
	fmt.Printf("%d modules, each with an allowed license\n", len(all))
	return nil
}

// compareLicenses returns in what the licensesFile, listed, differs from what is in
// the binaries.
func compareLicenses(listed, list string) error {
	before, now := strings.Split(listed, "\n"), strings.Split(list, "\n")
	var problems []error
	for _, line := range now {
		if !slices.Contains(before, line) {
			problems = append(problems, fmt.Errorf("%s: it is in a binary and not in %s", line, licensesFile))
		}
	}
	for _, line := range before {
		if !slices.Contains(now, line) {
			problems = append(problems, fmt.Errorf("%s: it is in %s and in no binary", line, licensesFile))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w\nread the licenses, and then: make licenses", errors.Join(problems...))
	}
	return nil
}

// licenseTexts returns what must go with binaries: the licenses of all that is in them.
func licenseTexts(all []dependency) string {
	var b strings.Builder
	b.WriteString("comet contains these modules, each under the license that follows it.\n")
	for _, d := range all {
		fmt.Fprintf(&b, "\n%s\n%s %s (%s)\n\n%s\n", strings.Repeat("=", 78), d.path, d.version, d.license, strings.TrimSpace(d.text))
	}
	return b.String()
}
