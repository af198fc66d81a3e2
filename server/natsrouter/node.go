//go:build !nonats

package natsrouter

import (
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/natsrouter/internal/tidy"
	"example.org/comet/server/router"
)

// Node is a comet server's part in the router on NATS. It implements
// router.Exchange.
//
// A Node runs five goroutines: applyAll updates subscriptions, drainFeed receives
// messages, readMail receives what other nodes say, speak publishes reports, and tidy
// returns memory. None of them blocks another or an event loop.
type Node struct {
	cfg  NodeConfig
	home atomic.Pointer[router.Home] // nil until Start
	conn atomic.Pointer[nats.Conn]
	link link
	want *wants
	feed feed
	said speech

	applying applying
	events   eventFeed
	mail     mail
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	work     sync.WaitGroup
	closing  sync.Once
}

var _ router.Exchange = (*Node)(nil)

// NewNode connects to the servers. Unreachable servers are not an error: the node
// keeps retrying. A refused login is. Close ends the node.
func NewNode(ctx context.Context, cfg NodeConfig) (*Node, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, want: newWants(cfg.Interest)}
	n.ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx))
	n.link.init()
	n.feed.init()
	n.said.init()
	n.mail.init(cfg.Servers.SubjectPrefix)
	if cfg.Interest == All {
		n.want.add([]int64{0}) // for good
	}
	if err := n.connect(ctx, true); err != nil {
		n.cancel()
		return nil, err
	}
	n.listen()
	n.applyNow() // so that a server is ready when it begins
	return n, nil
}

// Start implements router.Exchange.
func (n *Node) Start(home router.Home) {
	n.home.Store(&home)
	if n.Up() {
		n.linked(true)
	}
	n.work.Go(n.applyAll)
	n.work.Go(n.drainFeed)
	n.work.Go(n.speak)
	n.work.Go(n.readMail)
	n.work.Go(func() {
		tidy.Memory(n.ctx, func() int { subscriptions, _ := n.want.counts(); return subscriptions }, debug.FreeOSMemory)
	})
}

// Want implements router.Exchange.
func (n *Node) Want(ids []int64) (ticket uint64) { return n.want.add(ids) }

// Drop implements router.Exchange.
func (n *Node) Drop(ids []int64) { n.want.drop(ids) }

// Settled implements router.Exchange.
func (n *Node) Settled() (ticket uint64) { return n.want.settled.Load() }

// Up implements router.Exchange.
func (n *Node) Up() bool { return n.link.up.Load() }

// Ready implements router.Exchange.
func (n *Node) Ready() error { return n.link.problem(n.cfg.Servers) }

// Leave implements router.Exchange. It still receives what the server has sent by
// now: that counts as under way.
func (n *Node) Leave(ctx context.Context) {
	n.feed.lost.total() // while the subscriptions know what they dropped
	subs := n.events.leave(n.want.leave())
	n.notify()
	conn := n.conn.Load()
	// Drain keeps a subscription until the server has acknowledged its end. Each
	// takes a goroutine meanwhile, so they go by the hundred.
	const atOnce = 512
	for len(subs) > 0 && ctx.Err() == nil && n.link.up.Load() {
		some := subs[:min(len(subs), atOnce)]
		for _, sub := range some {
			_ = sub.Drain() // an error is a connection that is lost: there is nothing to wait for
		}
		subs = subs[len(some):]
		for ctx.Err() == nil && n.link.up.Load() && anyValid(some) {
			pause(ctx, time.Millisecond)
		}
	}
	if n.link.up.Load() {
		_ = flush(ctx, conn) // what has not come by then was lost with the connection
	}
	n.feed.settle(ctx)
}

// notify has the server look at Settled and Up.
func (n *Node) notify() {
	if home := n.home.Load(); home != nil {
		home.Settled()
	}
}

func anyValid(subs []*nats.Subscription) bool {
	for _, sub := range subs {
		if sub.IsValid() {
			return true
		}
	}
	return false
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Close implements router.Exchange.
func (n *Node) Close() {
	n.closing.Do(func() {
		if n.home.Load() != nil {
			n.sayGoodbye()
		}
		n.cancel()
		n.work.Wait()
		n.conn.Load().Close()
	})
}

// Stats implements router.Exchange.
func (n *Node) Stats() router.ExchangeStats {
	st := n.link.stats()
	st.Name = n.cfg.Name
	st.Interest = string(n.cfg.Interest)
	st.Subscriptions, st.Pending = n.want.counts()
	st.Received = n.feed.received.Load()
	st.Routed = n.feed.routed.Load()
	st.Unaddressed = n.feed.unaddressed.Load()
	st.Published = n.said.published.Load()
	st.AnswersDropped = n.said.answersDropped.Load()
	st.DroppedSlowConsumer = n.feed.lost.total()
	return st
}
