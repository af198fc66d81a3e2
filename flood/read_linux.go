package flood

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/epoll"
	"example.org/comet/server/wire"
)

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
		l.obs.counts.Bytes += uint64(n)
		if !l.received(slot, c, l.readBuf[:n]) || n < len(l.readBuf) && !toEnd {
			return
		}
	}
	if err := l.poll.Set(fd, epoll.Read, token); err != nil { // reports anew what is left
		l.over(slot, c, err)
	}
}

// over takes the end of the connection, by the server or by an error.
func (l *loop) over(slot uint32, c *conn, err error) {
	switch {
	case c.waiting():
		l.drop(slot, c, failureOf(err), err)
	case errors.Is(err, io.EOF) && c.parser.Complete():
		l.obs.bodyEnded(&c.reading, time.Now())
		l.ended(slot, c)
	default:
		l.cutOff(slot, c, failureOf(err), err)
	}
}

// received takes the next bytes of a connection. It reports false when that
// closed it.
func (l *loop) received(slot uint32, c *conn, b []byte) bool {
	now := time.Now()
	for {
		part, rest := l.obs.feed(&c.reading, b, now)
		switch part {
		case wire.More:
			return true
		case wire.Head:
			if !l.answered(slot, c, now) {
				return false
			}
			b = rest
		case wire.End:
			l.ended(slot, c)
			return false
		default:
			l.malformed(slot, c)
			return false
		}
	}
}

// answered takes the head of the answer. It reports false when that was not a
// stream.
func (l *loop) answered(slot uint32, c *conn, now time.Time) bool {
	if status := c.parser.Status(); status != 200 {
		l.obs.fail.Statuses[status]++
		l.drop(slot, c, Status, nil)
		return false
	}
	c.state = streaming
	l.obs.counts.InFlight--
	due := l.obs.begun.Add(time.Duration(c.due))
	l.obs.established(&c.reading, due, due.Add(time.Duration(c.connect)*time.Microsecond), now)
	c.due = int64(now.Sub(l.obs.begun))
	return true
}

func (l *loop) malformed(slot uint32, c *conn) {
	if c.waiting() {
		l.drop(slot, c, Malformed, errNotHTTP)
		return
	}
	l.cutOff(slot, c, Malformed, errNotHTTP)
}
