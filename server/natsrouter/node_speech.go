//go:build !nonats

package natsrouter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/router"
)

// NodeReport is a node's report about itself, as JSON. The node publishes it on
// comet.node.<name> every 2 s, and answers requests on comet.node with it.
// Counters are since the node started.
type NodeReport struct {
	Name          string `json:"name"`
	PID           int    `json:"pid"`
	Interest      string `json:"interest"`
	Prefix        string `json:"prefix"`         // of the subjects of messages
	Subscriptions int    `json:"subscriptions"`  // to ids or to blocks of them
	Ready         bool   `json:"ready"`          // all its interest is in force
	Gone          bool   `json:"gone,omitempty"` // this is its last report

	router.Counts // what it holds, routed and dropped, from whatever source

	Received            uint64 `json:"received"`              // messages from NATS
	Unaddressed         uint64 `json:"unaddressed"`           // of them, to ids that nobody is logged in as here
	Published           uint64 `json:"published"`             // messages to NATS
	DroppedSlowConsumer uint64 `json:"dropped_slow_consumer"` // messages that nats.go dropped
}

// speech is what a node publishes about itself. Publishing may block on a slow
// server, so it has a goroutine of its own.
type speech struct {
	replies        chan reply
	published      atomic.Uint64
	answersDropped atomic.Uint64
}

// reply is the answer to a message, how many connections it reached, or to a
// request, a report.
type reply struct {
	to      string
	reached int
	report  bool
}

func (s *speech) init() { s.replies = make(chan reply, 4096) }

// listen subscribes to requests for a report.
func (s *speech) listen(conn *nats.Conn, feed chan *nats.Msg) {
	// It fails on a connection that is closed, which its handler notices.
	_, _ = conn.ChanSubscribe(askSubject, feed)
}

func (s *speech) answer(to string, reached int) { s.put(reply{to: to, reached: reached}) }

func (s *speech) ask(to string) { s.put(reply{to: to, report: true}) }

func (s *speech) put(r reply) {
	select {
	case s.replies <- r:
	default:
		s.answersDropped.Add(1)
	}
}

// speak publishes reports and answers, until the node is closed.
func (n *Node) speak() {
	every := time.NewTicker(ReportInterval)
	defer every.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-every.C:
			n.report("", false)
		case r := <-n.said.replies:
			if r.report {
				n.report(r.to, false)
				continue
			}
			if err := n.conn.Load().Publish(r.to, strconv.AppendInt(nil, int64(r.reached), 10)); err != nil {
				n.said.answersDropped.Add(1)
			}
		}
	}
}

// report publishes a report on to, or on the node's own subject if to is empty.
// While NATS is unreachable it does nothing.
func (n *Node) report(to string, gone bool) {
	if connected, _, _ := n.link.state(); !connected {
		return
	}
	if to == "" {
		to = ReportSubject + n.cfg.Name
	}
	text, err := n.reportText(gone)
	if err != nil {
		n.cfg.Servers.Logger.Error("a report of this node cannot be encoded", "error", err)
		return
	}
	_ = n.conn.Load().Publish(to, text) // the next one says the same, and more
}

// reportText returns the node's report as JSON.
func (n *Node) reportText(gone bool) ([]byte, error) {
	st := n.Stats()
	return json.Marshal(NodeReport{
		Name: n.cfg.Name, PID: os.Getpid(), Interest: st.Interest, Prefix: n.cfg.Servers.SubjectPrefix,
		Subscriptions: st.Subscriptions, Ready: st.Ready && !gone, Gone: gone,
		Counts:   n.home.Load().Counts(),
		Received: st.Received, Unaddressed: st.Unaddressed, Published: st.Published, DroppedSlowConsumer: st.DroppedSlowConsumer,
	})
}

// sayGoodbye publishes the last report, and waits until it is sent.
func (n *Node) sayGoodbye() {
	if connected, _, _ := n.link.state(); !connected {
		return
	}
	n.report("", true)
	ctx, cancel := context.WithTimeout(n.ctx, 500*time.Millisecond) // it holds up the end
	defer cancel()
	_ = flush(ctx, n.conn.Load())
}

// Publisher implements router.Exchange.
func (n *Node) Publisher() router.Publisher { return &publisher{node: n} }

// errAway is why nothing can be published.
var errAway = errors.New("the router is away")

// publisher publishes a series of messages, and notices if their connection is
// lost.
type publisher struct {
	node       *Node
	conn       *nats.Conn // of the messages since the last Confirm
	reconnects uint64
	before     error // conn's last one by then, which it keeps until it reconnects
	subject    []byte
}

// Publish implements router.Publisher.
func (p *publisher) Publish(id int64, message []byte) error {
	p.subject = appendSubject(p.subject[:0], p.node.cfg.Servers.SubjectPrefix, id)
	return p.publish(message)
}

// PublishEvent implements router.Publisher.
func (p *publisher) PublishEvent(publisher int64, message []byte) error {
	p.subject = appendEventSubject(p.subject[:0], p.node.cfg.Servers.SubjectPrefix, publisher)
	return p.publish(message)
}

// publish publishes on subject.
func (p *publisher) publish(message []byte) error {
	n := p.node
	if connected, _, _ := n.link.state(); !connected {
		return errAway
	}
	if p.conn == nil {
		p.conn = n.conn.Load()
		p.reconnects, p.before = p.conn.Stats().Reconnects, p.conn.LastError()
	}
	if err := p.conn.Publish(string(p.subject), message); err != nil {
		return publishError(err)
	}
	n.said.published.Add(1)
	return nil
}

func publishError(err error) error {
	switch {
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionClosed):
		return errAway
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("the message is longer than the router accepts (max_payload): %w", err)
	}
	return fmt.Errorf("the router did not accept it: %w", err)
}

// Confirm implements router.Publisher.
func (p *publisher) Confirm(ctx context.Context) error {
	conn := p.conn
	p.conn = nil
	if conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 3*pingInterval)
	defer cancel()
	if err := flush(ctx, conn); err != nil {
		return fmt.Errorf("the connection to the router was lost: %w", err)
	}
	if conn.Stats().Reconnects != p.reconnects {
		return errors.New("the connection to the router was lost and came back")
	}
	// The server says so for each message, but not for which.
	if err := conn.LastError(); !errors.Is(err, p.before) && errors.Is(err, nats.ErrPermissionViolation) && strings.Contains(err.Error(), `Publish to "`+p.node.cfg.Servers.SubjectPrefix) {
		return fmt.Errorf("the router does not let us publish: %w", err)
	}
	return nil
}
