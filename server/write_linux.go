package server

import (
	"example.org/comet/server/epoll"
	"example.org/comet/server/wire"
)

var headTimeoutAnswer = wire.HeadTimeout.Bytes()

// deliver writes what publishers have sent, in their order for each connection. A
// message to many may go in slices, of which there is one in each call. It reports
// false when messages were left in the inbox.
func (l *loop) deliver() (all bool) {
	few := 0
	if all = l.wide.mayTake(); all {
		b := l.inbox.take()
		rest, dropped := l.wide.setAside(b)
		l.counters.droppedSlow.Add(uint64(dropped)) // their inbox has taken them
		if few = len(rest); few > 0 {
			l.wide.others = l.now
		}
		l.deliverItems(rest, b.bytes)
	}
	l.deliverWide(few)
	l.holdThrottle(l.wide.many.isFull())
	return all
}

// deliverItems writes messages, which lie in bytes.
func (l *loop) deliverItems(items []item, bytes []byte) {
	many := len(items) >= fanOutFrom
	for i := 0; i < len(items); {
		it := items[i]
		if many && (i+1 == len(items) || items[i+1].conn != it.conn) {
			l.stage(it, bytes[it.start:it.end])
			i++
			continue
		}
		l.flushFan()
		slot, c, ok := l.conns.Lookup(epoll.NewToken(it.conn.Slot, it.conn.Gen))
		// Neighbours for the same connection leave in one write.
		for ; i < len(items) && items[i].conn == it.conn; i++ {
			message := bytes[items[i].start:items[i].end]
			if !ok || c.state != streaming {
				l.counters.droppedClosed.Add(1)
				continue
			}
			ok = l.queue(slot, c, message)
		}
		if ok && l.out.waiting() > 0 {
			if c.state == answered {
				l.finish(slot, c, nil)
			} else {
				l.write(slot, c)
			}
		}
	}
	l.flushFan()
}

// queue frames one message for writing, unless the connection is too far behind.
// It reports false when that closed it.
func (l *loop) queue(slot uint32, c *conn, message []byte) bool {
	if l.out.waiting() > 0 && l.out.waiting()+len(message) > l.core.BacklogBytes && !l.write(slot, c) {
		l.counters.droppedClosed.Add(1)
		return false
	}
	if waiting := l.waiting(c); waiting > 0 && waiting+l.out.waiting()+len(message) > l.core.BacklogBytes {
		return l.tooSlow(slot, c)
	}
	c.n++
	if c.kind.OneMessage() {
		l.out.addWhole(l.core.parser.Share(c.kind.AppendMessage(nil, c.n, message), c.origin))
		l.leave(slot, c)
		return true
	}
	l.out.addMessage(c.kind, c.n, message)
	return true
}

// tooSlow drops a message for a connection that is too far behind, or the
// connection with all that waits for it. It reports false when it was closed.
func (l *loop) tooSlow(slot uint32, c *conn) bool {
	lost := 1
	if l.core.SlowClient == Disconnect {
		out := &l.extras.at(c.extra).out
		lost += l.out.messages() + out.messages()
		l.out.reset()
		l.counters.backlogBytes.Add(-int64(out.waiting()))
		*out = backlog{}
		l.counters.disconnected.Add(1)
		l.close(slot)
	}
	l.counters.droppedSlow.Add(uint64(lost))
	return l.core.SlowClient == Drop
}

// write sends l.out, and keeps what the socket does not take. It reports false
// when that closed the connection.
func (l *loop) write(slot uint32, c *conn) bool {
	c.flags &^= looks
	if l.waiting(c) > 0 {
		l.counters.backlogBytes.Add(int64(l.out.waiting()))
		l.extras.at(c.extra).out.take(&l.out)
		return true
	}
	if l.out.waiting() == 0 {
		return true
	}
	n, err := l.send(slot, l.out.unsent())
	return l.took(slot, c, n, err)
}

// took keeps what the socket has not taken of l.out, which was sent. It reports
// false when that closed the connection.
func (l *loop) took(slot uint32, c *conn, n int, err error) bool {
	if err != nil {
		l.counters.droppedClosed.Add(uint64(l.out.messages()))
		l.out.reset()
		l.close(slot)
		return false
	}
	l.wrote(slot, c, n, l.out.advance(n))
	if left := l.out.waiting(); left > 0 {
		l.counters.backlogBytes.Add(int64(left))
		l.extraOf(c).out.take(&l.out)
		return l.awaitRoom(slot, c)
	}
	return true
}

// waiting returns how many bytes wait for room in the socket of c.
func (l *loop) waiting(c *conn) int {
	if c.extra == 0 {
		return 0
	}
	return l.extras.at(c.extra).out.waiting()
}

func (l *loop) wrote(slot uint32, c *conn, bytes, messages int) {
	if c.flags&sampled != 0 {
		l.visits[slot].bytes += uint64(bytes)
		l.visits[slot].messages += uint64(messages)
	}
	l.counters.bytesWritten.Add(uint64(bytes))
	if messages > 0 {
		l.counters.written.Add(uint64(messages))
	}
}

// awaitRoom registers c for write events. It stays registered: edge triggered,
// that costs nothing.
func (l *loop) awaitRoom(slot uint32, c *conn) bool {
	if c.flags&wantsWrite != 0 {
		return true
	}
	c.flags |= wantsWrite
	if c.flags&registered == 0 {
		return true // open will register it, for both
	}
	return l.watch(slot, c)
}

// flushBacklog writes what waited for room. It reports false when that closed
// the connection.
func (l *loop) flushBacklog(slot uint32, c *conn) bool {
	token := l.conns.Token(slot)
	for l.waiting(c) > 0 {
		out := &l.extras.at(c.extra).out
		n, err := l.send(slot, out.unsent())
		if err != nil {
			l.close(slot)
			return false
		}
		if n == 0 {
			return true
		}
		l.counters.backlogBytes.Add(-int64(n))
		l.wrote(slot, c, n, out.advance(n))
	}
	if !l.flushRecords(slot, c) {
		return false
	}
	l.rest(c)
	l.lingerIfDone(slot, c)
	_, _, ok := l.conns.Lookup(token)
	return ok
}
