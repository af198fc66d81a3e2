package msggen

import (
	"context"
	"errors"
	"io"
	"sync"
)

// errBodyClosed means that the transport has given up a request.
var errBodyClosed = errors.New("the request was given up")

// body is the body of a long request: one goroutine writes it piece by piece, the
// transport reads it. Unlike with io.Pipe, write returns only when the piece is on
// the wire: net/http flushes what it has read, if the length of the
// body is unknown, before it reads on (net/http, transfer.go and
// internal.FlushAfterChunkWriter).
type body struct {
	pieces chan []byte
	// wired has one entry for each piece that is on the wire.
	wired chan struct{}
	// closed is closed by Close.
	closed chan struct{}

	// mu lets Close wait for a Read in progress, so that after it nothing looks
	// into a piece.
	mu     sync.Mutex
	once   sync.Once
	piece  []byte // what is unread of the current piece; guarded by mu
	unsent bool   // the current piece is not known to be on the wire; reader only

	// pending is true while a piece belongs to the reader; writer only.
	pending bool
}

func newBody() *body {
	return &body{
		pieces: make(chan []byte),
		wired:  make(chan struct{}, 1),
		closed: make(chan struct{}),
	}
}

// write hands over piece, which must not be empty, and returns once it is on
// the wire. taken reports whether the reader got it; if ctx ends after that, the
// piece belongs to the reader until settled returns nil or errBodyClosed.
func (b *body) write(ctx context.Context, piece []byte) (taken bool, err error) {
	select {
	case b.pieces <- piece:
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
	case piece, ok := <-b.pieces:
		if !ok {
			return 0, io.EOF
		}
		b.unsent = true
		b.mu.Lock()
		b.piece = piece
		b.mu.Unlock()
	case <-b.closed:
		return 0, errBodyClosed
	}
	if n, ok := b.take(p); ok {
		return n, nil
	}
	return 0, errBodyClosed
}

// take copies from the current piece, and reports whether there is one.
func (b *body) take(p []byte) (int, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		return 0, false
	default:
	}
	n := copy(p, b.piece)
	b.piece = b.piece[n:]
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
