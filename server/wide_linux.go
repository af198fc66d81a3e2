package server

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/router"
)

const (
	// wideFrom is how many copies a loop sends at once although some are of messages to
	// many: that takes it 2 to 4 ms.
	wideFrom = 512
	// wideSlice is how many of them get it before the loop looks for others, and
	// wideSliceBeside how many while there are others: a copy takes 4 to 8 us, and
	// who is in neither slice waits for one where it comes in and for one where it
	// goes out. Slices of 32 would go out in one call of io_uring, but a loop between
	// an event's slices of 8 has the others' p99 at 0.7 of theirs (.ci/wide), and the
	// event takes no longer. Where several messages to many wait, the machine is busy
	// for good: the kernel's time slices make the others' p99, and with slices of
	// wideSliceBusy a tenth more is delivered.
	wideSlice       = 256
	wideSliceBeside = 8
	wideSliceBusy   = 32
	// wideBeside is how long the others are reckoned with after one was seen.
	wideBeside = time.Second
	// wideYield is how often a loop that sends in slices, with others beside, lets the
	// kernel run who waits for its processor: whoever brings the others' messages, or
	// reads them on this machine. A time slice of the kernel's is 3 ms. Beside programs
	// that never rest the loop loses one at each yield, so that more of them would
	// leave the many waiting: after each slice of 32 it is 5 times as long.
	wideYield = 500 * time.Microsecond
	// wideItems and wideBytes are how many copies, and how much text, may wait besides
	// one message before the loop shuts the throttle. As much may wait of messages to few,
	// to those who get one to many first; then the loop takes no more from its inbox.
	wideItems = 2 * inboxItems
	wideBytes = 4 * inboxBytes
)

// wide is the messages to so many connections of a loop that those to others go
// between. For one connection they stay in order: what comes for one that still
// waits here, waits behind it. The zero value is empty.
type wide struct {
	runs      []wideRun
	many, few load
	// pending is how many of them each slot has. It is kept when nothing waits: each
	// message to a room would make it anew.
	pending []uint32
	spare   []router.Conn
	popped  uint32    // counts what was taken out
	others  time.Time // when a message to few went by
	yielded time.Time // when the loop last gave up its processor
	shut    bool      // the loop holds the throttle shut
}

// load is how much waits: copies of messages, and the text of the messages.
type load struct{ runs, items, bytes int }

// isFull reports whether no more should come. One message may be to any number.
func (l *load) isFull() bool { return l.runs > 1 && (l.items >= wideItems || l.bytes >= wideBytes) }

// wideRun is one message.
type wideRun struct {
	message []byte
	conns   []router.Conn
	next    int // the first that still waits
}

// mayTake reports whether there is room for what the inbox holds.
func (w *wide) mayTake() bool { return !w.few.isFull() }

// setAside takes out of a batch what has to wait, and returns the rest, in place. A
// message to many that came from an exchange, which no throttle holds back, is dropped when
// far too much waits: dropped is how many copies.
func (w *wide) setAside(b batch) (rest []item, dropped int) {
	if w.waiting() == 0 && len(b.items) < wideFrom {
		return b.items, 0
	}
	rest = b.items[:0]
	busy := len(b.items) >= wideFrom
	for i := 0; i < len(b.items); {
		first := b.items[i]
		n := 1
		for i+n < len(b.items) && b.items[i+n].start == first.start && b.items[i+n].end == first.end && b.items[i+n].conn != b.items[i+n-1].conn {
			n++
		}
		message := b.bytes[first.start:first.end]
		if n >= wideFrom || busy && n >= manyFrom {
			if w.many.runs > 0 && (w.many.items+n > overrunCopies || w.many.bytes+len(message) > overrunBytes) {
				dropped += n
			} else {
				w.push(message, b.items[i:i+n])
			}
		} else {
			waiting, others := w.part(b.items[i : i+n])
			rest = append(rest, others...)
			w.push(message, waiting)
		}
		i += n
	}
	return rest, dropped
}

