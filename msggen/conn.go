package msggen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"example.org/comet/server/tlsclient"
)

// fate is what became of a request.
type fate uint8

const (
	answered fate = iota
	again         // it was not read, or may be repeated: it goes over the next connection
	unread        // it was not read, and not for the first time
	unknown       // it may have been read
)

const (
	// maxReply bounds an answer: its head and what is read of its body.
	maxReply = 1 << 20
	// bodyPatience is how long the body of an answer may take to come once its
	// head is there. The head says all that counts; then the connection is left.
	bodyPatience = 2 * time.Second
	// earlyPatience is how long the rest of a request may take to be written once
	// its answer is there.
	earlyPatience = 50 * time.Millisecond
)

// serve sends what waits over conn and reads the answers, until it ends.
func (l *lane) serve(ctx context.Context, conn net.Conn) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	l.mu.Lock()
	l.conn, l.fresh = conn, true
	l.writeLocked()
	l.fresh = l.busy
	l.mu.Unlock()
	bounded := &boundedReader{conn: conn}
	reader := bufio.NewReader(bounded)
	for more := true; more; {
		bounded.left = maxReply
		r := readReply(reader, l.sender.template.method, func() {
			conn.SetReadDeadline(time.Now().Add(bodyPatience))
		})
		if r.resp == nil {
			r.err = bounded.explain(r)
		}
		more = l.conclude(conn, r)
	}
	l.mu.Lock()
	w := l.writing
	l.writing = nil
	l.mu.Unlock()
	conn.Close()
	if w != nil {
		<-w.done
	}
}

// boundedReader reads a connection up to a limit, which is renewed with each
// answer: no answer can fill the memory.
type boundedReader struct {
	conn  net.Conn
	left  int
	ended bool // the connection has
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, io.EOF
	}
	n, err := b.conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	b.ended = err != nil
	return n, err
}

// explain returns why r has no head.
func (b *boundedReader) explain(r reply) error {
	switch {
	case b.left <= 0:
		return &notHTTPError{fmt.Sprintf("the head of its answer has no end: it was left after %d KiB", maxReply>>10)}
	case b.ended && r.heard && bytes.HasPrefix(r.start, []byte("HTTP/1.")) && !isNetError(r.err):
		return io.ErrUnexpectedEOF // in the middle of a line, which is malformed then
	}
	return r.err
}

// conclude books what r says about the request under way, and reports whether
// the connection goes on, on which it writes the next request.
func (l *lane) conclude(conn net.Conn, r reply) (more bool) {
	// TLS 1.3 refuses a client's certificate, or the lack of one, after a handshake.
	var final error
	if fault := tlsclient.Explain(r.err, "https"); fault != nil && !r.heard {
		final = l.sender.untrusted(fault)
	}
	l.mu.Lock()
	busy, fresh, w := l.busy, l.fresh, l.writing
	if !busy { // an answer to no request says goodbye
		l.conn = nil
		l.mu.Unlock()
		if final != nil {
			l.sender.fail(final)
		}
		return false
	}
	l.mu.Unlock()
	// While busy, nobody else writes to the connection or takes from the queue.
	whole := w == nil || w.ended(conn)
	how := l.judge(conn, r, fresh, whole)
	if final != nil {
		how = unread
	}

	l.mu.Lock()
	more = how == answered && r.reusable && whole
	var p pending
	switch {
	case how == again && l.queue[0].tries < maxTries:
	case how == again:
		how = unread
		fallthrough
	default:
		p = l.popLocked()
	}
	l.busy, l.fresh = false, false
	if !more {
		l.conn = nil
	} else {
		l.writing = nil
		if l.writeLocked(); !l.busy && l.conn != nil {
			l.conn.SetDeadline(time.Time{})
		}
	}
	l.mu.Unlock()
	switch how {
	case answered:
		l.sender.answered(p, r.resp, r.text)
	case unread:
		l.sender.unread(p, final)
	case unknown:
		l.sender.lost(p, l.cause(r))
	case again: // it waits
	}
	return more
}

// ended waits until the writing has ended, and reports whether all of the
// request was written. It does not wait long, and closes conn then: a peer may
// answer without reading on (RFC 9112, section 9.5).
func (w *writing) ended(conn net.Conn) bool {
	select {
	case <-w.done:
	case <-time.After(earlyPatience):
		conn.Close()
		<-w.done
	}
	return !w.cut
}

