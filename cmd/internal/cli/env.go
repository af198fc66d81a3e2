// Package cli turns command lines into the Configs of comet's packages: one
// file per command, each of which binds flags, calls one package and sets the
// exit code. It holds no logic of its own.
package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"example.org/comet/cmd/internal/flags"
)

// Env is the process as a command sees it, so that a test can stand in for it.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	// Terminal says that Stderr is a terminal, where progress may be redrawn.
	Terminal bool

	// verbosity is what -q (-1) and -v (1) set.
	verbosity int
	// unhelped is why help could not be printed, which cobra does not pass on.
	unhelped error
	// config has commands print their settings instead of running.
	config *configView

	mu              sync.Mutex
	hangupReopens   bool
	outlivesReaders bool
	hooks           int // how many were ever added to restores and reopens
	restores        map[int]func() error
	reopens         map[int]func() error
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

// HangupReopens has SIGHUP reopen logs, unless the process has a controlling
// terminal, instead of ending the command.
func (e *Env) HangupReopens() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hangupReopens = true
}

// OutlivesReaders has the command go on when those who read its output have
// gone.
func (e *Env) OutlivesReaders() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.outlivesReaders = true
}

// is reads one of the fields that mu guards.
func (e *Env) is(field *bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return *field
}

// AtExit has restore called when the process must end at once, as the second
// signal asks for. Whoever restores in time calls forget.
func (e *Env) AtExit(restore func() error) (forget func()) {
	return e.hook(&e.restores, restore)
}

// OnReopen has reopen called when a signal asks to open logs again, which
// rotation has renamed.
func (e *Env) OnReopen(reopen func() error) (forget func()) {
	return e.hook(&e.reopens, reopen)
}

func (e *Env) hook(hooks *map[int]func() error, do func() error) (forget func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if *hooks == nil {
		*hooks = make(map[int]func() error)
	}
	e.hooks++
	key := e.hooks
	(*hooks)[key] = do
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(*hooks, key)
	}
}

// reopener is a log that can be opened again.
type reopener interface{ Reopen() error }

// reopenLog registers log with OnReopen if it can be opened again.
func (e *Env) reopenLog(log any) (forget func()) {
	if r, ok := log.(reopener); ok {
		return e.OnReopen(r.Reopen)
	}
	return func() {}
}

// call calls the hooks, the last one first, and logs what fails.
func (e *Env) call(hooks *map[int]func() error, failed string) {
	e.mu.Lock()
	var all []func() error
	for key := e.hooks; key > 0; key-- {
		if do, ok := (*hooks)[key]; ok {
			all = append(all, do)
		}
	}
	e.mu.Unlock()
	for _, do := range all {
		if err := do(); err != nil {
			e.Logger().Error(failed, "error", err) //nolint:sloglint // one of two constants
		}
	}
}

// restore puts back what AtExit was told of.
func (e *Env) restore() { e.call(&e.restores, "a setting could not be put back") }

// reopen opens the logs again.
func (e *Env) reopen() { e.call(&e.reopens, "a log could not be opened again") }

// restorePatience bounds the wait for what AtExit was told of: longer than any of
// it takes.
const restorePatience = 5 * time.Second

// Main runs one command line on the real process and returns its exit code. What the
// comet that started this one has not shown on the command line it takes from the
// environment.
func Main(args []string) int {
	env := &Env{
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Getenv:   os.Getenv,
		Terminal: term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb", // which cannot redraw
	}
	ctx, second, stop := env.listen(context.Background(), hasControllingTerminal())
	defer stop()
	done := make(chan int, 1)
	go func() { done <- Run(ctx, env, flags.Reveal(args, env.Getenv)) }()
	select {
	case code := <-done:
		return code
	case sig := <-second:
		restored := make(chan struct{})
		go func() {
			env.restore()
			close(restored)
		}()
		select {
		case <-restored:
		case <-time.After(restorePatience): // as when it prints to a terminal that is held
		}
		return exitCode(interrupted{sig})
	}
}

// Run executes args and returns the exit code; errors have been printed.
func Run(ctx context.Context, env *Env, args []string) int {
	ctx, done := env.guard(ctx)
	defer done()
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := checkArgs(env.Stderr, root, args)
	if err == nil {
		err = cmp.Or(root.ExecuteContext(ctx), env.unhelped)
	}
	if errors.As(err, new(usageError)) {
		err = oneDash(root, args, err)
	}
	err = planned(ctx, err, notAsked...)
	printError(env.Stderr, err)
	return exitCode(err)
}
