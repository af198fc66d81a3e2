package natsrouter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/router"
)

// answerTimeout is how long a router may take to answer, or to read on; then it
// counts as gone, and another one is sought.
const answerTimeout = 5 * time.Second

// askEvery is how often a router is asked what it has taken, which bounds what
// is unknown once it is lost.
const askEvery = 50 * time.Millisecond

// Sender publishes messages through NATS, for a generator. What was sent is what
// a server of NATS is known to have taken: it answered a PING that came after
// the message, on the same connection. To whom NATS takes it from there it does
// not say, so the receipt's ReachUnknown is set.
//
// A connection that is lost is sought again at every server of the cluster,
// those included that only the cluster told of. What it had taken and not
// confirmed is unknown from then on: a new connection confirms nothing of an old
// one. While a server reads nothing, a call may take as long as answerTimeout
// whatever its context says.
//
// One goroutine at a time uses it.
type Sender struct {
	servers Servers
	receipt router.Receipt
	// answerTimeout and askEvery are the constants of that name, except in tests.
	answerTimeout, askEvery time.Duration

	// conn is nil before Open and after Close. It reconnects by itself.
	conn *nats.Conn
	// taken is of the connection that Open found, where its server, given how
	// many messages went there, and booked how many of those are counted as sent.
	taken         *taken
	where         string
	given, booked uint64
	// asked is when the server was last asked, and asking who asks.
	asked  time.Time
	asking sync.WaitGroup
	// breaks has an entry when conn broke since it was last looked at, and joins
	// when it is there again. They tell without conn's lock, which it keeps
	// while it dials.
	breaks, joins chan nats.Status
	// lost tells that conn broke since Open, or Open was not called yet.
	lost bool
	// reason is why the servers cannot be reached, as far as is known, and told
	// that a person was told of what is to be mended. NATS's goroutines set them.
	reason atomic.Pointer[error]
	told   atomic.Bool

	subject []byte
}

// NewSender makes a sender; it connects to nothing before Open.
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

// Open connects to a server. The first time that fails at once if none is there;
// after an [router.ErrAway] it waits until one is there again, or ctx ends.
func (s *Sender) Open(ctx context.Context) error {
	if s.conn != nil && !s.conn.IsClosed() {
		return s.rejoin(ctx)
	}
	conn, err := s.servers.connect(ctx,
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
	case ctx.Err() != nil || isFinal(err):
		return err
	default:
		return &awayError{err}
	}
	s.conn = conn
	s.breaks = conn.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	s.joins = conn.StatusChanged(nats.CONNECTED, nats.CLOSED)
	return s.rejoin(ctx)
}

