package flood

import (
	"context"
	"errors"
	"os"

	"example.org/comet/server/epoll"
	"example.org/comet/server/tlsfd"
)

// secure is the TLS of one connection.
type secure struct {
	conn   *tlsfd.Conn
	cancel context.CancelFunc // ends the handshake; nil after it
}

// records is the TLS of a loop's connections. The zero value is a loop without.
type records struct {
	conns      []*secure // of each slot
	plain      []byte    // what is read is decrypted into it
	handshakes tlsfd.Handshakes[epoll.Token]
}

// recordBytes is the most plaintext that one TLS record holds (RFC 8446, section
// 5.1).
const recordBytes = 16 << 10

// shake begins the TLS of a connection whose socket is connecting: a goroutine
// shakes hands, and ends with that.
func (l *loop) shake(slot uint32, host *host) {
	r := &l.records
	if r.plain == nil {
		r.plain = make([]byte, recordBytes)
	}
	if more := int(slot) + 1 - len(r.conns); more > 0 {
		r.conns = append(r.conns, make([]*secure, more)...)
	}
	s := &secure{conn: tlsfd.Client(host.tls)}
	r.conns[slot] = s
	s.cancel = r.handshakes.Begin(s.conn, l.conns.Token(slot), l.poll.Wake)
}

// secureOf returns the TLS of a connection, nil without any.
func (l *loop) secureOf(slot uint32) *secure {
	if int(slot) >= len(l.records.conns) {
		return nil
	}
	return l.records.conns[slot]
}

// closeTLS ends the TLS of a connection that is closed.
func (l *loop) closeTLS(slot uint32) {
	s := l.secureOf(slot)
	if s == nil {
		return
	}
	if s.cancel != nil {
		s.cancel()
	} else if s.conn.CloseWrite() == nil { // as servers expect (RFC 8446, section 6.1)
		_, _ = epoll.WriteNow(l.conns.FD(slot), s.conn.Output())
	}
	l.records.conns[slot] = nil
}

// attendHandshakes sends what handshakes have to send, and goes on with those that
// are done.
func (l *loop) attendHandshakes() {
	r := &l.records
	if r.conns == nil {
		return
	}
	for _, n := range r.handshakes.News() {
		slot, c, ok := l.conns.Lookup(n.Token)
		if !ok || !l.flushTLS(slot, c) || !n.Done {
			continue
		}
		l.secureOf(slot).cancel = nil
		if n.Err != nil {
			l.drop(slot, c, failureOfTLS(n.Err), n.Err)
			continue
		}
		if l.ask(slot, c) {
			l.readRecords(slot, c)
		}
	}
}

// flushTLS sends what the TLS of a connection has to send, as far as the socket
// takes it. It reports false when that closed the connection.
func (l *loop) flushTLS(slot uint32, c *conn) bool {
	s := l.secureOf(slot)
	for out := s.conn.Output(); len(out) > 0; out = s.conn.Output() {
		n, err := epoll.WriteNow(l.conns.FD(slot), out)
		switch {
		case err != nil && c.state == connecting:
			l.again(slot, c, os.NewSyscallError("connect", err))
			return false
		case err != nil:
			l.over(slot, c, os.NewSyscallError("write", err))
			return false
		case n == 0 && len(out) > maxOut:
			l.over(slot, c, errNotRead)
			return false
		case n == 0:
			return true // its socket reports when there is room
		}
		s.conn.Sent(n)
		if c.state == connecting {
			c.state = shaking
			l.flood.targets.host(int(c.index)).first = c.addr
		}
	}
	return true
}

// writeTLS encrypts b and sends it as far as the socket takes it.
func (l *loop) writeTLS(slot uint32, c *conn, b []byte) bool {
	if _, err := l.secureOf(slot).conn.Write(b); err != nil {
		l.over(slot, c, err)
		return false
	}
	return l.flushTLS(slot, c)
}

// arrived takes bytes from the socket, and reports false when that closed the
// connection.
func (l *loop) arrived(slot uint32, c *conn, b []byte) bool {
	s := l.secureOf(slot)
	if s == nil {
		return l.received(slot, c, b)
	}
	s.conn.Feed(b)
	return s.cancel != nil || l.readRecords(slot, c)
}

// readRecords reads what was fed to a connection. It reports false when that
// closed it.
func (l *loop) readRecords(slot uint32, c *conn) bool {
	s := l.secureOf(slot)
	for {
		n, err := s.conn.Read(l.records.plain)
		if n > 0 && !l.received(slot, c, l.records.plain[:n]) {
			return false
		}
		switch {
		case err == nil:
		case errors.Is(err, tlsfd.ErrAgain):
			return l.flushTLS(slot, c) // there may be an answer to a KeyUpdate
		default:
			l.over(slot, c, err)
			return false
		}
	}
}

// tlsEnded tells TLS that the socket has ended, and reports whether the connection
// is over: a handshake says so itself.
func (l *loop) tlsEnded(slot uint32) (over bool) {
	s := l.secureOf(slot)
	if s == nil {
		return true
	}
	s.conn.EOF()
	return s.cancel == nil
}
