package flood

import (
	"bytes"

	"example.org/comet/server/wire"
)

// maxText is how much of a message, or of a line of one, is held to be compared:
// what is longer is compared without its end.
const maxText = 64 << 10

// conversation is where a connection stands in the script.
type conversation struct {
	next    uint16 // of the first messages
	waiting bool   // for what makes it ready
	going   bool   // not all first messages are sent, or it waits
}

// begin starts the conversation of a connection whose answer has begun. It
// reports whether the connection is established.
func (o *observer) begin(r *reading, who int) (established bool) {
	if !o.script.awaits() {
		return true
	}
	row := o.spares.of(r)
	row.talk = conversation{waiting: o.script.ready != nil, going: true}
	row.talk.say(o, who, nil)
	established = !row.talk.waiting
	o.spares.tidy(r)
	return established
}

// say sends the first messages that are due now that message has come: those that
// wait for a line of it, of which each answers one, or for all of it.
func (c *conversation) say(o *observer, who int, message []byte) {
	c.sayFreely(o, who)
	answered := false
	for line := range lines(message) {
		answered = c.answer(o, who, line) || answered
	}
	if !answered && message != nil {
		c.answer(o, who, message)
	}
	c.going = c.waiting || int(c.next) < len(o.script.first)
}

// sayFreely sends the next of the first messages up to one that waits.
func (c *conversation) sayFreely(o *observer, who int) {
	for first := o.script.first; int(c.next) < len(first) && first[c.next].wait == nil; c.next++ {
		o.send(first[c.next], who)
	}
}

// answer sends the next of the first messages if text is what it waits for, and
// those behind it that wait for nothing.
func (c *conversation) answer(o *observer, who int, text []byte) bool {
	first := o.script.first
	if int(c.next) >= len(first) || !first[c.next].wait.matches(text) {
		return false
	}
	o.send(first[c.next], who)
	c.next++
	c.sayFreely(o, who)
	return true
}

// send appends a text to what is to be sent, as a frame.
func (o *observer) send(e exchange, who int) {
	o.text = o.targets.fill(o.text[:0], e.text, who)
	o.reply = wire.AppendClientText(o.reply, o.mask(), o.text)
}

// hears reports whether what comes to r is compared with texts.
func (o *observer) hears(r *reading) bool {
	return o.config.Reconnect != (Reconnect{}) && r.parser.Events() || len(o.script.replies) > 0 || r.spare != 0 && o.spares.rows[r.spare].talk.going
}

// heard takes a whole message, and answers it. It reports whether that made the
// connection ready.
func (o *observer) heard(r *reading, who int, message []byte) (ready bool) {
	replied := false
	for _, e := range o.script.replies {
		for range e.wait.count(message) {
			o.send(e, who)
			replied = true
		}
	}
	if r.spare == 0 {
		return false
	}
	row := &o.spares.rows[r.spare]
	talk := &row.talk
	if !talk.going {
		return false
	}
	switch {
	case !talk.waiting:
	case o.script.ready.matchesAny(message):
		talk.waiting, ready = false, true
		row.last = nil
	case !replied:
		row.last = append(row.last[:0], message[:min(len(message), maxStart)]...)
	}
	talk.say(o, who, message)
	return ready
}

// hear takes the next bytes of a message that ends with them, or goes on.
func (o *observer) hear(r *reading, who int, piece []byte, end bool) (ready bool) {
	if !o.hears(r) {
		return false
	}
	if end && (r.spare == 0 || len(o.spares.rows[r.spare].text) == 0) {
		return o.heard(r, who, piece)
	}
	row := o.spares.of(r)
	row.text = append(row.text, piece[:min(len(piece), maxText-len(row.text))]...)
	if end {
		ready = o.heard(r, who, row.text)
		row = &o.spares.rows[r.spare]
		row.text = row.text[:0]
	}
	return ready
}

// hearBody takes the next bytes of a body: server-sent events, or text of which
// each line, and each chunk, is a message.
func (o *observer) hearBody(r *reading, who int, piece []byte, end bool) (ready bool) {
	switch {
	case !o.hears(r):
		return false
	case r.parser.Events():
		return o.hearEvents(r, who, piece)
	case end:
		return o.hear(r, who, piece, true)
	}
	last := bytes.LastIndexAny(piece, "\n\x1e") + 1
	if last > 0 {
		ready = o.hear(r, who, piece[:last], true)
	}
	return o.hear(r, who, piece[last:], false) || ready
}

func (o *observer) hearEvents(r *reading, who int, piece []byte) (ready bool) {
	row := o.spares.of(r)
	if row.events == nil {
		row.events = new(wire.EventReader)
	}
	row.events.Feed(piece, func(e wire.Event) { ready = o.heard(r, who, e.Data) || ready })
	if !o.hears(r) {
		o.spares.rows[r.spare].events = nil
	}
	return ready
}

// unheard returns what came last to a connection that waits to be ready.
func (o *observer) unheard(r *reading) []byte {
	if r.spare == 0 {
		return nil
	}
	if row := &o.spares.rows[r.spare]; len(row.text) == 0 {
		return row.last
	}
	return o.spares.rows[r.spare].text
}
