package server

import (
	"example.org/comet/server/epoll"
	"example.org/comet/server/wire"
)

// admit counts a stream in. It reports false when it refused the connection, or
// closed it, instead. The address is asked first: a refusal by it must not hold,
// even for a moment, a place that another client could have had.
func (l *loop) admit(slot uint32, c *conn, req wire.Request, head []byte) bool {
	if refusal := l.core.refuseAll(&l.counters); refusal != nil {
		l.turnAway(slot, c, req, head, refusal)
		return false
	}
	var p place
	if l.core.addresses != nil {
		peer, err := epoll.Peer(l.conns.FD(slot))
		if err != nil {
			l.close(slot) // it has gone already
			return false
		}
		var ok bool
		if p, ok = l.core.addresses.take(peer.Addr()); !ok {
			l.counters.refusedAddress.Add(1)
			l.turnAway(slot, c, req, head, wire.AddressFull)
			return false
		}
	}
	if !l.core.admit() {
		l.core.addresses.leave(p)
		l.counters.refusedFull.Add(1)
		l.turnAway(slot, c, req, head, wire.Full)
		return false
	}
	if p != 0 {
		if more := int(slot) + 1 - len(l.places); more > 0 {
			l.places = append(l.places, make([]place, more)...)
		}
		l.places[slot] = p
	}
	l.expiries.add(slot, req.Until)
	l.beginVisit(slot, c, req, head)
	return true
}

// turnAway refuses a stream that its request head would get.
func (l *loop) turnAway(slot uint32, c *conn, req wire.Request, head []byte, why *wire.Answer) {
	answer := l.core.parser.Share(why.Bytes(), req.Origin)
	l.logRefusal(slot, head, answer)
	l.finish(slot, c, answer)
}

// left undoes what admit did besides counting.
func (l *loop) left(slot uint32, c *conn) {
	if l.core.addresses != nil {
		l.core.addresses.leave(l.places[slot])
		l.places[slot] = 0
	}
	l.expiries.remove(slot)
	if c.flags&sampled != 0 {
		l.visits[slot].ended = l.now
	}
}
