package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/epoll"
)

// intakes are the connections to the admin listener that a loop serves: plain
// requests that bring messages. One that asks for anything else goes to net/http,
// with what has been read of it. So does one whose request does not come whole in
// a moment, and each that would be refused: there is one place that says why.
//
// A message whose recipient the same loop has needs no other thread on its way.
type intakes struct {
	admin *admin // nil if the loop serves none
	rows  epoll.Slots[intake]
	// again are those that may have more to take: they gave way to others.
	again, spare []epoll.Token
	held         []epoll.Token // those that wait at the throttle, in order
	reached      int           // connections, by what was taken of one intake in its turn
	answering    []epoll.Token // those that have answers to write
	due          time.Time     // when rows are looked through, zero for never
	sent         bool          // there are messages that the other loops may not know of
	single       publisher
	key, body    []byte // scratch
	date         []byte // of answers, in the second dated
	dated        int64
	over         bool // no more messages are taken

	arriving atomic.Bool
	stopping atomic.Bool
	mu       sync.Mutex
	arrivals []arrival
}

// arrival is a connection that a loop is to serve.
type arrival struct {
	conn *adminhttp.Conn
	fd   int
}

// intake is one connection.
type intake struct {
	conn   *adminhttp.Conn
	in     []byte      // read, and not taken
	out    []byte      // answers that the socket has not taken
	lines  *lineIntake // the stream of lines under way, nil between requests
	passed []byte      // what the guard let pass last
	since  time.Time   // when it began to wait: for a request, for the rest of one, or for room
	ending bool        // the client has said that it sends no more
	posted bool        // a request came before what comes next, which is less than 4 bytes so far
	queued bool        // it is in again
	held   bool        // it is in held
	gave   bool        // it gave way: there is more to take of what was read
}

const (
	// intakeBit marks the token of an intake.
	intakeBit = 1 << 31
	// partTime is how long a request may be incomplete before net/http waits for
	// the rest.
	partTime = 250 * time.Millisecond
	// restTime is how long a connection may wait for its next request, and roomTime
	// how long an answer may wait for room.
	restTime, roomTime = 2 * time.Minute, 30 * time.Second
	// maxSingle is the longest message of one request that a loop takes.
	maxSingle = 32 << 10
	// maxAnswers is how much may wait for a client that does not read its answers.
	maxAnswers = 64 << 10
	// blockedTime is how long an intake rests while another loop is behind.
	blockedTime = time.Millisecond
)

// takeIntake has the loops serve connections to the admin listener, in turn.
func (e *epollEngine) takeIntake(a *admin) {
	if e.core.Exchange != nil {
		return // publishing waits for the router
	}
	var next atomic.Uint32
	if !a.Divert(func(c *adminhttp.Conn) bool {
		return e.loops[next.Add(1)%uint32(len(e.loops))].offer(c)
	}) {
		return
	}
	for _, l := range e.loops {
		l.peers = e.loops
		l.intakes.admin = a
		l.intakes.single = publisher{core: l.core, onLoop: true}
		a.intake.RLock() // until l has stopped taking messages
		context.AfterFunc(a.stop, l.stopIntake)
	}
}

// offer gives a connection to the loop, unless that takes none any more.
func (l *loop) offer(c *adminhttp.Conn) bool {
	t := &l.intakes
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopping.Load() {
		return false
	}
	fd, err := c.Detach()
	if err != nil {
		return false
	}
	t.arrivals = append(t.arrivals, arrival{c, fd})
	t.arriving.Store(true)
	l.poll.Wake()
	return true
}

// stopIntake has the loop take no more messages.
func (l *loop) stopIntake() {
	l.intakes.mu.Lock()
	defer l.intakes.mu.Unlock()
	l.intakes.stopping.Store(true)
	l.intakes.arriving.Store(true)
	l.poll.Wake()
}

// attendIntakes takes up those that came, and goes on with those that gave way, or
// waited at the throttle.
func (l *loop) attendIntakes() {
	t := &l.intakes
	if t.arriving.Load() {
		l.takeArrivals()
	}
	l.letIn()
	if len(t.again) == 0 {
		return
	}
	t.again, t.spare = t.spare[:0], t.again
	for i, token := range t.spare {
		if l.blocked() { // those that had no turn are the next to have one
			t.again = slices.Insert(t.again, 0, t.spare[i:]...)
			return
		}
		if slot, it, ok := t.rows.Lookup(token); ok {
			it.queued = false
			l.readIntake(slot, it)
		}
	}
}

// letIn goes on with those that wait at the throttle, as long as it is open.
func (l *loop) letIn() {
	t := &l.intakes
	for len(t.held) > 0 && !l.core.throttle.isShut() && !l.blocked() {
		slot, it, ok := t.rows.Lookup(t.held[0])
		t.held = t.held[1:]
		if ok {
			it.held = false
			l.readIntake(slot, it)
		}
	}
	if len(t.held) == 0 {
		t.held = nil
	}
}

