package cli

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"example.org/comet/server/neterr"
)

// guard has the command's reading end with ctx, and ctx with those who read its
// output. done undoes that.
func (e *Env) guard(asked context.Context) (guarded context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(asked)
	in, out, errs := e.Stdin, e.Stdout, e.Stderr
	gone := func() (matters bool) {
		if e.is(&e.outlivesReaders) || isAsked(asked) {
			return false
		}
		cancel(interrupted{brokenPipe})
		return true
	}
	hungUp := sync.OnceValue(func() bool { return hangup(asked) })
	if in != nil {
		e.Stdin = &endingReader{ctx: ctx, in: in, hungUp: hungUp}
	}
	e.Stdout, e.Stderr = &outlet{out, gone, hungUp}, &outlet{errs, gone, hungUp}
	return ctx, func() {
		e.Stdin, e.Stdout, e.Stderr = in, out, errs
		cancel(nil)
	}
}

// isAsked reports whether a signal asked for the end of ctx.
func isAsked(ctx context.Context) bool { return errors.As(context.Cause(ctx), new(interrupted)) }

// hangup reports whether a signal ends ctx now: a terminal that closes fails reads
// and writes just before it sends SIGHUP.
func hangup(ctx context.Context) bool {
	moment := time.NewTimer(sameRequest)
	defer moment.Stop()
	select {
	case <-ctx.Done():
	case <-moment.C:
	}
	return isAsked(ctx)
}

// outlet is an output that somebody reads, or did. gone is called when nobody
// does any more, and reports whether that is a failure of the command; hungUp
// reports whether the terminal has closed, and has ended the command.
type outlet struct {
	io.Writer
	gone, hungUp func() bool
}

func (o *outlet) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	switch {
	case err == nil:
	case neterr.IsBrokenPipe(err) && !o.gone(), isHangup(err) && o.hungUp():
		return len(p), nil // nobody is there to miss it
	}
	return n, err
}

// plain returns the output itself, which a child process can be given.
func plain(w io.Writer) io.Writer {
	if o, ok := w.(*outlet); ok {
		return o.Writer
	}
	return w
}

// endingReader is an input whose reading ends with ctx. The goroutine that reads
// lasts until there is something to read: reading standard input cannot be cut
// short.
type endingReader struct {
	ctx     context.Context //nolint:containedctx // io.Reader has no place for it
	in      io.Reader
	hungUp  func() bool // reports whether the terminal has closed
	rest    []byte
	err     error
	reading chan piece
}

type piece struct {
	text []byte
	err  error
}

func (r *endingReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 && r.err == nil {
		if err := r.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		return n, r.err
	}
	return n, nil
}

func (r *endingReader) next() error {
	if r.reading == nil {
		r.reading = make(chan piece, 1)
		go func() {
			buffer := make([]byte, 32<<10)
			n, err := r.in.Read(buffer)
			r.reading <- piece{buffer[:n], err}
		}()
	}
	select {
	case got := <-r.reading:
		if isHangup(got.err) && r.hungUp() {
			return context.Cause(r.ctx)
		}
		r.reading, r.rest, r.err = nil, got.text, got.err
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

// untilEOF returns a context that ends when r does.
func untilEOF(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, r) // an error is an end as well
		cancel()
	}()
	return ctx
}

// await returns what do returns, or ends with ctx: for what cannot be told to
// stop, such as resolving a name or opening a pipe.
func await[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := do()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}
