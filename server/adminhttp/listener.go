package adminhttp

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// phase is what a connection waits for. Later ones are given up later.
type phase uint8

const (
	waiting phase = iota // for a request
	head                 // for the rest of a request head
	answer               // for a body, or a handler
	held                 // for a handler that may take minutes
)

// graces are how long a connection has in each phase before it may lose its
// place. A short one is for the request that is on its way; a longer one, for
// requests that take no time.
var graces = [...]time.Duration{waiting: 20 * time.Millisecond, head: time.Second, answer: time.Second}

// freePlaces are never held, so that there is always a connection to give up.
const freePlaces = 4

// writeTimeout is how long a client may take to read what was written.
const writeTimeout = 30 * time.Second

// Listener bounds the connections of a listener. When they are as many as there
// may be, a new one takes the place of the one that has waited longest.
type Listener struct {
	net.Listener
	most int
	// full is called when a connection finds no place, once a minute; it may be nil.
	full func()
	// changed has room for one token: a connection went, or went on.
	changed chan struct{}
	closed  chan struct{}
	closing sync.Once

	mu     sync.Mutex
	conns  map[*Conn]struct{}
	holds  int
	warned time.Time // when full was called last
}

// Limit returns a Listener that holds at most most connections of ln, and at
// least 5.
func Limit(ln net.Listener, most int) *Listener {
	return &Listener{
		Listener: ln, most: max(most, freePlaces+1), conns: make(map[*Conn]struct{}),
		changed: make(chan struct{}, 1), closed: make(chan struct{}),
	}
}

// Accept waits for a connection and makes room for it.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &Conn{Conn: accepted, listener: l, since: time.Now()}
		if l.makeRoom(c) {
			return c, nil
		}
		accepted.Close()
	}
}

// Close ends Accept. Connections stay open.
func (l *Listener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// closeAll ends all connections.
func (l *Listener) closeAll() {
	l.mu.Lock()
	all := slices.Collect(maps.Keys(l.conns))
	l.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// makeRoom counts c in, once there is a place. It reports false when the
// listener was closed first.
func (l *Listener) makeRoom(c *Conn) bool {
	for {
		victim, wait, ok := l.place(c, time.Now())
		if ok {
			return true
		}
		l.warn(time.Now())
		if victim != nil {
			victim.Close()
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-l.changed:
		case <-timer.C:
		case <-l.closed:
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// warn calls full, unless it has done so within a minute.
func (l *Listener) warn(now time.Time) {
	l.mu.Lock()
	due := l.full != nil && now.Sub(l.warned) >= time.Minute
	if due {
		l.warned = now
	}
	l.mu.Unlock()
	if due {
		l.full()
	}
}

// place counts c in, if there is a place. If not, it returns the connection to
// be closed for it, or else how long until there is one.
func (l *Listener) place(c *Conn, now time.Time) (victim *Conn, wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) < l.most {
		l.conns[c] = struct{}{}
		return nil, 0, true
	}
	wait = time.Second
	for other := range l.conns {
		if other.phase == held {
			continue
		}
		left := graces[other.phase] - now.Sub(other.since)
		if left > 0 {
			wait = min(wait, left)
			continue
		}
		if victim == nil || other.phase < victim.phase || other.phase == victim.phase && other.since.Before(victim.since) {
			victim = other
		}
	}
	return victim, wait, false
}

// follow tells l of a connection's state. It is for http.Server.ConnState.
func (l *Listener) follow(nc net.Conn, state http.ConnState) {
	c, ok := limited(nc)
	if !ok {
		return
	}
	switch state {
	case http.StateIdle:
		c.enter(waiting)
	case http.StateActive:
		c.enter(head)
	case http.StateNew, http.StateHijacked, http.StateClosed: // Close counts c out
	}
}

// limited returns the connection of a Listener that nc is, or is TLS over.
func limited(nc net.Conn) (c *Conn, ok bool) {
	if secure, isTLS := nc.(*tls.Conn); isTLS {
		nc = secure.NetConn()
	}
	c, ok = nc.(*Conn)
	return c, ok
}

// connKey is where a request's context has its connection.
type connKey struct{}

// connContext is for http.Server.ConnContext.
func connContext(ctx context.Context, nc net.Conn) context.Context {
	c, _ := limited(nc)
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection of a request, nil if it has no Listener.
func connOf(r *http.Request) *Conn {
	c, _ := r.Context().Value(connKey{}).(*Conn)
	return c
}

// Conn is a connection of a Listener. The listener's lock guards phase, since
// and gone.
type Conn struct {
	net.Conn
	listener *Listener
	phase    phase
	since    time.Time // when the phase began
	gone     bool
}

// enter begins a phase. It reports false if c may not be held, or has lost its
// place. A nil conn has no limits.
func (c *Conn) enter(p phase) bool {
	if c == nil {
		return true
	}
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.gone || p == held && l.holds >= l.most-freePlaces {
		return false
	}
	if p == held {
		l.holds++
	}
	if c.phase == held {
		l.holds--
	}
	c.phase, c.since = p, time.Now()
	l.tell()
	return true
}

// tell has makeRoom look again.
func (l *Listener) tell() {
	select {
	case l.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// Write gives a client that does not read a limited time.
func (c *Conn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails on a connection that is closed, as Write does
	return c.Conn.Write(b)
}

// CloseWrite ends what is written, and leaves what is read.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close counts c out, once.
func (c *Conn) Close() error {
	l := c.listener
	l.mu.Lock()
	if !c.gone {
		c.gone = true
		if c.phase == held {
			l.holds--
		}
		delete(l.conns, c)
		l.tell()
	}
	socket := c.Conn
	l.mu.Unlock()
	return socket.Close()
}
