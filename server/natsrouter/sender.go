//go:build !nonats

package natsrouter

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/router"
)

// answerTimeout is how long a router may take to answer, or to read on. Then it
// counts as gone, and the sender connects to another one.
const answerTimeout = 5 * time.Second

// askEvery is how often a router is asked to acknowledge, which bounds what is
// unknown once it is lost.
const askEvery = 50 * time.Millisecond

// Sender publishes messages through NATS, for a generator. The receipt counts a
// message as sent once a NATS server has acknowledged it, by answering a PING
// that came after the message on the same connection. NATS does not say whom the
// message reaches from there, so the receipt's ReachUnknown is set.
//
// After a loss, the sender reconnects to any server of the cluster, including
// those that only the cluster named. What was sent and not acknowledged is
// unknown from then on: a new connection acknowledges nothing of an old one.
// While a server reads nothing, a call may take as long as answerTimeout whatever
// its context says.
//
// A Sender is for one goroutine at a time.
type Sender struct {
	// Events makes the messages events: each goes from its id to all followers of
	// that. It must be set before Open.
	Events bool

	servers Servers
	receipt router.Receipt
	// answerTimeout and askEvery are the constants of that name, except in tests.
	answerTimeout, askEvery time.Duration

	// conn is nil before Open and after Close. It reconnects by itself.
	conn *nats.Conn
	// acks is of the connection that Open found, and where its server. sent counts
	// the messages written there, confirmed those of them in the receipt's Sent.
	acks            *acks
	where           string
	sent, confirmed uint64
	// asked is when the server was last asked, and asking who asks.
	asked  time.Time
	asking sync.WaitGroup
	// breaks has an entry if conn broke since the last look, and joins if it
	// reconnected. They need no lock of conn, which holds it while it dials.
	breaks, joins chan nats.Status
	// lost: conn broke since Open, or Open was not called yet.
	lost bool
	// reason is why the servers cannot be reached, as far as is known. warned: it
	// is final, and was logged. The goroutines of nats.go set them.
	reason atomic.Pointer[error]
	warned atomic.Bool

	subject []byte
}

// NewSender returns a Sender, which connects to nothing before Open.
func NewSender(servers Servers) (*Sender, error) {
	if err := servers.Validate(); err != nil {
		return nil, err
	}
	return &Sender{
		servers:       servers.withDefaults(),
		receipt:       router.Receipt{ReachUnknown: true},
		answerTimeout: answerTimeout,
		askEvery:      askEvery,
		lost:          true,
	}, nil
}

// Open connects to a server. The first time it fails at once if none is there.
// After an [router.ErrAway] it waits until one is there again, or ctx ends.
func (s *Sender) Open(ctx context.Context) error {
	if s.conn != nil && !s.conn.IsClosed() {
		return s.rejoin(ctx)
	}
	conn, err := s.servers.Connect(ctx,
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.hear(err) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { s.hear(err) }),
		// The prefix was checked, and the rest is digits.
		nats.SkipSubjectValidation(),
		// A write that fails drops what it had, so it must end the connection. And
		// all writes must be ours, so that none fails unseen: no pings of its own.
		nats.FlusherTimeout(s.answerTimeout),
		nats.ReconnectOnFlusherError(),
		nats.PingInterval(0),
	)
	switch {
	case err == nil:
	case ctx.Err() != nil || final(err):
		return err
	default:
		return &awayError{err}
	}
	s.conn = conn
	s.breaks = conn.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	s.joins = conn.StatusChanged(nats.CONNECTED, nats.CLOSED)
	return s.rejoin(ctx)
}

// rejoin waits for the connection.
func (s *Sender) rejoin(ctx context.Context) error {
	for {
		// In this order: a break that comes meanwhile is seen by the next Send.
		for len(s.breaks) > 0 {
			<-s.breaks
		}
		if s.conn.IsConnected() {
			s.acks = &acks{conn: s.conn, epoch: s.conn.Stats().Reconnects}
			s.sent, s.confirmed, s.asked = 0, 0, time.Now()
			s.where = s.conn.ConnectedUrlRedacted()
			s.lost = false
			s.reason.Store(nil)
			s.warned.Store(false)
			return nil
		}
		if s.conn.IsClosed() {
			return s.unreachable() // for good: the next Open connects anew
		}
		select {
		case <-s.joins:
		case <-ctx.Done():
			return s.unreachable()
		}
	}
}

// hear keeps why the servers cannot be reached, and logs what a person must fix.
func (s *Sender) hear(err error) {
	s.reason.Store(&err)
	if final(err) && !s.warned.Swap(true) {
		s.servers.Logger.Warn("the router accepts no more messages from here", "error", s.servers.explain(err))
	}
}

func (s *Sender) unreachable() error {
	err := nats.ErrNoServers
	if reason := s.reason.Load(); reason != nil {
		err = *reason
	}
	return &awayError{s.servers.explain(err)}
}

