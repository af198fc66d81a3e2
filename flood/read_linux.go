package flood

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/epoll"
	"example.org/comet/server/wire"
)

// partials holds the bytes of what has come in part: half a head, half a chunk.
// A connection has a row only then. Row 0 is nobody's.
type partials struct {
	rows [][]byte
	free []uint32
}

// put keeps b in row, or in a new one if that is 0.
func (p *partials) put(row uint32, b []byte) uint32 {
	if row == 0 {
		if n := len(p.free); n > 0 {
			row, p.free = p.free[n-1], p.free[:n-1]
		} else {
			if len(p.rows) == 0 {
				p.rows = append(p.rows, nil)
			}
			row = uint32(len(p.rows))
			p.rows = append(p.rows, nil)
		}
	}
	if b0 := p.rows[row]; len(b0) != len(b) || len(b) == 0 || &b0[0] != &b[0] {
		p.rows[row] = append(b0[:0], b...)
	}
	return row
}

func (p *partials) release(row uint32) {
	if cap(p.rows[row]) > 4<<10 {
		p.rows[row] = nil
	}
	p.free = append(p.free, row)
}

// read takes what has come, until there is no more. A connection on which more
// comes than can be read must not keep the loop: it takes turns.
func (l *loop) read(slot uint32, c *conn, toEnd bool) {
	fd, token := l.conns.FD(slot), l.conns.Token(slot)
	for range readBatch {
		n, err := epoll.ReadNow(fd, l.readBuf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			l.over(slot, c, err)
			return
		case n == 0:
			l.over(slot, c, io.EOF)
			return
		}
		l.counts.Bytes += uint64(n)
		l.received(slot, c, l.readBuf[:n])
		if _, _, ok := l.conns.Lookup(token); !ok || n < len(l.readBuf) && !toEnd {
			return
		}
	}
	if err := l.poll.Set(fd, epoll.Read, token); err != nil { // reports anew what is left
		l.over(slot, c, err)
	}
}

// over is the end of the connection by the server, or by an error.
func (l *loop) over(slot uint32, c *conn, err error) {
	if c.state != streaming {
		l.drop(slot, c, failureOf(err), err)
		return
	}
	whole := errors.Is(err, io.EOF) && c.parser.Complete()
	if c.partial != 0 && whole {
		l.scanStamps(&c.track, l.partial.rows[c.partial], time.Now())
	}
	l.ended(slot, c, !whole, failureOf(err), err)
}

// received takes the next bytes of a connection apart.
func (l *loop) received(slot uint32, c *conn, b []byte) {
	if c.partial != 0 {
		row := &l.partial.rows[c.partial]
		*row = append(*row, b...)
		b = *row
	}
	now := time.Now()
	for {
		part, n := l.next(&c.track, &c.parser, b, now)
		b = b[n:]
		switch part {
		case wire.More:
			l.keep(c, b)
			return
		case wire.Head:
			if !l.answered(slot, c, now) {
				return
			}
		case wire.End:
			l.ended(slot, c, false, 0, nil)
			return
		case wire.Malformed:
			l.malformed(slot, c)
			return
		}
	}
}

// keep puts what is incomplete aside, or the row away when nothing is.
func (l *loop) keep(c *conn, b []byte) {
	switch {
	case len(b) > 0:
		c.partial = l.partial.put(c.partial, b)
	case c.partial != 0:
		l.partial.release(c.partial)
		c.partial = 0
	}
}

// answered takes the head of the answer. It reports false when that was not a
// stream.
func (l *loop) answered(slot uint32, c *conn, now time.Time) bool {
	if status := c.parser.Status(); status != 200 {
		l.fail.Statuses[status]++
		l.drop(slot, c, Status, nil)
		return false
	}
	c.state = streaming
	l.counts.InFlight--
	l.established(l.begun.Add(time.Duration(c.due)), l.begun.Add(time.Duration(c.connected)), now)
	return true
}

func (l *loop) malformed(slot uint32, c *conn) {
	if c.state != streaming {
		l.drop(slot, c, Malformed, nil)
		return
	}
	l.ended(slot, c, true, Malformed, errNotHTTP)
}
