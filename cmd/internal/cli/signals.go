package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// sameRequest is how soon after the first signal a second one is the same
// request: a closed terminal sends SIGHUP by the kernel and by the shell,
// timeout(1) sends SIGTERM to the process and to its group.
const sameRequest = 200 * time.Millisecond

// listen hears signals. The first that asks to end cancels ctx, so that work
// ends in order; the next one is sent to second, and then the process must end
// at once. Signals that ask to reopen logs do that. A signal that was ignored
// when the process started stays ignored: nohup(1) and the background jobs of a
// script ask for that.
func (e *Env) listen(parent context.Context, terminal bool) (ctx context.Context, second <-chan syscall.Signal, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, heard()...)
	// Without this a write to a pipe that nobody reads any more kills the process,
	// whatever is to be put back.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	again := make(chan syscall.Signal, 1)
	done := make(chan struct{})
	go e.hear(signals, done, terminal, func(first syscall.Signal) { cancel(interrupted{first}) }, again)
	return ctx, again, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// hear acts on signals until done.
func (e *Env) hear(signals <-chan os.Signal, done <-chan struct{}, terminal bool, end func(syscall.Signal), again chan<- syscall.Signal) {
	var asked time.Time
	for {
		var sig syscall.Signal
		select {
		case s := <-signals:
			sig, _ = s.(syscall.Signal)
		case <-done:
			return
		}
		switch {
		case isReopen(sig), sig == syscall.SIGHUP && !terminal && e.is(&e.hangupReopens):
			e.reopen()
		case asked.IsZero():
			asked = time.Now()
			end(sig)
		case time.Since(asked) >= sameRequest:
			select {
			case again <- sig:
			default: // it ends already
			}
		}
	}
}

// heard returns the signals that end the process or reopen logs, but for those
// that were ignored when it started.
func heard() []os.Signal {
	all := append([]os.Signal{os.Interrupt, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGALRM, syscall.SIGTERM}, systemSignals...)
	// A shell without job control has its background jobs ignore SIGINT and
	// SIGQUIT together; the Go runtime keeps only the first of them ignored.
	background := signal.Ignored(os.Interrupt)
	var wanted []os.Signal
	for _, s := range all {
		switch {
		case signal.Ignored(s):
		case s == syscall.SIGQUIT && background:
			signal.Ignore(s)
		default:
			wanted = append(wanted, s)
		}
	}
	return wanted
}
