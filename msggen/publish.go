package msggen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// DefaultPublishConnections is how many requests may be under way.
	DefaultPublishConnections = 16

	// maxPublishConnections leaves file descriptors for others.
	maxPublishConnections = 10_000
	// maxWaiting is how many messages may wait for a connection of theirs before
	// a Flush waits too: enough to let the other connections go on while one is
	// slow, and below what would have a run without a pace settle.
	maxWaiting = 2048
	// enoughRefusals ends a run of which nothing was accepted.
	enoughRefusals = 20
	// enoughCuts is how many connections in a row may end without an answer, as
	// many as there are at least, before the server counts as gone.
	enoughCuts = 20
)

// PublishConfig says how a [PublishSender] publishes. Only URL must be set.
type PublishConfig struct {
	// URL is where a message is sent to. In it, in Header and in Body, {id}
	// stands for the id of a message and {message} for its text, which is
	// percent-encoded in the URL and in headers, and goes into the body as it is:
	// the messages of a [Generator] hold nothing that JSON or HTML would escape.
	URL string
	// Method is the HTTP method. "" means POST.
	Method string
	// Header is further lines for the request head, "Name: value".
	Header []string
	// Body is the body of each request. "" means "{message}", and none with GET
	// and HEAD.
	Body string
	// Connections is how many connections there are, each with one request at a
	// time. All messages of an id go over the same one, which keeps them in
	// order. 0 means DefaultPublishConnections.
	Connections int
	// AnswerTimeout is how long an answer may take; then what became of the
	// message is unknown. 0 means DefaultAnswerTimeout.
	AnswerTimeout time.Duration
	// TLS is for https; nil means the authorities of the system.
	TLS *tls.Config
}

// Validate reports everything that is wrong with c, in one error.
func (c PublishConfig) Validate() error {
	_, err := newRequestTemplate(c)
	if c.Connections < 0 || c.Connections > maxPublishConnections {
		err = errors.Join(err, fmt.Errorf("connections to publish over: %d: it must be from 1 to %d, or 0 for the default", c.Connections, maxPublishConnections))
	}
	if c.AnswerTimeout < 0 {
		err = errors.Join(err, fmt.Errorf("an AnswerTimeout of %v: it must not be negative", c.AnswerTimeout))
	}
	if err != nil {
		return fmt.Errorf("msggen: %w", err)
	}
	return nil
}

// PublishSender sends each message as a request of its own, to any HTTP/1.1
// server: what 2xx answers is sent, what anything else answers is refused. Its
// connections are kept alive; a message that finds the one of its id busy waits
// for it, and counts as late until it is on the wire.
//
// A server may end a connection at any moment. The messages that wait go over
// the next one. The message under way does so too if the server cannot have read
// it, or if its method is idempotent and the connection was not new; otherwise
// what became of it is unknown. The head of an answer decides: a body that does
// not come only costs the connection.
//
// A server that answers nothing but refusals is an error. One that no connection
// can reach while none gets an answer, or that ends one connection after the
// other without an answer, is away.
type PublishSender struct {
	config   PublishConfig
	template *requestTemplate
	lanes    []*lane
	// connect makes a connection without TLS.
	connect func(ctx context.Context, network, address string) (net.Conn, error)
	// dirty are the lanes that were given something since the last Flush.
	dirty []*lane
	// late is told how late each message was on the wire, or given up; nil for
	// nobody.
	late func(time.Duration)
	// running are the lanes' goroutines, and stop ends them; nil if there are
	// none.
	running sync.WaitGroup
	stop    context.CancelFunc
	// told reports that the error was returned.
	told bool

	mu       sync.Mutex
	receipt  Receipt          // guarded by mu, like all that follows
	statuses map[int]uint64   // of all answers
	refusals map[int]*refusal // by status, or one of the reasons below
	refused  uint64           // answers that were refusals
	cut      int              // connections that ended without an answer, since the last answer
	silent   int              // requests without an answer in time, since the last answer
	waiting  int              // messages that no lane has written yet
	err      error            // ended the lanes
	// news has an entry when something of this changed since it was last taken.
	news chan struct{}
}

// NewPublishSender returns a sender; it connects to nothing before Open.
func NewPublishSender(config PublishConfig) (*PublishSender, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	template, err := newRequestTemplate(config)
	if err != nil {
		return nil, fmt.Errorf("msggen: %w", err)
	}
	if config.Connections == 0 {
		config.Connections = DefaultPublishConnections
	}
	if config.AnswerTimeout == 0 {
		config.AnswerTimeout = DefaultAnswerTimeout
	}
	s := &PublishSender{
		config:   config,
		template: template,
		receipt:  Receipt{ReachUnknown: true},
		statuses: map[int]uint64{},
		refusals: map[int]*refusal{},
		connect:  new(net.Dialer).DialContext,
		news:     make(chan struct{}, 1),
	}
	for range config.Connections {
		s.lanes = append(s.lanes, &lane{sender: s, wake: make(chan struct{}, 1)})
	}
	return s, nil
}

