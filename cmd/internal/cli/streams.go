package cli

import (
	"context"
	"io"
)

// guard has the command's reading end with ctx, and ctx with those who read its
// output. done undoes that.
func (e *Env) guard(ctx context.Context) (guarded context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	in, out, errs := e.Stdin, e.Stdout, e.Stderr
	gone := func() {
		if !e.is(&e.outlivesReaders) {
			cancel(interrupted{brokenPipe})
		}
	}
	if in != nil {
		e.Stdin = &endingReader{ctx: ctx, in: in}
	}
	e.Stdout, e.Stderr = &outlet{out, gone}, &outlet{errs, gone}
	return ctx, func() {
		e.Stdin, e.Stdout, e.Stderr = in, out, errs
		cancel(nil)
	}
}

// outlet is an output that somebody reads, or did.
type outlet struct {
	io.Writer
	gone func()
}

func (o *outlet) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && isBrokenPipe(err) {
		o.gone()
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
// stop, such as resolving a name.
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
