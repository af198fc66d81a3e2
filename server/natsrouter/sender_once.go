//go:build !nonats

package natsrouter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/router"
)

// How long Publish waits for the first node to answer, and then for others.
const (
	firstAnswer   = time.Second
	furtherAnswer = 100 * time.Millisecond
)

// Publish sends one message, and waits for the nodes that subscribe to it to say
// how many connections they queued it to: up to a second for the first, and a
// tenth of a second more for the others. Later answers do not count. If nobody
// subscribes, NATS says so at once, and the nodes are asked whether they should.
func Publish(ctx context.Context, servers Servers, id int64, message []byte) (Reach, error) {
	return publishOnce(ctx, servers, id, message, false)
}

// PublishEvent does the same with an event, which goes to all followers of a
// publisher. The nodes that know who they are answer.
func PublishEvent(ctx context.Context, servers Servers, publisher int64, message []byte) (Reach, error) {
	return publishOnce(ctx, servers, publisher, message, true)
}

func publishOnce(ctx context.Context, servers Servers, id int64, message []byte, event bool) (Reach, error) {
	if err := servers.Validate(); err != nil {
		return Reach{}, err
	}
	if len(message) > router.MaxMessage {
		return Reach{}, tooLong(id, message)
	}
	servers = servers.withDefaults()
	conn, err := servers.Connect(ctx,
		nats.NoReconnect(), // the message might be sent twice
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // LastError has it
		nats.FlusherTimeout(answerTimeout),
	)
	if err != nil {
		return Reach{}, err
	}
	defer conn.Close()
	o := once{conn: conn, servers: servers, where: conn.ConnectedUrlRedacted()}
	if limit := conn.MaxPayload(); int64(len(message)) > limit {
		return Reach{}, fmt.Errorf("natsrouter: a message of %d bytes is too long for the router at %s, which accepts %d (its max_payload)", len(message), o.where, limit)
	}
	// Answers need a subject that this client may listen on.
	inbox := conn.NewInbox()
	answers, err := conn.SubscribeSync(inbox)
	if err != nil {
		return Reach{}, fmt.Errorf("natsrouter: the router at %s: %w", o.where, err)
	}
	if err := o.acked(ctx, "nothing was sent", "listen for answers on _INBOX.>"); err != nil {
		return Reach{}, err
	}
	subject := string(appendAnySubject(nil, servers.SubjectPrefix, id, event))
	if err := conn.PublishRequest(subject, inbox, message); err != nil {
		return Reach{}, fmt.Errorf("natsrouter: cannot publish to the router at %s: %w", o.where, err)
	}
	if err := o.acked(ctx, whatIsUnknown(1), "publish on "+anySubject(servers.SubjectPrefix, event)); err != nil {
		return Reach{}, err
	}
	reach, err := collect(ctx, answers)
	if err == nil && reach == (Reach{Known: true}) {
		reach.Unready = o.unready(ctx)
		reach.Known = reach.Unready == ""
	}
	return reach, err
}

// tooLong explains the limit that is the same for all ways to send.
func tooLong(id int64, message []byte) error {
	return fmt.Errorf("natsrouter: a message of %d bytes for id %d: %w", len(message), id, router.ErrTooLong)
}

// once is a connection for one message.
type once struct {
	conn    *nats.Conn
	servers Servers
	where   string
}

// acked waits until the server has acknowledged what was written so far. Its
// error says what the outcome is otherwise, or what is not allowed.
func (o *once) acked(ctx context.Context, otherwise, allowed string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := o.conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("natsrouter: lost the router at %s (%w): %s", o.where, err, otherwise)
	}
	if err := o.conn.LastError(); errors.Is(err, nats.ErrPermissionViolation) {
		return forbidden(o.where, allowed, err)
	}
	return nil
}

// forbidden explains that the server let us in, but forbids what.
func forbidden(where, what string, err error) error {
	return fmt.Errorf("natsrouter: the router at %s does not let us %s: give credentials that may: %w", where, what, err)
}

// unready asks the nodes of this prefix whether all their subscriptions are in
// force, and names those that say no. Nodes that may not be asked are not named.
func (o *once) unready(ctx context.Context) string {
	inbox := o.conn.NewInbox()
	reports, err := o.conn.SubscribeSync(inbox)
	if err != nil || o.conn.PublishRequest(askSubject, inbox, nil) != nil {
		return "" // the connection is lost
	}
	var names []string
	deadline := time.Now().Add(firstAnswer)
	for heard := false; ; {
		answer, err := nextAnswer(ctx, reports, deadline)
		if err != nil {
			slices.Sort(names)
			return strings.Join(names, ", ")
		}
		var report NodeReport
		if json.Unmarshal(answer.Data, &report) != nil {
			continue // of a subscriber that is no node
		}
		if report.Prefix == o.servers.SubjectPrefix && !report.Ready {
			names = append(names, report.Name)
		}
		if !heard {
			heard, deadline = true, time.Now().Add(furtherAnswer)
		}
	}
}

// collect adds up what the nodes answer.
func collect(ctx context.Context, answers *nats.Subscription) (Reach, error) {
	var reach Reach
	deadline := time.Now().Add(firstAnswer)
	for {
		answer, err := nextAnswer(ctx, answers, deadline)
		switch {
		case errors.Is(err, nats.ErrNoResponders):
			return Reach{Known: true}, nil
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return reach, nil
		case err != nil:
			return reach, fmt.Errorf("natsrouter: the message was published, and then its answers were cut off: %w", err)
		}
		n, err := strconv.ParseUint(string(answer.Data), 10, 32)
		if err != nil {
			continue // of a subscriber that is no node
		}
		reach.Connections += n
		if !reach.Known {
			reach.Known = true
			deadline = time.Now().Add(furtherAnswer)
		}
	}
}

// nextAnswer returns the next answer that comes by the deadline, or that is here when a
// busy machine lets this process look after it.
func nextAnswer(ctx context.Context, answers *nats.Subscription, deadline time.Time) (*nats.Msg, error) {
	if n, _, err := answers.Pending(); err != nil || n == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	return answers.NextMsgWithContext(ctx)
}