// judge decides what became of the request that r ended.
//
// A request without an answer may have been carried out, so that to repeat it
// could deliver a message twice (RFC 9110, section 9.2.2). It is repeated where
// the peer cannot have read it whole: not all of it was written, or the peer's
// kernel refused what came after the end of the connection. It is repeated also
// where the method is idempotent and the connection was one that had been at
// rest or in use before, which a server may close at any moment (RFC 9112,
// section 9.3.1). A 408 that closes such a connection says that no whole request
// had come (RFC 9110, section 15.5.9).
func (l *lane) judge(conn net.Conn, r reply, fresh, whole bool) fate {
	switch {
	case r.resp != nil && r.resp.StatusCode == http.StatusRequestTimeout && r.resp.Close && !fresh:
		return again
	case r.resp != nil:
		return answered
	case r.heard, errors.Is(r.err, os.ErrDeadlineExceeded):
		return unknown
	case !whole, isEOF(r.err) && closedUnread(conn):
		return again
	case errors.Is(r.err, net.ErrClosed): // by us, at the end
		return unknown
	case !fresh && isIdempotent(l.sender.template.method):
		return again
	}
	return unknown
}

// isIdempotent reports whether RFC 9110, section 9.2.2, lets a request of method
// be repeated.
func isIdempotent(method string) bool {
	return slices.Contains([]string{
		http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace,
	}, method)
}

// cause explains why there is no answer.
func (l *lane) cause(r reply) error {
	switch {
	case errors.Is(r.err, os.ErrDeadlineExceeded):
		return &silentError{l.sender.config.AnswerTimeout}
	case r.heard && isEOF(r.err):
		return errors.New("the server closed the connection in the middle of its answer")
	case isEOF(r.err):
		return errors.New("the server closed the connection")
	}
	return r.err
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// silentError is a request that went unanswered for too long.
type silentError struct{ after time.Duration }

func (e *silentError) Error() string { return fmt.Sprintf("no answer after %v", e.after) }

// reply is what came in answer to a request.
type reply struct {
	// resp is nil if its head did not come whole; then err says why.
	resp  *http.Response
	err   error
	start []byte // how it begins
	text  []byte // the beginning of its body, if it is no 2xx
	// heard reports that a part of it came, at least.
	heard    bool
	reusable bool // the connection, for the next request
}

// readReply reads an answer to the end, so that the connection can be used
// again, and calls body before its body. Only the head counts: a body that does
// not come costs the connection.
func readReply(reader *bufio.Reader, method string, body func()) (r reply) {
	if r = readHead(reader, method); r.resp == nil {
		return r
	}
	defer r.resp.Body.Close()
	if r.resp.StatusCode == http.StatusSwitchingProtocols {
		return r
	}
	body()
	if r.resp.StatusCode < 200 || r.resp.StatusCode >= 300 {
		r.text, _ = io.ReadAll(io.LimitReader(r.resp.Body, maxAnswer))
	}
	_, err := io.Copy(io.Discard, r.resp.Body)
	r.reusable = err == nil && !r.resp.Close
	return r
}

// readHead reads the head of an answer. Interim answers are passed over (RFC 9110,
// section 15.2), but not a change of the protocol, which was not asked for.
func readHead(reader *bufio.Reader, method string) (r reply) {
	request := &http.Request{Method: method} // HEAD has no body
	for {
		if _, err := reader.Peek(1); err != nil {
			r.err = err
			return r
		}
		r.heard = true
		peeked, _ := reader.Peek(min(reader.Buffered(), maxStart))
		r.start = append(r.start[:0], peeked...)
		resp, err := http.ReadResponse(reader, request)
		if err != nil {
			if r.err = err; !isEOF(err) && !errors.Is(err, os.ErrDeadlineExceeded) && !isNetError(err) {
				r.err = malformed(r.start, err)
			}
			return r
		}
		if resp.StatusCode < 100 || resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			r.resp = resp
			return r
		}
	}
}

func isNetError(err error) bool {
	_, is := errors.AsType[net.Error](err)
	return is
}
