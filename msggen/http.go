package msggen

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"example.org/comet/server/wire"
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
	poster *poster
	// shown is where to post to, without a password.
	shown string

	// lines are those since the last Flush that wrote all, of which buffered were
	// not given to a request, and moments are those in their stamps that are set
	// when they are written. Of both, written and stamped are behind us.
	lines            []byte
	moments          []span
	written, stamped int
	buffered         uint64
	// frame is the buffer of what is written at a time.
	frame []byte
	// conn is nil while there is none.
	conn *httpConn
	// current is the request that is open, nil between two.
	current *request
	receipt Receipt
}

// request is a `POST /send` under way.
type request struct {
	// taken is how many lines it was given, and ended reports that it gets no more.
	taken uint64
	ended bool
	// begun and done report that its head and its end were written.
	begun, done bool
}

// span is a part of the lines, from and to counted from their beginning.
type span struct{ from, to int }

// maxPiece is how much of a request is written at a time, and a chunk of it: the
// stamps in it are from just before.
const maxPiece = 32 << 10

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
	poster, err := newPoster(target, config)
	if err != nil {
		return nil, err
	}
	return &HTTPSender{config: config, poster: poster, shown: wire.ShowURL(target.String())}, nil
}

// Open posts no message at all. That opens the connection, and shows whether
// something listens, takes the token and answers as a comet server does. The
// sender can be opened again after an error.
func (s *HTTPSender) Open(ctx context.Context) error {
	_ = s.abandon() // only after an error, which was returned
	s.hangUp()
	ctx, cancel := context.WithTimeout(ctx, s.config.AnswerTimeout)
	defer cancel()
	conn, err := s.poster.connect(ctx)
	if err != nil {
		return err
	}
	s.conn = conn
	defer context.AfterFunc(ctx, conn.interrupt)()
	var r reply
	if err := conn.write(s.poster.empty); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		r = conn.fallen(err)
	} else {
		select {
		case got, ok := <-conn.replies:
			r = conn.took(got, ok)
		case <-ctx.Done():
			r.err = ctx.Err()
		}
	}
	if err = s.poster.answer(r).err; err != nil || !r.reusable {
		s.hangUp()
	}
	return err
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
	if s.current == nil && s.buffered == 0 {
		return nil
	}
	if err := s.stillOpen(); err != nil {
		return err
	}
	if s.current == nil {
		if err := s.begin(ctx); err != nil {
			return err
		}
	}
	s.current.taken += s.buffered
	s.buffered = 0
	return s.deliver(ctx)
}

// deliver writes what the current request was given.
func (s *HTTPSender) deliver(ctx context.Context) error {
	limit := time.Now().Add(s.config.AnswerTimeout)
	for {
		err := os.ErrDeadlineExceeded
		allowed := s.conn.allow(limit)
		if allowed {
			stop := context.AfterFunc(ctx, s.conn.interrupt)
			err = s.writeAll()
			stop()
		}
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return s.conclude(s.conn.fallen(err))
		case !allowed:
			return s.conclude(s.conn.take())
		case ctx.Err() != nil:
			return fmt.Errorf("msggen: %s takes no messages: %w", s.shown, ctx.Err())
		case !time.Now().Before(limit):
			return s.giveUp("it took no messages for %v")
		}
	}
}

// writeAll writes the lines of the current request piece by piece, before them its
// head if it has just begun, and behind them its end if that is due.
func (s *HTTPSender) writeAll() error {
	for {
		s.frame = s.frame[:0]
		if !s.current.begun {
			s.frame = append(s.frame, s.poster.head...)
			s.current.begun = true
		}
		s.addPiece()
		if s.current.ended && !s.current.done && len(s.lines) == 0 {
			s.frame = append(s.frame, "0\r\n\r\n"...)
			s.current.done = true
		}
		if err := s.conn.write(s.frame); err != nil || len(s.lines) == 0 {
			return err
		}
	}
}

