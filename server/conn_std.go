package server

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// stdConn is one connection of the goroutine engine.
type stdConn struct {
	net.Conn           // the socket
	secure   *tls.Conn // over it; nil without TLS, and until the handshake is done
	engine   *stdEngine
	name     router.Conn
	kind     wire.Kind   // set before it is logged in
	origin   wire.Origin // likewise
	place    place       // likewise

	// wake has room for one token: there is something in pending, or over.
	wake chan struct{}

	// mu guards what follows.
	mu       sync.Mutex
	pending  backlog
	inFlight int       // bytes that are being written now
	since    time.Time // when that write began
	n        uint64
	stream   bool  // logged in
	over     bool  // nothing more is to be queued
	left     bool  // no longer counted as a stream
	sampled  bool  // the engine keeps a visit for it; set before it is logged in
	looks    uint8 // of beat since the last bytes
}

// A writer that has not had its turn yet is no sign of a slow client, but one
// whose write takes longer than stuckTime is. Until then up to burstBytes wait.
const (
	stuckTime  = 50 * time.Millisecond
	burstBytes = 1 << 20
)

// serve runs the connection to its end.
func (c *stdConn) serve() {
	defer c.Close()
	if c.engine.core.HeadTimeout > 0 {
		c.setReadDeadline(time.Now().Add(c.engine.core.HeadTimeout))
	}
	plain, ok := c.shake()
	if !ok {
		return
	}
	req, head, ok := c.readHead(plain)
	if !ok {
		return
	}
	if c.isPlain() {
		req = wire.Request{Answer: c.engine.core.notePlain()}
	}
	if req.Refused() {
		c.engine.core.noteRefusedHead(head)
		c.engine.counters.refusals(req.Denied).Add(1)
		c.refuse(head, req.Answer)
		return
	}
	if refusal := c.admit(req, head); refusal != nil {
		c.refuse(head, c.engine.core.parser.Share(refusal.Bytes(), req.Origin))
		return
	}
	defer c.endVisit()
	defer c.leave()
	rest, ok := c.beginWhenSettled(req, head[req.Len:])
	if !ok {
		return
	}
	defer c.endAt(req.Until)()
	var writer sync.WaitGroup
	writer.Go(c.writeAll)
	c.dropAll(rest)
	c.stop()
	writer.Wait()
}

// readHead reads and parses the request head, which begins with what was read of it
// already, and what came with it. It reports false when the client has gone.
func (c *stdConn) readHead(begun []byte) (req wire.Request, head []byte, ok bool) {
	head = begun
	buf := make([]byte, 1024)
	for {
		n, err := c.Read(buf)
		head = append(head, buf[:n]...)
		if n > 0 {
			if req, ok = c.engine.core.parser.Parse(head, req.Len, nil); ok {
				return req, head, true
			}
		}
		if err != nil {
			c.mu.Lock()
			over := c.over
			c.mu.Unlock()
			late := errors.Is(err, os.ErrDeadlineExceeded) && !over
			return wire.Request{Answer: wire.HeadTimeout.Bytes()}, head, late
		}
	}
}

// begin makes the connection a stream. Its head is written after the login and
// before the writer starts, so that a client that has half-closed gets it too.
func (c *stdConn) begin(req wire.Request) bool {
	c.mu.Lock()
	c.kind, c.origin = req.Kind, req.Origin
	c.stream = true
	c.mu.Unlock()
	c.SetReadDeadline(time.Time{})
	if !c.engine.login(c, req.IDs) {
		c.engine.core.drop(req.IDs)
		return false
	}
	c.engine.counters.streams.Add(1)
	n, err := c.Write(req.Answer)
	c.engine.counters.bytesWritten.Add(uint64(n))
	if c.sampled {
		c.visit().bytes += uint64(n)
	}
	return err == nil
}