// rejoin returns when the connection is there.
func (s *Sender) rejoin(ctx context.Context) error {
	for {
		// In this order: a break that comes meanwhile is seen by the next Send.
		for len(s.breaks) > 0 {
			<-s.breaks
		}
		if s.conn.IsConnected() {
			s.taken = &taken{conn: s.conn, epoch: s.conn.Stats().Reconnects}
			s.given, s.booked, s.asked = 0, 0, time.Now()
			s.where = s.conn.ConnectedUrlRedacted()
			s.lost = false
			s.reason.Store(nil)
			s.told.Store(false)
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

// hear keeps why the servers cannot be reached, and tells of what a person must
// mend.
func (s *Sender) hear(err error) {
	s.reason.Store(&err)
	if isFinal(err) && !s.told.Swap(true) {
		s.servers.Logger.Warn("the router takes no more messages from here", "error", s.servers.explain(err))
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
	if s.broken() {
		s.receipt.Refused++ // Flush says why
		return nil
	}
	s.subject = appendSubject(s.subject[:0], s.servers.SubjectPrefix, id)
	err := s.conn.Publish(string(s.subject), message)
	switch {
	case err == nil:
		s.given++
		s.receipt.Unanswered++
	case errors.Is(err, nats.ErrMaxPayload):
		s.receipt.Refused++
		return fmt.Errorf("natsrouter: a message of %d bytes for id %d is too long for the router at %s, which takes %d (its max_payload): %w", len(message), id, s.where, s.conn.MaxPayload(), err)
	case errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrConnectionClosed):
		// It broke a moment ago, and nothing is kept for later.
		s.receipt.Refused++
		s.lost = true
	default:
		// A write failed. What it had was dropped, this message or earlier ones,
		// or a part of it was sent.
		s.given++
		s.receipt.Unanswered++
		s.lost = true
	}
	return nil
}

// broken tells whether the connection was lost since Open.
func (s *Sender) broken() bool {
	select {
	case <-s.breaks:
		s.lost = true
	default:
	}
	return s.lost
}

// Flush returns when everything is written. That is the work of a goroutine of
// the client's, which was woken already.
func (s *Sender) Flush(ctx context.Context) error {
	for !s.broken() {
		if s.taken.hangs.Load() {
			return s.lose(s.noAnswer())
		}
		// While that goroutine writes, it holds a lock that this waits for. A
		// closed connection is a broken one, which the next call sees.
		if waiting, err := s.conn.Buffered(); waiting == 0 || err != nil {
			s.askNowAndThen()
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("natsrouter: the router at %s takes no messages: %w", s.where, ctx.Err())
		}
		runtime.Gosched()
	}
	return s.lose(errBroke)
}

// askNowAndThen has the server asked what it has taken, without waiting.
func (s *Sender) askNowAndThen() {
	now := time.Now()
	if s.receipt.Unanswered == 0 || now.Sub(s.asked) < s.askEvery || s.taken.asking.Swap(true) {
		return
	}
	s.asked = now
	taken, given := s.taken, s.given
	s.asking.Go(func() {
		// Close ends it too.
		ctx, cancel := context.WithTimeout(context.Background(), s.answerTimeout)
		defer cancel()
		taken.askAside(ctx, given)
	})
}

// Settle returns when the server is known to have taken what was sent.
func (s *Sender) Settle(ctx context.Context) error {
	if err := s.Flush(ctx); err != nil || s.Receipt().Unanswered == 0 {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, s.answerTimeout)
	defer cancel()
	err := s.taken.ask(bounded, s.given)
	s.book()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, nats.ErrPermissionViolation):
		s.giveUp()
		return forbidden(s.where, "publish on "+allSubject(s.servers.SubjectPrefix), err)
	case ctx.Err() != nil:
		return fmt.Errorf("natsrouter: the router at %s has not answered: %w", s.where, ctx.Err())
	case errors.Is(err, context.DeadlineExceeded):
		err = s.noAnswer()
	}
	return s.lose(err)
}

func (s *Sender) noAnswer() error { return fmt.Errorf("no answer after %v", s.answerTimeout) }

// book counts as sent what the server has taken.
func (s *Sender) book() {
	if s.taken == nil {
		return
	}
	if messages := s.taken.messages.Load(); messages > s.booked {
		s.receipt.Sent += messages - s.booked
		s.receipt.Unanswered -= messages - s.booked
		s.booked = messages
	}
}

// giveUp counts as unknown what the server is not known to have taken.
func (s *Sender) giveUp() (unknown uint64) {
	s.book()
	s.taken = nil
	unknown = s.receipt.Unanswered
	s.receipt.Unknown += unknown
	s.receipt.Unanswered = 0
	s.lost = true
	return unknown
}

// lose books that the connection went, and has another one sought.
func (s *Sender) lose(cause error) error {
	if s.taken != nil && s.conn.IsConnected() && s.conn.Stats().Reconnects == s.taken.epoch {
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

// Receipt is what is known so far.
func (s *Sender) Receipt() router.Receipt {
	s.book()
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

// isFinal tells that a person must mend something before a connection can come
// about.
func isFinal(err error) bool {
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return true
	}
	for _, final := range []error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired,
		nats.ErrSecureConnWanted, nats.ErrSecureConnRequired,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}
