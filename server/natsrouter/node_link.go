//go:build !nonats

package natsrouter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/router"
)

// link is the state of the connection to NATS. nats.Conn knows it too, but holds
// its lock while it dials, for seconds where a host is silent.
type link struct {
	// up: connected, and everything in force again. applyNow sets it, and the loss
	// of the connection clears it.
	up atomic.Bool
	// changed has room for one token: the connection was lost, found or closed.
	changed chan struct{}

	mu        sync.Mutex
	connected bool
	closed    bool      // for good, as far as nats.go is concerned
	lost      uint64    // times that the connection was lost
	found     uint64    // and found
	since     time.Time // the last change of connected
	url       string
	refused   uint64 // subscriptions, ever
	denied    error  // what the server said of the last one since it was found
	lastError string
}

func (l *link) init() {
	l.changed = make(chan struct{}, 1)
	l.since = time.Now()
}

func (l *link) tell() {
	select {
	case l.changed <- struct{}{}:
	default: // it will look anyway
	}
}

// state returns whether there is a connection to apply to, whether nats.go has
// given it up, and how often it was lost.
func (l *link) state() (connected, closed bool, lost uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected, l.closed, l.lost
}

// complete records that all interest was in force when the connection had been
// lost lost times. It reports whether that is news, and for how long it was not.
func (l *link) complete(lost uint64) (news bool, away time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.connected || l.lost != lost || l.up.Load() {
		return false, 0
	}
	l.up.Store(true)
	return true, time.Since(l.since)
}

// problem returns why messages do not flow, nil if they do.
func (l *link) problem(s Servers) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	where := strings.Join(s.URLs, ", ")
	switch {
	case !l.connected:
		why := ""
		if l.lastError != "" {
			why = ": " + l.lastError
		}
		return fmt.Errorf("the router at %s has been away for %v%s", where, time.Since(l.since).Round(time.Second), why)
	case !l.up.Load():
		return fmt.Errorf("reconnected to the router at %s; subscriptions are not in force yet", l.url)
	case l.denied != nil:
		return fmt.Errorf("the router at %s does not let this server subscribe to all of its ids: %w", l.url, l.denied)
	}
	return nil
}

func (l *link) stats() (st router.ExchangeStats) {
	l.mu.Lock()
	defer l.mu.Unlock()
	st.Connected = l.connected
	st.URL = l.url
	st.SinceSeconds = time.Since(l.since).Seconds()
	st.Ready = l.connected && l.up.Load() && l.denied == nil
	st.Reconnects = max(l.found, 1) - 1
	st.Refused = l.refused
	st.LastError = l.lastError
	return st
}

// writeTimeout is how long the server may take for what we write.
const writeTimeout = 5 * time.Second

// connect begins a connection. A failure that is final is an error only at the
// start: later somebody may fix its cause.
func (n *Node) connect(ctx context.Context, start bool) error {
	first := make(chan error, 1) // the outcome of the first attempt
	outcome := func(err error) {
		select {
		case first <- err:
		default:
		}
	}
	conn, err := n.cfg.Servers.Connect(ctx, append([]nats.Option{
		nats.NoEcho(), // what is published here is delivered here already
		nats.RetryOnFailedConnect(true),
		nats.ReconnectOnFlusherError(),
		nats.FlusherTimeout(writeTimeout),
		nats.ConnectHandler(func(c *nats.Conn) { n.connFound(c); outcome(nil) }),
		nats.ReconnectHandler(n.connFound),
		nats.DisconnectErrHandler(n.connLost),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { n.connMissed(err); outcome(err) }),
		nats.ClosedHandler(n.connClosed),
		nats.ErrorHandler(n.asyncError),
	}, n.cfg.options...)...)
	if err != nil {
		return err
	}
	n.conn.Store(conn)
	select {
	case err = <-first:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil && (ctx.Err() != nil || start && final(err)) {
		conn.Close()
		return n.cfg.Servers.explain(err)
	}
	if err != nil {
		n.cfg.Servers.Logger.Warn("the router is away; connecting goes on", "router_urls", strings.Join(n.cfg.Servers.URLs, ","), "error", err)
	}
	return nil
}

// The handlers run one after the other, on a goroutine of the connection.

func (n *Node) connFound(c *nats.Conn) {
	l := &n.link
	url := c.ConnectedUrlRedacted()
	l.mu.Lock()
	l.connected = true
	l.found++
	l.since = time.Now()
	l.url = url
	l.mu.Unlock()
	l.tell()
}

func (n *Node) connLost(_ *nats.Conn, err error) {
	l := &n.link
	l.mu.Lock()
	was := l.connected
	l.up.Store(false)
	l.connected = false
	l.lost++
	l.denied = nil
	if was {
		l.since = time.Now()
	}
	if err != nil {
		l.lastError = err.Error()
	}
	url := l.url
	l.mu.Unlock()
	n.linked(false)
	if was && n.ctx.Err() == nil {
		n.cfg.Servers.Logger.Warn("the router is lost; connections stay open, and reconnecting goes on", "url", url, "error", err)
	}
	n.lookAgain()
}

// connMissed records a failed attempt to reconnect, or to write.
func (n *Node) connMissed(err error) {
	l := &n.link
	l.mu.Lock()
	l.lastError = err.Error()
	l.mu.Unlock()
}

