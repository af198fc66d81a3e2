package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// buffer is a [bytes.Buffer] that several goroutines may write to.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// testEnv returns a process without an environment.
func testEnv(stdin io.Reader) (env *Env, stdout, stderr *buffer) {
	stdout, stderr = new(buffer), new(buffer)
	return &Env{Stdin: stdin, Stdout: stdout, Stderr: stderr, Getenv: func(string) string { return "" }}, stdout, stderr
}

// execute runs a command line. The error is what it printed to standard error,
// nil if the exit code is 0.
func execute(ctx context.Context, stdin io.Reader, args ...string) (stdout string, code int, err error) {
	env, out, errs := testEnv(stdin)
	if code = Run(ctx, env, args); code != exitDone {
		err = errors.New(errs.String())
	}
	return out.String(), code, err
}

// refused runs a command line that must be refused, and returns why.
func refused(t *testing.T, args ...string) string {
	t.Helper()
	out, code, err := execute(t.Context(), strings.NewReader("http://h/1\n"), args...)
	if code != exitUsage || out != "" {
		t.Errorf("comet %q exited %d and printed %q: %v; want %d and nothing", args, code, out, err, exitUsage)
		return ""
	}
	return err.Error()
}

// flagsOf returns the flags of a command.
func flagsOf(cmd *cobra.Command) (all []*pflag.Flag) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) { all = append(all, f) })
	return all
}
