package server

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/router"
)

const (
	// wideFrom is how many connections of a loop a message must go to for others to
	// go between.
	wideFrom = 512
	// wideSlice is how many of them get it before the loop looks for others, and
	// wideSliceBeside how many while there are others: a copy takes 4 to 8 us, and
	// who is in neither slice waits for one where it comes in and for one where it
	// goes out. Slices of 32 would go out in one call of io_uring, but a loop between
	// an event's slices of 8 has the others' p99 at 0.7 of theirs (.ci/wide), and the
	// event takes no longer.
	wideSlice       = 256
	wideSliceBeside = 8
	// wideBeside is how long the others are reckoned with after one was seen.
	wideBeside = time.Second
	// wideYield is how often a loop that sends in slices, with others beside, lets the
	// kernel run who waits for its processor: whoever brings the others' messages, or
	// reads them on this machine. A time slice of the kernel's is 3 ms. Beside programs
	// that never rest the loop loses one at each yield, so that more of them would
	// leave the many waiting: after each slice of 32 it is 5 times as long.
	wideYield = 500 * time.Microsecond
	// wideItems is how much may wait besides one message before the loop takes no
	// more from its inbox.
	wideItems = 2 * inboxItems
	// wideBytes is how much text may wait, likewise: a message to each one that waits
	// is a text of its own.
	wideBytes = 4 * inboxBytes
)

// wide is the messages to so many connections of a loop that those to others go
// between. For one connection they stay in order: what comes for one that still
// waits here, waits behind it. The zero value is empty.
type wide struct {
	runs  []wideRun
	items int // of all runs, that wait
	bytes int // of the messages of all runs
	// pending is how many of them each slot has; nil when nothing waits.
	pending []uint32
	spare   []router.Conn
	others  time.Time // when a message to few went by
	yielded time.Time // when the loop last gave up its processor
}

// wideRun is one message.
type wideRun struct {
	message []byte
	conns   []router.Conn
	next    int // the first that still waits
}

// mayTake reports whether there is room for what the inbox holds.
func (w *wide) mayTake() bool { return len(w.runs) < 2 || w.items < wideItems && w.bytes < wideBytes }

// setAside takes out of a batch what has to wait, and returns the rest, in place.
func (w *wide) setAside(b batch) []item {
	if w.items == 0 && len(b.items) < wideFrom {
		return b.items
	}
	rest := b.items[:0]
	for i := 0; i < len(b.items); {
		first := b.items[i]
		n := 1
		for i+n < len(b.items) && b.items[i+n].start == first.start && b.items[i+n].end == first.end && b.items[i+n].conn != b.items[i+n-1].conn {
			n++
		}
		message := b.bytes[first.start:first.end]
		if n >= wideFrom {
			w.push(message, b.items[i:i+n])
			i += n
			continue
		}
		for end := i + n; i < end; i++ {
			if it := b.items[i]; w.holds(it.conn.Slot) {
				w.push(message, b.items[i:i+1])
			} else {
				rest = append(rest, it)
			}
		}
	}
	return rest
}

// holds reports whether something waits for a slot.
func (w *wide) holds(slot uint32) bool { return int(slot) < len(w.pending) && w.pending[slot] > 0 }

// push appends a message to the connections of items.
func (w *wide) push(message []byte, items []item) {
	run := wideRun{message: bytes.Clone(message), conns: w.spare[:0]}
	w.spare = nil
	for _, it := range items {
		run.conns = append(run.conns, it.conn)
		if more := int(it.conn.Slot) + 1 - len(w.pending); more > 0 {
			w.pending = append(w.pending, make([]uint32, more)...)
		}
		w.pending[it.conn.Slot]++
	}
	w.runs = append(w.runs, run)
	w.items += len(items)
	w.bytes += len(message)
}

// pop takes up to atMost connections of the first message.
func (w *wide) pop(atMost int) (message []byte, conns []router.Conn) {
	run := &w.runs[0]
	conns = run.conns[run.next:min(run.next+atMost, len(run.conns))]
	run.next += len(conns)
	w.items -= len(conns)
	for _, c := range conns {
		w.pending[c.Slot]--
	}
	return run.message, conns
}

// tidy forgets the first message once all have it.
func (w *wide) tidy() {
	run := &w.runs[0]
	if run.next < len(run.conns) {
		return
	}
	if w.spare == nil || cap(w.spare) < cap(run.conns) {
		w.spare = run.conns
	}
	w.bytes -= len(run.message)
	*run = wideRun{}
	if w.runs = w.runs[1:]; len(w.runs) > 0 {
		return
	}
	spare := w.spare
	if cap(spare) > wideItems {
		spare = nil
	}
	*w = wide{spare: spare, others: w.others, yielded: w.yielded}
}

// beside reports whether there are messages to others.
func (w *wide) beside(now time.Time) bool { return now.Sub(w.others) < wideBeside }

// slice returns how many get their message before the loop looks for others.
func (w *wide) slice(now time.Time) int {
	if w.beside(now) {
		return wideSliceBeside
	}
	return wideSlice
}

// mayYield reports whether the loop should give up its processor for a moment.
func (w *wide) mayYield(now time.Time) bool {
	return w.items > 0 && w.beside(now) && now.Sub(w.yielded) >= wideYield
}

// deliverWide writes a slice of what waits.
func (l *loop) deliverWide() {
	w := &l.wide
	for left := w.slice(l.now); left > 0 && w.items > 0; {
		message, conns := w.pop(left)
		left -= len(conns)
		for _, c := range conns {
			l.stage(item{conn: c, end: uint32(len(message))}, message)
		}
		l.flushFan() // the next message may look the same to it
		w.tidy()
	}
	if w.mayYield(l.now) {
		_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // it always succeeds (sched_yield(2))
		w.yielded = time.Now()
	}
}
