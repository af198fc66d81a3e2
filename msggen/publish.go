package msggen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
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
	// TLS is for https; nil means the system's certificates.
	TLS *tls.Config
}

// Validate reports everything that is wrong with c, in one error.
func (c PublishConfig) Validate() error {
	_, err := newRequestTemplate(c)
	if c.Connections < 0 || c.Connections > maxPublishConnections {
		err = errors.Join(err, fmt.Errorf("connections to publish over: %d: it must be from 1 to %d", c.Connections, maxPublishConnections))
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
// server: what 2xx answers is sent, what anything else answers is refused. It
// has so many connections, which are kept alive; a message that finds the one
// of its id busy waits for it, and counts as late until it is on the wire.
//
// A server that answers nothing but refusals is an error. One that cannot be
// reached any more, or cuts one connection after the other, is away.
type PublishSender struct {
	config   PublishConfig
	template *requestTemplate
	lanes    []*lane
	// dirty are the lanes that were given something since the last Flush.
	dirty []*lane
	// wired is told how late each message was on the wire; nil for nobody.
	wired func(late time.Duration)
	// running are the lanes' goroutines, and stop ends them; nil if there are
	// none.
	running sync.WaitGroup
	stop    context.CancelFunc
	// told tells that the error was returned.
	told bool

	mu       sync.Mutex
	receipt  Receipt        // guarded by mu, like all that follows
	statuses map[int]uint64 // of all answers
	refusal  error          // the first
	refused  uint64         // answers that were refusals
	cut      int            // requests without an answer, since the last answer
	waiting  int            // messages that no lane has written yet
	err      error          // ended the lanes
	// news has an entry when something of this changed since it was last taken.
	news chan struct{}
}

// NewPublishSender makes a sender; it connects to nothing before Open.
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
	s.err, s.cut, s.told = nil, 0, false
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

func (s *PublishSender) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, min(5*time.Second, s.config.AnswerTimeout))
	defer cancel()
	dialer := &net.Dialer{}
	var conn net.Conn
	var err error
	if s.template.tls {
		config := s.config.TLS.Clone()
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if config.ServerName == "" {
			config.ServerName = s.template.host
		}
		config.NextProtos = []string{"http/1.1"}
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", s.template.address)
	} else {
		conn, err = dialer.DialContext(ctx, "tcp", s.template.address)
	}
	if err != nil {
		return nil, s.unreachable(err)
	}
	return conn, nil
}

// unreachable explains why there is no connection. A certificate that is not
// trusted will not be so later.
func (s *PublishSender) unreachable(err error) error {
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return fmt.Errorf("msggen: cannot publish to %s: %w", s.template.shown, err)
	}
	advice := "see that the server runs there"
	if errors.Is(err, syscall.ECONNREFUSED) {
		advice = "nothing listens there: start the server, or name the address of one that runs"
	}
	return &awayError{fmt.Errorf("msggen: cannot publish to %s: %w; %s", s.template.shown, err, advice)}
}

// awayError is an error that is an ErrAway too, without saying so again.
type awayError struct{ error }

func (e *awayError) Unwrap() []error { return []error{ErrAway, e.error} }

// Send has message wait for the connection of id.
func (s *PublishSender) Send(id int64, message []byte) error {
	return s.sendDue(id, message, time.Time{})
}

func (s *PublishSender) sendDue(id int64, message []byte, due time.Time) error {
	s.mu.Lock()
	s.receipt.Unanswered++
	s.waiting++
	s.mu.Unlock()
	// Ids that are a multiple of the number of lanes apart must not share one.
	const golden = 0x9e3779b97f4a7c15
	l := s.lanes[(uint64(id)*golden>>32)%uint64(len(s.lanes))]
	if l.add(id, message, due) {
		s.dirty = append(s.dirty, l)
	}
	return nil
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

// Receipt is what is known so far. It is safe at any time.
func (s *PublishSender) Receipt() Receipt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.receipt
}

// Answers are those so far. It is safe at any time.
func (s *PublishSender) Answers() Answers {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := Answers{Statuses: maps.Clone(s.statuses)}
	if s.refusal != nil {
		a.Refusal = s.refusal.Error()
	}
	return a
}

