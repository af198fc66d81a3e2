package flood

import (
	"container/heap"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/wire"
)

// absent is a connection that is to be opened again.
type absent struct {
	at   time.Duration // when, since the run began
	conn conn
}

// absents is a heap of them, the first that is due on top.
type absents []absent

func (a absents) Len() int           { return len(a) }
func (a absents) Less(i, j int) bool { return a[i].at < a[j].at }
func (a absents) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *absents) Push(x any)        { *a = append(*a, x.(absent)) }

func (a *absents) Pop() any {
	old := *a
	last := old[len(old)-1]
	old[len(old)-1] = absent{}
	*a = old[:len(old)-1]
	return last
}

// reopen opens the connections that are due to be opened again.
func (l *loop) reopen() {
	for range openBatch {
		if len(l.absents) == 0 || l.absents[0].at > l.now.Sub(l.obs.begun) || l.obs.counts.InFlight >= l.flood.cfg.InFlight {
			return
		}
		next := heap.Pop(&l.absents).(absent)
		if !l.dial(next.conn, nil) {
			heap.Push(&l.absents, next) // until a port is found
			return
		}
		if next.conn.counted != asConnected {
			l.obs.attempt(l.now)
		}
	}
}

// reopens returns when the next connection is due to be opened again.
func (l *loop) reopens() (at time.Duration, ok bool) {
	if len(l.absents) == 0 || l.obs.counts.InFlight >= l.flood.cfg.InFlight {
		return 0, false
	}
	return l.absents[0].at, true
}

// comeBack has a connection that is over opened again after some time.
func (l *loop) comeBack(c *conn, after time.Duration) {
	at := time.Since(l.obs.begun) + after
	back := conn{reading: c.reading, due: c.due, index: c.index, counted: c.counted, attempts: c.attempts}
	if c.counted == asFailed { // another connect begins
		back.due = int64(at)
	}
	heap.Push(&l.absents, absent{at, back})
}

// redial opens a long poll again whose answer is complete.
func (l *loop) redial(slot uint32, c *conn) {
	gone := *c
	l.close(slot)
	l.obs.spares.restart(&gone.reading)
	gone.next()
	l.comeBack(&gone, 0)
}

// retire ends a connection that was established, and that counts differently from
// now on.
func (l *loop) retire(slot uint32, c *conn, as counted, returns bool) {
	gone := *c
	l.close(slot)
	gone.counted, gone.due = as, int64(time.Since(l.obs.begun))
	l.leave(&gone, returns)
}

// leave has a connection that is over come back after its delay, or forgets it.
func (l *loop) leave(c *conn, returns bool) {
	if !returns {
		l.obs.spares.drop(&c.reading)
		return
	}
	asked := l.obs.leave(&c.reading)
	after := time.Duration(0)
	if cfg := &l.flood.cfg; cfg.reconnects() {
		after = cfg.Reconnect.delay(int(c.attempts), asked, rand.Float64())
	}
	c.attempts = min(c.attempts, 254) + 1
	l.comeBack(c, after)
}

// lost counts an attempt that failed, and has the connection try again if that is
// asked for. Its socket is closed already.
func (l *loop) lost(c *conn, kind Failure, at phase, err error) {
	obs := l.obs
	switch c.counted {
	case asConnected: // a long poll
		obs.cutOff(kind, err)
		c.counted, c.due = asClosed, int64(time.Since(obs.begun))
	case nowhere:
		l.triedCount++
		obs.unopened(&c.reading, kind, at, err)
		c.counted = asFailed
	default:
		obs.counts.Reconnect.Failed++
		obs.unopened(&c.reading, kind, at, err)
		obs.counts.Failed-- // it counts already
	}
	l.leave(c, l.flood.cfg.reconnects())
}

// unopened counts an attempt that failed.
func (o *observer) unopened(r *reading, kind Failure, at phase, err error) {
	if at < asked {
		o.failed(kind, at, err)
	} else {
		o.unanswered(r, kind, err)
	}
}

// leaveNow has a connection leave that could stay.
func (l *loop) leaveNow(slot uint32, c *conn) {
	if c.upgraded() {
		l.lastWords(slot, wire.AppendClientClose(l.request[:0], l.obs.mask(), 1001))
	}
	l.obs.counts.Connected--
	l.obs.counts.Closed++
	l.obs.counts.Reconnect.Left++
	c.attempts = 0 // nothing failed
	l.retire(slot, c, asClosed, true)
}

// churn has connections leave as fast as is asked for, once all have been tried.
func (l *loop) churn() {
	rate := float64(l.flood.cfg.Churn) * float64(l.flood.cfg.Connections)
	if rate == 0 || !l.connected {
		return
	}
	for due := l.now.Sub(l.since).Seconds() * rate; l.churned < due; l.churned++ {
		if slot, c := l.any(); c != nil {
			l.leaveNow(slot, c)
		}
	}
}

