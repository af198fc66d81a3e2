package server

import (
	"errors"

	"golang.org/x/sys/unix"

	"example.org/comet/server/epoll"
	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// conn is a connection at rest: 16 bytes, and 8 more in its slot. No pointers.
type conn struct {
	n      uint64 // messages so far
	extra  uint32 // its row in extras, or 0
	kind   wire.Kind
	origin wire.Origin
	state  state
	flags  flags
}

type state uint8

const (
	readingHead state = iota // until a whole head has come
	loggingIn                // waits for the exchange; counts against the limit
	streaming                // logged in; counts against the limit
	answered                 // the last bytes are on their way; nothing more will be
	lingering                // half-closed; what still comes is dropped
)

type flags uint8

const (
	registered flags = 1 << iota // with the poller
	wantsWrite                   // registered for write as well
	sampled                      // has a row in visits
	fanned                       // has a message in l.fan

	// The upper three bits count the looks of beat since the last bytes.
	oneLook flags = 1 << 5
	looks   flags = 7 << 5
)

// readBatch bounds how many buffers are read from one connection at a time.
const readBatch = 16

// extra is what a connection has while a head, a frame or a backlog is under
// way, and not at rest.
type extra struct {
	head   []byte
	parsed int // where in head parsing goes on
	out    backlog
	frames wire.FrameReader
	next   uint32 // the next free row
}

func (x *extra) idle() bool {
	return len(x.head) == 0 && x.out.waiting() == 0 && x.frames.Idle()
}

// extras is a table of them; row 0 is not used. It is freed with the last one.
type extras struct {
	rows []extra
	free uint32
	used int
}

func (t *extras) at(row uint32) *extra { return &t.rows[row] }

func (t *extras) alloc() uint32 {
	t.used++
	if row := t.free; row != 0 {
		t.free = t.rows[row].next
		t.rows[row].next = 0
		return row
	}
	if len(t.rows) == 0 {
		t.rows = make([]extra, 1, 8)
	}
	t.rows = append(t.rows, extra{})
	return uint32(len(t.rows) - 1)
}

func (t *extras) release(row uint32) {
	if t.used--; t.used == 0 {
		*t = extras{}
		return
	}
	t.rows[row] = extra{next: t.free}
	t.free = row
}

// extraOf gives c its extra row.
func (l *loop) extraOf(c *conn) *extra {
	if c.extra == 0 {
		c.extra = l.extras.alloc()
	}
	return l.extras.at(c.extra)
}

// rest takes the extra row back if nothing is under way.
func (l *loop) rest(c *conn) {
	if c.extra != 0 && l.extras.at(c.extra).idle() {
		l.extras.release(c.extra)
		c.extra = 0
	}
}

// open starts a connection. It is registered last: most requests have been read
// and answered by then.
func (l *loop) open(fd int) {
	slot, c := l.conns.Alloc(fd)
	token := l.conns.Token(slot)
	l.openRecords(slot)
	l.read(slot, c, false)
	if _, _, ok := l.conns.Lookup(token); ok && l.watch(slot, c) && c.state == readingHead {
		if l.core.HeadTimeout > 0 {
			l.heads.Add(token, l.now.Add(l.core.HeadTimeout))
		}
	}
}

// read reads what the client has sent. With toEnd the connection has ended, and
// it reads up to that end.
func (l *loop) read(slot uint32, c *conn, toEnd bool) {
	fd, token := l.conns.FD(slot), l.conns.Token(slot)
	for range readBatch {
		if !l.mayRead(slot) {
			return
		}
		n, err := epoll.ReadNow(fd, l.readBuf)
		if err != nil {
			if !errors.Is(err, unix.EAGAIN) {
				l.close(slot)
			}
			return
		}
		if n == 0 { // the client has gone, or will send no more, which is treated the same
			if !l.ended(slot) {
				l.close(slot)
			}
			return
		}
		l.arrived(slot, c, l.readBuf[:n])
		if _, _, ok := l.conns.Lookup(token); !ok {
			return
		}
		if n < len(l.readBuf) && !toEnd {
			return // the poller reports what comes from now on
		}
	}
	// One client must not keep the others waiting. Registered again, the poller
	// reports what is left.
	l.watch(slot, c)
}

// watch registers what c waits for with the poller. It reports false when that
// failed and closed the connection.
func (l *loop) watch(slot uint32, c *conn) bool {
	interest := epoll.Read
	if c.flags&wantsWrite != 0 {
		interest |= epoll.Write
	}
	register := l.poll.Set
	if c.flags&registered == 0 {
		c.flags |= registered
		register = l.poll.Add
	}
	if err := register(l.conns.FD(slot), interest, l.conns.Token(slot)); err != nil {
		// ENOSPC (fs.epoll.max_user_watches) or ENOMEM.
		l.core.Logger.Error("connection closed: it cannot be watched", "error", err)
		l.close(slot)
		return false
	}
	return true
}

func (l *loop) received(slot uint32, c *conn, b []byte) {
	switch c.state {
	case readingHead:
		l.receivedHead(slot, c, b)
	case streaming:
		if c.kind.IsWebSocket() {
			l.receivedFrames(slot, c, b)
		}
	case loggingIn:
		l.keep(slot, c, b)
	case answered, lingering: // dropped
	}
}

func (l *loop) receivedHead(slot uint32, c *conn, b []byte) {
	from := 0
	if c.extra != 0 {
		x := l.extras.at(c.extra)
		x.head = append(x.head, b...)
		b, from = x.head, x.parsed
	}
	req, ok := l.core.parser.Parse(b, from, &l.scratch)
	if !ok {
		x := l.extraOf(c)
		if len(x.head) == 0 {
			x.head = append(x.head, b...)
		}
		x.parsed = req.Len
		return
	}
	if c.extra != 0 {
		x := l.extras.at(c.extra)
		x.head, x.parsed = nil, 0
		l.rest(c)
	}
	if l.isPlain(slot) {
		req.Answer = l.core.notePlain()
		l.logRefusal(slot, b, req.Answer)
		l.answer(slot, c, req.Answer)
		return
	}
	if req.Refused() {
		l.core.noteRefusedHead(b)
		l.logRefusal(slot, b, req.Answer)
		l.counters.refusals(req.Denied).Add(1)
		l.finish(slot, c, req.Answer)
		return
	}
	if !l.admit(slot, c, req, b) {
		return
	}
	l.begin(slot, c, req, b[req.Len:])
}

// stream logs the connection in, and then sends its head.
func (l *loop) stream(slot uint32, c *conn, req wire.Request, rest []byte) {
	l.counters.streams.Add(1)
	c.state, c.kind, c.origin = streaming, req.Kind, req.Origin
	token := l.conns.Token(slot)
	l.member.Login(router.Conn{Slot: slot, Gen: token.Gen()}, req.IDs...)
	if c.kind.OneMessage() && l.core.PollTimeout > 0 {
		l.polls.Add(token, l.now.Add(l.core.PollTimeout))
	}
	l.out.addBytes(req.Answer)
	if l.write(slot, c) && len(rest) > 0 {
		l.received(slot, c, rest)
	}
}

func (l *loop) receivedFrames(slot uint32, c *conn, b []byte) {
	x := l.extraOf(c)
	reply, closed := x.frames.Feed(b, nil)
	if closed {
		l.leave(slot, c)
		l.finish(slot, c, reply)
		return
	}
	l.out.addBytes(reply)
	if x.out.waiting()+len(reply) > l.core.BacklogBytes {
		l.out.reset() // a client that pings and does not read
		l.counters.disconnected.Add(1)
		l.close(slot)
		return
	}
	if l.write(slot, c) {
		l.rest(c)
	}
}

// answer refuses a request.
func (l *loop) answer(slot uint32, c *conn, answer []byte) {
	l.counters.refusedOther.Add(1)
	l.finish(slot, c, answer)
}

// end finishes a stream, and lets the client know that this was the end.
func (l *loop) end(slot uint32, c *conn) { l.endAs(slot, c, wire.Kind.AppendEnd) }

// endAs finishes a stream with what its kind appends.
func (l *loop) endAs(slot uint32, c *conn, appendEnd func(wire.Kind, []byte) []byte) {
	last := l.core.parser.Share(appendEnd(c.kind, nil), c.origin)
	l.leave(slot, c)
	l.finish(slot, c, last)
}

// leave logs a stream out.
func (l *loop) leave(slot uint32, c *conn) {
	l.gone = l.member.Logout(slot, l.gone[:0])
	l.core.drop(l.gone)
	l.core.leave()
	l.left(slot, c)
	c.state = answered
}

// finish sends the last bytes of a connection, then half-closes it, so that a
// reset does not discard them. If the client does not take them, the connection
// is closed after lastBytesTime.
func (l *loop) finish(slot uint32, c *conn, last []byte) {
	c.state = answered
	l.out.addBytes(last)
	if !l.write(slot, c) {
		return
	}
	if l.waiting(c) > 0 {
		l.lasts.Add(l.conns.Token(slot), l.now.Add(l.core.lastBytesTime))
		return
	}
	l.lingerIfDone(slot, c)
}

func (l *loop) lingerIfDone(slot uint32, c *conn) {
	if c.state != answered || l.waiting(c) > 0 || !l.endRecords(slot, c) {
		return
	}
	if err := unix.Shutdown(l.conns.FD(slot), unix.SHUT_WR); err != nil {
		l.close(slot) // the client has gone already
		return
	}
	c.state = lingering
	l.lingers.Add(l.conns.Token(slot), l.now.Add(l.core.lingerTime))
}

// close ends a connection at once, whatever it was doing.
func (l *loop) close(slot uint32) {
	c := l.conns.At(slot)
	if c.state == streaming || c.state == loggingIn {
		l.leave(slot, c)
	}
	if c.flags&sampled != 0 {
		l.endVisit(slot)
	}
	if c.extra != 0 {
		out := &l.extras.at(c.extra).out
		l.counters.droppedClosed.Add(uint64(out.messages()))
		l.counters.backlogBytes.Add(-int64(out.waiting()))
		l.extras.release(c.extra)
	}
	l.closeRecords(slot)
	unix.Close(l.conns.FD(slot))
	l.core.sockets.Add(-1)
	l.conns.Free(slot)
	if !l.acceptAgain.IsZero() {
		l.acceptAgain = l.now // a file is free
	}
}
