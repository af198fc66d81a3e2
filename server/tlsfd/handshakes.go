package tlsfd

import (
	"context"
	"sync"
)

// Handshakes runs the handshakes of an event loop's connections, each in a goroutine
// that ends with it, and keeps what they have for the loop to do. T names a
// connection. The zero value is ready; it belongs to the loop.
type Handshakes[T any] struct {
	joined sync.WaitGroup
	mu     sync.Mutex
	news   []News[T] // guarded by mu
}

// News is that a handshake has output to send, or is done.
type News[T any] struct {
	Token T
	Done  bool
	Err   error // why no connection came about
}

// Begin starts the handshake of c, which cancel ends. The first news since the last
// call of News is announced by wake, which must not block and may be called by any
// goroutine.
func (h *Handshakes[T]) Begin(c *Conn, token T, wake func()) (cancel context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	h.joined.Go(func() {
		defer cancel()
		err := c.Handshake(ctx, func() { h.tell(News[T]{Token: token}, wake) })
		h.tell(News[T]{Token: token, Done: true, Err: err}, wake)
	})
	return cancel
}

func (h *Handshakes[T]) tell(n News[T], wake func()) {
	h.mu.Lock()
	h.news = append(h.news, n)
	first := len(h.news) == 1
	h.mu.Unlock()
	if first {
		wake()
	}
}

// News returns what has come since the last call.
func (h *Handshakes[T]) News() []News[T] {
	h.mu.Lock()
	defer h.mu.Unlock()
	news := h.news
	h.news = nil
	return news
}

// Wait returns when every handshake has ended.
func (h *Handshakes[T]) Wait() { h.joined.Wait() }
