package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"example.org/comet/server/adminhttp"
	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// takeRequests takes the requests that b begins with, and returns what is left. It
// reports false when the connection is not the loop's any more.
func (l *loop) takeRequests(slot uint32, it *intake, b []byte) (rest []byte, ok bool) {
	for l.intakes.reached = 0; len(b) > 0 || it.mayGoOn(); {
		if l.intakes.reached > flushAfter || len(it.out) > maxAnswers {
			l.giveWay(slot, it)
			return b, true
		}
		if it.lines != nil {
			if b, ok = l.takeLines(slot, it, b); !ok || it.lines != nil {
				return b, ok
			}
			continue
		}
		if it.posted {
			behind, done := cutLineEnds(b)
			if !done {
				return b, true
			}
			b, it.posted = behind, false
			continue
		}
		post, more, plain := wire.ParsePost(b)
		if more {
			return b, true
		}
		id, event, single := postedTo(post.Target)
		switch {
		case !plain || event && l.core.authority != nil || !l.passes(it, &post):
			return l.leaveToOthers(slot, it, b)
		case string(post.Target) == "/send" && it.conn.Hold():
			it.lines = l.newLineIntake(post.Body())
			b = b[post.Len:]
			continue
		case !single || post.Length < 0 || post.Length > maxSingle:
			return l.leaveToOthers(slot, it, b)
		}
		end := post.Len + int(post.Length)
		if len(b) < end {
			return b, true
		}
		if !l.intakes.single.mayPass(context.Background(), id, event) {
			l.hold(slot, it)
			return b, true
		}
		if !l.takeSingle(it, id, event, b[post.Len:end]) {
			return l.leaveToOthers(slot, it, b)
		}
		b = b[end:]
	}
	return b, true
}

// cutLineEnds cuts off the line ends that old clients send behind the body of a POST. It
// reports false while it cannot know: as net/http does, it looks at four bytes.
func cutLineEnds(b []byte) (rest []byte, done bool) {
	const most = 4
	n := 0
	for n < min(len(b), most) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	return b[n:], len(b) >= most
}

// leaveToOthers has net/http answer the request that b begins with.
func (l *loop) leaveToOthers(slot uint32, it *intake, b []byte) (rest []byte, ok bool) {
	it.in = append(it.in[:0], b...)
	l.giveBack(slot, it)
	return nil, false
}

// postedTo returns the id of /send/{id} or /event/{publisher}.
func postedTo(target []byte) (id int64, event, ok bool) {
	digits, ok := bytes.CutPrefix(target, []byte("/send/"))
	if !ok {
		digits, event = bytes.CutPrefix(target, []byte("/event/"))
	}
	if !ok && !event {
		return 0, false, false
	}
	id, ok = wire.ParseID(digits)
	return id, event, ok
}

// passes reports whether the guard lets a request pass. What that looks at is the
// same in each request of a client as a rule.
func (l *loop) passes(it *intake, p *wire.Post) bool {
	key := l.intakes.key[:0]
	for _, value := range [...][]byte{p.Host, p.Origin, p.FetchSite, p.Authorization} {
		key = append(append(key, value...), '\n')
	}
	l.intakes.key = key
	if bytes.Equal(key, it.passed) {
		return true
	}
	refusal := l.intakes.admin.Pass(adminhttp.Request{
		Method: http.MethodPost, Target: string(p.Target), Hosts: []string{string(p.Host)},
		Origin: string(p.Origin), FetchSite: string(p.FetchSite), Authorization: string(p.Authorization),
	})
	if refusal == nil {
		it.passed = bytes.Clone(key)
	}
	return refusal == nil
}

// takeSingle sends the message or event of one request, and answers. It reports
// false for an event that cannot be sent.
func (l *loop) takeSingle(it *intake, id int64, event bool, message []byte) (ok bool) {
	p, reached := &l.intakes.single, 0
	body := l.intakes.body[:0]
	if event {
		answer, err := p.event(context.Background(), id, message)
		if err != nil {
			return false
		}
		reached = answer.Reached
		body = strconv.AppendInt(append(body, `{"followers":`...), int64(answer.Followers), 10)
		body = append(body, `,"reached":`...)
	} else {
		reached = p.send(id, message)
		body = append(body, `{"reached":`...)
	}
	p.count()
	l.intakes.sent, it.posted = true, true
	l.intakes.reached += reached
	l.intakes.body = append(strconv.AppendInt(body, int64(reached), 10), "}\n"...)
	it.out = append(l.appendHead(it.out, http.StatusOK, len(l.intakes.body)), l.intakes.body...)
	return true
}

// appendHead appends the head of an answer as net/http writes it.
func (l *loop) appendHead(b []byte, code, length int) []byte {
	t := &l.intakes
	if second := l.now.Unix(); second != t.dated {
		t.dated, t.date = second, l.now.UTC().AppendFormat(t.date[:0], http.TimeFormat)
	}
	b = append(strconv.AppendInt(append(b, "HTTP/1.1 "...), int64(code), 10), ' ')
	b = append(b, http.StatusText(code)...)
	if code != http.StatusOK {
		b = append(b, "\r\nConnection: close"...)
	}
	b = strconv.AppendInt(append(b, "\r\nContent-Length: "...), int64(length), 10)
	b = append(append(b, "\r\nContent-Type: application/json\r\nDate: "...), t.date...)
	return append(b, "\r\n\r\n"...)
}

