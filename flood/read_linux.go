package flood

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/epoll"
)

// read takes what has come, until there is no more. A connection on which more
// comes than can be read must not keep the loop: it takes turns.
func (l *loop) read(slot uint32, c *conn, toEnd bool) {
	if l.isSlow(c) {
		if c.waiting() && l.readUpTo(slot, c, slowHead) { // the rest at its own time
			l.reportAnew(slot, c)
		}
		return
	}
	fd := l.conns.FD(slot)
	for range readBatch {
		n, err := l.readNow(fd)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return
		case err != nil:
			l.over(slot, c, err)
			return
		case n == 0 && l.tlsEnded(slot):
			l.over(slot, c, io.EOF)
			return
		case n == 0:
			return
		}
		l.obs.counts.Bytes += uint64(n)
		ok := l.arrived(slot, c, l.readBuf[:n])
		l.arrivals.came = 0
		if !ok || n < len(l.readBuf) && !toEnd {
			return
		}
	}
	l.reportAnew(slot, c)
}

// reportAnew has the poller report again what is left to be read.
func (l *loop) reportAnew(slot uint32, c *conn) {
	if err := l.poll.Set(l.conns.FD(slot), l.interest(slot, c), l.conns.Token(slot)); err != nil {
		l.over(slot, c, err)
	}
}

// slowHead is how much a slow reader reads at once until it is established, in bytes.
const slowHead = 4 << 10

// readUpTo reads at most so many bytes of a connection that reads slowly. It reports
// whether it read them all, and the connection is still there.
func (l *loop) readUpTo(slot uint32, c *conn, most int) bool {
	for most > 0 {
		n, err := epoll.ReadNow(l.conns.FD(slot), l.readBuf[:min(most, len(l.readBuf))])
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false
		case err != nil:
			l.over(slot, c, err)
			return false
		case n == 0 && l.tlsEnded(slot):
			l.over(slot, c, io.EOF)
			return false
		case n == 0:
			return false
		}
		l.obs.counts.Bytes += uint64(n)
		if most -= n; !l.arrived(slot, c, l.readBuf[:n]) {
			return false
		}
	}
	return true
}

// over takes the end of the connection, by the server or by an error.
func (l *loop) over(slot uint32, c *conn, err error) {
	switch {
	case c.state == connecting:
		l.again(slot, c, err)
	case c.waiting():
		l.drop(slot, c, failureOfTLS(err), err)
	case l.flood.cfg.Protocol == Poll && c.pollAgain(err, c.kept):
		l.obs.bodyEnded(&c.reading, time.Now())
		l.redial(slot, c)
	case c.endsWhole(err):
		l.obs.bodyEnded(&c.reading, time.Now())
		l.ended(slot, c)
	default:
		l.cutOff(slot, c, failureOfTLS(err), err)
	}
}

// received takes the next bytes of a connection. It reports false when that
// closed it.
func (l *loop) received(slot uint32, c *conn, b []byte) bool {
	now, stamped, heard := l.cameAt(), l.obs.counts.Stamped, l.obs.messages
	defer func() { l.arrivals.noteMessages(max(l.obs.counts.Stamped-stamped, l.obs.messages-heard)) }()
	for {
		what, rest := l.obs.feed(&c.reading, int(c.index), b, now)
		if !l.answerNow(slot, c) {
			return false
		}
		ok := true
		switch what {
		case more:
			return true
		case headed:
			ok = l.answered(slot, c, now)
		case ready:
			l.isReady(slot, c, now)
		case complete:
			ok = l.answerEnded(slot, c)
		case closed:
			l.closedBy(slot, c)
			return false
		default:
			l.broken(slot, c)
			return false
		}
		if !ok {
			return false
		}
		b = rest
	}
}

// answered takes the head of the answer. It reports false when that closed the
// connection.
func (l *loop) answered(slot uint32, c *conn, now time.Time) bool {
	err := l.obs.judge(&c.reading, int(c.index))
	if err != nil {
		l.obs.wait()
	}
	switch {
	case err != nil && !c.waiting():
		if c.attempts > 0 {
			l.obs.counts.Reconnect.Failed++
		}
		l.obs.refused(&c.reading, err)
		l.retire(slot, c, asFailed, l.flood.cfg.reconnects())
		return false
	case err != nil:
		if errors.Is(err, errStatus) {
			l.obs.fail.Statuses[c.parser.Status()]++
		}
		l.drop(slot, c, kindOf(err), err)
		return false
	case !c.waiting(): // a long poll
		c.attempts = 0
		return true
	}
	if l.obs.begin(&c.reading, int(c.index)) {
		l.isReady(slot, c, now)
	} else {
		c.state = greeting
	}
	return l.answerNow(slot, c)
}

// isReady takes a connection that is established now.
func (l *loop) isReady(slot uint32, c *conn, now time.Time) {
	c.state = streaming
	l.obs.counts.InFlight--
	sent := c.sent()
	l.enter(c, now)
	c.due, c.attempts = int64(sent), 0
	l.burden(slot, c)
	if l.isHalfOpen(c) { // it says nothing more
		return
	}
	for i := range l.beats {
		l.beats[i].Add(l.conns.Token(slot), now.Add(l.flood.script.every[i].every))
	}
}

// answerEnded takes the end of an answer. It reports false when that closed the
// connection.
func (l *loop) answerEnded(slot uint32, c *conn) bool {
	switch {
	case c.waiting():
		l.drop(slot, c, Reset, io.EOF)
		return false
	case l.flood.cfg.Protocol != Poll:
		l.ended(slot, c)
		return false
	case !c.parser.Persistent():
		l.redial(slot, c)
		return false
	}
	c.next()
	c.kept = true
	l.request = l.flood.targets.append(l.request[:0], int(c.index), l.obs.carried(&c.reading), c.turn)
	return l.send(slot, c, l.request)
}

// closedBy takes the close frame of a WebSocket's server.
func (l *loop) closedBy(slot uint32, c *conn) {
	err := l.obs.parting()
	l.lastWords(slot, l.obs.reply)
	l.obs.reply = l.obs.reply[:0]
	switch {
	case c.waiting() && err == nil:
		l.drop(slot, c, Reset, io.EOF)
	case c.waiting():
		l.drop(slot, c, kindOf(err), err)
	case err == nil:
		l.ended(slot, c)
	default:
		l.cutOff(slot, c, kindOf(err), err)
	}
}

// broken gives a connection up on which came what is not spoken.
func (l *loop) broken(slot uint32, c *conn) {
	err := l.obs.brokenError(&c.reading)
	l.lastWords(slot, l.obs.reply)
	l.obs.reply = l.obs.reply[:0]
	if c.waiting() {
		l.drop(slot, c, Malformed, err)
		return
	}
	l.cutOff(slot, c, Malformed, err)
}
