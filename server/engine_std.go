package server

import (
	"context"
	"errors"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"example.org/comet/server/epoll"
	"example.org/comet/server/router"
)

// stdEngine holds each connection in two goroutines, one that reads and one
// that writes, over the standard library's sockets. It works on every system.
type stdEngine struct {
	core     *core
	listener net.Listener
	counters counters
	open     sync.WaitGroup // connections, whatever they do

	// loginMu guards the member, and ended with it. It is taken before the
	// router's locks; tableMu, after them.
	loginMu sync.Mutex
	member  *router.Member
	ended   bool // draining: no connection becomes a stream any more

	tableMu sync.RWMutex
	table   epoll.Slots[*stdConn]

	visitMu sync.Mutex
	visits  map[uint32]*visit // of the connections that the access log has chosen, by slot
	// settling is closed when engine.settled is called.
	settlingMu sync.Mutex
	settling   chan struct{}
	awaiting   atomic.Int64 // connections that wait for it, or begin
}

func newStdEngine(c *core) (engine, error) {
	config := net.ListenConfig{KeepAliveConfig: c.keepAlive(), KeepAlive: -1, Control: userTimeoutControl(c.userTimeout())}
	config.SetMultipathTCP(false) // as the epoll engine's, whatever else is set
	ln, err := config.Listen(context.Background(), "tcp", c.Listen)
	if err != nil {
		return nil, listenError("stream listener", c.Listen, err)
	}
	e := &stdEngine{core: c, listener: ln, settling: make(chan struct{})}
	e.member = c.router.Join(e)
	return e, nil
}

func (e *stdEngine) addr() net.Addr { return e.listener.Addr() }

// takeIntake leaves the admin listener to net/http.
func (e *stdEngine) takeIntake(*admin) {}

func (e *stdEngine) close() { e.listener.Close() }

func (e *stdEngine) settled() {
	e.settlingMu.Lock()
	defer e.settlingMu.Unlock()
	close(e.settling)
	e.settling = make(chan struct{})
}

func (e *stdEngine) nextSettling() <-chan struct{} {
	e.settlingMu.Lock()
	defer e.settlingMu.Unlock()
	return e.settling
}

func (e *stdEngine) addStats(s *Stats) {
	e.counters.addTo(s)
	if raw, err := e.listener.(syscall.Conn).SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { acceptQueue(int(fd), &s.AcceptQueue) }) // it fails once the listener is closed
	}
}

func (e *stdEngine) serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { e.listener.Close() })()
	defer e.startHeart(ctx)()
	err := e.acceptAll(ctx)
	e.listener.Close()
	e.allBegun()
	e.loginMu.Lock()
	e.ended = true
	e.loginMu.Unlock()
	for _, c := range e.all() {
		c.endAs(e.core.appendRestart)
	}
	// However little time there is, the writers have their turn.
	const leastTime = 100 * time.Millisecond
	giveUp := time.AfterFunc(max(time.Until(e.core.drainEnd()), leastTime), func() {
		for _, c := range e.all() {
			c.Close()
		}
	})
	defer giveUp.Stop()
	e.open.Wait()
	return err
}

func (e *stdEngine) acceptAll(ctx context.Context) error {
	for {
		nc, err := e.accept()
		switch {
		case err == nil:
			e.core.sockets.Add(1)
			e.counters.accepted.Add(1)
			e.begin(nc)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // it passes, whatever it is (accept(2))
			e.counters.acceptPauses.Add(1)
			e.core.reportPause(err)
			sleep(ctx, acceptPause)
		}
	}
}

// accept takes a newcomer, if one may be taken.
func (e *stdEngine) accept() (net.Conn, error) {
	if !e.core.mayOpen() {
		return nil, errFilesKept
	}
	return e.listener.Accept()
}

func (e *stdEngine) begin(nc net.Conn) {
	c := &stdConn{Conn: nc, engine: e, wake: make(chan struct{}, 1)}
	e.tableMu.Lock()
	slot, row := e.table.Alloc(0)
	*row = c
	c.name = router.Conn{Slot: slot, Gen: e.table.Token(slot).Gen()}
	e.tableMu.Unlock()
	e.open.Go(func() {
		c.serve()
		e.core.sockets.Add(-1)
		e.tableMu.Lock()
		e.table.Free(slot)
		e.tableMu.Unlock()
	})
}

// all returns the connections that are open now.
func (e *stdEngine) all() []*stdConn {
	e.tableMu.RLock()
	defer e.tableMu.RUnlock()
	conns := make([]*stdConn, 0, e.table.Len())
	for _, c := range e.table.All {
		conns = append(conns, *c)
	}
	return slices.Clip(conns)
}

// login makes c a stream, unless the engine drains.
func (e *stdEngine) login(c *stdConn, ids []int64) bool {
	e.loginMu.Lock()
	defer e.loginMu.Unlock()
	if e.ended {
		return false
	}
	e.member.Login(c.name, ids...)
	return true
}

func (e *stdEngine) logout(c *stdConn) {
	e.loginMu.Lock()
	ids := e.member.Logout(c.name.Slot, nil)
	e.loginMu.Unlock()
	e.core.drop(ids)
}

// Deliver implements router.Inbox.
func (e *stdEngine) Deliver(name router.Conn, message []byte) bool {
	e.tableMu.RLock()
	c := *e.table.At(name.Slot) // it is logged in, so it is there
	e.tableMu.RUnlock()
	c.queue(message) // what a connection has no room for, it drops and counts
	return true
}

// Wake implements router.Inbox. Deliver has woken the writers already.
func (*stdEngine) Wake() {}

// Wait implements router.Inbox. Each connection has a bound of its own, so that
// Wait only yields to the writers.
func (*stdEngine) Wait(context.Context) error {
	runtime.Gosched()
	return nil
}
