package msggen

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// DefaultAnswerTimeout is how long a server may take to answer.
	DefaultAnswerTimeout = 10 * time.Second

	// maxAnswer bounds what is read of an answer.
	maxAnswer = 4 << 10
)

// HTTPConfig says where an [HTTPSender] posts to.
type HTTPConfig struct {
	// URL is http://host:port/send of a comet server's admin listener; without
	// a path, /send is meant.
	URL string
	// Token is sent as a bearer token unless empty.
	Token string
	// TLS is for https; nil means the authorities of the system.
	TLS *tls.Config
	// NDJSON sends lines {"id":1,"message":"…"} instead of `1 …` as text/plain,
	// which is quicker but cannot carry a message with a line break in it. JSON
	// carries text only: bytes that are not UTF-8 arrive as U+FFFD.
	NDJSON bool
	// Events sends lines {"from":1,"message":"…"}: each message goes to all
	// followers of the id, for a server that knows who they are.
	Events bool
	// AnswerTimeout is how long the server may take to answer a request that
	// has ended, or to take any lines; then it counts as gone. 0 means
	// DefaultAnswerTimeout.
	AnswerTimeout time.Duration
}

// Validate reports what is wrong with c.
func (c HTTPConfig) Validate() error {
	if _, err := parseURL(c.URL); err != nil {
		return fmt.Errorf("msggen: %w", err)
	}
	if c.AnswerTimeout < 0 {
		return fmt.Errorf("msggen: AnswerTimeout is %v: it must not be negative", c.AnswerTimeout)
	}
	return nil
}

// HTTPSender posts messages as lines of a request that lasts, `POST /send`. The
// server delivers each line as it arrives, and says what became of them when
// the request ends, so each Settle ends one. All requests share one connection,
// one after the other: that keeps the messages of an id in order.
type HTTPSender struct {
	config HTTPConfig
	// url is where to post to, and shown that without a password.
	url, shown string

	transport *http.Transport
	client    *http.Client

	// lines are those that no request has taken yet, buffered of them, and moments
	// those in their stamps that are set when they are sent.
	lines    []byte
	moments  []span
	buffered uint64
	// current is the request that is open, nil between two.
	current *request
	receipt Receipt
}

// request is a `POST /send` under way.
type request struct {
	body   *body
	cancel context.CancelFunc
	answer chan answer
	// taken is how many lines it was given, and ended reports that it gets no more.
	taken uint64
	ended bool
}

// answer is how a request ended: what the server said, or err.
type answer struct {
	sent, reached, unaddressed uint64
	err                        error
}

// NewHTTPSender returns a sender; it connects to nothing before Open.
func NewHTTPSender(config HTTPConfig) (*HTTPSender, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	target, err := parseURL(config.URL)
	if err != nil {
		return nil, fmt.Errorf("msggen: %w", err)
	}
	if config.AnswerTimeout == 0 {
		config.AnswerTimeout = DefaultAnswerTimeout
	}
	s := &HTTPSender{config: config, url: target.String(), shown: target.Redacted()}
	s.transport, s.client = newClient(config.TLS)
	return s, nil
}

// newClient returns a client without what would get between a generator and its
// server: a proxy, compression, redirects (a body that was read is gone),
// HTTP/2 (whose frames would be flushed at other moments).
func newClient(secure *tls.Config) (*http.Transport, *http.Client) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{
		DialContext:         dialer.DialContext,
		TLSClientConfig:     secure.Clone(),
		TLSHandshakeTimeout: 5 * time.Second,
		DisableCompression:  true,
		MaxIdleConns:        1,
		WriteBufferSize:     64 << 10, // holds a chunk of 32 KiB, what net/http copies at a time
		Protocols:           new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true)
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return transport, client
}

// Open posts no message at all. That opens the connection, and shows whether
// something listens, takes the token and answers as a comet server does. The
// sender can be opened again after an error.
func (s *HTTPSender) Open(ctx context.Context) error {
	_ = s.abandon() // only after an error, which was returned
	ctx, cancel := context.WithTimeout(ctx, s.config.AnswerTimeout)
	defer cancel()
	return s.do(ctx, http.NoBody).err
}

