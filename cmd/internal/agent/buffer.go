package agent

import (
	"io"
	"sync"
)

// buffer is a pipe whose writer never waits. The zero value is ready.
type buffer struct {
	mu      sync.Mutex
	bytes   []byte
	closed  bool
	changed chan struct{} // closed and replaced by what changes it; nil while nobody waits
}

// Write implements [io.Writer]. It fails once the buffer is closed.
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, io.ErrClosedPipe
	}
	b.bytes = append(b.bytes, p...)
	b.wake()
	return len(p), nil
}

// Close lets the reader come to the end of what was written.
func (b *buffer) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.wake()
	return nil
}

// wake must be called with mu held.
func (b *buffer) wake() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// Read implements [io.Reader].
func (b *buffer) Read(p []byte) (int, error) {
	for {
		b.mu.Lock()
		if len(b.bytes) > 0 {
			n := copy(p, b.bytes)
			if b.bytes = b.bytes[n:]; len(b.bytes) == 0 {
				b.bytes = nil
			}
			b.mu.Unlock()
			return n, nil
		}
		if b.closed {
			b.mu.Unlock()
			return 0, io.EOF
		}
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed := b.changed
		b.mu.Unlock()
		<-changed
	}
}