// addPiece adds the next piece of the lines to the frame, as a chunk.
func (s *HTTPSender) addPiece() {
	end := min(len(s.lines), s.written+maxPiece)
	if s.written == end {
		return
	}
	if s.stamped < len(s.moments) {
		now := time.Now()
		for ; s.stamped < len(s.moments) && s.moments[s.stamped].from < end; s.stamped++ {
			putMoment(s.lines[s.moments[s.stamped].from:s.moments[s.stamped].to], now)
		}
	}
	s.frame = strconv.AppendInt(s.frame, int64(end-s.written), 16)
	s.frame = append(s.frame, "\r\n"...)
	s.frame = append(s.frame, s.lines[s.written:end]...)
	s.frame = append(s.frame, "\r\n"...)
	if s.written = end; end == len(s.lines) {
		s.forget()
	}
}

// forget empties the lines.
func (s *HTTPSender) forget() {
	s.lines, s.moments, s.written, s.stamped = s.lines[:0], s.moments[:0], 0, 0
}

// giveUp ends a request that the server lets hang, which why says with the
// AnswerTimeout in it.
func (s *HTTPSender) giveUp(why string) error {
	r := s.conn.last()
	if r.resp == nil {
		r.err = lateError(fmt.Sprintf(why, s.config.AnswerTimeout))
	}
	return s.conclude(r)
}

// Settle ends the request, and returns when it was answered. If ctx ends first,
// Close goes on waiting for the answer.
func (s *HTTPSender) Settle(ctx context.Context) error {
	if err := s.Flush(ctx); err != nil || s.current == nil {
		return err
	}
	s.current.ended = true
	if err := s.deliver(ctx); err != nil || s.current == nil {
		return err
	}
	timeout := time.NewTimer(s.config.AnswerTimeout)
	defer timeout.Stop()
	select {
	case r, ok := <-s.conn.replies:
		return s.conclude(s.conn.took(r, ok))
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
	s.hangUp()
	return err
}

// begin opens a request, over a new connection if the server has left the last one.
func (s *HTTPSender) begin(ctx context.Context) error {
	if s.conn != nil && !s.conn.allow(time.Time{}) {
		s.hangUp()
	}
	if s.conn == nil {
		bounded, cancel := context.WithTimeout(ctx, s.config.AnswerTimeout)
		defer cancel()
		conn, err := s.poster.connect(bounded)
		if err != nil {
			s.refuseBuffered()
			return s.lost(err, 0)
		}
		s.conn = conn
	}
	s.current = &request{}
	return nil
}

// stillOpen sees to a request that the server ended.
func (s *HTTPSender) stillOpen() error {
	if s.current == nil || s.current.ended {
		return nil
	}
	select {
	case r, ok := <-s.conn.replies:
		return s.conclude(s.conn.took(r, ok))
	default:
		return nil
	}
}

// hangUp closes the connection.
func (s *HTTPSender) hangUp() {
	if s.conn != nil {
		s.conn.close()
		s.conn = nil
	}
}

// conclude books what the end of the current request says about its lines.
func (s *HTTPSender) conclude(r reply) error {
	taken, ended := s.current.taken, s.current.done
	s.current = nil
	a := s.poster.answer(r)
	if !r.reusable || !ended || a.err != nil {
		s.hangUp()
	}
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
	if a.err == nil {
		a.err = &awayError{errors.New("it answered before the request ended, as a server does that shuts down")}
	}
	return s.lost(a.err, taken-a.sent)
}

// lost returns err of a request, of which it leaves some messages unknown.
func (s *HTTPSender) lost(err error, unknown uint64) error {
	if !errors.Is(err, ErrAway) {
		return err
	}
	if gone, ok := errors.AsType[*unreachableError](err); ok {
		err = gone.cause
	}
	return &lostError{url: s.shown, unknown: unknown, cause: err}
}

// refuseBuffered drops what no request has taken, and what one left.
func (s *HTTPSender) refuseBuffered() {
	s.receipt.Unanswered -= s.buffered
	s.receipt.Refused += s.buffered
	s.buffered = 0
	s.forget()
}

// abandon gives up what is under way: after an error, or when Close ran out of
// time.
func (s *HTTPSender) abandon() error {
	var err error
	if s.current != nil {
		r := s.conn.last()
		if errors.Is(r.err, net.ErrClosed) {
			r.err = lateError("no answer by the end of the time to wait")
		}
		err = s.conclude(r)
	}
	s.refuseBuffered()
	return err
}
