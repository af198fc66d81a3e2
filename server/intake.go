package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// publisher hands messages to the connections of this server, and to the other
// servers if there are any, and counts them.
type publisher struct {
	core   *core
	others router.Publisher // nil for a server that is alone
	sendReceipt
	told sendReceipt // what core has been told of it
	// unsure counts the messages that others has not confirmed, and unsent is why
	// the last one that was not published was not.
	unsure uint64
	unsent error
}

func newPublisher(c *core) *publisher {
	p := &publisher{core: c}
	if c.Exchange != nil {
		p.others = c.Exchange.Publisher()
		p.elsewhere = new(elsewhere)
	}
	return p
}

func (p *publisher) send(id int64, message []byte) (reached int) {
	reached = p.core.router.Send(id, message)
	p.Sent++
	p.Reached += uint64(reached)
	if p.others != nil {
		p.Here = p.Reached
		p.publish(id, message)
	} else if reached == 0 {
		p.Unaddressed++
	}
	return reached
}

// publish hands a message to the other servers. Whether it is to nobody is not
// known here.
func (p *publisher) publish(id int64, message []byte) {
	if err := p.others.Publish(id, message); err != nil {
		p.Unpublished++
		p.unsent = err
		return
	}
	p.Published++
	p.unsure++
}

// confirm waits until what was published is on its way for certain, and returns
// why not all of it is.
func (p *publisher) confirm(ctx context.Context) error {
	if p.others == nil {
		return nil
	}
	if p.unsure > 0 {
		if err := p.others.Confirm(ctx); err != nil {
			p.unsent = err
			p.Published -= p.unsure
			p.Unpublished += p.unsure
		}
		p.unsure = 0
	}
	if p.unsent == nil {
		return nil
	}
	return fmt.Errorf("%d of %d messages were not published to the other servers, or not for certain: %w", p.Unpublished, p.Sent, p.unsent)
}

// flush lets the messages go, and waits for loops that are behind.
func (p *publisher) flush(ctx context.Context) error {
	p.core.sent.Add(p.Sent - p.told.Sent)
	p.core.routed.Add(p.Reached - p.told.Reached)
	p.core.unaddressed.Add(p.Unaddressed - p.told.Unaddressed)
	p.told = p.sendReceipt
	return p.core.router.Flush(ctx)
}

// sendReceipt answers POST /send.
type sendReceipt struct {
	Sent        uint64 `json:"sent"`        // lines accepted
	Reached     uint64 `json:"reached"`     // connections they were queued to
	Unaddressed uint64 `json:"unaddressed"` // lines to ids with nobody there
	*elsewhere
	Error string `json:"error,omitempty"`
}

// elsewhere is what a server that is not alone tells as well. There, Reached
// counts this server's connections only, and nothing is unaddressed, since that
// is not known.
type elsewhere struct {
	Here        uint64 `json:"here"`        // as Reached
	Published   uint64 `json:"published"`   // lines taken by the router
	Unpublished uint64 `json:"unpublished"` // lines that it may not have
}

// sendStream takes a line per message for as long as the client goes on, and
// passes each on as it comes. It stops at a line that it cannot read; what came
// before stands.
func (a *admin) sendStream(w http.ResponseWriter, r *http.Request) {
	end, ok := a.beginIntake(w)
	if !ok {
		return
	}
	p := newPublisher(a.server.core)
	var unpublished error
	err := func() error {
		defer end() // now the engine may drain
		err := p.readLines(r.Context(), r.Body)
		unpublished = p.confirm(r.Context())
		return err
	}()
	receipt := p.sendReceipt
	code := http.StatusOK
	if unpublished != nil {
		code, receipt.Error = http.StatusServiceUnavailable, unpublished.Error()
	}
	var bad *lineError
	switch {
	case errors.As(err, &bad):
		code, receipt.Error = http.StatusBadRequest, bad.Error()
	case err != nil && a.stop.Err() != nil:
		receipt.Error = "the server is shutting down; the messages after these were not taken"
		a.hangUp(w, receipt)
		return
	case err != nil:
		// Most often the client is gone. If not, it must not take silence for 200.
		code, receipt.Error = http.StatusBadRequest, "the messages after these did not come whole: "+err.Error()
	}
	if code != http.StatusOK {
		w.Header().Set("Connection", "close")
	}
	reply(w, code, receipt)
}

// lineError says which line is wrong, and how.
type lineError struct {
	line uint64
	msg  string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.msg) }

// flushAfter bounds what lines to ids with many connections can queue at once.
const flushAfter = 4096

// lineBuffers are what lines are read into. A generator makes a request each
// second: without this, the server's memory is a saw with teeth of 4 MiB.
var lineBuffers = sync.Pool{New: func() any { return new(make([]byte, 64<<10)) }}

// readLines publishes each line of r, and flushes whenever it has to wait for
// more. A last line need not end.
func (p *publisher) readLines(ctx context.Context, r io.Reader) error {
	kept := lineBuffers.Get().(*[]byte)
	defer lineBuffers.Put(kept)
	buf := *kept // if a long line makes it grow, the grown one is not kept
	var have int
	var line uint64
	for {
		n, err := r.Read(buf[have:])
		have += n
		rest := buf[:have]
		for {
			text, more, found := bytes.Cut(rest, []byte{'\n'})
			if !found {
				break
			}
			line++
			rest = more
			if e := p.sendLine(text); e != nil {
				return errors.Join(&lineError{line, e.Error()}, p.flush(ctx))
			}
			if p.Reached-p.told.Reached > flushAfter {
				if e := p.flush(ctx); e != nil {
					return e
				}
			}
		}
		if e := p.flush(ctx); e != nil {
			return e
		}
		have = copy(buf, rest)
		switch {
		case errors.Is(err, io.EOF):
			if e := p.sendLine(buf[:have]); e != nil {
				return &lineError{line + 1, e.Error()}
			}
			return p.flush(ctx)
		case err != nil:
			return err
		case have == len(buf) && have >= maxMessage:
			return &lineError{line + 1, "a line may have 1 MiB"}
		case have == len(buf):
			buf = append(buf, make([]byte, len(buf))...)
		}
	}
}

// sendLine publishes `ID MESSAGE` or `{"id":1,"message":"…"}`. An empty line is
// nothing.
func (p *publisher) sendLine(text []byte) error {
	text = bytes.TrimSuffix(text, []byte{'\r'})
	if len(text) == 0 {
		return nil
	}
	if text[0] == '{' {
		return p.sendJSON(text)
	}
	digits, message, found := bytes.Cut(text, []byte{' '})
	id, ok := wire.ParseID(digits)
	if !found || !ok {
		return fmt.Errorf(`%.60q is neither "ID MESSAGE" nor {"id":1,"message":"…"}, with an id from 0 to 9223372036854775807`, text)
	}
	p.send(id, message)
	return nil
}

func (p *publisher) sendJSON(text []byte) error {
	var m struct {
		ID      *int64  `json:"id"`
		Message *string `json:"message"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf(`this is not {"id":1,"message":"…"}: %w`, err)
	}
	if m.ID == nil || *m.ID < 0 || m.Message == nil {
		return errors.New(`"id" must be a whole number from 0 and "message" a string`)
	}
	p.send(*m.ID, []byte(*m.Message))
	return nil
}