// Open connects, all connections at once, and sends nothing: only a message
// shows what the server makes of messages.
func (s *PublishSender) Open(ctx context.Context) error {
	s.end()
	s.mu.Lock()
	s.err, s.cut, s.silent, s.told = nil, 0, 0, false
	s.mu.Unlock()

	conns := make([]net.Conn, len(s.lanes))
	errs := make([]error, len(s.lanes))
	var dialing sync.WaitGroup
	for i := range conns {
		dialing.Go(func() { conns[i], errs[i] = s.dial(ctx) })
	}
	dialing.Wait()
	for _, err := range errs {
		if err != nil {
			for _, conn := range conns {
				if conn != nil {
					conn.Close()
				}
			}
			return err
		}
	}
	// Not from ctx: Close goes on after that has ended.
	running, stop := context.WithCancel(context.Background())
	s.stop = stop
	for i, l := range s.lanes {
		s.running.Go(func() { l.run(running, conns[i]) })
	}
	return nil
}

// Send has message wait for the connection of id.
func (s *PublishSender) Send(id int64, message []byte) error {
	s.add(pending{id: id, message: message})
	return nil
}

func (s *PublishSender) sendDue(id int64, message []byte, due time.Time) error {
	s.add(pending{id: id, message: message, due: due})
	return nil
}

func (s *PublishSender) sendNow(id int64, message []byte) error {
	s.add(pending{id: id, message: message, stamped: true})
	return nil
}

func (s *PublishSender) add(p pending) {
	s.mu.Lock()
	s.receipt.Unanswered++
	s.waiting++
	s.mu.Unlock()
	// Ids that are a multiple of the number of lanes apart must not share one.
	const golden = 0x9e3779b97f4a7c15
	l := s.lanes[(uint64(p.id)*golden>>32)%uint64(len(s.lanes))]
	if l.add(p) {
		s.dirty = append(s.dirty, l)
	}
}

// Flush writes what can be written: the messages whose connections are free. It
// waits only while too many wait.
func (s *PublishSender) Flush(ctx context.Context) error {
	for _, l := range s.dirty {
		l.kick()
	}
	s.dirty = s.dirty[:0]
	return s.await(ctx, func() bool { return s.waiting <= maxWaiting })
}

// Settle waits until everything was answered.
func (s *PublishSender) Settle(ctx context.Context) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	return s.await(ctx, func() bool { return s.receipt.Unanswered == 0 })
}

// await waits until is true, which looks at what mu guards, or ctx or the lanes
// have ended.
func (s *PublishSender) await(ctx context.Context, is func() bool) error {
	for {
		s.mu.Lock()
		err, done := s.err, is()
		s.mu.Unlock()
		switch {
		case err != nil:
			s.end()
			s.told = true
			return err
		case done:
			return nil
		}
		select {
		case <-s.news:
		case <-ctx.Done():
			return fmt.Errorf("msggen: %s has not answered: %w", s.template.shown, ctx.Err())
		}
	}
}

// Close waits for the answers that are missing, until ctx ends, and closes the
// connections. It fails if nothing was ever accepted.
func (s *PublishSender) Close(ctx context.Context) error {
	var err error
	before := s.Receipt()
	if s.stop != nil {
		err = s.Settle(ctx)
	}
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.receipt.Unknown - before.Unknown
	var late uint64
	if r := s.refusals[tooLate]; r != nil {
		late = r.n
	}
	switch {
	case err != nil && !s.told && lost+late > 0:
		err = fmt.Errorf("msggen: %s has not answered %d requests by the end: what became of their messages is unknown, each may or may not have been delivered; %d more had to wait and were never sent (%w); see the log of the server, or of the proxy before it, for what it does with them", s.template.shown, lost, late, err)
	case err == nil && !s.told && s.receipt.Sent == 0 && s.refused > 0:
		_, err = s.commonestLocked()
	}
	return err
}

// end ends the lanes, and counts what they leave.
func (s *PublishSender) end() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
	s.running.Wait()
	for _, l := range s.lanes {
		l.drop()
	}
	s.dirty = s.dirty[:0]
}

// fail ends the lanes because of err.
func (s *PublishSender) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failLocked(err)
	s.tell()
}

// failLocked is for who books what led to err, so that nobody sees the one
// without the other.
func (s *PublishSender) failLocked(err error) {
	if s.err == nil {
		s.err = err
	}
}

// tell wakes await; mu must be held.
func (s *PublishSender) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}
