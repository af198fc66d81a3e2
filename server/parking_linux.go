package server

import (
	"bytes"
	"net/http"
	"sync/atomic"

	"example.org/comet/server/epoll"
	"example.org/comet/server/wire"
)

// parking holds the streams of a loop that wait until the exchange brings in
// their messages, in the order in which they came.
type parking struct {
	rows []parkedStream
	ids  []int64 // of all rows, one after the other
	// The first row, and the first id, that still wait.
	next, nextID int
	used         atomic.Int64 // rows that wait
}

// parkedStream is what is needed to begin a stream later.
type parkedStream struct {
	token  epoll.Token
	ticket uint64
	answer []byte
	ids    int // how many it has
}

func (p *parking) push(token epoll.Token, ticket uint64, req wire.Request) {
	if req.Kind.IsWebSocket() {
		req.Answer = bytes.Clone(req.Answer) // of the next head by then
	}
	p.rows = append(p.rows, parkedStream{token, ticket, req.Answer, len(req.IDs)})
	p.ids = append(p.ids, req.IDs...)
	p.used.Add(1)
}

// first returns the stream that has waited longest.
func (p *parking) first() (s parkedStream, ok bool) {
	if p.next == len(p.rows) {
		return s, false
	}
	return p.rows[p.next], true
}

// pop removes the first one. Its ids are valid until the next push.
func (p *parking) pop() (s parkedStream, ids []int64) {
	s = p.rows[p.next]
	p.rows[p.next].answer = nil
	ids = p.ids[p.nextID : p.nextID+s.ids]
	p.next++
	p.nextID += s.ids
	p.used.Add(-1)
	return s, ids
}

// tidy frees the room of those that have been taken out.
func (p *parking) tidy() {
	const few = 1024
	switch {
	case p.next == len(p.rows) && len(p.rows) <= few:
		p.rows, p.ids = p.rows[:0], p.ids[:0]
	case p.next == len(p.rows): // free a burst's memory
		p.rows, p.ids = nil, nil
	case p.next > few && p.next > len(p.rows)/2:
		p.rows = p.rows[:copy(p.rows, p.rows[p.next:])]
		p.ids = p.ids[:copy(p.ids, p.ids[p.nextID:])]
	default:
		return
	}
	p.next, p.nextID = 0, 0
}

// begin makes the connection a stream: at once, or when its messages come in.
func (l *loop) begin(slot uint32, c *conn, req wire.Request, rest []byte) {
	ticket := l.core.want(req.IDs)
	switch l.core.pass(ticket) {
	case gateOpen:
		l.stream(slot, c, req, rest)
	case gateAway:
		l.core.drop(req.IDs)
		c.origin = req.Origin
		l.refuseAway(slot, c)
	case gateClosed:
		c.state, c.kind, c.origin = loggingIn, req.Kind, req.Origin
		l.parked.push(l.conns.Token(slot), ticket, req)
		l.keep(slot, c, rest)
	}
}

// refuseAway answers a stream that was admitted and cannot be logged in.
func (l *loop) refuseAway(slot uint32, c *conn) {
	l.counters.refusedAway.Add(1)
	if c.flags&sampled != 0 {
		l.visits[slot].status = http.StatusServiceUnavailable
	}
	l.leave(slot, c)
	l.finish(slot, c, l.core.parser.Share(wire.RouterAway.Bytes(), c.origin))
}

// keep saves what a WebSocket client sends before its stream has begun. One that
// sends more than BacklogBytes is closed.
func (l *loop) keep(slot uint32, c *conn, b []byte) {
	if !c.kind.IsWebSocket() || len(b) == 0 {
		return
	}
	x := l.extraOf(c)
	if len(x.head)+len(b) > l.core.BacklogBytes {
		l.counters.disconnected.Add(1)
		l.close(slot)
		return
	}
	x.head = append(x.head, b...)
}

// mayAdmit reports whether a parked stream can start.
func (l *loop) mayAdmit() bool {
	first, ok := l.parked.first()
	return ok && l.core.pass(first.ticket) != gateClosed
}

// admitParked starts the streams that need not wait any more. It stops at the
// first that must: the next acknowledgement continues there.
func (l *loop) admitParked() {
	for {
		first, ok := l.parked.first()
		if !ok {
			break
		}
		gate := l.core.pass(first.ticket)
		if gate == gateClosed {
			break
		}
		parked, ids := l.parked.pop()
		slot, c, there := l.conns.Lookup(parked.token)
		if !there || c.state != loggingIn || gate == gateAway {
			l.core.drop(ids)
		}
		if !there || c.state != loggingIn {
			continue // the client has gone
		}
		var rest []byte
		if c.extra != 0 {
			x := l.extras.at(c.extra)
			rest, x.head = x.head, nil
			l.rest(c)
		}
		if gate == gateAway {
			l.refuseAway(slot, c)
			continue
		}
		l.stream(slot, c, wire.Request{Kind: c.kind, IDs: ids, Answer: parked.answer, Origin: c.origin}, rest)
	}
	l.parked.tidy()
}

// abandonParked ends the waiting of streams that are closed.
func (l *loop) abandonParked() {
	for range l.parked.used.Load() {
		_, ids := l.parked.pop()
		l.core.drop(ids)
	}
	l.parked.tidy()
}
