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
