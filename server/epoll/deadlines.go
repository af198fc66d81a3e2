package epoll

import (
	"iter"
	"time"
)

// Deadlines is a queue of connections that each have the same time from when
// they joined, so that it is in order by itself. The zero value is empty. A
// Deadlines belongs to one goroutine.
type Deadlines struct {
	queue []deadline
	gone  int // entries at the front that are done with
}

type deadline struct {
	token Token
	at    time.Time
}

// Add appends a connection, whose time is not before that of the last one.
func (d *Deadlines) Add(token Token, at time.Time) {
	if len(d.queue) == cap(d.queue) && d.gone > len(d.queue)/2 {
		d.queue = append(d.queue[:0], d.queue[d.gone:]...)
		d.gone = 0
	}
	d.queue = append(d.queue, deadline{token, at})
}

// Next returns when the first one passes, or the zero time.
func (d *Deadlines) Next() time.Time {
	if d.gone == len(d.queue) {
		return time.Time{}
	}
	return d.queue[d.gone].at
}

// Expired removes the connections whose time has passed by now, and yields
// those for which waits reports true. Others are removed as soon as they come to
// the front, so that the queue is hardly longer than the number that wait.
func (d *Deadlines) Expired(now time.Time, waits func(Token) bool) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		for d.gone < len(d.queue) {
			first := d.queue[d.gone]
			waiting := waits(first.token)
			if waiting && first.at.After(now) {
				return
			}
			d.gone++
			if waiting && !yield(first.token) {
				return
			}
		}
		d.gone, d.queue = 0, d.queue[:0]
		const keep = 1024
		if cap(d.queue) > keep {
			d.queue = nil
		}
	}
}
