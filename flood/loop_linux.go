package flood

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/epoll"
	"example.org/comet/server/wire"
)

// loop is the one event loop of a flood: it opens, reads and closes every
// connection. Two of them on as many cores as the server has halve what either
// gets done.
type loop struct {
	flood   *Flood
	obs     *observer
	poll    *epoll.Poller
	conns   epoll.Slots[conn]
	readBuf []byte
	request []byte

	arrivals arrivals

	from, to sockaddr // of the connect under way

	begunCount int               // connections begun, or failed at once
	triedCount int               // of them, established or failed
	absents    absents           // those that are to be opened again
	beats      []epoll.Deadlines // of each text that is sent again and again
	records    records
	deadlines  epoll.Deadlines // of those in flight
	tries      epoll.Deadlines // of those whose host has another address to try
	now        time.Time
	connected  bool // every connection has been tried

	since    time.Time // when every connection had been tried
	churned  float64   // how many have left since
	stormed  bool
	slow     []epoll.Token // the slow readers
	readSlow time.Time     // when they have read
}

// conn is a connection at rest: 80 bytes, and 8 more in its slot. No pointers.
type conn struct {
	reading
	due     int64  // when the connect began or was due, later when the request was sent, and when it was lost: ns since the run began
	connect uint32 // from then to when the request was sent, in units of connectUnit
	index   uint32 // which target
	state   state
	addr    uint8   // index of the address of its host
	tried   tried   // which of them were tried
	why     Failure // of the first one tried
	counted counted
	kept    bool // its request is not the first on its socket
	// attempts is how often in a row it waited before it tried again.
	attempts uint8
}

// counted is where a connection stands in Counts.
type counted uint8

const (
	nowhere     counted = iota // its first attempt is not over
	asFailed                   // it was never established
	asConnected                // it is, or is a long poll on its way to ask again
	asClosed
)

// connectUnit returns the unit of connect. Who comes back was lost longer ago than a
// connect takes.
func (c *conn) connectUnit() time.Duration {
	if c.counted == asClosed {
		return momentUnit
	}
	return time.Microsecond
}

// sent returns when its request was sent, since the run began.
func (c *conn) sent() time.Duration {
	return time.Duration(c.due) + time.Duration(c.connect)*c.connectUnit()
}

type state uint8

const (
	connecting  state = iota // the request has not been written
	shaking                  // the TLS handshake is under way
	waitingHead              // the request is written
	greeting                 // the head of the answer came, and it is not ready
	streaming                // it is established
)

// waiting reports whether the connection is not established yet.
func (c *conn) waiting() bool { return c.state < streaming }

// How long one thing may keep the loop from the others.
const (
	openBatch   = 32  // connections opened in a turn
	searchBatch = 256 // ports tried in a turn, where they are taken
	readBatch   = 4   // full buffers read from one connection in a turn
)

const hasLoop = true

// errSearching: the ports tried were taken, and there are more.
var errSearching = errors.New("no free port yet")

func (f *Flood) run(ctx context.Context) (Result, error) {
	l, err := newLoop(f)
	if err != nil {
		return Result{}, err
	}
	defer epoll.Reserve(1)()
	return l.run(ctx, l.turn)
}

func newLoop(f *Flood) (*loop, error) {
	poll, err := epoll.New()
	if err != nil {
		return nil, fmt.Errorf("flood: %w", err)
	}
	poll.Keep()
	return &loop{flood: f, obs: newObserver(f), poll: poll, readBuf: make([]byte, 64<<10), beats: make([]epoll.Deadlines, len(f.script.every))}, nil
}

// run takes turns until ctx ends.
func (l *loop) run(ctx context.Context, turn func() error) (Result, error) {
	defer l.obs.report()() // last: OnSample may keep it waiting
	defer l.closeAll()
	defer context.AfterFunc(ctx, l.poll.Wake)()
	for ctx.Err() == nil {
		if err := turn(); err != nil {
			return Result{}, err
		}
	}
	l.now = time.Now()
	l.obs.emit(l.obs.sample(l.now, true))
	return l.obs.end(), nil
}

func (l *loop) turn() error {
	l.now = time.Now()
	timeout := l.open()
	asleep := time.Now()
	if l.arrivals.napped = l.mayNap(timeout); l.arrivals.napped {
		epoll.Nap(napTime)
		timeout -= napTime
	}
	events, err := l.poll.Wait(timeout)
	if err != nil {
		return fmt.Errorf("flood: %w", err)
	}
	l.now = time.Now()
	l.arrivals.begin(l.now)
	l.obs.waited += l.now.Sub(asleep)
	for _, e := range events {
		slot, c, ok := l.conns.Lookup(e.Token)
		if !ok {
			continue
		}
		if e.Writable() {
			ok = l.writable(slot, c)
		}
		if ok && e.Readable() {
			l.read(slot, c, e.Ended())
		}
	}
	l.attendHandshakes()
	for token := range l.tries.Expired(l.now, l.connecting) {
		slot, c, _ := l.conns.Lookup(token)
		l.tryNext(slot, c)
	}
	for token := range l.deadlines.Expired(l.now, l.waits) {
		slot, c, _ := l.conns.Lookup(token)
		l.drop(slot, c, Timeout, nil)
	}
	l.beat()
	l.churn()
	l.storm()
	l.readSlowly()
	if l.now.Sub(l.obs.lastSample) >= l.flood.cfg.SampleInterval {
		l.obs.emit(l.obs.sample(l.now, true))
	}
	return nil
}

