package epoll

import (
	"iter"
	"time"
)

// Deadlines is a queue of connections that each have the same time left from
// when they joined, so that it is in order by itself. A connection that is gone
// stays in it until then; its token finds nothing in [Slots]. The zero value is
// empty. A Deadlines belongs to one goroutine.
type Deadlines struct {
	queue []deadline
	gone  int // entries at the front that have passed
}

type deadline struct {
	token uint64
	at    time.Time
}

// Add appends a connection, whose time is not before that of the last one.
func (d *Deadlines) Add(token uint64, at time.Time) {
	d.queue = append(d.queue, deadline{token, at})
}

// Next is when the first one passes, or the zero time.
func (d *Deadlines) Next() time.Time {
	if d.gone == len(d.queue) {
		return time.Time{}
	}
	return d.queue[d.gone].at
}

// Expired takes out what has passed by now.
func (d *Deadlines) Expired(now time.Time) iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for d.gone < len(d.queue) && !d.queue[d.gone].at.After(now) {
			d.gone++
			if !yield(d.queue[d.gone-1].token) {
				return
			}
		}
		switch {
		case d.gone == len(d.queue):
			d.queue, d.gone = nil, 0
		case d.gone > 64 && d.gone > len(d.queue)/2:
			d.queue = append(d.queue[:0], d.queue[d.gone:]...)
			d.gone = 0
		}
	}
}
