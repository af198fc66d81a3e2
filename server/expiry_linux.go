package server

import (
	"math"
	"time"

	"example.org/comet/server/wire"
)

// expiries says when the tokens of a loop's streams expire. It costs a connection 4
// bytes, and nothing where there are no tokens.
type expiries struct {
	at  []uint32  // of each slot, in Unix seconds; 0 is never
	due time.Time // when there is something to do; zero is never
	row int       // where the pass under way goes on
	// next is the first of those that stay, as far as the pass has come, with those
	// that joined since it began.
	next uint32
}

// mostExpired bounds how many streams end in one turn, while others wait.
const mostExpired = 256

// add ends a slot's stream at until, in Unix seconds, unless that is 0.
func (e *expiries) add(slot uint32, until int64) {
	if until <= 0 || until >= math.MaxUint32 {
		return
	}
	if more := int(slot) + 1 - len(e.at); more > 0 {
		e.at = append(e.at, make([]uint32, more)...)
	}
	e.at[slot] = uint32(until)
	e.next = min(e.next, uint32(until))
	if due := time.Unix(until, 0); e.due.IsZero() || due.Before(e.due) {
		e.due = due
	}
}

// remove forgets a slot's stream.
func (e *expiries) remove(slot uint32) {
	if int(slot) < len(e.at) {
		e.at[slot] = 0
	}
}

// expired returns the slots whose time has passed, up to mostExpired of them; the next
// call goes on from there.
func (e *expiries) expired(now time.Time, slots []uint32) []uint32 {
	if e.due.IsZero() || now.Before(e.due) {
		return slots
	}
	if e.row == 0 {
		e.next = math.MaxUint32
	}
	second := uint32(now.Unix())
	for ; e.row < len(e.at); e.row++ {
		switch at := e.at[e.row]; {
		case at == 0:
		case at > second:
			e.next = min(e.next, at)
		case len(slots) == mostExpired:
			return slots
		default:
			slots = append(slots, uint32(e.row))
			e.at[e.row] = 0
		}
	}
	e.row, e.due = 0, time.Time{}
	if e.next != math.MaxUint32 {
		e.due = time.Unix(int64(e.next), 0)
	}
	return slots
}

// endExpired ends the streams whose tokens have expired. One that waits for the
// exchange begins first.
func (l *loop) endExpired() {
	l.expiring = l.expiries.expired(l.now, l.expiring[:0])
	for _, slot := range l.expiring {
		c := l.conns.At(slot)
		if c.state == loggingIn {
			l.expiries.add(slot, l.now.Unix()+1)
			continue
		}
		l.counters.expired.Add(1)
		l.endAs(slot, c, wire.Kind.AppendExpired)
	}
}
