//go:build !nonats

package natsrouter

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/router"
)

// feed receives from NATS. It must go on whatever the sockets of this node do:
// NATS cuts off a client that does not read, which loses everything on its way.
type feed struct {
	// messages is the channel of all subscriptions. It has room for what comes
	// while drainFeed does not get its turn.
	messages chan *nats.Msg

	received, routed, unaddressed atomic.Uint64

	lost       losses
	complained atomic.Int64 // when losses were last logged, unix nanoseconds
	drained    chan chan struct{}
}

const (
	feedRoom = 64 << 10
	// feedBatch bounds how long the first of many messages waits for the last.
	feedBatch = 1024
)

func (f *feed) init() {
	f.messages = make(chan *nats.Msg, feedRoom)
	f.drained = make(chan chan struct{})
}

// settle waits until all that is in the channel has been handed on.
func (f *feed) settle(ctx context.Context) {
	done := make(chan struct{})
	select {
	case f.drained <- done:
		<-done
	case <-ctx.Done():
	}
}

// drainFeed hands on what comes, until the node is closed.
func (n *Node) drainFeed() {
	f := &n.feed
	for {
		select {
		case m := <-f.messages:
			n.takeIn(m)
		case done := <-f.drained:
			for len(f.messages) > 0 {
				n.takeIn(<-f.messages)
			}
			close(done)
		case <-n.ctx.Done():
			return
		}
	}
}

// takeIn hands on m and what is behind it, and then wakes the members.
func (n *Node) takeIn(m *nats.Msg) {
	home := n.home.Load()
	local := home.Local
	var received, routed, unaddressed uint64
	count := func(reached, overrun int) {
		received++
		routed += uint64(reached)
		// What an inbox was too full for is dropped, and counted there: it had
		// an addressee, and an answer of 0 would deny that.
		if reached+overrun == 0 {
			unaddressed++
		}
		if mayAnswer(n.cfg.Servers.SubjectPrefix, m.Reply) && (reached > 0 || overrun == 0) {
			n.said.answer(m.Reply, reached)
		}
	}
	for {
		switch {
		case m.Subject == askSubject:
			if mayAnswer(n.cfg.Servers.SubjectPrefix, m.Reply) {
				n.said.ask(m.Reply)
			}
		case len(m.Data) > router.MaxMessage: // rubbish, which no sender of ours lets pass
		default:
			if id, ok := subjectID(n.cfg.Servers.SubjectPrefix, m.Subject); ok {
				count(local.Send(id, m.Data))
			} else if publisher, ok := subjectPublisher(n.cfg.Servers.SubjectPrefix, m.Subject); ok && home.Event != nil {
				count(home.Event(publisher, m.Data))
			}
		}
		if received >= feedBatch || len(n.feed.messages) == 0 {
			break
		}
		m = <-n.feed.messages
	}
	n.feed.received.Add(received)
	n.feed.routed.Add(routed)
	n.feed.unaddressed.Add(unaddressed)
	local.Wake()
}

// complain logs at most once per second that messages were lost.
func (f *feed) complain(logger *slog.Logger) {
	now := time.Now().UnixNano()
	last := f.complained.Load()
	if now-last < int64(time.Second) || !f.complained.CompareAndSwap(last, now) {
		return
	}
	logger.Error("messages came from the router faster than this node received them, and were dropped: this machine is overloaded", "dropped", f.lost.total())
}

// losses counts what nats.go dropped because the channel was full. nats.go reports
// only that a subscription has begun to drop, and keeps the number itself.
type losses struct {
	mu    sync.Mutex
	seen  map[*nats.Subscription]uint64 // those that have dropped, and how many were counted
	count uint64
}

func (l *losses) add(sub *nats.Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = make(map[*nats.Subscription]uint64)
	}
	if _, known := l.seen[sub]; !known {
		l.seen[sub] = 0
	}
	l.countOf(sub)
}

// end takes the last count of a subscription that is about to be ended.
func (l *losses) end(sub *nats.Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.seen[sub]; known {
		l.countOf(sub)
		delete(l.seen, sub)
	}
}

// countOf adds what sub has dropped since the last look. At least the one drop
// that was reported counts, even if the subscription has ended since.
func (l *losses) countOf(sub *nats.Subscription) {
	dropped, err := sub.Dropped()
	if err != nil { // it has ended, and its count with it
		if l.seen[sub] == 0 {
			l.count++
		}
		delete(l.seen, sub)
		return
	}
	l.count += uint64(dropped) - l.seen[sub]
	l.seen[sub] = uint64(dropped)
}

func (l *losses) total() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for sub := range l.seen {
		l.countOf(sub)
	}
	return l.count
}
