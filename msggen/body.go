package msggen

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// errBodyClosed is returned when the transport wants no more of a request.
var errBodyClosed = errors.New("the request was given up")

// body is the body of a long request: one goroutine writes it piece by piece, the
// transport reads it. Unlike with io.Pipe, write returns only when the piece is on
// the wire: net/http flushes what it has read, if the length of the
// body is unknown, before it reads on (net/http, transfer.go and
// internal.FlushAfterChunkWriter).
type body struct {
	pieces chan portion
	// wired has one entry for each piece that is on the wire.
	wired chan struct{}
	// closed is closed by Close.
	closed chan struct{}

	// mu lets Close wait for a Read in progress, so that after it nothing looks
	// into a piece.
	mu      sync.Mutex
	once    sync.Once
	piece   []byte // the current piece; guarded by mu, like the next two
	read    int    // how much of it was read
	moments []span // the stamps in what was not read, for their moments
	unsent  bool   // the current piece is not known to be on the wire; reader only

	// pending is true while a piece belongs to the reader; writer only.
	pending bool
}

// portion is a piece with the moments in its stamps, which are set when their
// bytes are read: that is when they go to the socket.
type portion struct {
	text    []byte
	moments []span
}

// span is a part of a piece, from and to counted from its beginning.
type span struct{ from, to int }

func newBody() *body {
	return &body{
		pieces: make(chan portion),
		wired:  make(chan struct{}, 1),
		closed: make(chan struct{}),
	}
}

// write hands over p, whose text must not be empty, and returns once it is on
// the wire. taken reports whether the reader got it; if ctx ends after that, the
// piece still belongs to the reader until settled returns nil.
func (b *body) write(ctx context.Context, p portion) (taken bool, err error) {
	select {
	case b.pieces <- p:
		b.pending = true
		return true, b.settled(ctx)
	case <-b.closed:
		return false, errBodyClosed
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// settled waits until no piece belongs to the reader.
func (b *body) settled(ctx context.Context) error {
	if !b.pending {
		return nil
	}
	select {
	case <-b.wired:
		b.pending = false
		return nil
	case <-b.closed:
		b.pending = false
		return errBodyClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end ends the body. It is called once, and no write may follow.
func (b *body) end() { close(b.pieces) }

// Read gives the transport the next bytes.
func (b *body) Read(p []byte) (int, error) {
	if n, ok := b.take(p); ok {
		return n, nil
	}
	if b.unsent {
		b.unsent = false
		b.wired <- struct{}{}
	}
	select {
	case next, ok := <-b.pieces:
		if !ok {
			return 0, io.EOF
		}
		b.unsent = true
		b.mu.Lock()
		b.piece, b.read, b.moments = next.text, 0, next.moments
		b.mu.Unlock()
	case <-b.closed:
		return 0, errBodyClosed
	}
	if n, ok := b.take(p); ok {
		return n, nil
	}
	return 0, errBodyClosed
}

// take copies from the current piece, and returns false if nothing is left.
// What it copies is written to the socket before the next call.
func (b *body) take(p []byte) (int, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		return 0, false
	default:
	}
	if end := b.read + len(p); len(b.moments) > 0 && b.moments[0].from < end {
		now := time.Now()
		for len(b.moments) > 0 && b.moments[0].from < end {
			putMoment(b.piece[b.moments[0].from:b.moments[0].to], now)
			b.moments = b.moments[1:]
		}
	}
	n := copy(p, b.piece[b.read:])
	b.read += n
	return n, n > 0
}

// Close ends the reading. Either side may call it.
func (b *body) Close() error {
	b.once.Do(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		close(b.closed)
	})
	return nil
}