// Send buffers one message.
func (s *Sender) Send(id int64, message []byte) error {
	if len(message) > router.MaxMessage {
		s.receipt.Refused++
		return tooLong(id, message)
	}
	if s.broken() {
		s.receipt.Refused++ // Flush says why
		return nil
	}
	s.subject = appendAnySubject(s.subject[:0], s.servers.SubjectPrefix, id, s.Events)
	err := s.conn.Publish(string(s.subject), message)
	switch {
	case err == nil:
		s.sent++
		s.receipt.Unanswered++
	case errors.Is(err, nats.ErrMaxPayload):
		s.receipt.Refused++
		return fmt.Errorf("natsrouter: a message of %d bytes for id %d is too long for the router at %s, which accepts %d (its max_payload): %w", len(message), id, s.where, s.conn.MaxPayload(), err)
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionClosed):
		// It broke a moment ago, and nothing is kept for later.
		s.receipt.Refused++
		s.lost = true
	default:
		// A write failed. What it had was dropped, this message or earlier ones,
		// or a part of it was sent.
		s.sent++
		s.receipt.Unanswered++
		s.lost = true
	}
	return nil
}

// broken reports whether the connection was lost since Open.
func (s *Sender) broken() bool {
	select {
	case <-s.breaks:
		s.lost = true
	default:
	}
	return s.lost
}

// Flush waits until everything is written. A goroutine of nats.go does that, and
// has been woken already.
func (s *Sender) Flush(ctx context.Context) error {
	for !s.broken() {
		if s.acks.hangs.Load() {
			return s.lose(s.noAnswer())
		}
		// While that goroutine writes, it holds a lock that this waits for. A
		// closed connection is a broken one, which the next call sees.
		if waiting, err := s.conn.Buffered(); waiting == 0 || err != nil {
			s.askNowAndThen()
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("natsrouter: the router at %s accepts no messages: %w", s.where, ctx.Err())
		}
		runtime.Gosched()
	}
	return s.lose(errBroke)
}

// askNowAndThen has the server asked to acknowledge, without waiting.
func (s *Sender) askNowAndThen() {
	now := time.Now()
	if s.receipt.Unanswered == 0 || now.Sub(s.asked) < s.askEvery || s.acks.asking.Swap(true) {
		return
	}
	s.asked = now
	acks, sent := s.acks, s.sent
	s.asking.Go(func() {
		// Close ends it too.
		ctx, cancel := context.WithTimeout(context.Background(), s.answerTimeout)
		defer cancel()
		acks.askAside(ctx, sent)
	})
}

// Settle waits until the server has acknowledged everything.
func (s *Sender) Settle(ctx context.Context) error {
	if err := s.Flush(ctx); err != nil || s.Receipt().Unanswered == 0 {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, s.answerTimeout)
	defer cancel()
	err := s.acks.ask(bounded, s.sent)
	s.confirm()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrPermissionViolation):
		s.giveUp()
		return forbidden(s.where, "publish on "+anySubject(s.servers.SubjectPrefix, s.Events), err)
	case ctx.Err() != nil:
		return fmt.Errorf("natsrouter: the router at %s has not answered: %w", s.where, ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		err = s.noAnswer()
	}
	return s.lose(err)
}

func (s *Sender) noAnswer() error { return fmt.Errorf("no answer after %v", s.answerTimeout) }

// confirm counts as sent what the server has acknowledged.
func (s *Sender) confirm() {
	if s.acks == nil {
		return
	}
	if messages := s.acks.messages.Load(); messages > s.confirmed {
		s.receipt.Sent += messages - s.confirmed
		s.receipt.Unanswered -= messages - s.confirmed
		s.confirmed = messages
	}
}

// giveUp counts as unknown what the server has not acknowledged.
func (s *Sender) giveUp() (unknown uint64) {
	s.confirm()
	s.acks = nil
	unknown = s.receipt.Unanswered
	s.receipt.Unknown += unknown
	s.receipt.Unanswered = 0
	s.lost = true
	return unknown
}

// lose counts what is lost with the connection, and has nats.go reconnect.
func (s *Sender) lose(cause error) error {
	if s.acks != nil && s.conn.IsConnected() && s.conn.Stats().Reconnects == s.acks.epoch {
		_ = s.conn.ForceReconnect() // fails only for one that is closed
	}
	return &awayError{fmt.Errorf("natsrouter: lost the router at %s (%w): %s; see that it runs, its log should say why it went", s.where, cause, whatIsUnknown(s.giveUp()))}
}

func whatIsUnknown(messages uint64) string {
	if messages == 0 {
		return "all that was sent had arrived there"
	}
	return fmt.Sprintf("what became of %d messages is unknown, each may or may not have been delivered", messages)
}

// Receipt returns what is known so far.
func (s *Sender) Receipt() router.Receipt {
	s.confirm()
	return s.receipt
}

// Close settles what it can until ctx ends, and closes the connection.
func (s *Sender) Close(ctx context.Context) error {
	if s.conn == nil {
		return nil
	}
	var err error
	if !s.lost {
		err = s.Settle(ctx)
	}
	if unknown := s.giveUp(); unknown > 0 {
		err = fmt.Errorf("%w: %s", err, whatIsUnknown(unknown))
	}
	s.conn.Close()
	s.asking.Wait()
	s.conn = nil
	return err
}

// awayError is an error that is an [router.ErrAway] too, without saying so.
type awayError struct{ error }

func (e *awayError) Unwrap() []error { return []error{router.ErrAway, e.error} }