// waits reports whether the connection of a token waits for its answer.
func (l *loop) waits(token epoll.Token) bool {
	_, c, ok := l.conns.Lookup(token)
	return ok && c.waiting()
}

// open begins the connections that are due and have room, and returns how long
// the loop may block in Wait.
func (l *loop) open() time.Duration {
	cfg, obs := &l.flood.cfg, l.obs
	total := cfg.Connections
	due := min(total, int(min(l.flood.schedule.Count(l.now.Sub(obs.begun)), uint64(total))))
	for range openBatch {
		if l.begunCount >= due || obs.counts.InFlight >= cfg.InFlight {
			break
		}
		if !l.begin(l.begunCount) {
			break
		}
		l.begunCount++
	}
	l.reopen() // last, or those that fail again and again take the places of the rest
	if l.triedCount == total && !l.connected {
		l.connected, l.since = true, l.now
		obs.allTried()
		obs.emit(obs.sample(l.now, true))
	}
	wait := cfg.SampleInterval - l.now.Sub(obs.lastSample)
	switch {
	case obs.counts.InFlight < cfg.InFlight && l.begunCount < due:
		return 0
	case l.begunCount == due && due < total:
		wait = min(wait, l.flood.schedule.Due(uint64(due))-l.now.Sub(obs.begun))
	}
	for _, next := range [...]time.Time{l.deadlines.Next(), l.tries.Next()} {
		if !next.IsZero() {
			wait = min(wait, next.Sub(l.now))
		}
	}
	for i := range l.beats {
		if next := l.beats[i].Next(); !next.IsZero() {
			wait = min(wait, next.Sub(l.now))
		}
	}
	if next, ok := l.reopens(); ok {
		wait = min(wait, next-l.now.Sub(obs.begun))
	}
	return max(min(wait, l.nextAct()), 0)
}

// begin opens connection i (from 0). It reports false when the search for a
// free port is to go on in the next turn.
func (l *loop) begin(i int) bool {
	now := time.Now()
	if l.obs.firstConnect.IsZero() {
		l.obs.firstConnect = now
	}
	due := now
	if l.flood.paced {
		due = l.obs.begun.Add(l.flood.schedule.Due(uint64(i)))
	}
	return l.dial(conn{due: int64(due.Sub(l.obs.begun)), index: uint32(i)}, nil)
}

// dial connects c to the first address of its host that it has not tried and
// that does not refuse it at once; err says why the last one did. Once all were
// tried, what counts is why the first did. It reports false when the search for
// a free port is to go on.
func (l *loop) dial(c conn, err error) bool {
	host := l.flood.targets.host(int(c.index))
	for {
		index, ok := host.next(c.tried)
		if !ok {
			l.lost(&c, c.why, dialing, err)
			return true
		}
		fd, connectErr := l.connect(host.addrs[index])
		switch {
		case errors.Is(connectErr, errSearching):
			return false
		case connectErr != nil:
			c.addr = index
			if err = connectErr; !c.refused(failureOf(err)) {
				l.lost(&c, c.why, dialing, err)
				return true
			}
			continue
		}
		c.addr = index
		l.opened(fd, c)
		return true
	}
}

// refused notes that its address failed c, and reports whether others of its
// host may do better.
func (c *conn) refused(why Failure) bool {
	if c.tried == 0 {
		c.why = why
	}
	c.tried |= 1 << c.addr
	return passes(why)
}

// opened takes a socket in that is connecting.
func (l *loop) opened(fd int, opened conn) {
	slot, c := l.conns.Alloc(fd)
	*c = opened
	l.obs.counts.InFlight++
	_ = epoll.StampArrivals(fd) // without, a message came when it was read
	l.deadlines.Add(l.conns.Token(slot), time.Now().Add(l.flood.cfg.ConnectTimeout))
	host := l.flood.targets.host(int(c.index))
	if _, more := host.next(c.tried | 1<<c.addr); more {
		l.tries.Add(l.conns.Token(slot), time.Now().Add(tryFor))
	}
	if host.tls != nil {
		l.shake(slot, host)
	} else if !l.ask(slot, c) {
		return
	}
	if err := l.poll.Add(fd, l.interest(slot, c), l.conns.Token(slot)); err != nil {
		l.over(slot, c, err)
	}
}

