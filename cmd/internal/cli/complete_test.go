package cli

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/flags"
)

// offered returns what completes a command line, and how the shell goes on.
func offered(t *testing.T, args ...string) (words []string, directive string) {
	t.Helper()
	var out strings.Builder
	env := &Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard, Getenv: os.Getenv}
	if code := Run(t.Context(), env, append([]string{cobra.ShellCompNoDescRequestCmd}, args...)); code != 0 {
		t.Fatalf("%q: exit code %d", args, code)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[:len(lines)-1], lines[len(lines)-1]
}

func TestCompletion(t *testing.T) {
	const files, none, noSpace, folders = ":0", ":4", ":6", ":16"
	for _, test := range []struct {
		line      string // its last word is what was begun, - for nothing
		some      string // a word that is offered
		directive string
	}{
		{"bench --engine -", "goroutine", none},
		{"flood --preset -", "centrifugo", none},
		{"flood --protocol -", "ws", none},
		{"bench --slo p99.", "p99.9", noSpace},
		{"capacity --fail-if los", "loss", noSpace},
		{"capacity --search -", "rate", none},
		{"compare --metric p9", "p99", none},
		{"compare -", "", files},
		{"bench --out -", "", folders},
		{"plot --out -", "", files},
		{"plot -", "", files},
		{"plot --size -", "", none},
		{"flood --users -", "", files},
		{"flood --connections -", "", none},
		{"flood -", "", none},
		{"bench -", "", none},
		{"send -", "", none},
		{"serve --tls-cert -", "", files},
		{"router --admin-token-file -", "", files},
		{"memlog --interval -", "", none},
		{"msggen --distribution -", "zipf", none},
		{"sysctl --role -", "both", none},
		{"subscriptions -", "import", none},
		{"subscriptions stats -", "", files},
		{"completion -", "fish", none},
		{"man -", "", folders},
		{"help -", "targets", none},
		{"config -", "router", none},
		{"config flood --proto", "--protocol", none},
		{"config bench --engine -", "epoll", none},
		{"-", "completion", none},
	} {
		args := strings.Fields(test.line)
		if last := len(args) - 1; args[last] == "-" {
			args[last] = ""
		}
		words, directive := offered(t, args...)
		if directive != test.directive || test.some != "" && !slices.Contains(words, test.some) {
			t.Errorf("%s: %q %s, want %q and %s", test.line, words, directive, test.some, test.directive)
		}
	}
}

// TestEveryFlagCompletes: no flag that takes something else than a file offers files.
func TestEveryFlagCompletes(t *testing.T) {
	root := newRoot(&Env{Getenv: os.Getenv})
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if _, ok := cmd.GetFlagCompletionFunc(f.Name); !ok {
				t.Errorf("%s --%s has no completion", cmd.CommandPath(), f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	check(root)
}

func TestProgramsThatRun(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("no sleep here")
	}
	program := filepath.Join(t.TempDir(), "a+program")
	if err := os.Symlink(sleep, program); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(program, "60")
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	// Start returns once the program is loaded; its name is there.
	if got := programs(t.Context(), "a"); !slices.Contains(got, `a\+program`) {
		t.Errorf("%q runs, without a+program", got)
	}
	if got := programs(t.Context(), "no program begins so"); len(got) > 0 {
		t.Errorf("%q", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := programs(ended, ""); len(got) > 0 {
		t.Errorf("out of time: %q", got)
	}
}

// TestOfferedValuesParse: a shell offers nothing that the flag refuses.
func TestOfferedValuesParse(t *testing.T) {
	env := &Env{Getenv: os.Getenv}
	for _, cmd := range newRoot(env).Commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			for _, value := range flags.ValuesOf(f) {
				if err := f.Value.Set(value); err != nil {
					t.Errorf("%s --%s offers %s: %v", cmd.CommandPath(), f.Name, value, err)
				}
			}
		})
	}
}
