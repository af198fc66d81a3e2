// Package cli turns command lines into the Configs of comet's packages: one
// file per command, each a flag list, a help text and the exit code. It holds
// no logic of its own.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// Exit codes, which scripts rely on. A signal adds 128 + its number.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitTarget = 3
)

// Env is the process as a command sees it, so that a test can stand in for it.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	// Terminal tells that Stderr is a terminal, where progress may be redrawn.
	Terminal bool

	// verbosity is what -q (-1) and -v (1) set.
	verbosity int
}

// Logger writes diagnostics to Stderr: warnings and errors with -q, debug
// detail with -v.
func (e *Env) Logger() *slog.Logger {
	level := slog.LevelInfo
	switch {
	case e.verbosity < 0:
		level = slog.LevelWarn
	case e.verbosity > 0:
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(e.Stderr, &slog.HandlerOptions{Level: level}))
}

// usageError marks a mistake in the command line or a setting: nothing was
// started, and the exit code is 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// targetError marks a run that went to its end and missed a stated target.
type targetError struct{ error }

func (e targetError) Unwrap() error { return e.error }

// reported is the exit code of a command that has said all there is to say.
type reported int

func (e reported) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ sig syscall.Signal }

func (e interrupted) Error() string {
	if e.sig == syscall.SIGTERM {
		return "ended by SIGTERM before the planned end"
	}
	return "interrupted before the planned end"
}

// Main runs one command line on the real process and returns its exit code.
func Main(args []string) int {
	env := &Env{
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Getenv:   os.Getenv,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())),
	}
	ctx, stop := signalContext()
	defer stop()
	return Run(ctx, env, args)
}

// signalContext is cancelled by the first SIGINT or SIGTERM, so that work
// drains; the second one finds the default handler and ends the process.
func signalContext() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			sig, _ := s.(syscall.Signal)
			cancel(interrupted{sig})
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// Run executes args and returns the exit code; errors have been printed.
func Run(ctx context.Context, env *Env, args []string) int {
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.ExecuteContext(ctx)
	if silent, ok := errors.AsType[reported](err); ok {
		return int(silent)
	}
	if err != nil {
		fmt.Fprintf(env.Stderr, "comet: %v\n", err)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var usage usageError
	var target targetError
	var sig interrupted
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &sig):
		return 128 + int(sig.sig)
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &target):
		return exitTarget
	}
	return exitFailed
}

// planned is for commands with a planned end: when a signal ended ctx before
// it, the command's outcome is that interruption.
func planned(ctx context.Context, err error) error {
	var sig interrupted
	if errors.As(context.Cause(ctx), &sig) && (err == nil || errors.Is(err, context.Canceled)) {
		return sig
	}
	return err
}