// leave undoes admit and login, and counts what is lost with the connection.
// It may be called twice.
func (c *stdConn) leave() {
	c.engine.logout(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.lose(&c.engine.counters.droppedClosed)
	if !c.left {
		c.left = true
		c.engine.core.leave()
		c.engine.core.addresses.leave(c.place)
		if c.sampled {
			c.visit().ended = time.Now()
		}
	}
}

// refuse answers a request that gets no stream.
func (c *stdConn) refuse(head, answer []byte) {
	c.logRefusal(head, answer)
	c.answer(answer)
}

// answer sends an answer that is not a stream.
func (c *stdConn) answer(answer []byte) {
	c.SetWriteDeadline(time.Now().Add(c.engine.core.lingerTime))
	if _, err := c.Write(answer); err != nil {
		return
	}
	c.halfClose()
	c.dropAll(nil)
}

// dropAll reads until the connection ends, and drops what comes, except for
// frames that a WebSocket client expects an answer to.
func (c *stdConn) dropAll(first []byte) {
	var frames wire.FrameReader
	c.receive(&frames, first)
	buf := make([]byte, 512)
	for {
		n, err := c.Read(buf)
		c.receive(&frames, buf[:n])
		if err != nil {
			return
		}
	}
}

func (c *stdConn) receive(frames *wire.FrameReader, b []byte) {
	if !c.kind.IsWebSocket() || len(b) == 0 {
		return
	}
	reply, closed := frames.Feed(b, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	// What the writer has in hand is not counted: it may have been read already.
	if c.pending.waiting()+len(reply) > c.engine.core.BacklogBytes {
		c.engine.counters.disconnected.Add(1) // it pings and does not read
		c.over = true
		c.Close()
		return
	}
	c.push(func() { c.pending.addBytes(reply) })
	if closed {
		c.last()
	}
}

// push lets add put something into pending, counts it and wakes the writer.
func (c *stdConn) push(add func()) {
	before := c.pending.waiting()
	c.looks = 0
	add()
	c.engine.counters.backlogBytes.Add(int64(c.pending.waiting() - before))
	c.signal()
}

// signal wakes the writer.
func (c *stdConn) signal() {
	select {
	case c.wake <- struct{}{}:
	default: // it is awake
	}
}

// queue takes a message to be written. It never blocks.
func (c *stdConn) queue(message []byte) {
	counters := &c.engine.counters
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		counters.droppedClosed.Add(1)
		return
	}
	waiting := c.pending.waiting() + c.inFlight
	if waiting > 0 && waiting+len(message) > c.engine.core.BacklogBytes && (c.stuck() || waiting > burstBytes) {
		counters.droppedSlow.Add(1)
		if c.engine.core.SlowClient == Disconnect {
			counters.disconnected.Add(1)
			c.over = true
			c.lose(&counters.droppedSlow)
			c.Close()
		}
		return
	}
	c.n++
	if c.kind.OneMessage() {
		c.push(func() {
			c.pending.addWhole(c.engine.core.parser.Share(c.kind.AppendMessage(nil, c.n, message), c.origin))
		})
		c.last()
		return
	}
	c.push(func() { c.pending.addMessage(c.kind, c.n, message) })
}

// stuck reports whether the socket seems to be full.
func (c *stdConn) stuck() bool { return c.inFlight > 0 && time.Since(c.since) > stuckTime }

// last ends the queue: the client has lastBytesTime to take what is in it.
func (c *stdConn) last() {
	c.over = true
	c.SetWriteDeadline(time.Now().Add(c.engine.core.lastBytesTime))
	c.signal()
}

// end finishes the connection: a stream with its last bytes, one whose head is
// not complete without an answer.
func (c *stdConn) end() { c.endAs(wire.Kind.AppendEnd) }

// endAs finishes the connection, a stream with what its kind appends. It reports
// false if the end has begun already.
func (c *stdConn) endAs(appendEnd func(wire.Kind, []byte) []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
		return false
	case c.stream:
		c.push(func() { c.pending.addBytes(c.engine.core.parser.Share(appendEnd(c.kind, nil), c.origin)) })
		c.last()
	default:
		c.over = true
		c.SetReadDeadline(time.Unix(1, 0))
	}
	return true
}

// endAt ends the stream with its token, at until in Unix seconds, unless that is 0.
func (c *stdConn) endAt(until int64) (forget func()) {
	if until == 0 {
		return func() {}
	}
	timer := time.AfterFunc(time.Until(time.Unix(until, 0)), func() {
		if c.endAs(wire.Kind.AppendExpired) {
			c.engine.counters.expired.Add(1)
		}
	})
	return func() { timer.Stop() }
}

// stop ends the writer, since the client has gone, or will send no more, which
// is treated the same. Last bytes that are being written may still go.
func (c *stdConn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		c.SetWriteDeadline(time.Now().Add(c.engine.core.lingerTime))
	} else {
		c.Close()
	}
	c.over = true
	c.signal()
}

// lose discards what is queued, and counts its messages under reason.
func (c *stdConn) lose(reason *atomic.Uint64) {
	reason.Add(uint64(c.pending.messages()))
	c.engine.counters.backlogBytes.Add(-int64(c.pending.waiting()))
	c.pending = backlog{}
}

// writeAll writes what is queued, until the last of it.
func (c *stdConn) writeAll() {
	var pollTimeout <-chan time.Time
	if c.kind.OneMessage() && c.engine.core.PollTimeout > 0 {
		timer := time.NewTimer(c.engine.core.PollTimeout)
		defer timer.Stop()
		pollTimeout = timer.C
	}
	for {
		select {
		case <-c.wake:
		case <-pollTimeout:
			c.end()
		}
		over, err := c.writePending()
		if err != nil {
			c.Close() // the reader notices
			return
		}
		if over {
			c.halfClose()
			return
		}
	}
}

// writePending writes all that is queued now, and reports whether that was the
// last. It leaves before the last: a client that has its answer, and comes back at
// once, must not meet itself.
func (c *stdConn) writePending() (over bool, err error) {
	var out backlog
	for {
		c.mu.Lock()
		out, c.pending = c.pending, out
		c.inFlight = out.waiting()
		c.since = time.Now()
		over = c.over
		c.mu.Unlock()
		if over {
			c.leave()
		}
		if out.waiting() == 0 {
			return over, nil
		}
		n, err := c.Write(out.unsent())
		c.wrote(&out, n)
		if err != nil {
			return over, err
		}
	}
}

// wrote counts what became of out, of which n bytes were written.
func (c *stdConn) wrote(out *backlog, n int) {
	counters := &c.engine.counters
	counters.backlogBytes.Add(-int64(out.waiting()))
	counters.bytesWritten.Add(uint64(n))
	done := out.advance(n)
	counters.written.Add(uint64(done))
	if c.sampled {
		v := c.visit()
		v.bytes += uint64(n)
		v.messages += uint64(done)
	}
	counters.droppedClosed.Add(uint64(out.messages()))
	out.reset()
}