// interest returns what the poller is to report of a connection.
func (l *loop) interest(slot uint32, c *conn) epoll.Interest {
	if c.state == connecting || l.secureOf(slot) != nil || l.hasOut(c) {
		return epoll.Read | epoll.Write
	}
	return epoll.Read
}

// connect opens a socket and sends it on its way.
func (l *loop) connect(to netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	sources := l.flood.sources
	for range searchBatch {
		fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return -1, os.NewSyscallError("socket", err)
		}
		err = l.bindConnect(fd, to)
		if err == nil {
			sources.works()
			return fd, nil
		}
		unix.Close(fd)
		if failureOf(err) != NoFreePort || !sources.taken() {
			return -1, err
		}
	}
	return -1, errSearching
}

// bindConnect connects from the next source address and port, if any were asked
// for.
func (l *loop) bindConnect(fd int, to netip.AddrPort) error {
	if from, ok := l.flood.sources.take(); ok {
		if err := l.bind(fd, from); err != nil {
			return err
		}
	}
	if err := unix.Connect(fd, l.to.set(to)); err != nil && err != unix.EINPROGRESS {
		return os.NewSyscallError("connect", err)
	}
	return nil
}

// bind chooses the address and the port to connect from. The port is given as a
// range of one (IP_LOCAL_PORT_RANGE, ip(7), Linux 6.3) in which connect finds
// it: unlike one that bind takes, it stays usable for everybody's connections
// to other addresses, now and while it is in TIME_WAIT. Older kernels have bind
// take it, with SO_REUSEADDR so that at least a flood can share it.
func (l *loop) bind(fd int, from netip.AddrPort) error {
	port := int(from.Port())
	err := unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_LOCAL_PORT_RANGE, port<<16|port)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		from = netip.AddrPortFrom(from.Addr(), 0)
	} else {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return os.NewSyscallError("bind", unix.Bind(fd, l.from.set(from)))
}

// sockaddr is an address for a system call, used again for the next one: a
// million connections would leave a hundred megabytes of them.
type sockaddr struct {
	v4 unix.SockaddrInet4
	v6 unix.SockaddrInet6
}

func (s *sockaddr) set(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		s.v4.Addr, s.v4.Port = a.Addr().As4(), int(a.Port())
		return &s.v4
	}
	s.v6.Addr, s.v6.Port = a.Addr().As16(), int(a.Port())
	return &s.v6
}

// again gives a connect up that failed, and tries the next address of its host.
func (l *loop) again(slot uint32, c *conn, err error) {
	failed := *c
	l.obs.counts.InFlight--
	l.close(slot)
	if !failed.refused(failureOf(err)) {
		l.lost(&failed, failed.why, dialing, err)
		return
	}
	if !l.dial(failed, err) {
		l.lost(&failed, NoFreePort, dialing, errSearching)
	}
}

// tryNext leaves an address that has not answered the connect, and tries the next
// one of its host.
func (l *loop) tryNext(slot uint32, c *conn) {
	silent := *c
	l.obs.counts.InFlight--
	l.close(slot)
	silent.refused(Timeout)
	if !l.dial(silent, errSilent) {
		l.lost(&silent, NoFreePort, dialing, errSearching)
	}
}

// connecting reports whether the connection of a token is not connected yet.
func (l *loop) connecting(token epoll.Token) bool {
	_, c, ok := l.conns.Lookup(token)
	return ok && c.state == connecting
}

// drop gives a connection up that was not established, or not again.
func (l *loop) drop(slot uint32, c *conn, kind Failure, err error) {
	l.obs.counts.InFlight--
	at := asked
	switch c.state {
	case connecting:
		at = dialing
	case shaking:
		at = handshaking
	}
	gone := *c
	l.close(slot)
	l.lost(&gone, kind, at, err)
}

// ended counts the end of a stream that is complete.
func (l *loop) ended(slot uint32, c *conn) {
	l.obs.ended(&c.reading, l.obs.begun.Add(time.Duration(c.due)))
	l.retire(slot, c, asClosed, l.flood.cfg.reconnects())
}

// cutOff counts a stream that was cut off, and why.
func (l *loop) cutOff(slot uint32, c *conn, kind Failure, err error) {
	l.obs.cutOff(kind, err)
	l.retire(slot, c, asClosed, l.flood.cfg.reconnects())
}

// free closes a connection and forgets what came on it.
func (l *loop) free(slot uint32, c *conn) {
	l.obs.spares.drop(&c.reading)
	l.close(slot)
}

func (l *loop) close(slot uint32) {
	l.closeTLS(slot)
	unix.Close(l.conns.FD(slot))
	l.conns.Free(slot)
}

func (l *loop) closeAll() {
	for slot, c := range l.conns.All {
		if c.upgraded() { // a client that leaves says so (RFC 6455, section 7.4.1)
			l.lastWords(slot, wire.AppendClientClose(l.request[:0], l.obs.mask(), 1001))
		}
		l.free(slot, c)
	}
	l.records.handshakes.Wait()
	l.poll.Close()
}
