//go:build system

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// completions are command lines that end where Tab is pressed, in a folder with a
// file users.csv and a folder results, and words that the shell must offer.
var completions = []struct {
	line string
	want []string
}{
	{"comet ser", []string{"serve"}},
	{"comet bench --engine ", []string{"auto", "epoll", "goroutine"}},
	{"comet bench --engine=g", []string{"goroutine"}},
	{"comet flood --preset nch", []string{"nchan"}},
	{"comet flood --protocol s", []string{"stream", "sse"}},
	{"comet bench --slo p9", []string{"p90", "p99"}},
	{"comet memlog --match comet-to-b", []string{"comet-to-be-found"}},
	{"comet flood --users us", []string{"users.csv"}},
	{"comet bench --out re", []string{"results"}},
	{"comet subscriptions im", []string{"import"}},
	{"comet completion ba", []string{"bash"}},
	{"comet config flood --proto", []string{"--protocol"}},
}

// shellHome makes a folder with something to complete, and starts a process with a
// name to be found.
func shellHome(t *testing.T) (dir string, env []string) {
	t.Helper()
	dir = t.TempDir()
	program := filepath.Join(dir, "comet-to-be-found")
	for _, err := range []error{
		os.Symlink(need(t, "sleep"), program),
		os.Mkdir(filepath.Join(dir, "results"), 0o755), os.WriteFile(filepath.Join(dir, "users.csv"), []byte("id\n1\n"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	background(t, program, "600")
	return dir, append(os.Environ(), "HOME="+dir, "TERM=xterm")
}

// checkCompletions holds what a shell offers against the table.
func checkCompletions(t *testing.T, offer func(line string) *exec.Cmd) {
	t.Helper()
	dir, env := shellHome(t)
	for _, test := range completions {
		cmd := offer(test.line)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", test.line, err, out)
		}
		offered := strings.FieldsFunc(terminalControl.ReplaceAllString(string(out), " "), func(r rune) bool { return strings.ContainsRune(" \t\r\n\a/=", r) })
		for _, want := range test.want {
			if !slices.Contains(offered, want) {
				t.Errorf("%q offers %q, without %s", test.line, out, want)
			}
		}
	}
}

// terminalControl is what a shell says to a terminal.
var terminalControl = regexp.MustCompile(`\x1b\[[?0-9;]*[A-Za-z]`)

// atTerminal types setup into a shell on a terminal, then line with Tab pressed twice.
// What is then on the line is printed, behind what the shell has listed.
func atTerminal(t *testing.T, shell, setup, line string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(need(t, "script"), "--quiet", "--return", "--command", shell, "/dev/null")
	const toStart = "\x01"
	cmd.Stdin = strings.NewReader(setup + "\n" + line + "\t\t" + toStart + "echo \nexit 0\n")
	return cmd
}

func TestSystemCompletionBash(t *testing.T) {
	t.Parallel()
	const library = "/usr/share/bash-completion/bash_completion"
	if _, err := os.Stat(library); err != nil {
		t.Skip("bash-completion is not installed")
	}
	bash := need(t, "bash")
	checkCompletions(t, func(line string) *exec.Cmd {
		return atTerminal(t, bash+" --norc -i", ". "+library+"; . <(comet completion bash)", line)
	})
}

func TestSystemCompletionZsh(t *testing.T) {
	t.Parallel()
	zsh := need(t, "zsh")
	checkCompletions(t, func(line string) *exec.Cmd {
		return atTerminal(t, zsh+" -f -i", "setopt NO_AUTO_MENU; bindkey -e; autoload -Uz compinit && compinit -u -D; . <(comet completion zsh)", line)
	})
}

func TestSystemCompletionFish(t *testing.T) {
	t.Parallel()
	fish := need(t, "fish")
	checkCompletions(t, func(line string) *exec.Cmd {
		return exec.Command(fish, "--no-config", "-c", `comet completion fish | source; complete -C "$argv[1]"`, line)
	})
}

// TestSystemManPages: groff has nothing to warn of in any page, as wide as a terminal
// is, and each says its examples.
func TestSystemManPages(t *testing.T) {
	t.Parallel()
	groff, dir := need(t, "groff"), t.TempDir()
	run(t, "comet", "man", dir)
	pages, err := filepath.Glob(filepath.Join(dir, "comet*.[17]"))
	if err != nil || len(pages) < 15 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		cmd := exec.Command(groff, "-man", "-ww", "-Tutf8", "-rLL=78n", page)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil || errs.Len() > 0 {
			t.Errorf("%s: %v, groff says %s", filepath.Base(page), err, errs.String())
		}
		if !strings.Contains(string(out), "comet") {
			t.Errorf("%s shows nothing: %s", filepath.Base(page), out)
		}
	}
}
