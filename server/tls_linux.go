package server

import (
	"context"
	"errors"
	"io"
	"time"

	"example.org/comet/server/epoll"
	"example.org/comet/server/tlsfd"
)

// tlsPhase is how far the TLS of a connection is.
type tlsPhase uint8

const (
	greeting  tlsPhase = iota // nothing has come
	queueing                  // waits until a handshake may begin
	shaking                   // a goroutine shakes hands
	secured                   // records go both ways
	notified                  // the last records are on their way
	untrusted                 // the handshake failed; its alert is on its way
)

// secure is the TLS of one connection.
type secure struct {
	conn   *tlsfd.Conn
	cancel context.CancelFunc // ends the handshake; nil before and after it
	// inHand is how many bytes at the front of what waits for the connection are
	// in the output of conn already.
	inHand int
	fed    int       // bytes before the handshake was done
	since  time.Time // when the handshake began
	phase  tlsPhase
	ended  bool // the client will send no more
}

// owedBytes limits what TLS itself may have to say to a client that does not read,
// beside one record: answers to its KeyUpdates (RFC 8446, section 4.6.3).
const owedBytes = 4 << 10

// records is the TLS of a loop's connections. The zero value is a loop without.
type records struct {
	conns   []*secure     // of each slot; nil without TLS
	plain   []byte        // what is read is decrypted into it
	queue   []epoll.Token // those that wait until a handshake may begin
	begun   []epoll.Token // those that shake hands, or did, the oldest first
	running int
	// handshakes are those that goroutines run.
	handshakes tlsfd.Handshakes[epoll.Token]
}

// openRecords begins TLS on a new connection, if the listener speaks it.
func (l *loop) openRecords(slot uint32) {
	if l.core.tls == nil {
		return
	}
	r := &l.records
	if r.plain == nil {
		r.plain = make([]byte, recordBytes)
	}
	if more := int(slot) + 1 - len(r.conns); more > 0 {
		r.conns = append(r.conns, make([]*secure, more)...)
	}
	r.conns[slot] = &secure{conn: tlsfd.Server(l.core.tls)}
}

// secureOf returns the TLS of a connection, nil without any.
func (l *loop) secureOf(slot uint32) *secure {
	if int(slot) >= len(l.records.conns) {
		return nil
	}
	return l.records.conns[slot]
}

// closeRecords frees the TLS of a connection that is closed.
func (l *loop) closeRecords(slot uint32) {
	s := l.secureOf(slot)
	if s == nil {
		return
	}
	if s.phase < secured {
		l.counters.tlsFailed.Add(1)
	}
	if s.cancel != nil {
		s.cancel()
	}
	l.records.conns[slot] = nil
}

// arrived takes bytes from the socket.
func (l *loop) arrived(slot uint32, c *conn, b []byte) {
	s := l.secureOf(slot)
	switch {
	case s == nil:
		l.received(slot, c, b)
	case c.state == answered, c.state == lingering: // dropped
	case s.phase == greeting && isPlainHTTP(b):
		l.records.conns[slot] = nil
		l.received(slot, c, b)
	case s.phase < secured:
		l.feedHandshake(slot, s, b)
	default:
		s.conn.Feed(b)
		l.readRecords(slot, c, s)
	}
}

// isPlain reports whether a connection speaks no TLS to a listener that does.
func (l *loop) isPlain(slot uint32) bool { return l.core.tls != nil && l.secureOf(slot) == nil }

// mayRead reports whether a connection is to be read. What a client sends in
// advance of its handshake's end is bounded: the rest stays in the socket.
func (l *loop) mayRead(slot uint32) bool {
	s := l.secureOf(slot)
	return s == nil || s.phase >= secured || !l.isFed(s)
}

// isFed reports whether a handshake was given all that it gets.
func (l *loop) isFed(s *secure) bool { return s.fed >= handshakeBytes+l.core.MaxHeadBytes }

// ended takes the end of what a client sends. Its handshake may be done with what
// came before, like a request that comes with its end; then it reports true.
func (l *loop) ended(slot uint32) (goesOn bool) {
	s := l.secureOf(slot)
	if s == nil || s.phase != queueing && s.phase != shaking {
		return false
	}
	s.ended = true
	s.conn.EOF()
	return true
}

// feedHandshake gives the handshake what has come for it, and begins it with the
// first bytes.
func (l *loop) feedHandshake(slot uint32, s *secure, b []byte) {
	s.fed += len(b)
	s.conn.Feed(b)
	if s.phase != greeting {
		return
	}
	if l.records.running >= l.core.mostShaking {
		s.phase = queueing
		l.records.queue = append(l.records.queue, l.conns.Token(slot))
		return
	}
	l.shake(slot, s)
}

// shake runs the handshake of a connection in a goroutine.
func (l *loop) shake(slot uint32, s *secure) {
	token := l.conns.Token(slot)
	s.phase, s.since = shaking, l.now
	s.cancel = l.records.handshakes.Begin(s.conn, token, l.poll.Wake)
	l.records.running++
	l.records.begun = append(l.records.begun, token)
}

// attendHandshakes sends what handshakes have to send, ends those that are done,
// and begins those that wait.
func (l *loop) attendHandshakes() {
	r := &l.records
	if r.running == 0 && len(r.queue) == 0 {
		return
	}
	for _, n := range r.handshakes.News() {
		if n.Done {
			r.running--
		}
		slot, c, ok := l.conns.Lookup(n.Token)
		if !ok || l.secureOf(slot) == nil || !l.flushRecords(slot, c) || !n.Done {
			continue
		}
		l.shaken(slot, c, n.Err)
	}
	for r.running < l.core.mostShaking && len(r.queue) > 0 {
		if slot, s := l.inPhase(r.queue[0], queueing); s != nil {
			l.shake(slot, s)
		}
		r.queue = r.queue[1:]
	}
	if len(r.queue) == 0 {
		r.queue = nil
	}
}