// connClosed records that nats.go has given up: after an error that it does not
// know, or because Close was called.
func (n *Node) connClosed(c *nats.Conn) {
	if c != n.conn.Load() || n.ctx.Err() != nil {
		return
	}
	l := &n.link
	l.mu.Lock()
	l.up.Store(false)
	l.connected = false
	l.closed = true
	if err := c.LastError(); err != nil {
		l.lastError = err.Error()
	}
	l.mu.Unlock()
	n.linked(false)
	n.lookAgain()
}

// lookAgain has applyAll and the server look at the link.
func (n *Node) lookAgain() {
	n.link.tell()
	n.notify()
}

// asyncError records what goes wrong without the connection being lost.
func (n *Node) asyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) && n.mail.has(sub) {
		return // what was dropped is asked for
	}
	if errors.Is(err, nats.ErrSlowConsumer) {
		n.feed.lost.add(sub)
		n.feed.complain(n.cfg.Servers.Logger)
		return
	}
	if errors.As(err, new(net.Error)) { // of a write: connLost says that the connection has gone
		n.connMissed(err)
		return
	}
	l := &n.link
	l.mu.Lock()
	l.lastError = err.Error()
	denied := errors.Is(err, nats.ErrPermissionViolation) || errors.Is(err, nats.ErrMaxSubscriptionsExceeded)
	if denied {
		l.refused++
	}
	speak := l.denied == nil
	if denied && strings.Contains(err.Error(), "ubscription") {
		l.denied = err
	}
	l.mu.Unlock()
	if speak || !denied {
		n.cfg.Servers.Logger.Error("the router refuses something", "error", err)
	}
}

// applying is what applyNow remembers from batch to batch.
type applying struct {
	batch  batch
	unsure []int64 // keys that were subscribed to and are not acknowledged yet
}

// applyAll keeps the subscriptions at NATS as this node wants them, until the
// node is closed.
func (n *Node) applyAll() {
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.want.kick:
		case <-n.link.changed:
		}
		n.applyNow()
	}
}

// applyNow applies the changes that have gathered. Those that come meanwhile
// gather for the next time, so that a farther server gets larger batches.
func (n *Node) applyNow() {
	a := &n.applying
	connected, closed, lost := n.link.state()
	if closed && !n.reopen() {
		return
	}
	n.want.take(&a.batch)
	a.unsure = append(a.unsure, a.batch.begin...)
	n.apply(&a.batch)
	if !connected || !n.flushed() {
		return // nats.go subscribes anew when it reconnects, and calls connFound
	}
	n.want.acknowledged(a.batch.number, a.unsure)
	if a.unsure = a.unsure[:0]; cap(a.unsure) > 4096 {
		*a = applying{} // a rush's memory goes with it
	}
	if news, took := n.link.complete(lost); news {
		n.linked(true)
		n.sayBack(took)
	}
	n.notify()
}

// apply begins and ends subscriptions. They all share one channel.
func (n *Node) apply(b *batch) {
	conn := n.conn.Load()
	scratch := make([]byte, 0, 128)
	for _, sub := range b.end {
		n.feed.lost.end(sub)
		_ = sub.Unsubscribe() // fails on a connection that is closed, which has none
	}
	for _, key := range b.begin {
		sub, err := conn.ChanSubscribe(n.cfg.Interest.subject(scratch, n.cfg.Servers.SubjectPrefix, key), n.feed.messages)
		if err != nil {
			return // it was closed: connClosed has everything begin again
		}
		n.want.made(key, sub)
	}
}

// flushed waits until the server has acted on all that was written. It reports
// false if the connection was lost first; then the handlers act on that.
func (n *Node) flushed() bool {
	for {
		ctx, cancel := context.WithTimeout(n.ctx, 3*pingInterval)
		err := flush(ctx, n.conn.Load())
		cancel()
		if err == nil || n.ctx.Err() != nil {
			return err == nil
		}
		if connected, _, _ := n.link.state(); !connected || !errors.Is(err, context.DeadlineExceeded) {
			return false
		}
	}
}

func flush(ctx context.Context, conn *nats.Conn) error { return conn.FlushWithContext(ctx) }

// reopen begins a new connection in place of one that nats.go has given up, such
// as one that a server ended with an error unknown to nats.go. It reports whether
// there is a connection to apply to.
func (n *Node) reopen() bool {
	pause(n.ctx, reconnectLongest)
	if n.ctx.Err() != nil {
		return false
	}
	n.link.mu.Lock()
	n.link.closed = false
	n.link.mu.Unlock()
	if err := n.connect(n.ctx, false); err != nil {
		n.cfg.Servers.Logger.Error("the router cannot be reached again", "error", err)
		n.link.mu.Lock()
		n.link.closed = true
		n.link.mu.Unlock()
		n.link.tell()
		return false
	}
	n.listen()
	n.want.again()
	return true
}

// sayBack logs that all interest is in force.
func (n *Node) sayBack(took time.Duration) {
	subscriptions, _ := n.want.counts()
	st := n.link.stats()
	n.cfg.Servers.Logger.Info("connected to the router, and all interest is in force",
		"url", st.URL, "subscriptions", subscriptions, "took_seconds", took.Seconds())
}