func (l *loop) takeArrivals() {
	t := &l.intakes
	t.mu.Lock()
	arrived, stopping := t.arrivals, t.stopping.Load()
	t.arrivals = nil
	t.arriving.Store(false)
	t.mu.Unlock()
	for _, a := range arrived {
		slot, it := t.rows.Alloc(a.fd)
		it.conn, it.since = a.conn, l.now
		if err := l.poll.Add(a.fd, epoll.Read|epoll.Write, l.intakeToken(slot)); err != nil {
			l.giveBack(slot, it)
			continue
		}
		l.look(partTime)
	}
	if stopping && !t.over {
		l.endIntakes()
	}
}

// endIntakes gives all connections back, for net/http to refuse what they bring,
// and answers the streams under way.
func (l *loop) endIntakes() {
	t := &l.intakes
	t.over = true
	for slot, it := range t.rows.All {
		if it.lines == nil {
			l.giveBack(slot, it)
			continue
		}
		it.lines.publisher.count()
		l.farewell(slot, it, http.StatusServiceUnavailable, it.lines.publisher.interrupted())
	}
	l.tellPeers()
	t.admin.intake.RUnlock()
}

// freeIntakes ends the intake of a loop that ends, whatever it was doing.
func (l *loop) freeIntakes() {
	if l.intakes.admin == nil || l.intakes.over {
		return
	}
	l.stopIntake()
	l.takeArrivals()
}

// intakeToken returns what an intake is registered with.
func (l *loop) intakeToken(slot uint32) epoll.Token {
	return epoll.NewToken(slot|intakeBit, l.intakes.rows.Token(slot).Gen())
}

// isIntake reports whether an event is of an intake, or was.
func isIntake(token epoll.Token) bool { return token.Slot()&intakeBit != 0 }

// intakeReady handles an event.
func (l *loop) intakeReady(e epoll.Event) {
	slot, it, ok := l.intakes.rows.Lookup(epoll.NewToken(e.Token.Slot()&^intakeBit, e.Token.Gen()))
	if !ok {
		return
	}
	if e.Writable() {
		l.writeAnswers(slot, it)
		if _, _, ok = l.intakes.rows.Lookup(epoll.NewToken(slot, e.Token.Gen())); !ok {
			return
		}
	}
	it.ending = it.ending || e.Ended()
	if e.Readable() && !it.queued && !it.held { // else its turn comes
		l.readIntake(slot, it)
	}
}

// blocked reports whether a loop is too far behind for more messages.
func (l *loop) blocked() bool {
	if !l.wide.mayTake() {
		return true // this loop leaves its own messages in its inbox
	}
	for _, peer := range l.peers {
		if peer.inbox.isFull() {
			return true
		}
	}
	return false
}

// intakePause returns how long the loop may wait although intakes have more to take.
func (l *loop) intakePause() time.Duration {
	if l.blocked() || len(l.intakes.again) == 0 && l.core.throttle.isShut() {
		return blockedTime
	}
	return 0
}

// later has an intake go on in the next turn.
func (l *loop) later(slot uint32, it *intake) {
	if !it.queued {
		it.queued = true
		l.intakes.again = append(l.intakes.again, l.intakes.rows.Token(slot))
	}
}

// giveWay has others have their turn before more is taken of what was read.
func (l *loop) giveWay(slot uint32, it *intake) {
	it.gave = true
	l.later(slot, it)
}

// hold makes an intake wait at the throttle.
func (l *loop) hold(slot uint32, it *intake) {
	it.gave, it.held = true, true
	l.intakes.held = append(l.intakes.held, l.intakes.rows.Token(slot))
}

// readIntake reads what has come, and takes it.
func (l *loop) readIntake(slot uint32, it *intake) {
	if it.held || len(it.out) > maxAnswers {
		return // it goes on when the throttle opens, or when they are written
	}
	if l.blocked() {
		l.later(slot, it)
		return
	}
	waited, streamed := len(it.in) > 0, it.lines != nil
	b, atEnd, ok := l.nextOf(slot, it)
	if !ok {
		return
	}
	came := len(b)
	if came > 0 && !streamed && !it.conn.Serving() {
		l.closeIntake(slot, it)
		return
	}
	rest, ok := l.takeRequests(slot, it, b)
	if !ok {
		return
	}
	if it.in = append(it.in[:0], rest...); len(rest) == 0 && cap(it.in) > maxSingle {
		it.in = nil
	}
	if atEnd && !it.gave {
		l.intakeEnded(slot, it)
		return
	}
	if came > 0 && !waited || len(rest) < came || streamed && it.lines == nil {
		it.since = l.now
	}
	if it.lines == nil && (came > 0 || streamed) {
		l.lookAfter(it)
		if len(it.out) == 0 {
			it.conn.Served()
		}
	}
	if len(it.out) > 0 {
		l.intakes.answering = append(l.intakes.answering, l.intakes.rows.Token(slot))
	}
}