// inPhase returns the connection of a token and its TLS, nil unless it is in that
// phase.
func (l *loop) inPhase(token epoll.Token, phase tlsPhase) (slot uint32, s *secure) {
	slot, _, ok := l.conns.Lookup(token)
	if !ok {
		return 0, nil
	}
	if s = l.secureOf(slot); s == nil || s.phase != phase {
		return 0, nil
	}
	return slot, s
}

// crowdedUntil returns when the oldest handshake must make room, zero while none
// waits for room.
func (l *loop) crowdedUntil() time.Time {
	r := &l.records
	for len(r.begun) > 0 {
		if _, s := l.inPhase(r.begun[0], shaking); s == nil {
			r.begun = r.begun[1:]
		} else if len(r.queue) > 0 {
			return s.since.Add(l.core.crowdTime)
		} else {
			return time.Time{}
		}
	}
	r.begun = nil
	return time.Time{}
}

// makeRoom ends the handshakes that have had crowdTime while others wait to begin:
// clients that greet and then say nothing cannot keep the others out.
func (l *loop) makeRoom() {
	for due := l.crowdedUntil(); !due.IsZero() && !l.now.Before(due); due = l.crowdedUntil() {
		l.core.noteHandshake(errHandshakeCrowded)
		l.close(l.records.begun[0].Slot())
		l.records.begun = l.records.begun[1:]
	}
}

// shaken goes on after a handshake: with what has come behind it, or with the end.
func (l *loop) shaken(slot uint32, c *conn, err error) {
	s, token := l.secureOf(slot), l.conns.Token(slot)
	s.cancel = nil
	if err == nil {
		s.phase = secured
		l.counters.tlsHandshakes.Add(1)
		l.readRecords(slot, c, s)
	} else {
		s.phase, c.state = untrusted, answered
		l.counters.tlsFailed.Add(1)
		if !errors.Is(err, io.EOF) {
			l.core.noteHandshake(err)
		}
		if s.ended {
			l.close(slot)
			return
		}
		l.lingerIfDone(slot, c)
	}
	if _, _, ok := l.conns.Lookup(token); ok && l.isFed(s) {
		l.watch(slot, c) // the poller reports what was left in the socket
	}
}

// readRecords reads what was fed to a connection.
func (l *loop) readRecords(slot uint32, c *conn, s *secure) {
	token := l.conns.Token(slot)
	for {
		n, err := s.conn.Read(l.records.plain)
		if n > 0 {
			l.received(slot, c, l.records.plain[:n])
			if _, _, ok := l.conns.Lookup(token); !ok || c.state == answered || c.state == lingering {
				return
			}
		}
		if err == nil {
			continue
		}
		// There may be an answer to a KeyUpdate to send, or an alert.
		if !l.flushRecords(slot, c) {
			return
		}
		crowded := len(s.conn.Output()) > recordBytes+owedBytes
		if crowded {
			l.counters.disconnected.Add(1) // it has keys updated and does not read
		}
		if crowded || !errors.Is(err, tlsfd.ErrAgain) {
			l.close(slot)
		}
		return
	}
}

// send writes what the socket of a connection takes of b, as [epoll.WriteNow]
// does. With TLS it counts what is sent with its whole record, and must be given
// the rest again.
func (l *loop) send(slot uint32, b []byte) (n int, err error) {
	s := l.secureOf(slot)
	if s == nil {
		return epoll.WriteNow(l.conns.FD(slot), b)
	}
	for {
		if sent, err := l.sendOutput(slot, s); err != nil || !sent {
			return n, err
		}
		n += s.inHand
		if s.inHand = min(len(b)-n, recordBytes); s.inHand == 0 {
			return n, nil
		}
		if _, err := s.conn.Write(b[n : n+s.inHand]); err != nil {
			return n, err
		}
	}
}

// sendOutput writes what the socket takes of a connection's records, and reports
// whether that was all.
func (l *loop) sendOutput(slot uint32, s *secure) (all bool, err error) {
	for out := s.conn.Output(); len(out) > 0; out = s.conn.Output() {
		n, err := epoll.WriteNow(l.conns.FD(slot), out)
		if err != nil || n == 0 {
			return false, err
		}
		s.conn.Sent(n)
	}
	return true, nil
}

// flushRecords sends what TLS itself has to send. It reports false when that
// closed the connection.
func (l *loop) flushRecords(slot uint32, c *conn) bool {
	s := l.secureOf(slot)
	if s == nil {
		return true
	}
	all, err := l.sendOutput(slot, s)
	switch {
	case err != nil:
		l.close(slot)
		return false
	case !all:
		return l.awaitRoom(slot, c)
	}
	return true
}

// endRecords sends the last records of a connection, a close_notify (RFC 8446,
// section 6.1). It reports false when they wait for room, or the connection was
// closed.
func (l *loop) endRecords(slot uint32, c *conn) bool {
	s := l.secureOf(slot)
	if s == nil {
		return true
	}
	first := s.phase == secured || s.phase == untrusted && len(s.conn.Output()) > 0
	if s.phase == secured {
		s.phase = notified
		if err := s.conn.CloseWrite(); err != nil {
			l.close(slot)
			return false
		}
	}
	if !l.flushRecords(slot, c) {
		return false
	}
	if len(s.conn.Output()) == 0 {
		return true
	}
	if first {
		l.lasts.Add(l.conns.Token(slot), l.now.Add(l.core.lastBytesTime))
	}
	return false
}
