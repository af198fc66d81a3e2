package server

import (
	"net/netip"

	"example.org/comet/server/epoll"
	"example.org/comet/server/wire"
)

// beginVisit starts the visit of a stream, if the access log chooses it.
func (l *loop) beginVisit(slot uint32, c *conn, req wire.Request, head []byte) {
	if !l.core.access.choose() {
		return
	}
	if l.visits == nil {
		l.visits = make(map[uint32]*visit)
	}
	c.flags |= sampled
	l.visits[slot] = beginVisit(l.now, l.remote(slot), head, req.Answer)
}

// endVisit logs a stream that is over.
func (l *loop) endVisit(slot uint32) {
	l.core.access.log(*l.visits[slot])
	delete(l.visits, slot)
}

// logRefusal logs a request that gets this answer and no stream.
func (l *loop) logRefusal(slot uint32, head, answer []byte) {
	if l.core.access != nil {
		l.core.access.refused(l.now, l.remote(slot), head, answer)
	}
}

// remote returns the address of a client, or the zero one if it has gone.
func (l *loop) remote(slot uint32) netip.AddrPort {
	peer, _ := epoll.Peer(l.conns.FD(slot))
	return peer
}

// headSoFar returns what has come of a head that is not complete.
func (l *loop) headSoFar(c *conn) []byte {
	if c.extra == 0 {
		return nil
	}
	return l.extras.at(c.extra).head
}
