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
	*Flood
	*observer
	poll    *epoll.Poller
	conns   epoll.Slots[conn]
	partial partials
	readBuf []byte
	request []byte

	from, to sockaddr // of the connect under way

	begunCount int             // connections begun, or failed at once
	deadlines  epoll.Deadlines // of those in flight
	now        time.Time
	connected  bool // every connection has been tried
}

// conn is a connection at rest: 72 bytes, and 8 more in its slot. No pointers.
type conn struct {
	track
	parser    wire.ResponseParser
	due       int64  // when the connect began, or was due: ns since the run began
	connected int64  // when it was known to be established
	partial   uint32 // its row in partials, or 0
	index     uint32 // which target
	state     state
}

type state uint8

const (
	connecting state = iota // the request has not been written
	asking                  // waits for the first byte
	streaming
)

// How long one thing may keep the loop from the others.
const (
	openBatch   = 32  // connections opened in a turn
	searchBatch = 256 // ports tried in a turn, where they are taken
	readBatch   = 16  // full buffers read from one connection in a turn
)

// errSearching: the ports tried were taken, and there are more.
var errSearching = errors.New("no free port yet")

func (f *Flood) run(ctx context.Context) (Result, error) {
	poll, err := epoll.New()
	if err != nil {
		return Result{}, fmt.Errorf("flood: %w", err)
	}
	l := &loop{Flood: f, observer: newObserver(&f.cfg), poll: poll, readBuf: make([]byte, 64<<10)}
	defer l.report()() // last: OnSample may keep it waiting
	defer l.closeAll()
	defer context.AfterFunc(ctx, poll.Wake)()
	for ctx.Err() == nil {
		if err := l.turn(); err != nil {
			return Result{}, err
		}
	}
	l.now = time.Now()
	l.emit(l.sample(l.now, true))
	return l.end(), nil
}

func (l *loop) turn() error {
	l.now = time.Now()
	timeout := l.open()
	asleep := time.Now()
	events, err := l.poll.Wait(timeout)
	if err != nil {
		return fmt.Errorf("flood: %w", err)
	}
	l.now = time.Now()
	l.waited += l.now.Sub(asleep)
	for _, e := range events {
		slot, c, ok := l.conns.Lookup(e.Token)
		if !ok {
			continue
		}
		if c.state == connecting && e.Writable() {
			ok = l.ask(slot, c)
		}
		if ok && e.Readable() {
			l.read(slot, c, e.Ended())
		}
	}
	for token := range l.deadlines.Expired(l.now, l.waits) {
		slot, c, _ := l.conns.Lookup(token)
		l.drop(slot, c, Timeout, nil)
	}
	if l.now.Sub(l.lastSample) >= l.cfg.SampleInterval {
		l.emit(l.sample(l.now, true))
	}
	return nil
}

// waits tells of a token whether its connection waits for its first byte.
func (l *loop) waits(token epoll.Token) bool {
	_, c, ok := l.conns.Lookup(token)
	return ok && c.state != streaming
}

// open begins the connections that are due and have room, and returns how long
// there is nothing to do but read.
func (l *loop) open() time.Duration {
	total := l.cfg.Connections
	due := min(total, int(min(l.cfg.Pace.Count(l.now.Sub(l.begun)), uint64(total))))
	for range openBatch {
		if l.begunCount >= due || l.counts.InFlight >= l.cfg.InFlight {
			break
		}
		if !l.begin(l.begunCount) {
			break
		}
		l.begunCount++
	}
	if l.begunCount == total && l.counts.InFlight == 0 && !l.connected {
		l.connected = true
		l.allTried()
		l.emit(l.sample(l.now, true))
	}
	wait := l.cfg.SampleInterval - l.now.Sub(l.lastSample)
	switch {
	case l.begunCount < due && l.counts.InFlight < l.cfg.InFlight:
		return 0
	case l.begunCount == due && due < total:
		wait = min(wait, l.cfg.Pace.Due(uint64(due))-l.now.Sub(l.begun))
	}
	if next := l.deadlines.Next(); !next.IsZero() {
		wait = min(wait, next.Sub(l.now))
	}
	return max(wait, 0)
}