// appendReceipt appends the answer to a stream of lines.
func (l *loop) appendReceipt(b []byte, code int, receipt sendReceipt) []byte {
	body, err := json.Marshal(receipt)
	if err != nil { // there is nothing in it that could fail
		l.core.Logger.Error("cannot answer a stream of messages", "error", err)
	}
	body = append(body, '\n')
	return append(l.appendHead(b, code, len(body)), body...)
}

// lineIntake is a POST /send under way.
type lineIntake struct {
	publisher *publisher
	body      wire.ResponseParser
	text      []byte // lines that were not taken, the last of which may not be whole
	line      uint64
	excess    int64 // bytes of the sizes of chunks beyond those that they may have
	stopped   bool  // before a whole line of text, so that others have their turn
	held      bool  // likewise, until the throttle opens
}

// What the sizes of chunks may be long, as net/http has it: some bytes each, twice the
// length of the chunk, and this in all.
const (
	freePerChunk = 16
	maxExcess    = 16 << 10
)

var errExcess = errors.New("chunked encoding contains too much non-data")

func (l *loop) newLineIntake(body wire.ResponseParser) *lineIntake {
	p := newPublisher(l.core)
	p.onLoop = true
	return &lineIntake{publisher: p, body: body}
}

// takeLines takes what b brings of a stream of lines, and returns what is left: of
// the stream while it goes on, else behind it. It reports false when the connection
// is not the loop's any more.
func (l *loop) takeLines(slot uint32, it *intake, b []byte) (rest []byte, ok bool) {
	s := it.lines
	l.intakes.sent = true
	defer func() {
		l.intakes.reached += int(s.publisher.Reached - s.publisher.counted.Reached)
		s.publisher.count()
	}()
	for payload := []byte(nil); ; {
		if err := s.feed(payload); err != nil {
			return nil, l.failLines(slot, it, err)
		}
		switch {
		case s.held:
			l.hold(slot, it)
			return b, true
		case s.stopped:
			l.giveWay(slot, it)
			return b, true
		}
		before := s.body.ChunksBefore()
		part, chunk, n := s.body.Next(b)
		switch part {
		case wire.End:
			if len(s.text) > 0 { // the last line does not end
				payload, b = []byte{'\n'}, b[n:]
				continue
			}
			it.out = l.appendReceipt(it.out, http.StatusOK, s.publisher.sendReceipt)
			it.lines, it.posted = nil, true
			return b[n:], true
		case wire.Malformed:
			return nil, l.failLines(slot, it, brokenBody(before, b))
		case wire.More:
			return b[n:], true
		}
		if len(chunk) == 0 && s.isExcess(n, before != "") {
			return nil, l.failLines(slot, it, errExcess)
		}
		payload, b = chunk, b[n:]
	}
}

// isExcess takes in the size of a chunk, which took n bytes, and reports whether there is
// too much besides content. Behind a chunk the line end of that is among them.
func (s *lineIntake) isExcess(n int, behindChunk bool) bool {
	if behindChunk {
		n -= len("\r\n")
	}
	s.excess = max(s.excess+int64(n)-freePerChunk-2*int64(s.body.Left()), 0)
	return s.excess > maxExcess
}

// failLines ends a stream that err breaks. It returns false, as the connection is
// not the loop's any more.
func (l *loop) failLines(slot uint32, it *intake, err error) (ok bool) {
	p := it.lines.publisher
	p.count()
	code, receipt := p.concluded(err)
	l.farewell(slot, it, code, receipt)
	return false
}

// feed sends the lines that are whole with payload, up to as many as may go before
// the loop delivers them.
func (s *lineIntake) feed(payload []byte) error {
	if !s.stopped && bytes.IndexByte(payload, '\n') < 0 {
		s.text = append(s.text, payload...)
		return s.checkLength()
	}
	text := payload
	if len(s.text) > 0 {
		s.text = append(s.text, payload...)
		text = s.text
	}
	rest, more, err := s.publisher.sendSome(context.Background(), text, &s.line)
	s.held = errors.Is(err, errHeld)
	if err != nil && !s.held {
		return err
	}
	s.stopped = more
	if cap(s.text) > lineBuffer && len(rest) < lineBuffer {
		s.text = nil
	}
	s.text = append(s.text[:0], rest...)
	return s.checkLength()
}

// checkLength returns an error for a line that is too long, although it has not ended.
func (s *lineIntake) checkLength() error {
	if !s.stopped && len(s.text) > 0 && len(s.text) > maxLine(s.text) {
		return &lineError{s.line + 1, router.ErrTooLong.Error()}
	}
	return nil
}

// brokenBody returns what net/http says of a chunked body that is wrong, or ends, in b,
// behind the chunks of before.
func brokenBody(before string, b []byte) error {
	const head = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
	req, err := http.ReadRequest(bufio.NewReader(io.MultiReader(strings.NewReader(head+before), bytes.NewReader(b))))
	if err == nil {
		_, err = io.Copy(io.Discard, req.Body)
	}
	return err
}