// Send buffers one line.
func (s *HTTPSender) Send(id int64, message []byte) error {
	switch {
	case s.config.Events:
		s.lines = appendJSONLine(s.lines, `{"from":`, id, message)
	case s.config.NDJSON:
		s.lines = appendJSONLine(s.lines, `{"id":`, id, message)
	default:
		if bytes.IndexByte(message, '\n') >= 0 || bytes.IndexByte(message, '\r') >= 0 {
			return fmt.Errorf("msggen: a message for id %d has a line break, which a line of text cannot carry: send it as NDJSON", id)
		}
		s.lines = strconv.AppendInt(s.lines, id, 10)
		s.lines = append(s.lines, ' ')
		s.lines = append(s.lines, message...)
	}
	s.lines = append(s.lines, '\n')
	s.buffered++
	s.receipt.Unanswered++
	return nil
}

// appendJSONLine appends a line that begins with key.
func appendJSONLine(line []byte, key string, id int64, message []byte) []byte {
	line = append(line, key...)
	line = strconv.AppendInt(line, id, 10)
	line = append(line, `,"message":`...)
	if isPlain(message) {
		line = append(append(append(line, '"'), message...), '"')
	} else {
		text, _ := json.Marshal(string(message)) // a string always can be
		line = append(line, text...)
	}
	return append(line, '}')
}

