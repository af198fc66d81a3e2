package wire

import (
	"bytes"
	"strconv"
	"time"
)

// MaxEvent is how many bytes of one event, or of one line of it, an EventReader
// keeps. What is longer loses its end.
const MaxEvent = 1 << 20

// Event is a server-sent event. Its bytes hold until the function that is given
// it returns.
type Event struct {
	// Type is the event field, empty for "message".
	Type []byte
	// Data is the data fields, with line breaks between them.
	Data []byte
	// Cut is set when the end of Data was thrown away.
	Cut bool
}

// EventReader reads server-sent events from the pieces of a stream, however
// they are cut (HTML Living Standard, section 9.2.6). The zero value is ready.
// Between two events it holds no buffer.
type EventReader struct {
	// LastID is the id of the last event that had one, which a client sends as
	// Last-Event-ID when it returns.
	LastID string
	// Retry is how long the server asks a client to wait before it returns, 0
	// when it has not said so.
	Retry time.Duration

	line, data []byte // of a line, an event, that has not wholly come
	kind       string
	id         string
	begun      bool // a first line was read: no byte order mark can follow
	afterCR    bool // a line feed now belongs to the carriage return before it
	hasID      bool // id was set since the last event
	hasData    bool
	cut        bool
}

// Feed reads the next piece of the stream and calls event with each event that
// ends in it.
func (r *EventReader) Feed(piece []byte, event func(Event)) {
	for len(piece) > 0 {
		if r.afterCR {
			r.afterCR = false
			if piece[0] == '\n' {
				piece = piece[1:]
				continue
			}
		}
		end := bytes.IndexAny(piece, "\r\n")
		if end < 0 {
			r.line = r.keep(r.line, piece)
			return
		}
		line := piece[:end]
		if len(r.line) > 0 {
			line = r.keep(r.line, line)
			r.line = nil
		}
		r.afterCR = piece[end] == '\r'
		piece = piece[end+1:]
		r.readLine(line, event)
	}
}

// keep appends as much of b as may be kept.
func (r *EventReader) keep(dst, b []byte) []byte {
	if room := MaxEvent - len(dst); len(b) > room {
		r.cut = true
		b = b[:max(room, 0)]
	}
	return append(dst, b...)
}

func (r *EventReader) readLine(line []byte, event func(Event)) {
	if !r.begun {
		r.begun = true
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	if len(line) == 0 {
		r.dispatch(event)
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if r.hasData {
			r.data = r.keep(r.data, []byte("\n"))
		}
		r.data, r.hasData = r.keep(r.data, value), true
	case "event":
		r.kind = string(value)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			r.id, r.hasID = string(value), true
		}
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 64); err == nil && ms <= uint64(24*time.Hour/time.Millisecond) {
			r.Retry = time.Duration(ms) * time.Millisecond
		}
	}
}

// dispatch ends an event. One without data is none, but its id counts.
func (r *EventReader) dispatch(event func(Event)) {
	if r.hasID {
		r.LastID = r.id
	}
	if r.hasData {
		event(Event{Type: []byte(r.kind), Data: r.data, Cut: r.cut})
	}
	r.data, r.kind, r.id = nil, "", ""
	r.hasID, r.hasData, r.cut = false, false, false
}
