package server

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/epoll"
	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// loop is one event loop. It alone reads, writes and closes its connections, so
// that a file descriptor that is used again can never get another's message. While it
// waits, who has a message for it may write that in its stead.
type loop struct {
	core     *core
	poll     *epoll.Poller
	listener int // -1 once closed
	// closing guards the end of listener: others may look at it.
	closing sync.Mutex
	// turning guards what only one may use at a time, all of the rest, where others may
	// come: the loop holds it in a turn, but while that waits, and who delivers in its
	// stead.
	turning  sync.Mutex
	waits    bool // for events
	member   *router.Member
	inbox    inbox
	wide     wide // what goes out in slices
	counters counters

	conns   epoll.Slots[conn]
	extras  extras
	readBuf []byte
	records records      // TLS
	out     backlog      // what is being written now
	fan     fan          // what goes to many connections in one call
	scratch wire.Scratch // of the head being read
	gone    []int64      // of the connection being logged out
	parked  parking      // streams that wait for the exchange
	intakes intakes      // connections that bring messages
	peers   []*loop      // the loops of the engine, where intakes are taken

	heads, polls, lasts, lingers epoll.Deadlines

	places []place           // of each slot; empty without a limit per address
	visits map[uint32]*visit // of the slots that the access log has chosen
	pulse  pulse

	expiries expiries // of tokens
	expiring []uint32 // scratch: the slots of those that have expired

	now         time.Time
	acceptAgain time.Time // while accepting pauses, when to go on
}

const (
	listenerToken = 0 // no slot has it
	// acceptBatch bounds how long newcomers keep a loop from its connections.
	acceptBatch = 64
)

// run turns until ctx ends, then drains.
func (l *loop) run(ctx context.Context) error {
	defer l.free()
	defer context.AfterFunc(ctx, l.poll.Wake)()
	for ctx.Err() == nil {
		if err := l.turn(-1); err != nil {
			return err
		}
	}
	l.now = time.Now()
	giveUp := l.core.drainEnd()
	l.beginDrain(giveUp)
	for l.conns.Len() > 0 && l.now.Before(giveUp) {
		if err := l.turn(max(time.Until(giveUp), 0)); err != nil {
			return err
		}
	}
	return nil
}

// turn waits for events, for at most atMost unless that is negative, and handles
// them.
func (l *loop) turn(atMost time.Duration) error {
	l.turning.Lock()
	defer l.turning.Unlock()
	timeout := l.untilDeadline(atMost)
	switch {
	case !l.inbox.sleep() || l.wide.waiting() > 0 || l.mayAdmit():
		timeout = 0
	case len(l.intakes.again)+len(l.intakes.held) > 0:
		timeout = l.intakePause()
	}
	events, err := l.wait(timeout)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	l.now = time.Now()
	for _, e := range events {
		if e.Token == listenerToken {
			l.accept(acceptBatch)
			continue
		}
		if isIntake(e.Token) {
			l.intakeReady(e)
			continue
		}
		slot, c, ok := l.conns.Lookup(e.Token)
		if !ok {
			continue // it was closed earlier in this turn
		}
		if e.Writable() && (c.extra != 0 || l.secureOf(slot) != nil) {
			ok = l.flushBacklog(slot, c)
		}
		if ok && e.Readable() {
			l.read(slot, c, e.Ended())
		}
	}
	l.attendHandshakes()
	l.admitParked()
	l.attendIntakes()
	l.tellPeers()
	l.deliver()
	l.answerIntakes()
	l.expire()
	return nil
}

// wait waits for events, and lets others deliver meanwhile.
func (l *loop) wait(timeout time.Duration) ([]epoll.Event, error) {
	if timeout == 0 {
		return l.poll.Wait(0)
	}
	l.waits = true
	l.turning.Unlock()
	events, err := l.poll.Wait(timeout)
	l.turning.Lock()
	l.waits = false
	return events, err
}

// steadItems is how many messages are written in the stead of the only loop. Where there
// are several, whoever has more than one had better leave them to the loop: two processors
// are sooner done.
const steadItems = 8

// wake lets the loop deliver what is in its inbox. A few messages for a loop that waits
// are written here and now, which costs less than to wake the loop.
func (l *loop) wake() {
	few := 1
	if l.core.Loops == 1 {
		few = steadItems
	}
	if l.inbox.atMost(few) && l.turning.TryLock() {
		delivered := l.waits && l.deliverInStead()
		l.turning.Unlock() // the loop would run into it
		if delivered {
			return
		}
	}
	l.poll.Wake()
}

// deliverInStead delivers for a loop that waits, and reports whether it may wait on:
// it has nothing to do, and not sooner than it knows. What may start a parked stream wakes
// it by itself (engine.settled).
func (l *loop) deliverInStead() bool {
	defer func() {
		if fault := recover(); fault != nil {
			// A panic of a loop ends the process. In a handler of net/http it would be
			// recovered, and the loop stand still for good.
			go panic(fmt.Sprintf("%v\n\n%s", fault, debug.Stack()))
			select {}
		}
	}()
	l.now = time.Now()
	before := l.nextDue()
	l.deliver()
	after := l.nextDue()
	sooner := !after.IsZero() && (before.IsZero() || after.Before(before))
	return !sooner && l.wide.waiting() == 0 && l.inbox.sleep()
}

// free closes everything that is left.
func (l *loop) free() {
	l.closeListener()
	l.freeIntakes()
	for slot := range l.conns.All {
		l.close(slot)
	}
	l.deliverAll() // to nobody any more: it is counted
	l.records.handshakes.Wait()
	l.abandonParked()
	l.fan.free()
	l.poll.Close()
}

