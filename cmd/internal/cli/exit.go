package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"example.org/comet/server/wire"
)

// Exit codes, which scripts rely on. A signal adds 128 + its number.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitTarget = 3
)

// usageError marks a mistake in the command line or a setting: nothing was
// started, and the exit code is 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// usage returns err as a usage error, nil for nil. An end that was asked for
// meanwhile is none.
func usage(err error) error {
	if err == nil || errors.As(err, new(interrupted)) {
		return err
	}
	return usageError{err}
}

// targetError marks a run that went to its end and missed a stated target.
type targetError struct{ error }

func (e targetError) Unwrap() error { return e.error }

// reported is the exit code of a command that has said all there is to say.
type reported int

func (e reported) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// unprefixed is an error without the name of the package that it comes from, where
// that is the name of another command.
type unprefixed struct{ error }

func (e unprefixed) Error() string {
	text := e.error.Error()
	for _, name := range []string{"msggen: ", "natsrouter: ", "subscriptions: "} {
		text = strings.TrimPrefix(text, name)
	}
	return text
}

func (e unprefixed) Unwrap() error { return e.error }

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ sig syscall.Signal }

// brokenPipe says that whoever read the output has gone, as head does. It is
// nothing to tell anybody.
const brokenPipe = syscall.SIGPIPE

// notAsked are the signals that no person and no supervisor ends a run with on
// purpose, so that they are a failure of what has no planned end, too.
var notAsked = []syscall.Signal{brokenPipe, cpuLimit, syscall.SIGABRT, syscall.SIGALRM}

func (e interrupted) Error() string {
	name := map[syscall.Signal]string{
		syscall.SIGHUP: "SIGHUP", syscall.SIGQUIT: "SIGQUIT", syscall.SIGABRT: "SIGABRT",
		syscall.SIGALRM: "SIGALRM", syscall.SIGTERM: "SIGTERM",
	}[e.sig]
	switch {
	case e.sig == syscall.SIGINT:
		return "interrupted before the planned end"
	case e.sig == cpuLimit:
		return "ended by the limit on the processor time of a process (SIGXCPU): raise it with `ulimit -t`"
	case name == "":
		name = fmt.Sprintf("signal %d", int(e.sig))
	}
	return "ended by " + name + " before the planned end"
}

// planned is for commands with a planned end: when a signal ended ctx before
// it, that is the outcome, and what failed besides is told as well. With only, it
// is for those signals.
func planned(ctx context.Context, err error, only ...syscall.Signal) error {
	var sig interrupted
	switch {
	case !errors.As(context.Cause(ctx), &sig), errors.As(err, new(interrupted)):
		return err
	case len(only) > 0 && !slices.Contains(only, sig.sig):
		return err
	case err == nil, errors.Is(err, context.Canceled), sig.sig == brokenPipe:
		return sig
	}
	return errors.Join(sig, err)
}

func exitCode(err error) int {
	var (
		usage  usageError
		target targetError
		sig    interrupted
		said   reported
	)
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &said):
		return int(said)
	case errors.As(err, &sig):
		return 128 + int(sig.sig)
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &target):
		return exitTarget
	}
	return exitFailed
}

// printError prints err without what a terminal would obey in it: the names of files
// and what peers say come from outside. It prints nothing if everything was said or
// nobody is there to read it.
func printError(w io.Writer, err error) {
	var sig interrupted
	if err == nil || errors.As(err, new(reported)) || errors.As(err, &sig) && sig.sig == brokenPipe {
		return
	}
	fmt.Fprintf(w, "comet: %s\n", wire.PrintableLines(err.Error()))
}
