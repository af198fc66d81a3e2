package epoll

import (
	"iter"
	"time"
)

// Deadlines is a queue of connections that each have the same time from when
// they joined, so that it is in order by itself. The zero value is empty. A
// connection in it costs 16 bytes, in blocks that are freed as they empty, so
// that a queue that grows leaves no garbage. A Deadlines belongs to one
// goroutine.
type Deadlines struct {
	since  time.Time // of which deadlines count
	blocks []*block
	gone   int // entries at the front of the first block that are done with
	last   int // entries in the last block
}

type deadline struct {
	token Token
	at    time.Duration
}

const blockSize = 256

type block [blockSize]deadline

// Add appends a connection, whose time is not before that of the last one.
func (d *Deadlines) Add(token Token, at time.Time) {
	if d.since.IsZero() {
		d.since = at
	}
	if len(d.blocks) == 0 || d.last == blockSize {
		d.blocks = append(d.blocks, new(block))
		d.last = 0
	}
	d.blocks[len(d.blocks)-1][d.last] = deadline{token, at.Sub(d.since)}
	d.last++
}

// first returns the entry at the front, nil if there is none.
func (d *Deadlines) first() *deadline {
	if len(d.blocks) == 0 || len(d.blocks) == 1 && d.gone == d.last {
		return nil
	}
	return &d.blocks[0][d.gone]
}

// drop removes the entry at the front.
func (d *Deadlines) drop() {
	d.gone++
	switch {
	case len(d.blocks) == 1 && d.gone == d.last: // empty: the block is used again
		d.gone, d.last = 0, 0
	case d.gone == blockSize:
		d.blocks[0] = nil
		d.blocks, d.gone = d.blocks[1:], 0
	}
}

// Next returns when the first one passes, or the zero time.
func (d *Deadlines) Next() time.Time {
	if first := d.first(); first != nil {
		return d.since.Add(first.at)
	}
	return time.Time{}
}

// Expired removes the connections whose time has passed by now, and yields
// those for which waits reports true. Others are removed as soon as they come to
// the front, so that the queue is hardly longer than the number that wait. More
// may be added meanwhile.
func (d *Deadlines) Expired(now time.Time, waits func(Token) bool) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		for {
			first := d.first()
			if first == nil {
				return
			}
			token, waiting := first.token, waits(first.token)
			if waiting && first.at > now.Sub(d.since) {
				return
			}
			d.drop()
			if waiting && !yield(token) {
				return
			}
		}
	}
}