// nextOf returns what is to be taken: what was left when the intake gave way, or else
// that with what has come since, up to the end if the client has said so. It reports
// false when the connection was closed.
func (l *loop) nextOf(slot uint32, it *intake) (b []byte, atEnd, ok bool) {
	if it.gave { // reading on would keep what nobody takes
		it.gave = false
		l.later(slot, it)
		return it.in, false, true
	}
	n, err := epoll.ReadNow(l.intakes.rows.FD(slot), l.readBuf)
	switch {
	case errors.Is(err, unix.EAGAIN):
		n = 0
	case err != nil:
		l.closeIntake(slot, it)
		return nil, false, false
	}
	if n == len(l.readBuf) || n > 0 && it.ending {
		l.later(slot, it) // there may be more, or the end, which the poller does not report again
	}
	b = l.readBuf[:n]
	if len(it.in) > 0 {
		it.in = append(it.in, b...)
		b = it.in
	}
	return b, err == nil && n == 0, true
}

// mayGoOn reports whether there is something to take without reading more.
func (it *intake) mayGoOn() bool {
	return it.lines != nil && (it.lines.stopped || it.lines.body.Complete())
}

// intakeEnded takes that the client sends no more.
func (l *loop) intakeEnded(slot uint32, it *intake) {
	switch {
	case it.lines != nil:
		l.failLines(slot, it, brokenBody(it.lines.body.ChunksBefore(), it.in))
	case len(it.out) > 0 || len(it.in) > 0 && !it.posted:
		if it.posted {
			it.in = nil // less than a request: no answer
		}
		l.giveBack(slot, it)
	default:
		l.closeIntake(slot, it)
	}
}

// tellPeers lets the other loops deliver what this one has taken.
func (l *loop) tellPeers() {
	if l.intakes.sent {
		l.intakes.sent = false
		l.inbox.awake()
		l.core.router.Wake()
	}
}

// answerIntakes writes the answers to what was taken in this turn: each client's
// in one write, and after the messages.
func (l *loop) answerIntakes() {
	t := &l.intakes
	for _, token := range t.answering {
		if slot, it, ok := t.rows.Lookup(token); ok {
			l.writeAnswers(slot, it)
		}
	}
	t.answering = t.answering[:0]
}

// writeAnswers writes what the socket takes.
func (l *loop) writeAnswers(slot uint32, it *intake) {
	if len(it.out) == 0 {
		return
	}
	n, err := epoll.WriteNow(l.intakes.rows.FD(slot), it.out)
	if err != nil {
		l.closeIntake(slot, it)
		return
	}
	held := len(it.out) > maxAnswers
	if it.out = append(it.out[:0], it.out[n:]...); len(it.out) > 0 { // the poller reports room
		it.since = l.now
		l.look(roomTime)
	}
	if held && len(it.out) <= maxAnswers {
		l.later(slot, it)
	}
	if len(it.out) > 0 {
		return
	}
	if cap(it.out) > maxAnswers {
		it.out = nil
	}
	if it.lines == nil {
		it.conn.Served()
	}
}

// look has the intakes looked through in d at the latest.
func (l *loop) look(d time.Duration) {
	if at := l.now.Add(d); l.intakes.due.IsZero() || at.Before(l.intakes.due) {
		l.intakes.due = at
	}
}

// lookAfter has an intake that waits looked at in time.
func (l *loop) lookAfter(it *intake) {
	if len(it.in) > 0 && !it.posted {
		l.look(partTime)
		return
	}
	l.look(restTime)
}

// expireIntakes ends the waiting of those that have waited too long.
func (l *loop) expireIntakes() {
	t := &l.intakes
	if t.due.IsZero() || l.now.Before(t.due) {
		return
	}
	t.due = time.Time{}
	for slot, it := range t.rows.All {
		patience, end := restTime, l.closeIntake
		switch {
		case len(it.out) > 0:
			patience = roomTime
		case it.lines != nil, it.gave:
			continue // it may be silent for minutes, or waits for others
		case len(it.in) > 0 && !it.posted:
			patience, end = partTime, l.giveBack
		}
		if left := it.since.Add(patience).Sub(l.now); left > 0 {
			l.look(left)
			continue
		}
		end(slot, it)
	}
}

// giveBack leaves a connection to net/http, with what has been read of it.
func (l *loop) giveBack(slot uint32, it *intake) {
	fd, gone := l.dropIntake(slot, it)
	if gone.posted {
		gone.in, _ = cutLineEnds(gone.in)
	}
	l.intakes.admin.GiveBack(gone.conn, fd, gone.in, gone.out)
}

// farewell gives a stream its last answer.
func (l *loop) farewell(slot uint32, it *intake, code int, receipt sendReceipt) {
	fd, gone := l.dropIntake(slot, it)
	l.intakes.admin.Farewell(gone.conn, fd, l.appendReceipt(gone.out, code, receipt), l.core.lingerTime)
}

// dropIntake forgets a connection, and returns its socket and what it was.
func (l *loop) dropIntake(slot uint32, it *intake) (fd int, gone intake) {
	fd, gone = l.intakes.rows.FD(slot), *it
	if err := l.poll.Remove(fd); err != nil {
		l.core.Logger.Error("cannot stop watching a connection", "error", err)
	}
	l.intakes.rows.Free(slot)
	return fd, gone
}

func (l *loop) closeIntake(slot uint32, it *intake) {
	it.conn.Done()
	unix.Close(l.intakes.rows.FD(slot))
	l.intakes.rows.Free(slot)
}
