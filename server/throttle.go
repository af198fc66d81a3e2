package server

import (
	"context"
	"sync"
	"sync/atomic"
)

// manyFrom is how many connections are many: a message to so many is sent in slices
// between those to others, and waits at the throttle.
const manyFrom = 32

// throttle holds back messages to many connections while an event loop has as many copies
// waiting as it should. Others pass, so that whoever sends to a room without a pause keeps
// nobody else up. The zero value is open.
type throttle struct {
	behind atomic.Int32 // how many loops hold it shut

	mu     sync.Mutex
	opened chan struct{} // closed when it opens; nil if nobody waits
}

func (t *throttle) isShut() bool { return t.behind.Load() > 0 }

// hold shuts the throttle for one more loop, and release for one less.
func (t *throttle) hold() { t.behind.Add(1) }

func (t *throttle) release() {
	if t.behind.Add(-1) > 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.opened != nil {
		close(t.opened)
		t.opened = nil
	}
}

// wait waits until the throttle is open, or ctx ends.
func (t *throttle) wait(ctx context.Context) {
	for t.isShut() {
		t.mu.Lock()
		if t.opened == nil {
			t.opened = make(chan struct{})
		}
		opened := t.opened
		t.mu.Unlock()
		if !t.isShut() { // it may have opened before anybody was seen to wait
			return
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return
		}
	}
}