func (l *loop) closeListener() {
	if l.listener >= 0 {
		l.closing.Lock()
		defer l.closing.Unlock()
		unix.Close(l.listener)
		l.listener = -1
	}
}

// addQueue adds what waits to be accepted here to q. It may be called by anybody.
func (l *loop) addQueue(q *AcceptQueue) {
	l.closing.Lock()
	defer l.closing.Unlock()
	if l.listener >= 0 {
		acceptQueue(l.listener, q)
	}
}

// accept takes up to atMost newcomers, and reports whether there may be more.
// What they ask has usually come with them.
func (l *loop) accept(atMost int) (more bool) {
	if l.listener < 0 || !l.acceptAgain.IsZero() {
		return false
	}
	for range atMost {
		if !l.core.mayOpen() {
			l.pauseAccepting(errFilesKept)
			return
		}
		fd, err := epoll.Accept(l.listener)
		switch {
		case err == nil:
			l.core.sockets.Add(1)
			l.counters.accepted.Add(1)
			l.open(fd)
		case errors.Is(err, unix.EAGAIN):
			return false
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ECONNABORTED):
		default:
			l.pauseAccepting(err)
			return false
		}
	}
	return true
}

// pauseAccepting silences the listening socket for acceptPause, since it would be
// reported as ready all the time. Newcomers wait in the kernel's queue.
func (l *loop) pauseAccepting(err error) {
	l.counters.acceptPauses.Add(1)
	l.acceptAgain = l.now.Add(acceptPause)
	if err := l.poll.Set(l.listener, epoll.Level, listenerToken); err != nil {
		l.core.Logger.Error("cannot silence the listening socket", "error", err)
	}
	l.core.reportPause(err)
}

func (l *loop) resumeAccepting() {
	l.acceptAgain = time.Time{}
	if l.listener < 0 {
		return
	}
	if err := l.poll.Set(l.listener, epoll.Read|epoll.Level, listenerToken); err != nil {
		l.core.Logger.Error("cannot listen again", "error", err)
	}
}

// beginDrain delivers what was accepted and tells every client that this is
// the end. Newcomers in the kernel's queue get an answer, not a reset, as far as
// that takes no longer than lastAccepts: a rush of them would have no end.
func (l *loop) beginDrain(giveUp time.Time) {
	l.acceptAgain = time.Time{}
	if end := l.now.Add(l.core.lastAccepts); end.Before(giveUp) {
		giveUp = end
	}
	more := l.accept(acceptBatch)
	for more && time.Now().Before(giveUp) {
		more = l.accept(acceptBatch)
	}
	l.closeListener()
	l.admitParked() // the exchange has been left: nobody waits for it
	l.deliverAll()
	for slot, c := range l.conns.All {
		switch c.state {
		case streaming:
			l.endAs(slot, c, l.core.appendRestart)
		case readingHead, loggingIn:
			l.close(slot)
		}
	}
}

// deliverAll delivers until nothing waits.
func (l *loop) deliverAll() {
	for all := false; !all || l.wide.waiting() > 0; {
		all = l.deliver()
	}
}

// nextDue returns the next deadline, zero if there is none.
func (l *loop) nextDue() (next time.Time) {
	for _, due := range [...]time.Time{l.heads.Next(), l.polls.Next(), l.lasts.Next(), l.lingers.Next(), l.acceptAgain, l.beatDue(), l.crowdedUntil(), l.intakes.due, l.expiries.due} {
		if next.IsZero() || !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	return next
}

// untilDeadline returns the time to the next deadline, capped at atMost unless
// that is negative.
func (l *loop) untilDeadline(atMost time.Duration) time.Duration {
	next := l.nextDue()
	if next.IsZero() {
		return atMost
	}
	left := max(time.Until(next), 0)
	if atMost >= 0 {
		left = min(left, atMost)
	}
	return left
}

// expire ends what has taken too long.
func (l *loop) expire() {
	if !l.acceptAgain.IsZero() && !l.now.Before(l.acceptAgain) {
		l.resumeAccepting()
	}
	for token := range l.heads.Expired(l.now, l.isIn(readingHead)) {
		slot, c, _ := l.conns.Lookup(token)
		if s := l.secureOf(slot); s != nil && s.phase < secured {
			l.core.noteHandshake(errHandshakeTimeout)
			l.close(slot)
			continue
		}
		answer := headTimeoutAnswer
		if l.isPlain(slot) {
			answer = l.core.notePlain()
		}
		l.logRefusal(slot, l.headSoFar(c), answer)
		l.answer(slot, c, answer)
	}
	l.makeRoom()
	for token := range l.polls.Expired(l.now, l.isIn(streaming)) {
		slot, c, _ := l.conns.Lookup(token)
		l.end(slot, c)
	}
	for token := range l.lasts.Expired(l.now, l.isIn(answered)) {
		l.close(token.Slot())
	}
	for token := range l.lingers.Expired(l.now, l.isIn(lingering)) {
		l.close(token.Slot())
	}
	l.expireIntakes()
	l.endExpired()
	l.beat()
}

// isIn returns a function that reports whether the connection of a token is
// there and in state s.
func (l *loop) isIn(s state) func(epoll.Token) bool {
	return func(token epoll.Token) bool {
		_, c, ok := l.conns.Lookup(token)
		return ok && c.state == s
	}
}
