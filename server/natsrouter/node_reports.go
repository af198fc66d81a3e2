//go:build !nonats

package natsrouter

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// How long Reports waits for the first answer, and after each for the next, and how
// many it takes.
const (
	reportsWait = time.Second
	reportsGap  = 100 * time.Millisecond
	mostReports = 1000
)

// Reports implements router.Exchange: it asks as anybody may, on comet.node.
func (n *Node) Reports(ctx context.Context) ([]json.RawMessage, error) {
	if connected, _, _ := n.link.state(); !connected {
		return nil, errAway
	}
	own, err := n.reportText(false)
	if err != nil {
		return nil, fmt.Errorf("natsrouter: the report of this node: %w", err)
	}
	reports := []json.RawMessage{own} // of what it publishes itself a node hears nothing
	conn, answers := n.conn.Load(), make(chan *nats.Msg, mostReports)
	inbox := nats.NewInbox()
	answered, err := conn.ChanSubscribe(inbox, answers)
	if err != nil {
		return nil, fmt.Errorf("natsrouter: %w", err)
	}
	defer func() { _ = answered.Unsubscribe() }() // it fails on a connection that is closed
	if err := conn.PublishRequest(askSubject, inbox, nil); err != nil {
		return nil, publishError(err)
	}
	patience := time.NewTimer(reportsWait)
	defer patience.Stop()
	for len(reports) < mostReports {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
			return reports, nil
		case m := <-answers:
			if json.Valid(m.Data) {
				reports = append(reports, m.Data)
			}
			patience.Reset(reportsGap)
		}
	}
	return reports, nil
}