// any returns an established connection at random, nil if none is found soon.
func (l *loop) any() (uint32, *conn) {
	for range 32 {
		if l.conns.Len() == 0 {
			break
		}
		at := rand.Uint32N(l.conns.Rows())
		for slot, c := range l.conns.Between(at, at+1) {
			if c.state == streaming {
				return slot, c
			}
		}
	}
	return 0, nil
}

// storm drops connections when its time has come.
func (l *loop) storm() {
	s := l.flood.cfg.Storm
	start := l.since
	if l.flood.cfg.StormAfterMark {
		start = l.flood.marked()
	}
	if s.Share == 0 || l.stormed || start.IsZero() || l.now.Sub(start) < s.After {
		return
	}
	l.stormed = true
	left := l.obs.counts.Connected
	drop := int(float64(left)*float64(s.Share) + 0.5)
	for slot, c := range l.conns.All {
		if c.state != streaming {
			continue
		}
		if rand.IntN(max(left, 1)) < drop {
			drop--
			l.leaveNow(slot, c)
		}
		left--
	}
}

// nextAct returns how long until churn or a storm is due at the latest.
func (l *loop) nextAct() time.Duration {
	if l.flood.cfg.Churn == 0 && (l.flood.cfg.Storm.Share == 0 || l.stormed) && len(l.slow) == 0 {
		return time.Hour
	}
	return actEvery
}

// actEvery is how often behavior is looked after.
const actEvery = 10 * time.Millisecond

// isSlow reports whether a connection reads slowly.
func (l *loop) isSlow(c *conn) bool {
	return l.flood.cfg.SlowReaders.Rate > 0 && l.flood.targets.drawn(int(c.index), 1, l.flood.cfg.SlowReaders.Share)
}

// slowEvery is how often a slow reader reads.
const slowEvery = 100 * time.Millisecond

// readSlowly reads from the slow readers what they may. It leaves no part of a byte
// out, so that a slow one is as slow as it is to be.
func (l *loop) readSlowly() {
	if len(l.slow) == 0 || l.now.Sub(l.readSlow) < slowEvery {
		return
	}
	passed, rate := min(l.now.Sub(l.readSlow), time.Second), float64(l.flood.cfg.SlowReaders.Rate)
	most := int(rate * passed.Seconds())
	if most == 0 {
		return
	}
	l.readSlow = l.now.Add(time.Duration(float64(most)/rate*float64(time.Second)) - passed)
	kept := l.slow[:0]
	for _, token := range l.slow {
		slot, c, ok := l.conns.Lookup(token)
		if !ok {
			continue
		}
		l.readUpTo(slot, c, most)
		if _, _, ok = l.conns.Lookup(token); ok {
			kept = append(kept, token)
		}
	}
	l.slow = kept
}

// enter counts a connection that is established now.
func (l *loop) enter(c *conn, now time.Time) {
	obs, due := l.obs, l.obs.begun.Add(time.Duration(c.due))
	switch c.counted {
	case asConnected:
		return
	case asClosed:
		obs.returned(&c.reading, now.Sub(due))
	case asFailed:
		obs.counts.Failed--
	case nowhere:
		l.triedCount++
	}
	if c.counted != asClosed {
		sent := obs.begun.Add(c.sent())
		if l.flood.cfg.Protocol == Poll {
			obs.polling(due, sent)
		} else {
			obs.established(&c.reading, due, sent, now)
		}
	}
	c.counted = asConnected
}

// isHalfOpen reports whether a connection answers nothing more once it is
// established.
func (l *loop) isHalfOpen(c *conn) bool {
	share := l.flood.cfg.HalfOpen
	return share > 0 && l.flood.targets.drawn(int(c.index), 2, share)
}

// burden makes a slow reader or a half-open end of a connection, if it is to be one.
func (l *loop) burden(slot uint32, c *conn) {
	if l.isSlow(c) {
		_ = unix.SetsockoptInt(l.conns.FD(slot), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) // the least there is will do
		l.slow = append(l.slow, l.conns.Token(slot))
	}
	if l.isHalfOpen(c) {
		// A filter that takes nothing drops each segment before TCP sees it (socket(7),
		// SO_ATTACH_FILTER; net/core/filter.c, sk_filter_trim_cap).
		none := unix.SockFprog{Len: 1, Filter: &unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}}
		if err := unix.SetsockoptSockFprog(l.conns.FD(slot), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &none); err != nil {
			l.flood.cfg.Logger.Warn("a connection cannot be made half-open", "error", os.NewSyscallError("setsockopt", err))
		}
	}
}
