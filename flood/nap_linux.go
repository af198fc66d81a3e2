package flood

import (
	"time"

	"example.org/comet/server/epoll"
)

// The kernel notes when something came, so that the loop need not be woken for each
// message to know: after it has read some, it sleeps for napTime, and what comes meanwhile
// wakes nobody. That takes a third off what a message costs the client, and spares a
// server on the same machine the wake-ups.
const (
	napTime = 5 * time.Millisecond
	// napRate is from how many messages a second on a nap saves more than it costs, two
	// a nap, and napWindow how long they are counted.
	napRate   = 400
	napWindow = 100 * time.Millisecond
	// napBytes is how much the last turn may have read: where more comes, a turn finds
	// many messages anyway, and a buffer of the kernel's might be full before the nap is
	// over.
	napBytes = 64 << 10
	// napShare is how many messages there must be for each that is read behind a nap
	// together with a later one of its connection, whose time it gets: too few to change a
	// percentile. What comes together without a nap is none of its doing. napMemory is what a
	// window leaves of both counts, so that a burst is forgotten after some 10 s.
	napShare  = 2000
	napMemory = 0.99
)

// arrivals is what the loop knows of when something came.
type arrivals struct {
	reader   epoll.ArrivalReader
	came     int64 // when what is being taken came, ns since 1970: 0 if the kernel does not say
	unknown  bool  // it did not say so of what came last
	bytes    int   // that this turn has read
	messages uint64

	napped           bool    // before this turn
	recent, together float64 // messages, and those read behind a nap together with a later one

	rate          float64 // messages a second in the last window
	window        time.Time
	windowed      uint64    // messages by the end of it
	begun, before time.Time // when this turn began to read, and the one before
}

// mayNap reports whether the loop may sleep for napTime before it waits, for at most
// timeout.
func (l *loop) mayNap(timeout time.Duration) bool {
	a := &l.arrivals
	return timeout > napTime && a.bytes > 0 && a.bytes <= napBytes && !a.unknown && a.rate >= napRate && a.together*napShare <= a.recent &&
		l.connected && l.obs.counts.InFlight == 0 && l.flood.cfg.Protocol != Poll
}

// begin begins a turn that reads now.
func (a *arrivals) begin(now time.Time) {
	a.before, a.begun, a.bytes = a.begun, now, 0
	if passed := now.Sub(a.window); passed >= napWindow {
		a.rate = float64(a.messages-a.windowed) / passed.Seconds()
		a.window, a.windowed = now, a.messages
		a.recent *= napMemory
		a.together *= napMemory
	}
}

// cameAt returns when what is being taken came.
func (l *loop) cameAt() time.Time {
	now := time.Now()
	if l.arrivals.came == 0 {
		return now
	}
	// It did not come before the turn before, which would have read it: a clock that
	// was set meanwhile makes no greater error.
	delay := min(time.Duration(now.UnixNano()-l.arrivals.came), now.Sub(l.arrivals.before))
	return now.Add(-max(delay, 0)) // with a monotonic reading, as the other times here
}

// readNow reads what has come, as [epoll.ReadNow] does, and notes when it came.
func (l *loop) readNow(fd int) (n int, err error) {
	a := &l.arrivals
	n, a.came, err = a.reader.Read(fd, l.readBuf)
	if n > 0 {
		a.unknown = a.came == 0
		a.bytes += n
	}
	return n, err
}

// noteMessages counts what came at once on one connection.
func (a *arrivals) noteMessages(n uint64) {
	a.messages += n
	a.recent += float64(n)
	if n > 1 && a.napped {
		a.together += float64(n - 1)
	}
}
