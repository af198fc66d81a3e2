package flood

import (
	"errors"
	"math"
	"os"
	"time"

	"example.org/comet/server/epoll"
)

// maxOut is the most that waits for a socket to take it. A server that lets more
// pile up does not read what it asks for.
const maxOut = 1 << 20

// errNotRead is a server that does not read.
var errNotRead = errors.New("the server does not read what it is sent, such as the answers to its pings")

// writable takes that the socket of a connection takes more. It reports false
// when that closed the connection.
func (l *loop) writable(slot uint32, c *conn) bool {
	switch {
	case l.secureOf(slot) != nil:
		return l.flushTLS(slot, c)
	case c.state == connecting:
		return l.ask(slot, c)
	case l.hasOut(c):
		return l.flush(slot, c)
	}
	return true
}

// ask writes the request. On loopback the connection is usually established by
// the time connect returns, so that this saves an event; elsewhere the kernel
// says EAGAIN and reports when it is. It reports false when that closed the
// connection.
func (l *loop) ask(slot uint32, c *conn) bool {
	l.request = l.flood.targets.append(l.request[:0], int(c.index), l.obs.carried(&c.reading), c.turn)
	if l.secureOf(slot) != nil {
		l.asked(slot, c, time.Since(l.obs.begun))
		return l.writeTLS(slot, c, l.request)
	}
	before := time.Since(l.obs.begun) // the server may answer before the write returns
	n, err := epoll.WriteNow(l.conns.FD(slot), l.request)
	switch {
	case err != nil:
		l.again(slot, c, os.NewSyscallError("connect", err))
		return false
	case n == 0:
		return true
	}
	l.asked(slot, c, before)
	if n < len(l.request) { // the poller reports room: see interest
		row := l.obs.spares.of(&c.reading)
		row.out = append(row.out, l.request[n:]...)
	}
	return true
}

// hasOut reports whether something waits for the socket of c to take it.
func (l *loop) hasOut(c *conn) bool {
	return c.spare != 0 && len(l.obs.spares.rows[c.spare].out) > 0
}

// asked takes that the request of a connection went on its way at now.
func (l *loop) asked(slot uint32, c *conn, now time.Duration) {
	l.flood.targets.host(int(c.index)).first = c.addr
	c.state = waitingHead
	c.connect = uint32(min(max((now-time.Duration(c.due))/c.connectUnit(), 0), math.MaxUint32))
	if c.messages == 0 { // else the gap between two polls goes on
		c.moment = momentOf(now)
	}
	if l.flood.cfg.Protocol == Poll {
		l.polling(slot, c)
	}
}

// polling takes a long poll whose request is written: that is all there is to
// come until there is a message.
func (l *loop) polling(slot uint32, c *conn) {
	c.state = streaming
	l.obs.counts.InFlight--
	l.enter(c, time.Now())
	l.burden(slot, c)
}

// send writes b to a connection that is established or about to be; what the
// socket does not take waits for it. It reports false when that closed the
// connection.
func (l *loop) send(slot uint32, c *conn, b []byte) bool {
	if l.secureOf(slot) != nil {
		return l.writeTLS(slot, c, b)
	}
	if l.hasOut(c) {
		return l.keepOut(slot, c, b)
	}
	n, err := epoll.WriteNow(l.conns.FD(slot), b)
	switch {
	case err != nil:
		l.over(slot, c, os.NewSyscallError("write", err))
		return false
	case n < len(b):
		return l.keepOut(slot, c, b[n:])
	}
	return true
}

// keepOut keeps what a socket did not take.
func (l *loop) keepOut(slot uint32, c *conn, b []byte) bool {
	row := l.obs.spares.of(&c.reading)
	if len(row.out) > 0 && len(row.out)+len(b) > maxOut { // but one text may be longer
		l.over(slot, c, errNotRead)
		return false
	}
	row.out = append(row.out, b...)
	if err := l.poll.Set(l.conns.FD(slot), epoll.Read|epoll.Write, l.conns.Token(slot)); err != nil {
		l.over(slot, c, err)
		return false
	}
	return true
}

// flush writes what a socket did not take before.
func (l *loop) flush(slot uint32, c *conn) bool {
	row := &l.obs.spares.rows[c.spare]
	n, err := epoll.WriteNow(l.conns.FD(slot), row.out)
	if err != nil {
		l.over(slot, c, os.NewSyscallError("write", err))
		return false
	}
	if row.out = row.out[n:]; len(row.out) == 0 {
		row.out = nil
		l.obs.spares.tidy(&c.reading)
	}
	return true
}

// answerNow sends what the connection has to say to what has just come.
func (l *loop) answerNow(slot uint32, c *conn) bool {
	if len(l.obs.reply) == 0 {
		return true
	}
	out := l.obs.reply
	l.obs.reply = l.obs.reply[:0]
	return l.send(slot, c, out)
}

// beat sends the texts that are due again.
func (l *loop) beat() {
	for i := range l.beats {
		b := l.flood.script.every[i]
		for token := range l.beats[i].Expired(l.now, l.established) {
			slot, c, _ := l.conns.Lookup(token)
			l.obs.send(exchange{text: b.text}, int(c.index))
			if l.answerNow(slot, c) {
				l.beats[i].Add(token, l.now.Add(b.every))
			}
		}
	}
}

// established reports whether the connection of a token is.
func (l *loop) established(token epoll.Token) bool {
	_, c, ok := l.conns.Lookup(token)
	return ok && c.state == streaming
}

// lastWords sends b before a close, as far as there is room.
func (l *loop) lastWords(slot uint32, b []byte) {
	s, c := l.secureOf(slot), l.conns.At(slot)
	switch {
	case s == nil && l.hasOut(c): // it would stand in the midst of what waits
		return
	case s == nil:
		_, _ = epoll.WriteNow(l.conns.FD(slot), b)
		return
	}
	if _, err := s.conn.Write(b); err == nil {
		n, _ := epoll.WriteNow(l.conns.FD(slot), s.conn.Output())
		s.conn.Sent(n)
	}
}