// isPlain reports whether message is the same in a string of JSON.
func isPlain(message []byte) bool {
	for _, c := range message {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func (s *HTTPSender) sendNow(id int64, message []byte) error {
	begin := len(s.lines)
	if err := s.Send(id, message); err != nil {
		return err
	}
	from, to := momentIn(s.lines[begin:])
	s.moments = append(s.moments, span{begin + from, begin + to})
	return nil
}

// Flush returns when all lines are on the wire. A server that takes none of them
// for AnswerTimeout counts as gone.
func (s *HTTPSender) Flush(ctx context.Context) error {
	if err := s.stillOpen(ctx); err != nil || s.buffered == 0 {
		return err
	}
	if s.current == nil {
		s.begin()
	}
	bounded, cancel := context.WithTimeout(ctx, s.config.AnswerTimeout)
	defer cancel()
	taken, err := s.current.body.write(bounded, portion{s.lines, s.moments})
	if taken {
		s.current.taken += s.buffered
		s.buffered = 0
	}
	switch {
	case err == nil:
		s.lines, s.moments = s.lines[:0], s.moments[:0]
		return nil
	case errors.Is(err, errBodyClosed):
		return s.conclude(<-s.current.answer)
	case ctx.Err() == nil:
		return s.giveUp("it took no messages for %v")
	}
	return fmt.Errorf("msggen: %s takes no messages: %w", s.shown, err)
}

// giveUp ends a request that the server lets hang, which why says with the
// AnswerTimeout in it.
func (s *HTTPSender) giveUp(why string) error {
	s.current.cancel()
	a := <-s.current.answer
	if a.err != nil {
		a.err = &unreachableError{url: s.shown, cause: fmt.Errorf(why, s.config.AnswerTimeout)}
	}
	return s.conclude(a)
}

// Settle ends the request, and returns when it was answered. If ctx ends first,
// Close goes on waiting for the answer.
func (s *HTTPSender) Settle(ctx context.Context) error {
	if s.current == nil || !s.current.ended {
		if err := s.Flush(ctx); err != nil || s.current == nil {
			return err
		}
		s.current.ended = true
		s.current.body.end()
	}
	timeout := time.NewTimer(s.config.AnswerTimeout)
	defer timeout.Stop()
	select {
	case a := <-s.current.answer:
		return s.conclude(a)
	case <-timeout.C:
		return s.giveUp("no answer after %v")
	case <-ctx.Done():
		return fmt.Errorf("msggen: %s has not answered: %w", s.shown, ctx.Err())
	}
}

// Receipt returns what is known so far.
func (s *HTTPSender) Receipt() Receipt { return s.receipt }

// Close settles, or gives up the request when ctx ends, and closes the
// connection.
func (s *HTTPSender) Close(ctx context.Context) error {
	err := s.Settle(ctx)
	if lost := s.abandon(); lost != nil {
		err = lost // says how many messages that leaves unknown
	}
	s.transport.CloseIdleConnections()
	return err
}

// begin opens a request.
func (s *HTTPSender) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	r := &request{body: newBody(), cancel: cancel, answer: make(chan answer, 1)}
	s.current = r
	go func() { r.answer <- s.do(ctx, r.body) }()
}

// stillOpen sees to what happened since the last call: a Flush that its ctx cut
// short, a request that the server ended.
func (s *HTTPSender) stillOpen(ctx context.Context) error {
	if s.current == nil {
		return nil
	}
	if s.current.body.pending {
		err := s.current.body.settled(ctx)
		if s.current.body.pending {
			return fmt.Errorf("msggen: %s takes no messages: %w", s.shown, err)
		}
		s.lines, s.moments = s.lines[:0], s.moments[:0]
	}
	select {
	case a := <-s.current.answer:
		return s.conclude(a)
	default:
		return nil
	}
}

// conclude books what the end of the current request says about its lines.
func (s *HTTPSender) conclude(a answer) error {
	taken, ended := s.current.taken, s.current.ended
	s.current.cancel()
	s.current.body.Close() // a transport that was answered early still reads it
	s.current = nil

	if err := a.check(s.shown, taken); err != nil {
		a = answer{err: err}
	}
	s.receipt.Sent += a.sent
	s.receipt.Reached += a.reached
	s.receipt.Unaddressed += a.unaddressed
	s.receipt.Unanswered -= taken
	if a.err == nil && ended {
		s.receipt.Refused += taken - a.sent
		return nil
	}
	s.receipt.Unknown += taken - a.sent
	s.refuseBuffered()
	cause := a.err
	if gone, ok := errors.AsType[*unreachableError](a.err); ok {
		cause = gone.cause
	}
	switch {
	case a.err == nil:
		cause = errors.New("it answered before the request ended, as a server does that shuts down")
	case !errors.Is(a.err, ErrAway):
		return a.err
	}
	return &lostError{url: s.shown, unknown: taken - a.sent, cause: cause}
}

// check holds what a server says of taken messages against that. Of what it says
// otherwise nothing can be believed.
func (a answer) check(url string, taken uint64) error {
	// A message may reach any number of connections; this keeps sums from
	// overflowing.
	const maxReached = 1 << 48
	what := ""
	switch {
	case a.sent > taken:
		what = fmt.Sprintf("accepted %d messages", a.sent)
	case a.unaddressed > a.sent:
		what = fmt.Sprintf("accepted %d messages, %d of them to nobody", a.sent, a.unaddressed)
	case a.reached > maxReached, a.reached > 0 && a.sent == 0:
		what = fmt.Sprintf("accepted %d messages, and reached %d connections with them", a.sent, a.reached)
	default:
		return nil
	}
	return fmt.Errorf("msggen: %s claims what cannot be: given %d messages, it says that it %s; what became of them is unknown, and no count of this server can be believed", url, taken, what)
}

// refuseBuffered drops what no request has taken.
func (s *HTTPSender) refuseBuffered() {
	s.receipt.Unanswered -= s.buffered
	s.receipt.Refused += s.buffered
	s.lines, s.moments, s.buffered = s.lines[:0], s.moments[:0], 0
}

// abandon gives up what is under way: after an error, or when Close ran out of
// time.
func (s *HTTPSender) abandon() error {
	var err error
	if s.current != nil {
		s.current.cancel()
		err = s.conclude(<-s.current.answer)
	}
	s.refuseBuffered()
	return err
}

// do posts body and reads the answer.
func (s *HTTPSender) do(ctx context.Context, body io.Reader) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, body)
	if err != nil {
		return answer{err: fmt.Errorf("msggen: cannot post to %s: %w", s.url, err)}
	}
	contentType := "text/plain; charset=utf-8"
	if s.config.NDJSON || s.config.Events {
		contentType = "application/x-ndjson"
	}
	var counts struct {
		Sent        *uint64 `json:"sent"`
		Reached     uint64  `json:"reached"`
		Unaddressed uint64  `json:"unaddressed"`
	}
	err = post(s.client, req, contentType, s.config.Token, &counts)
	switch {
	case err != nil && counts.Sent == nil:
		return answer{err: err}
	case counts.Sent == nil:
		return answer{err: notComet(req, `its answer has no "sent"`)}
	}
	// A server that stops at a line it cannot read counts those before it.
	return answer{sent: *counts.Sent, reached: counts.Reached, unaddressed: counts.Unaddressed, err: err}
}

// post sends req and decodes its answer into counts. Its errors are addressed
// to a person; they wrap [ErrAway] if it may help to try again.
func post(client *http.Client, req *http.Request, contentType, token string, counts any) error {
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "comet")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return unreachable(req, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return unreachable(req, err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = json.Unmarshal(text, counts) // as far as it has some
		return refused(req, resp, text)
	}
	if err := json.Unmarshal(text, counts); err != nil {
		return notComet(req, "its answer is not JSON")
	}
	return nil
}
