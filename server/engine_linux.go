package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/epoll"
)

const defaultEngine = Epoll

// epollEngine is one event loop per core, each with a listening socket of its
// own on the one address (SO_REUSEPORT, socket(7)): a connection is accepted,
// served and closed by one loop.
type epollEngine struct {
	core  *core
	loops []*loop
	bound net.Addr
}

func newEpollEngine(c *core) (engine, error) {
	e := &epollEngine{core: c}
	sockets, bound, err := listen(c)
	if err != nil {
		return nil, err
	}
	e.bound = bound
	for i, fd := range sockets {
		l, err := newLoop(c, fd)
		if err != nil {
			e.close()
			for _, fd := range sockets[i:] {
				unix.Close(fd)
			}
			return nil, err
		}
		e.loops = append(e.loops, l)
	}
	return e, nil
}

func (e *epollEngine) addr() net.Addr { return e.bound }

func (e *epollEngine) close() {
	for _, l := range e.loops {
		l.free()
	}
}

func (e *epollEngine) settled() {
	for _, l := range e.loops {
		if l.parked.used.Load() > 0 {
			l.poll.Wake()
		}
	}
}

func (e *epollEngine) addStats(s *Stats) {
	s.Loops = len(e.loops)
	for _, l := range e.loops {
		l.counters.addTo(s)
		s.DroppedOverrun += l.inbox.overrun.Load()
		l.addQueue(&s.AcceptQueue)
	}
}

func (e *epollEngine) serve(ctx context.Context) error {
	if e.core.Exchange == nil {
		defer epoll.Reserve(len(e.loops))()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error)
	for _, l := range e.loops {
		go func() {
			err := l.run(ctx)
			cancel() // one loop's failure is the end of all
			ended <- err
		}()
	}
	var errs []error
	for range e.loops {
		errs = append(errs, <-ended)
	}
	return errors.Join(errs...)
}

// listen opens a socket for each loop, on one address.
func listen(c *core) (sockets []int, bound net.Addr, err error) {
	address, n := c.Listen, c.Loops
	const what = "stream listener"
	defer func() {
		if err != nil {
			for _, fd := range sockets {
				unix.Close(fd)
			}
		}
	}()
	if n > 1 {
		// With SO_REUSEPORT the kernel would let another server of this user
		// share the port, and take half of the connections unseen. A socket
		// without it is refused as it should be.
		probe, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
		if err != nil {
			return nil, nil, listenError(what, address, err)
		}
		probe.Close()
	}
	config := net.ListenConfig{
		KeepAlive: -1,
		Control: func(_, _ string, raw syscall.RawConn) error {
			var err error
			return errors.Join(raw.Control(func(fd uintptr) { err = prepareListener(int(fd), &c.Config) }), err)
		},
	}
	config.SetMultipathTCP(false) // to which not all of these options can be set
	for range n {
		ln, err := config.Listen(context.Background(), "tcp", address)
		if err != nil {
			return sockets, nil, listenError(what, address, err)
		}
		bound = ln.Addr()
		address = bound.String() // port 0 has been chosen now
		fd, err := takeSocket(ln)
		if err != nil {
			return sockets, nil, err
		}
		sockets = append(sockets, fd)
	}
	return sockets, bound, nil
}

// prepareListener sets what accepted connections inherit: no delay, and to be
// accepted only when their first bytes are there (TCP_DEFER_ACCEPT, tcp(7)),
// so that accept and read need no second wake-up between them. A client that
// sends nothing is accepted after one second, and then has HeadTimeout.
//
// Keepalive is inherited too (tcp(7)); it costs a timer in the kernel.
func prepareListener(fd int, c *Config) error {
	keepAlive := c.keepAlive()
	errs := []error{
		os.NewSyscallError("setsockopt TCP_NODELAY", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)),
		os.NewSyscallError("setsockopt TCP_DEFER_ACCEPT", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1)),
		setUserTimeout(fd, c.userTimeout()),
	}
	if keepAlive.Enable {
		for option, value := range map[int]int{
			unix.TCP_KEEPIDLE:  max(int(keepAlive.Idle/time.Second), 1),
			unix.TCP_KEEPINTVL: int(keepAlive.Interval / time.Second),
			unix.TCP_KEEPCNT:   keepAlive.Count,
		} {
			errs = append(errs, os.NewSyscallError("setsockopt TCP_KEEP…", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value)))
		}
		errs = append(errs, os.NewSyscallError("setsockopt SO_KEEPALIVE", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)))
	}
	if c.Loops > 1 {
		errs = append(errs, os.NewSyscallError("setsockopt SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)))
	}
	return errors.Join(errs...)
}

// takeSocket duplicates a listener's socket and closes the listener, whose poller
// in the Go runtime would otherwise be woken for each connection as well.
func takeSocket(ln net.Listener) (int, error) {
	defer ln.Close()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("server: %w", err)
	}
	fd, dupErr := -1, error(nil)
	err = raw.Control(func(own uintptr) { fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", dupErr)); err != nil {
		return -1, fmt.Errorf("server: %w", err)
	}
	return fd, nil
}

// newLoop takes over a listening socket.
func newLoop(c *core, listener int) (*loop, error) {
	poll, err := epoll.New()
	if err != nil {
		return nil, err
	}
	if err := poll.Add(listener, epoll.Read|epoll.Level, listenerToken); err != nil {
		return nil, errors.Join(err, poll.Close())
	}
	if c.Exchange == nil { // else another goroutine brings the messages
		poll.Keep()
	}
	l := &loop{core: c, poll: poll, listener: listener, readBuf: make([]byte, 64<<10)}
	l.pulse.period = c.Heartbeat / heartbeatParts
	l.inbox.wake = l.wake
	l.member = c.router.Join(&l.inbox)
	return l, nil
}
