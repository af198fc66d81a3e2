package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/cli"
	"example.org/comet/cmd/internal/result"
)

// TestReadmeLength keeps the README an editor's cut.
func TestReadmeLength(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if words := len(strings.Fields(string(text))); words > 1600 {
		t.Errorf("README.md has %d words, more than 1,600", words)
	}
}

// TestDocsCommands parses the flags of every comet command that README.md and
// the pages show, in blocks and in code spans.
func TestDocsCommands(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	texts := make(map[string]string)
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		texts[page] = string(text)
	}
	inAFolder(t)
	seen := 0
	for page, text := range texts {
		for _, command := range shownCommands(text) {
			seen++
			var out, errs bytes.Buffer
			env := &cli.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}
			if code := cli.Run(context.Background(), env, append(flagsOf(command), "--help")); code != 0 {
				t.Errorf("%s: %s\nexits %d: %s", filepath.Base(page), command, code, errs.String())
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d commands were found", seen)
	}
}

// TestDocsFigures looks on the page about the figures for every row of the table, in
// the section that it is printed in.
func TestDocsFigures(t *testing.T) {
	text, err := os.ReadFile("../docs/result.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := make(map[string]map[string]bool) // whether a label is one of the catalogue
	labels := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			labels = make(map[string]bool)
			sections[title] = labels
		}
		cells := strings.Split(line, "|")
		if len(cells) < 3 || cells[0] != "" || strings.HasPrefix(cells[1], "---") {
			continue
		}
		for label := range strings.SplitSeq(strings.Trim(cells[1], " *"), ";") {
			labels[strings.TrimSpace(label)] = false
		}
	}
	for _, m := range result.Catalogue() {
		if _, there := sections[m.Section][m.Label]; !there {
			t.Errorf("cmd/docs/result.md has no row %q below %q", m.Label, m.Section)
			continue
		}
		sections[m.Section][m.Label] = true
	}
	for _, m := range result.Catalogue() {
		for label, known := range sections[m.Section] {
			if !known && label != "row" && !strings.HasSuffix(label, "…") {
				t.Errorf("cmd/docs/result.md has a row %q below %q, which the table does not", label, m.Section)
				sections[m.Section][label] = true
			}
		}
	}
}

// inAFolder goes to a folder with the files that are read while flags are parsed.
func inAFolder(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("users.csv", []byte("id,token,key,prompt\n1,t,k,p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

var (
	commandLine = regexp.MustCompile("(?m)(?:^|`|\\| )(?:\\./|go run \\./cmd/)?comet ([a-z]+[^`\n]*)")
	argument    = regexp.MustCompile(`(?:[^\s'"]|'[^']*'|"[^"]*")+`)
)

// shownCommands returns the command lines of a page, without the word comet.
func shownCommands(text string) []string {
	var commands []string
	fenced := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		for _, m := range commandLine.FindAllStringSubmatch(line, -1) {
			if fenced || strings.Contains(line, "`") {
				commands = append(commands, m[1])
			}
		}
	}
	return commands
}

// flagsOf splits a command line as a shell does, up to a pipe or a comment.
func flagsOf(command string) []string {
	var args []string
	for _, word := range argument.FindAllString(command, -1) {
		if word == `\|` || word == "|" || word == "#" {
			break
		}
		if word == "…" { // stands for a URL shown before
			word = "http://host/{id}"
		}
		args = append(args, strings.Trim(word, `'"`))
	}
	return args
}
