package server

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"example.org/comet/server/router"
)

// inbox holds the messages for the connections of one owner. Publishers append
// to it under a lock that is held for a copy of the message; the owner takes
// everything at once. It implements router.Inbox.
type inbox struct {
	// wake has the owner take what there is, if it waits.
	wake func()

	mu     sync.Mutex
	filled batch
	empty  batch // the batch that the owner had last, to be filled next
	asleep bool  // the owner waits, or is about to, and needs wake
	// overrun counts the messages that were refused.
	overrun atomic.Uint64
	// room is closed when the owner takes the batch; nil if no publisher waits.
	room chan struct{}
}

// How much an inbox holds before publishers have to wait: enough for a loop to
// be busy for some 20 ms, and too little to hide how late messages are.
const (
	inboxBytes = 256 << 10
	inboxItems = 16 << 10
)

// What comes from an exchange cannot be made to wait, since that would cost the
// process its whole feed: beyond these an inbox takes no more. The copies of one
// message to many connections have no bytes of their own, and get more room.
const (
	overrunBytes  = 32 << 20
	overrunItems  = 128 << 10
	overrunCopies = 2 << 20
)

// batch is messages in the order in which they were sent. Their bytes lie in
// one piece, so that a message costs no allocation.
type batch struct {
	items []item
	bytes []byte
}

type item struct {
	conn       router.Conn
	start, end uint32 // where the message lies in bytes
}

// add appends a message and reports whether there was room for it. A message
// equal to the last is not copied again: many connections may have one id.
func (b *batch) add(c router.Conn, message []byte) bool {
	it := item{conn: c}
	n := len(b.items)
	if n > 0 {
		it.start, it.end = b.items[n-1].start, b.items[n-1].end
	}
	if n == 0 || b.items[n-1].conn == c || !bytes.Equal(b.bytes[it.start:it.end], message) {
		if n > 0 && (n >= overrunItems || len(b.bytes)+len(message) > overrunBytes) {
			return false
		}
		it.start = uint32(len(b.bytes))
		b.bytes = append(b.bytes, message...)
		it.end = uint32(len(b.bytes))
	} else if n >= overrunCopies {
		return false
	}
	b.items = append(b.items, it)
	return true
}

// full reports whether publishers must wait.
func (b *batch) full() bool { return len(b.bytes) > inboxBytes || len(b.items) > inboxItems }

// Deliver implements router.Inbox.
func (in *inbox) Deliver(c router.Conn, message []byte) bool {
	in.mu.Lock()
	taken := in.filled.add(c, message)
	in.mu.Unlock()
	if !taken {
		in.overrun.Add(1)
	}
	return taken
}

// Wake implements router.Inbox. It holds no lock when it wakes the owner, who would
// run into it at once.
func (in *inbox) Wake() {
	in.mu.Lock()
	due := in.asleep && len(in.filled.items) > 0
	if due {
		in.asleep = false
	}
	in.mu.Unlock()
	if due {
		in.wake()
	}
}

// Wait implements router.Inbox.
func (in *inbox) Wait(ctx context.Context) error {
	in.mu.Lock()
	for in.filled.full() {
		if in.room == nil {
			in.room = make(chan struct{})
		}
		room := in.room
		in.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		in.mu.Lock()
	}
	in.mu.Unlock()
	return nil
}

// isFull reports whether publishers must wait.
func (in *inbox) isFull() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.filled.full()
}

// atMost reports whether no more than n messages wait, each for one connection.
func (in *inbox) atMost(n int) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.filled.items) <= n
}

// sleep is called by the owner before it waits. It reports false if there are
// messages to deliver instead.
func (in *inbox) sleep() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.asleep = len(in.filled.items) == 0
	return in.asleep
}

// awake is called by an owner that will look before it waits, and that need not be
// woken until then.
func (in *inbox) awake() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.asleep = false
}

// take hands the owner all messages. The batch is good until the next take.
func (in *inbox) take() batch {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.asleep = false
	taken := in.filled
	if len(taken.items) == 0 {
		return batch{}
	}
	in.filled = in.empty.reset()
	in.empty = taken
	if in.room != nil {
		close(in.room)
		in.room = nil
	}
	return taken
}

// reset empties a batch and keeps its memory unless it was hardly used, so
// that a burst does not hold memory for good.
func (b batch) reset() batch {
	const small = 16 << 10
	if cap(b.bytes) > small && len(b.bytes) < cap(b.bytes)/4 || cap(b.items) > inboxItems {
		return batch{}
	}
	return batch{items: b.items[:0], bytes: b.bytes[:0]}
}