// begin opens connection i (from 0). It reports false when the search for a
// free port is to go on in the next turn.
func (l *loop) begin(i int) bool {
	now := time.Now()
	if l.firstConnect.IsZero() {
		l.firstConnect = now
	}
	due := now
	if !l.cfg.Pace.Unpaced() {
		due = l.begun.Add(l.cfg.Pace.Due(uint64(i)))
	}
	var to netip.AddrPort
	l.request, to = l.targets.append(l.request[:0], i)
	fd, err := l.connect(to)
	switch {
	case errors.Is(err, errSearching):
		return false
	case err != nil:
		l.failed(failureOf(err), err)
		return true
	}
	slot, c := l.conns.Alloc(fd)
	c.due, c.index = int64(due.Sub(l.begun)), uint32(i)
	l.counts.InFlight++
	l.deadlines.Add(l.conns.Token(slot), now.Add(l.cfg.ConnectTimeout))
	if !l.ask(slot, c) {
		return true
	}
	interest := epoll.Read
	if c.state == connecting {
		interest |= epoll.Write
	}
	if err := l.poll.Add(fd, interest, l.conns.Token(slot)); err != nil {
		l.drop(slot, c, failureOf(err), err)
	}
	return true
}

// connect opens a socket and sends it on its way.
func (l *loop) connect(to netip.AddrPort) (fd int, err error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	for range searchBatch {
		fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return -1, os.NewSyscallError("socket", err)
		}
		err = l.bindConnect(fd, to)
		if err == nil {
			l.sources.works()
			return fd, nil
		}
		unix.Close(fd)
		if failureOf(err) != NoFreePort || !l.sources.taken() {
			return -1, err
		}
	}
	return -1, errSearching
}

// bindConnect connects from the next source address and port, if any were asked
// for.
func (l *loop) bindConnect(fd int, to netip.AddrPort) error {
	if from, ok := l.sources.take(); ok {
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

// ask writes the request. On loopback the connection is usually established by
// the time connect returns, so that this saves an event; elsewhere the kernel
// says EAGAIN and reports when it is. It reports false when that closed the
// connection.
func (l *loop) ask(slot uint32, c *conn) bool {
	l.request, _ = l.targets.append(l.request[:0], int(c.index))
	n, err := epoll.WriteNow(l.conns.FD(slot), l.request)
	switch {
	case err != nil:
		l.drop(slot, c, failureOf(err), os.NewSyscallError("connect", err))
		return false
	case n == 0:
		return true
	case n < len(l.request):
		// A request is smaller than any send buffer.
		l.drop(slot, c, Other, fmt.Errorf("the request of %d bytes was not taken whole", len(l.request)))
		return false
	}
	c.state = asking
	c.connected = int64(time.Since(l.begun))
	return true
}

// drop gives a connection up that was not established.
func (l *loop) drop(slot uint32, c *conn, kind Failure, err error) {
	l.counts.InFlight--
	l.failed(kind, err)
	l.free(slot, c)
}

// ended is the end of an established connection; kind and err say why if it was
// cut off.
func (l *loop) ended(slot uint32, c *conn, cut bool, kind Failure, err error) {
	l.counts.Connected--
	l.counts.Closed++
	if cut {
		l.count(kind, err)
	}
	l.free(slot, c)
}

func (l *loop) free(slot uint32, c *conn) {
	if c.partial != 0 {
		l.partial.release(c.partial)
	}
	unix.Close(l.conns.FD(slot))
	l.conns.Free(slot)
}

func (l *loop) closeAll() {
	for slot, c := range l.conns.All {
		l.free(slot, c)
	}
	l.poll.Close()
}
