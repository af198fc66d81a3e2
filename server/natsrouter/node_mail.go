//go:build !nonats

package natsrouter

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
)

// mail is what nodes that know who follows whom tell each other of changes of that.
// It has a channel and a goroutine of its own, since its reader waits for the disk.
type mail struct {
	address  string // the subject of what is for this node alone
	messages chan *nats.Msg

	mu   sync.Mutex
	subs []*nats.Subscription
}

// mailRoom bounds the messages that wait, of some 256 KB at most. More are dropped:
// nodes notice what they lack.
const mailRoom = 128

func (m *mail) init(prefix string) {
	m.address = changeSubject(prefix, rand.Text())
	m.messages = make(chan *nats.Msg, mailRoom)
}

// listen subscribes to what is for all nodes, and for this one.
func (m *mail) listen(conn *nats.Conn, prefix string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subs = m.subs[:0]
	for _, subject := range []string{changeSubject(prefix, toAll), m.address} {
		// It fails on a connection that is closed, which its handler notices.
		if sub, err := conn.ChanSubscribe(subject, m.messages); err == nil {
			m.subs = append(m.subs, sub)
		}
	}
}

// has reports whether sub is one of these subscriptions.
func (m *mail) has(sub *nats.Subscription) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Contains(m.subs, sub)
}

// Post implements router.Exchange.
func (n *Node) Post(to string, message []byte) error {
	if connected, _, _ := n.link.state(); !connected {
		return errAway
	}
	if to == "" {
		to = changeSubject(n.cfg.Servers.SubjectPrefix, toAll)
	}
	if err := n.conn.Load().PublishRequest(to, n.mail.address, message); err != nil {
		return publishError(err)
	}
	return nil
}

// readMail hands on what other nodes tell this one, until the node is closed.
func (n *Node) readMail() {
	prefix := n.cfg.Servers.SubjectPrefix
	for {
		select {
		case m := <-n.mail.messages:
			// Answers must not go where anybody who publishes here wants them to.
			word, ok := strings.CutPrefix(m.Reply, changeSubject(prefix, ""))
			if home := n.home.Load(); ok && word != toAll && !strings.ContainsAny(word, ".*> \t\r\n") && home.Mail != nil {
				home.Mail(m.Reply, m.Data)
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// linked tells the server that the node has joined the others, or is cut off.
func (n *Node) linked(up bool) {
	if home := n.home.Load(); home != nil && home.Linked != nil {
		home.Linked(up)
	}
}