func (s *PublishSender) answers() Answers                      { return s.Answers() }
func (s *PublishSender) onWire(wired func(late time.Duration)) { s.wired = wired }

// Close waits for the answers that are missing, until ctx ends, and closes the
// connections. It fails if nothing was ever accepted.
func (s *PublishSender) Close(ctx context.Context) error {
	var err error
	before := s.Receipt().Unknown
	if s.stop != nil {
		err = s.Settle(ctx)
	}
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.receipt.Unknown - before
	switch {
	case err != nil && !s.told && lost > 0:
		err = fmt.Errorf("msggen: %s has not answered %d requests by the end: what became of their messages is unknown, each may or may not have been delivered (%w)", s.template.shown, lost, err)
	case err == nil && !s.told && s.receipt.Sent == 0 && s.refused > 0:
		err = s.refusal
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
	if s.err == nil {
		s.err = err
	}
	s.tell()
}

// tell wakes await; mu must be held.
func (s *PublishSender) tell() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// wrote books that a message is on the wire.
func (s *PublishSender) wrote(due time.Time) {
	if s.wired != nil && !due.IsZero() {
		s.wired(time.Since(due))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
	s.tell()
}

// dropped books that messages will not be sent.
func (s *PublishSender) dropped(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting -= n
	s.receipt.Unanswered -= uint64(n)
	s.receipt.Refused += uint64(n)
	s.tell()
}

// lost books that a request got no answer, because of cause.
func (s *PublishSender) lost(id int64, cause error) {
	s.mu.Lock()
	s.receipt.Unanswered--
	s.receipt.Unknown++
	s.cut++
	cut, ever := s.cut, len(s.statuses) > 0
	s.tell()
	s.mu.Unlock()
	switch {
	case cut < len(s.lanes):
	case ever:
		s.fail(&awayError{fmt.Errorf("msggen: %s answers no more: the last %d requests were cut off (%w): what became of their messages is unknown, each may or may not have been delivered; see that the server runs, its log should say why", s.template.shown, cut, cause)})
	default:
		s.fail(fmt.Errorf("msggen: %s takes connections, but has never answered (%w): see that it speaks HTTP/1.1 there", s.template.line(id), cause))
	}
}

// answered books an answer. Its text is of a refusal.
func (s *PublishSender) answered(id int64, resp *http.Response, text []byte) {
	accepted := resp.StatusCode >= 200 && resp.StatusCode < 300
	s.mu.Lock()
	s.receipt.Unanswered--
	s.statuses[resp.StatusCode]++
	s.cut = 0
	if accepted {
		s.receipt.Sent++
	} else {
		s.receipt.Refused++
		s.refused++
		if s.refusal == nil {
			s.refusal = s.explain(id, resp, text)
		}
	}
	hopeless := s.receipt.Sent == 0 && s.refused >= enoughRefusals
	refusal := s.refusal
	s.tell()
	s.mu.Unlock()
	if hopeless {
		s.fail(refusal)
	}
}

// explain says what an answer means that is no 2xx.
func (s *PublishSender) explain(id int64, resp *http.Response, text []byte) error {
	said, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	switch said = strings.TrimSpace(said); {
	case said == "", said[0] == '<': // nothing, or the first line of a web page
		said = ""
	default:
		said = fmt.Sprintf(" (%.200s)", said)
	}
	err := fmt.Errorf("msggen: %s was answered %s%s", s.template.line(id), resp.Status, said)
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%w: give what it asks for as a header, such as `Authorization: …`", err)
	case code == http.StatusNotFound:
		return fmt.Errorf("%w: see that the path is the one that it takes messages at", err)
	case code == http.StatusMethodNotAllowed && resp.Header.Get("Allow") != "":
		return fmt.Errorf("%w: choose another method, of %s", err, resp.Header.Get("Allow"))
	case code == http.StatusMethodNotAllowed, code == http.StatusNotImplemented:
		return fmt.Errorf("%w: choose another method", err)
	case code == http.StatusUnsupportedMediaType:
		return fmt.Errorf("%w: give the type of the body as a header, such as `Content-Type: application/json`", err)
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: messages are not sent after a redirect; name %s itself", err, resp.Header.Get("Location"))
	case code == http.StatusTooManyRequests:
		return fmt.Errorf("%w: the server limits the rate", err)
	}
	return err
}
