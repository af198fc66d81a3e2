package cli

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestManPages: each command has a page with each of its flags and its examples.
func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	env := &Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Getenv: os.Getenv}
	if code := Run(t.Context(), env, []string{"man", dir}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	requests := strings.Fields(".TH .SH .SS .TP .PP .nf .fi")
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		if cmd.HasParent() && !isDescribed(cmd) {
			return
		}
		text, err := os.ReadFile(filepath.Join(dir, pageName(cmd)+"."+pageSection(cmd)))
		if err != nil {
			t.Error(err)
			return
		}
		page := string(text)
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if shown := strings.Contains(page, roff("--"+f.Name)+`\fR`); shown == f.Hidden {
				t.Errorf("%s: --%s is shown: %v", cmd.CommandPath(), f.Name, shown)
			}
		})
		for line := range strings.Lines(cmd.Example) {
			if !strings.Contains(page, roff(strings.TrimRight(line, " \n"))) {
				t.Errorf("%s has no example %s", cmd.CommandPath(), line)
			}
		}
		for line := range strings.Lines(page) {
			if word, _, _ := strings.Cut(line, " "); strings.HasPrefix(word, ".") && !slices.Contains(requests, strings.TrimSpace(word)) {
				t.Errorf("%s: troff would read a text as a request: %s", cmd.CommandPath(), line)
			}
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(newRoot(env))
	if code := Run(t.Context(), env, []string{"man", filepath.Join(dir, "comet.1")}); code != exitUsage {
		t.Errorf("a file instead of a folder: exit code %d", code)
	}
}

func TestRoff(t *testing.T) {
	for text, want := range map[string]string{
		".5 is a number":  `\&.5 is a number`,
		"'quoted' \"text": `\(aqquoted\(aq \(dqtext`,
		`a\n --flag`:      `a\en \-\-flag`,
		"~/x^2 `y`":       `\(ti/x\(ha2 \(gay\(ga`,
	} {
		if got := roff(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
