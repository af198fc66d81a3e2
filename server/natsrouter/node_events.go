//go:build !nonats

package natsrouter

import (
	"sync"

	"github.com/nats-io/nats.go"
)

// eventFeed is the subscription to all events, which a node has for as long as it
// takes part.
type eventFeed struct {
	mu      sync.Mutex
	sub     *nats.Subscription // nil if there is none
	leaving bool
}

// listen subscribes to what does not depend on who is logged in: requests for a
// report, events, and what other nodes say.
func (n *Node) listen() {
	conn := n.conn.Load()
	n.said.listen(conn, n.feed.messages)
	n.events.mu.Lock()
	defer n.events.mu.Unlock()
	if !n.cfg.Events {
		return
	}
	n.mail.listen(conn, n.cfg.Servers.SubjectPrefix)
	if n.events.leaving {
		return
	}
	// It fails on a connection that is closed, which its handler notices.
	n.events.sub, _ = conn.ChanSubscribe(eventsSubject(n.cfg.Servers.SubjectPrefix), n.feed.messages)
}

// leave adds the subscription to those that the node ends.
func (f *eventFeed) leave(subs []*nats.Subscription) []*nats.Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leaving = true
	if f.sub != nil {
		subs = append(subs, f.sub)
	}
	return subs
}
