package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// lineError names the line that is wrong.
type lineError struct {
	line uint64
	msg  string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.msg) }

// errHeld stops a loop at a line to many, until the throttle opens.
var errHeld = errors.New("the throttle is shut")

// errStopped ends a stream of lines of which some were read, and are not to be sent.
var errStopped = errors.New("no more lines are taken")

// flushAfter bounds what lines to ids with many connections can queue at once.
const flushAfter = 4096

// How long a line with the longest message may be. In JSON each byte of it may
// be written as \u00XX; there may be other keys as well.
const (
	maxTextLine = router.MaxMessage + 64
	maxJSONLine = 6*router.MaxMessage + 4096
)

// lineBuffer is how much is read at a time.
const lineBuffer = 64 << 10

// lineBuffers are what lines are read into. A generator makes a request each
// second: without this, the server's memory is a saw with teeth of 4 MiB.
var lineBuffers = sync.Pool{New: func() any { return new(make([]byte, lineBuffer)) }}

// readLines publishes each line of r, and flushes whenever it has to wait for
// more. The last line need not end.
func (p *publisher) readLines(ctx context.Context, r io.Reader) error {
	kept := lineBuffers.Get().(*[]byte)
	defer lineBuffers.Put(kept)
	buf := *kept // a long line makes it grow until that line is done
	var have int
	var line uint64
	for {
		n, err := r.Read(buf[have:])
		have += n
		rest, e := p.sendWhole(ctx, buf[:have], &line)
		if e != nil {
			return e
		}
		if len(buf) > lineBuffer && len(rest) < lineBuffer {
			buf = *kept
		}
		have = copy(buf, rest)
		switch {
		case errors.Is(err, io.EOF):
			if e := p.sendLine(ctx, buf[:have], line == 0); e != nil {
				return &lineError{line + 1, e.Error()}
			}
			return p.flush(ctx)
		case err != nil:
			return err
		case have == len(buf) && have > maxLine(buf):
			return &lineError{line + 1, router.ErrTooLong.Error()}
		case have == len(buf):
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

// sendWhole publishes the lines that are whole, counts them in line, and returns
// what is left. It fails when p is to stop while much of them is still to be sent.
func (p *publisher) sendWhole(ctx context.Context, text []byte, line *uint64) (rest []byte, err error) {
	for more := true; more; {
		text, more, err = p.sendSome(ctx, text, line)
		if e := p.flush(ctx); err != nil || e != nil {
			return nil, errors.Join(err, e)
		}
		if more && p.stopped() {
			return nil, errStopped
		}
	}
	return text, nil
}

// stopped reports whether no more lines are to be sent.
func (p *publisher) stopped() bool {
	select {
	case <-p.stop:
		return true
	default:
		return false
	}
}

// sendSome publishes the lines that are whole, counts them in line, and returns
// what is left. It reports more where it stopped before, since what it has sent
// must leave first, or with errHeld since the next must wait.
func (p *publisher) sendSome(ctx context.Context, text []byte, line *uint64) (rest []byte, more bool, err error) {
	for {
		one, behind, found := bytes.Cut(text, []byte{'\n'})
		if !found {
			return text, false, nil
		}
		err = p.sendLine(ctx, one, *line == 0)
		if errors.Is(err, errHeld) {
			return text, true, err
		}
		text = behind
		*line++
		if err != nil {
			return nil, false, &lineError{*line, err.Error()}
		}
		if p.Reached-p.counted.Reached > flushAfter {
			return text, true, nil
		}
	}
}

// maxLine returns how long the line that begins with text may be.
func maxLine(text []byte) int {
	if text[0] == '{' {
		return maxJSONLine
	}
	return maxTextLine
}

// sendLine publishes `ID MESSAGE`, `{"id":1,"message":"…"}` or an event,
// `{"from":1,"message":"…"}`. An empty line is nothing; the first may begin with a
// byte order mark.
func (p *publisher) sendLine(ctx context.Context, text []byte, first bool) error {
	if first {
		text = bytes.TrimPrefix(text, []byte("\ufeff"))
		if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
			return errors.New("this is UTF-16: send UTF-8")
		}
	}
	text = bytes.TrimSuffix(text, []byte{'\r'})
	if len(text) == 0 {
		return nil
	}
	if text[0] == '{' {
		return p.sendJSON(ctx, text)
	}
	digits, message, found := bytes.Cut(text, []byte{' '})
	id, ok := wire.ParseID(digits)
	if !found || !ok {
		return fmt.Errorf(`%.60q is neither "ID MESSAGE" nor {"id":1,"message":"…"}, with an id from 0 to 9223372036854775807`, text)
	}
	return p.sendShort(ctx, id, message)
}

func (p *publisher) sendJSON(ctx context.Context, text []byte) error {
	var m struct {
		ID      *int64  `json:"id"`
		From    *int64  `json:"from"`
		Message *string `json:"message"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf(`this is not {"id":1,"message":"…"}: %w`, withoutTypes(err))
	}
	if m.From != nil {
		return p.sendFrom(ctx, m.ID, *m.From, m.Message)
	}
	if m.ID == nil || *m.ID < 0 || m.Message == nil {
		return errors.New(`"id" must be a whole number from 0 and "message" a string; an event has "from" in place of "id"`)
	}
	return p.sendShort(ctx, *m.ID, []byte(*m.Message))
}

// withoutTypes returns an error of json.Unmarshal in words of JSON instead of Go.
func withoutTypes(err error) error {
	wrong, is := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !is:
		return err
	case wrong.Field == "":
		return fmt.Errorf("it is a JSON %s", wrong.Value)
	}
	return fmt.Errorf("%q is a JSON %s", wrong.Field, wrong.Value)
}

// sendShort publishes a message that is not too long.
func (p *publisher) sendShort(ctx context.Context, id int64, message []byte) error {
	switch {
	case len(message) > router.MaxMessage:
		return router.ErrTooLong
	case !p.mayPass(ctx, id, false):
		return errHeld
	}
	p.send(id, message)
	return nil
}
