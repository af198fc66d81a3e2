package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"example.org/comet/memlog/series"
)

// runMemlog runs the command by itself, as Run does.
func runMemlog(ctx context.Context, stdin io.Reader, args ...string) (stdout string, code int, err error) {
	var out strings.Builder
	env := &Env{Stdin: stdin, Stdout: &out, Stderr: io.Discard, Getenv: func(string) string { return "" }}
	cmd := newMemlog(env)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	err = cmd.ExecuteContext(ctx)
	return out.String(), exitCode(err), err
}

func TestMemlogUsage(t *testing.T) {
	self := fmt.Sprint(os.Getpid())
	tests := []struct {
		args []string
		want string
	}{
		{nil, "--pid N or --match PATTERN"},
		{[]string{"--pid", self, "--match", "x"}, "not by both"},
		{[]string{"--pid", "x"}, "pid"},
		{[]string{"--pid", "-1"}, "process id"},
		{[]string{"--match", "("}, "Match"},
		{[]string{"--match", "no process has this " + "in its command line"}, "nothing that runs matches"},
		{[]string{"--pid", "2147483646"}, "2147483646"},
		{[]string{"--pid", self, "--listen", "localhost:80"}, "localhost"},
		{[]string{"--pid", self, "--interval", "60"}, "write 60s"},
		{[]string{"--pid", self, "--interval", "0"}, "above 0"},
		{[]string{"--pid", self, "--out", filepath.Join(t.TempDir(), "no", "mem.log")}, "mem.log"},
		{[]string{"--pid", self, "extra"}, "extra"},
	}
	for _, tt := range tests {
		out, code, err := runMemlog(t.Context(), nil, tt.args...)
		if code != exitUsage || out != "" || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("memlog %q: exit code %d, printed %q, error %v; want 2 and %q", tt.args, code, out, err, tt.want)
		}
	}
}

func TestMemlogLeavesNoEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mem.log")
	if _, code, err := runMemlog(t.Context(), nil, "--pid", "2147483646", "-o", path); code != exitUsage {
		t.Errorf("exit code %d, %v", code, err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a file was left: %v", err)
	}
}

func TestMemlogAppendsToAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mem.log")
	for range 2 {
		out, code, err := runMemlog(t.Context(), nil, "--pid", fmt.Sprint(os.Getpid()), "--no-children",
			"--interval", "250ms", "-d", "1ms", "-o", path)
		if code != exitDone || out != "" {
			t.Fatalf("exit code %d, printed %q, error %v", code, out, err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	samples, malformed, err := series.ReadAll(f, path)
	if err != nil || len(malformed) != 0 || len(samples) != 4 {
		t.Fatalf("%d samples, malformed %v, error %v; want 4", len(samples), malformed, err)
	}
	for _, s := range samples {
		if pid, ok := s.Field("pid"); !ok || pid != fmt.Sprint(os.Getpid()) || s.RSSKB < 1 || s.Connections != series.Unknown {
			t.Errorf("%+v", s)
		}
	}
}

func TestMemlogEndsWithStdin(t *testing.T) {
	r, w := io.Pipe()
	time.AfterFunc(50*time.Millisecond, func() { w.Close() })
	out, code, err := runMemlog(t.Context(), r, "--pid", fmt.Sprint(os.Getpid()), "--end-with-stdin")
	if code != exitDone || strings.Count(out, "\n") != 1 {
		t.Errorf("exit code %d, printed %q, error %v", code, out, err)
	}
}

// A signal is how a run without a planned end ends; one with a planned end was
// interrupted.
func TestMemlogEndsByASignal(t *testing.T) {
	for args, want := range map[string]int{"": exitDone, "-d 1h": 128 + int(syscall.SIGTERM)} {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(interrupted{syscall.SIGTERM}) })
		all := append([]string{"--pid", fmt.Sprint(os.Getpid())}, strings.Fields(args)...)
		out, code, err := runMemlog(ctx, nil, all...)
		if code != want || strings.Count(out, "\n") != 1 {
			t.Errorf("%q: exit code %d, printed %q, error %v; want %d", args, code, out, err, want)
		}
	}
}
