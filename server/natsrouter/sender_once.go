package natsrouter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// How long Publish waits for the first node that says whom it reached, and from
// then on for others.
const (
	firstAnswer   = time.Second
	furtherAnswer = 100 * time.Millisecond
)

// Reach is whom one message reached.
type Reach struct {
	// Known tells that Connections means something: a node answered, or NATS
	// said that there is none. Without it the message was published to
	// subscribers that are no nodes, or whose answer is late.
	Known bool
	// Connections is how many it was queued to.
	Connections uint64
}

// Publish sends one message, and waits for those who have a use for it to say
// how many connections they queued it to: up to a second for the first, and a
// tenth of a second more for the others. Where nobody has a use for it NATS says
// so at once. What a node answers later is not counted.
func Publish(ctx context.Context, servers Servers, id int64, message []byte) (Reach, error) {
	if err := servers.Validate(); err != nil {
		return Reach{}, err
	}
	servers = servers.withDefaults()
	conn, err := servers.connect(ctx,
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
		return Reach{}, fmt.Errorf("natsrouter: a message of %d bytes is too long for the router at %s, which takes %d (its max_payload)", len(message), o.where, limit)
	}
	// Answers need a subject that this client may listen on.
	inbox := conn.NewInbox()
	answers, err := conn.SubscribeSync(inbox)
	if err != nil {
		return Reach{}, fmt.Errorf("natsrouter: the router at %s: %w", o.where, err)
	}
	if err := o.taken(ctx, "nothing was sent", "listen for answers on _INBOX.>"); err != nil {
		return Reach{}, err
	}
	subject := string(appendSubject(nil, servers.SubjectPrefix, id))
	if err := conn.PublishRequest(subject, inbox, message); err != nil {
		return Reach{}, fmt.Errorf("natsrouter: cannot publish to the router at %s: %w", o.where, err)
	}
	if err := o.taken(ctx, whatIsUnknown(1), "publish on "+allSubject(servers.SubjectPrefix)); err != nil {
		return Reach{}, err
	}
	return collect(ctx, answers)
}

// once is the connection that takes one message.
type once struct {
	conn    *nats.Conn
	servers Servers
	where   string
}

// taken returns when the server has taken what was written so far. Its error
// says what is the outcome otherwise, or what is not allowed.
func (o *once) taken(ctx context.Context, otherwise, allowed string) error {
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

// forbidden explains that the server lets us in, but not do that.
func forbidden(where, what string, err error) error {
	return fmt.Errorf("natsrouter: the router at %s does not let us %s: give credentials that may: %w", where, what, err)
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

func nextAnswer(ctx context.Context, answers *nats.Subscription, deadline time.Time) (*nats.Msg, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	return answers.NextMsgWithContext(ctx)
}