// part parts the copies of one message, in place: those to connections that something
// waits for already, and the others. A batch may begin or end within a message to many,
// and few of its copies be in it.
func (w *wide) part(items []item) (waiting, others []item) {
	n := 0
	for i, it := range items {
		if !w.holds(it.conn.Slot) {
			items[n], items[i] = it, items[n]
			n++
		}
	}
	return items[n:], items[:n]
}

// loadOf returns the load that a run is part of.
func (w *wide) loadOf(run *wideRun) *load {
	if len(run.conns) >= manyFrom {
		return &w.many
	}
	return &w.few
}

// holds reports whether something waits for a slot.
func (w *wide) holds(slot uint32) bool { return int(slot) < len(w.pending) && w.pending[slot] > 0 }

// count adds what a run is to its load, or takes it out.
func (w *wide) count(run *wideRun, sign int) {
	part := w.loadOf(run)
	part.runs += sign
	part.items += sign * (len(run.conns) - run.next)
	part.bytes += sign * len(run.message)
}

// push appends a message to the connections of items, if there are any. Pieces of one
// message come together again.
func (w *wide) push(message []byte, items []item) {
	if len(items) == 0 {
		return
	}
	if last := len(w.runs) - 1; last < 0 || !bytes.Equal(w.runs[last].message, message) {
		w.runs = append(w.runs, wideRun{message: bytes.Clone(message), conns: w.spare[:0]})
		w.spare = nil
	} else {
		w.count(&w.runs[last], -1)
	}
	run := &w.runs[len(w.runs)-1]
	for _, it := range items {
		run.conns = append(run.conns, it.conn)
		if more := int(it.conn.Slot) + 1 - len(w.pending); more > 0 {
			w.pending = append(w.pending, make([]uint32, more)...)
		}
		w.pending[it.conn.Slot]++
	}
	w.count(run, 1)
}

// pop takes up to atMost connections of the first message.
func (w *wide) pop(atMost int) (message []byte, conns []router.Conn) {
	run := &w.runs[0]
	conns = run.conns[run.next:min(run.next+atMost, len(run.conns))]
	run.next += len(conns)
	w.loadOf(run).items -= len(conns)
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
	w.count(run, -1)
	*run = wideRun{}
	if w.runs = w.runs[1:]; len(w.runs) > 0 {
		return
	}
	w.runs = nil
	if cap(w.spare) > wideItems {
		w.spare = nil
	}
}

// waiting returns how many copies wait.
func (w *wide) waiting() int { return w.many.items + w.few.items }

// beside reports whether there are messages to others.
func (w *wide) beside(now time.Time) bool { return now.Sub(w.others) < wideBeside }

// slice returns how many get their message before the loop looks for others.
func (w *wide) slice(now time.Time) int {
	switch {
	case !w.beside(now):
		return wideSlice
	case w.many.runs > 1:
		return wideSliceBusy
	}
	return wideSliceBeside
}

// mayYield reports whether the loop should give up its processor for a moment.
func (w *wide) mayYield(now time.Time) bool {
	return w.waiting() > 0 && w.beside(now) && now.Sub(w.yielded) >= wideYield
}

// deliverWide writes a slice of what waits, and at least so many copies: whoever gets
// messages all the time must leave the many their share.
func (l *loop) deliverWide(atLeast int) {
	w := &l.wide
	for left := max(w.slice(l.now), atLeast); left > 0 && w.waiting() > 0; {
		message, conns := w.pop(left)
		left -= len(conns)
		w.popped++ // no two messages may look the same to l.fan
		for _, c := range conns {
			l.stage(item{conn: c, start: w.popped, end: w.popped + uint32(len(message))}, message)
		}
		w.tidy()
	}
	l.flushFan()
	if w.mayYield(l.now) {
		_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // it always succeeds (sched_yield(2))
		w.yielded = time.Now()
	}
}

// holdThrottle holds the throttle shut, or lets go of it.
func (l *loop) holdThrottle(shut bool) {
	switch {
	case shut == l.wide.shut:
		return
	case shut:
		l.core.throttle.hold()
	default:
		l.core.throttle.release()
	}
	l.wide.shut = shut
}
