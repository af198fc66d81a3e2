package flood

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"example.org/comet/server/wire"
)

// errStatus is an answer that is not a stream.
var errStatus = errors.New("not a stream")

// A mismatch is an answer that is not to what was asked for.
type mismatch struct{ reason error }

func (m mismatch) Error() string { return m.reason.Error() }

// judge returns why the answer whose head has come to connection who is not the
// one that was asked for: errStatus or a mismatch.
func (o *observer) judge(r *reading, who int) error {
	err := o.check(r, who)
	kind := 0
	if err != nil {
		kind = 1
	}
	o.witnesses[kind].hear(o.head)
	return err
}

// check returns it, and keeps what the next request carries on from the answer.
func (o *observer) check(r *reading, who int) error {
	status := r.parser.Status()
	if o.asksAgain() {
		o.keepCookies(r)
	}
	if o.targets.socket(who) {
		if status != 101 {
			return errStatus
		}
		h := o.targets.handshake(who, r.turn)
		if err := h.Check(o.head); err != nil {
			return mismatch{err}
		}
		return nil
	}
	switch o.config.Protocol {
	case Poll:
		// 408 is how nchan ends a poll that had no message in time.
		if status != 200 && status != 204 && status != 304 && status != 408 {
			return errStatus
		}
		o.remember(r)
		return nil
	case SSE:
		if status == 200 && !r.parser.Events() {
			return mismatch{errors.New("its Content-Type is not text/event-stream")}
		}
	}
	if status != 200 {
		return errStatus
	}
	return nil
}

// asksAgain reports whether a connection may send another request.
func (o *observer) asksAgain() bool {
	c := o.config
	return c.Protocol == Poll || c.Reconnect != (Reconnect{}) || c.Churn > 0 || c.Storm.Share > 0
}

// carriedOn are the fields of an answer that the next request repeats: the
// validators of a cache (RFC 9110, section 13.1), with which some servers say
// what a poll has had, and the id of server-sent events.
var carriedOn = [...]struct{ answer, request string }{
	{"ETag", "If-None-Match: "},
	{"Last-Modified", "If-Modified-Since: "},
	{"Last-Event-ID", "Last-Event-ID: "},
}

// remember keeps what the next request carries on from the head of this answer.
// An answer without any such field changes nothing.
func (o *observer) remember(r *reading) {
	var carried [512]byte
	b := carried[:0]
	fields := wire.HeadFields(o.head)
	for name, value, ok := fields.Next(); ok; name, value, ok = fields.Next() {
		for _, field := range carriedOn {
			if bytes.EqualFold(name, []byte(field.answer)) && len(value) > 0 {
				b = append(b, field.request...)
				b = append(b, value...)
				b = append(b, "\r\n"...)
			}
		}
	}
	if len(b) > 0 {
		row := o.spares.of(r)
		cookies, _ := cutCookies(row.carry)
		row.carry = append(cookieLine(cookies), b...)
	}
}

// carried returns the fields that the next request of r repeats.
func (o *observer) carried(r *reading) []byte {
	if r.spare == 0 {
		return nil
	}
	return o.spares.rows[r.spare].carry
}

// next readies r for the answer to another request.
func (r *reading) next() { r.parser = wire.ResponseParser{} }

// A goodbye is a close frame of the server that is not an ordinary end.
type goodbye struct {
	code   int
	reason string
}

func (g goodbye) Error() string {
	if g.reason == "" {
		return fmt.Sprintf("code %d", g.code)
	}
	return fmt.Sprintf("code %d, \"%s\"", g.code, g.reason)
}

// parting answers the close frame that has come, and returns what it means: nil
// for an ordinary end (RFC 6455, section 7.4.1: normal, going away, and none).
func (o *observer) parting() error {
	code, reason, err := wire.ReadClose(o.closing)
	if err != nil {
		o.reply = wire.AppendClientClose(o.reply, o.mask(), err.Code)
		return err
	}
	o.reply = wire.AppendClientClose(o.reply, o.mask(), code)
	if code == 1000 || code == 1001 || code == 1005 {
		return nil
	}
	return goodbye{int(code), string(reason)}
}

// brokenError returns the error of a step that is broken, and readies the close
// frame that says so.
func (o *observer) brokenError(r *reading) error {
	if !r.upgraded() {
		return errNotHTTP
	}
	o.reply = wire.AppendClientClose(o.reply, o.mask(), o.broken.Code)
	return o.broken
}

// kindOf returns the kind of an error that ended a connection.
func kindOf(err error) Failure {
	switch {
	case errors.Is(err, errStatus):
		return Status
	case errors.Is(err, errNotHTTP):
		return Malformed
	}
	if _, ok := errors.AsType[*wire.ProtocolError](err); ok {
		return Malformed
	}
	if _, ok := errors.AsType[mismatch](err); ok {
		return Mismatch
	}
	if _, ok := errors.AsType[goodbye](err); ok {
		return ClosedByCode
	}
	return failureOfTLS(err)
}

// endsWhole reports whether err, after which nothing more comes, cuts nothing off.
func (r *reading) endsWhole(err error) bool {
	return errors.Is(err, io.EOF) && !r.upgraded() && r.parser.Complete()
}

// pollAgain reports whether a long poll whose connection ended with err is to be
// asked for again: its answer was whole, or it was asked for on a connection kept
// from the one before, which the server was just closing (RFC 9112, section 9.5).
func (r *reading) pollAgain(err error, kept bool) bool {
	if r.parser.Status() != 0 {
		return r.endsWhole(err)
	}
	return kept && !r.parser.Started()
}
