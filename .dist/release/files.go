package main

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// file is one of a release. installed is where packages put it, "" for nowhere.
type file struct {
	name      string // in the archive
	content   []byte
	mode      os.FileMode
	installed string
}

// commonFiles returns what is the same for every platform: texts, and what a binary
// for this machine prints about itself.
func (o options) commonFiles(src source, work string) (files []file, err error) {
	const docs = "/usr/share/doc/comet/"
	for _, name := range []string{"README.md", "LICENSE", "CHANGELOG.md"} {
		content, err := os.ReadFile(filepath.Join(o.root, name))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, content, 0o644, docs + name})
	}
	files = append(files, file{"LICENSES-of-modules.txt", []byte(licenseTexts(o.modules)), 0o644, docs + "LICENSES-of-modules.txt"})
	self := filepath.Join(work, "host", "comet"+host().suffix())
	if err := o.build(src, host(), self); err != nil {
		return nil, err
	}
	pages, err := manPages(self, filepath.Join(work, "man"))
	if err != nil {
		return nil, err
	}
	completions, err := completionsOf(self)
	return slices.Concat(files, pages, completions), err
}

// manPages runs a comet that writes its manual pages.
func manPages(comet, folder string) (files []file, err error) {
	if out, err := exec.Command(comet, "man", folder).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("comet man: %w: %s", err, out)
	}
	pages, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, page := range pages {
		content, err := os.ReadFile(filepath.Join(folder, page.Name()))
		if err != nil {
			return nil, err
		}
		in := "man/man" + strings.TrimPrefix(path.Ext(page.Name()), ".") + "/" + page.Name()
		files = append(files, file{in, content, 0o644, "/usr/share/" + in})
	}
	return files, nil
}

// completionsOf returns the completions that a comet prints.
func completionsOf(comet string) (files []file, err error) {
	for _, shell := range []struct{ name, file, installed string }{
		{"bash", "comet.bash", "/usr/share/bash-completion/completions/comet"},
		{"zsh", "_comet", "/usr/share/zsh/site-functions/_comet"},
		{"fish", "comet.fish", "/usr/share/fish/vendor_completions.d/comet.fish"},
		{"powershell", "comet.ps1", ""},
	} {
		text, err := exec.Command(comet, "completion", shell.name).Output()
		if err != nil {
			return nil, fmt.Errorf("comet completion %s: %w", shell.name, err)
		}
		files = append(files, file{"completions/" + shell.file, text, 0o644, shell.installed})
	}
	return files, nil
}

// platformFiles returns all files for p: the program, the common ones, and on Linux
// the unit files.
func (o options) platformFiles(p platform, binary string, common []file) ([]file, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	name := "comet" + p.suffix()
	files := append([]file{{name, program, 0o755, "/usr/bin/" + name}}, common...)
	if p.os != "linux" {
		return files, nil
	}
	units, err := filepath.Glob(filepath.Join(o.root, ".dist", "systemd", "*.service"))
	if err != nil || len(units) == 0 {
		return nil, fmt.Errorf("no unit files: %w", err)
	}
	for _, unit := range units {
		content, err := os.ReadFile(unit)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(unit)
		files = append(files, file{"systemd/" + name, content, 0o644, "/usr/lib/systemd/system/" + name})
	}
	return files, nil
}
