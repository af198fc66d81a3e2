//go:build !nonats

package natsrouter

import (
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

// key returns what one subscription stands for.
func (i Interest) key(id int64) int64 {
	switch i {
	case Block:
		return id / BlockSize
	case All:
		return 0
	}
	return id
}

// subject returns what that subscription is to. It may write on scratch.
func (i Interest) subject(scratch []byte, prefix string, key int64) string {
	switch i {
	case Block:
		return blockSubject(prefix, key)
	case All:
		return allSubject(prefix)
	}
	return string(appendSubject(scratch[:0], prefix, key))
}

// wants counts the connections that want each key, and gathers the changes in
// batches. A batch has a number, which is the ticket of its subscriptions.
type wants struct {
	interest Interest
	// kick has room for one token: there is something in queue.
	kick chan struct{}

	settled atomic.Uint64 // the last batch that has been acknowledged

	mu      sync.Mutex
	table   wantTable
	queue   []int64 // keys that the next batch is to look at, each once
	taken   uint64  // the last batch that has been taken
	pending int     // subscriptions that are not in force
	leaving bool    // no key is wanted any more
}

func newWants(interest Interest) *wants {
	return &wants{interest: interest, kick: make(chan struct{}, 1)}
}

// add counts one more connection that wants the messages to ids.
func (w *wants) add(ids []int64) (ticket uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.leaving {
		return 0
	}
	for _, id := range ids {
		key := w.interest.key(id)
		e := w.table.find(key)
		if e == nil {
			e = w.table.insert(key)
			w.pending++
		}
		switch e.state() {
		case fresh:
			ticket = w.taken + 1
			w.look(e)
		case sent:
			ticket = max(ticket, w.taken)
		case inForce:
		}
		e.tag += oneWant
	}
	return ticket
}

// drop counts one less. The next batch ends the subscriptions that nobody wants
// by then.
func (w *wants) drop(ids []int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		e := w.table.find(w.interest.key(id))
		if e == nil || !e.wanted() {
			continue // it has been left already
		}
		if e.tag -= oneWant; !e.wanted() {
			w.look(e)
		}
	}
}

// look has the next batch look at e.
func (w *wants) look(e *want) {
	if e.queued() {
		return
	}
	e.tag |= queuedBit
	w.queue = append(w.queue, e.key)
	if len(w.queue) == 1 {
		select {
		case w.kick <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// batch is a set of changes that are made at once.
type batch struct {
	number uint64
	begin  []int64              // keys to be subscribed to
	end    []*nats.Subscription // subscriptions that nobody wants
}

// take takes the changes that have gathered into b, whose memory is used again.
func (w *wants) take(b *batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b.begin, b.end = b.begin[:0], b.end[:0]
	for _, key := range w.queue {
		e := w.table.find(key)
		e.tag &^= queuedBit
		switch {
		case !e.wanted():
			if e.sub != nil {
				b.end = append(b.end, e.sub)
			}
			if e.state() != inForce {
				w.pending--
			}
			w.table.remove(key)
		case e.state() == fresh:
			e.setState(sent)
			b.begin = append(b.begin, key)
		}
	}
	const many = 4096
	if cap(w.queue) > many {
		w.queue = nil // a rush's memory goes with it
	}
	w.queue = w.queue[:0]
	w.taken++
	b.number = w.taken
}

// made keeps the subscription of a key that a batch began. Only applyNow makes
// and ends subscriptions.
func (w *wants) made(key int64, sub *nats.Subscription) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.table.find(key); e != nil {
		e.sub = sub
	}
}

// acknowledged settles all batches up to number, which began keys.
func (w *wants) acknowledged(number uint64, keys []int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		if e := w.table.find(key); e != nil && e.state() == sent {
			e.setState(inForce)
			w.pending--
		}
	}
	if !w.leaving {
		w.settled.Store(number)
	}
}

// leave forgets everything, so that nobody waits any more. It returns the
// subscriptions that there were.
func (w *wants) leave() []*nats.Subscription {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leaving = true
	subs := make([]*nats.Subscription, 0, w.table.used)
	for e := range w.table.all {
		if e.sub != nil {
			subs = append(subs, e.sub)
		}
	}
	w.table, w.queue, w.pending = wantTable{}, nil, 0
	w.settled.Store(1<<64 - 1)
	return subs
}

// again has every key subscribed to anew, on a new connection.
func (w *wants) again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e := range w.table.all {
		if e.state() == inForce {
			w.pending++
		}
		e.sub = nil
		e.setState(fresh)
		w.look(e)
	}
}

func (w *wants) counts() (subscriptions, pending int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.table.used, w.pending
}
