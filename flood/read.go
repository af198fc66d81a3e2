package flood

import (
	"math/rand/v2"
	"slices"
	"time"

	"example.org/comet/server/wire"
)

// reading is where one connection stands in its answer and in its account: 56
// bytes, without pointers. What the usual connection does not need is in its
// row of spares.
type reading struct {
	parser wire.ResponseParser
	// The usual connection carries one sequence, of one run.
	sequence wire.Sequence
	track    track
	run      wire.Run
	spare    uint32 // its row in spares, or 0
	// moment is when the request was sent, or the last of its messages came.
	moment   moment
	messages uint16 // that have come since the request, as far as there is room
	events   wire.EventCounter
	turn     uint8 // of its connections, one after the other
}

// spares holds what a connection needs now and then. Row 0 is never used.
type spares struct {
	rows []spare
	free []uint32
}

type spare struct {
	// head is what has come of a head, or of a line of framing: up to
	// wire.MaxKept.
	head []byte
	// stamp is the end of the body so far that may begin a stamp: up to
	// wire.MaxStamp.
	stamp []byte
	// account is nil while the usual track tells everything.
	account *account

	// frames is where a WebSocket stands within a message.
	frames wire.MessageReader
	talk   conversation
	// text is what has come of a message that is compared with texts; events reads
	// those of server-sent events.
	text   []byte
	events *wire.EventReader
	// last is the last message that did not make the connection ready.
	last []byte
	// out is what the socket did not take yet.
	out []byte
	// carry is the fields that the next request repeats of this answer.
	carry []byte
	// retry is how long the server asks to wait before a return. back: this is one, and
	// no stamp has come since.
	retry time.Duration
	back  bool
}

// empty reports whether a row holds nothing.
func (s *spare) empty() bool {
	return len(s.head) == 0 && len(s.stamp) == 0 && s.account == nil && s.frames.Idle() && !s.talk.going &&
		len(s.text) == 0 && s.events == nil && len(s.out) == 0 && len(s.carry) == 0 && s.retry == 0 && !s.back
}

// clear empties a row. It keeps what is small for its next use.
func (s *spare) clear() {
	*s = spare{head: s.head[:0], stamp: s.stamp[:0]}
}

// keptCapacity is what a row keeps for its next use.
const keptCapacity = 4 << 10

// of returns the row of r, which may be new.
func (s *spares) of(r *reading) *spare {
	if r.spare == 0 {
		if n := len(s.free); n > 0 {
			r.spare, s.free = s.free[n-1], s.free[:n-1]
		} else {
			if len(s.rows) == 0 {
				s.rows = make([]spare, 1, 8)
			}
			r.spare = uint32(len(s.rows))
			s.rows = append(s.rows, spare{})
		}
	}
	return &s.rows[r.spare]
}

// tidy gives the row of r back if there is nothing in it.
func (s *spares) tidy(r *reading) {
	row := &s.rows[r.spare]
	if cap(row.head) > keptCapacity && len(row.head) <= keptCapacity {
		row.head = append([]byte(nil), row.head...)
	}
	if row.empty() {
		row.clear()
		s.free = append(s.free, r.spare)
		r.spare = 0
	}
}

// restart drops what belongs to the socket of r, which is closed.
func (s *spares) restart(r *reading) {
	if r.spare == 0 {
		return
	}
	row := &s.rows[r.spare]
	row.head, row.text, row.out = row.head[:0], row.text[:0], nil
	s.tidy(r)
}

// drop gives the row of r back, whatever is in it.
func (s *spares) drop(r *reading) {
	if r.spare == 0 {
		return
	}
	row := &s.rows[r.spare]
	if row.account != nil {
		row.account.held.give(row.account.held.used)
	}
	row.clear()
	s.tidy(r)
}

// step is how far feed came.
type step uint8

const (
	more     step = iota // all is taken
	headed               // the head of an answer has come, which is in observer.head
	ready                // what makes the connection ready has come
	complete             // the answer is complete
	closed               // the server closed its WebSocket; observer.closing has how
	broken               // what came is not what is spoken
)

// feed takes the next bytes of connection who, up to a step on which the caller
// has to act, and returns it with the bytes behind it, which are to be fed next.
// What is to be sent is left in observer.reply. Each byte is copied twice at most:
// into the row of a connection whose head or line is incomplete, and within it.
func (o *observer) feed(r *reading, who int, b []byte, now time.Time) (what step, rest []byte) {
	if r.spare != 0 {
		if row := &o.spares.rows[r.spare]; len(row.head) > 0 {
			row.head = append(row.head, b...)
			b, row.head = row.head, row.head[:0]
		}
	}
	o.fed = b
	if r.upgraded() {
		return o.feedFrames(r, who, b, now)
	}
	for {
		part, payload, n := r.parser.Next(b)
		b = b[n:]
		switch part {
		case wire.Chunk, wire.Piece:
			o.piece(r, part == wire.Chunk || !r.parser.Chunked(), payload, now)
			o.scan(r, payload, now)
			if o.hearBody(r, who, payload, part == wire.Chunk) {
				return ready, b
			}
		case wire.More:
			o.keep(r, b)
			return more, nil
		case wire.Head:
			o.head = payload
			return headed, b
		case wire.End:
			o.bodyEnded(r, now)
			if o.config.Protocol == Poll && r.parser.Begun() {
				o.came(r, 1, now)
			}
			return complete, b
		default:
			o.fed = b
			return broken, b
		}
	}
}

// piece counts what comes of a body, of which end says that it is a whole chunk, or
// a read of a body without.
func (o *observer) piece(r *reading, end bool, payload []byte, now time.Time) {
	if end {
		o.counts.Chunks++
	}
	switch {
	case o.config.Protocol == Poll:
	case r.parser.Events():
		o.came(r, r.events.Count(payload), now)
	case end:
		o.came(r, 1, now)
	}
}

// upgraded reports whether the connection has become a WebSocket.
func (r *reading) upgraded() bool { return r.parser.Status() == 101 }

// feedFrames feeds a WebSocket, as feed does.
func (o *observer) feedFrames(r *reading, who int, b []byte, now time.Time) (what step, rest []byte) {
	var frames wire.MessageReader
	if r.spare != 0 {
		frames = o.spares.rows[r.spare].frames
	}
	for {
		part, payload, n := frames.Next(b)
		b = b[n:]
		switch part {
		case wire.MessagePiece, wire.MessageEnd:
			o.scan(r, payload, now)
			end := part == wire.MessageEnd
			if end {
				o.counts.Chunks++
				o.came(r, 1, now)
				o.bodyEnded(r, now)
			}
			if o.hear(r, who, payload, end) {
				o.keepFrames(r, frames)
				return ready, b
			}
		case wire.Ping:
			o.reply = wire.AppendPong(o.reply, o.mask(), payload)
		case wire.Pong:
		case wire.Close:
			o.closing = payload
			return closed, b
		case wire.Broken:
			o.broken = frames.Err()
			return broken, b
		default:
			o.keepFrames(r, frames)
			o.keep(r, b)
			return more, nil
		}
	}
}

// keepFrames keeps where a WebSocket stands, if that is within a message.
func (o *observer) keepFrames(r *reading, frames wire.MessageReader) {
	switch {
	case !frames.Idle():
		o.spares.of(r).frames = frames
	case r.spare != 0:
		o.spares.rows[r.spare].frames = frames
	}
}

// mask returns a new masking key. It need not be hard to guess for a server: what
// is masked are texts of the user (RFC 6455, section 10.3).
func (o *observer) mask() uint32 { return rand.Uint32() }

// keep keeps what is incomplete, which may lie in the row already.
func (o *observer) keep(r *reading, b []byte) {
	if len(b) > 0 {
		row := o.spares.of(r)
		if whole := row.head[:cap(row.head)]; len(whole) >= len(b) && &whole[0] == &b[0] {
			row.head = whole[:len(b)]
		} else {
			row.head = append(row.head[:0], b...)
		}
	}
	if r.spare != 0 {
		o.spares.tidy(r)
	}
}

// scan finds the stamps in the next bytes of a body.
func (o *observer) scan(r *reading, payload []byte, now time.Time) {
	if r.spare != 0 && len(o.spares.rows[r.spare].stamp) > 0 {
		payload = o.resume(r, payload, now)
	}
	for {
		s, rest, ok := wire.FindStamp(payload)
		if !ok {
			if len(rest) > 0 {
				row := o.spares.of(r)
				row.stamp = append(row.stamp[:0], rest...)
			}
			return
		}
		o.stamped(r, s, now)
		payload = rest
	}
}

// resume goes on with what may be a stamp that was cut, and returns the rest of
// payload, in which no stamp has been looked for.
func (o *observer) resume(r *reading, payload []byte, now time.Time) []byte {
	row := &o.spares.rows[r.spare]
	n := copy(o.seam[:], row.stamp)
	row.stamp = row.stamp[:0]
	joined := o.seam[:n+copy(o.seam[n:], payload[:min(len(payload), wire.MaxStamp)])]
	for behind := payload[len(joined)-n:]; ; {
		s, rest, ok := wire.FindStamp(joined)
		switch {
		case ok:
			o.stamped(r, s, now)
			if len(rest) > len(payload)-len(behind) { // still in what was kept
				joined = rest
				continue
			}
		case len(behind) == 0:
			row := o.spares.of(r)
			row.stamp = append(row.stamp, rest...)
			return nil
		}
		return payload[len(payload)-len(behind)-len(rest):]
	}
}

// bodyEnded takes the stamp that the end of the body completes.
func (o *observer) bodyEnded(r *reading, now time.Time) {
	if r.spare == 0 {
		return
	}
	row := &o.spares.rows[r.spare]
	s, ok := wire.LastStamp(row.stamp)
	row.stamp = row.stamp[:0]
	if ok {
		o.stamped(r, s, now)
	}
	o.spares.tidy(r)
}

// stamped takes one stamp off the wire.
func (o *observer) stamped(r *reading, s wire.Stamp, now time.Time) {
	if !o.counted(s.Run) {
		o.counts.Replayed++
		return
	}
	if o.firstStamp.IsZero() || now.Before(o.firstStamp) { // of this lap
		o.firstStamp = now
	}
	if now.After(o.lastStamp) {
		o.lastStamp = now
	}
	o.counts.Stamped++
	a := o.arrived(r, s)
	o.counts.Missing += a.missing
	if r.spare != 0 && o.spares.rows[r.spare].back {
		o.spares.rows[r.spare].back = false
		o.counts.Reconnect.MissedOffline += max(a.missing, 0)
	}
	switch {
	case a.unknown:
	case !a.fresh:
		o.counts.Duplicated++
	default:
		o.counts.Delivered++
		if a.reordered {
			o.counts.Reordered++
		}
		late := time.Duration(now.UnixNano()-s.Due) + o.ahead
		o.late(late)
		if o.fanOut != nil {
			o.fanOut.arrived(s, late)
		}
	}
}

// counted reports whether stamps of a run are counted.
func (o *observer) counted(run wire.Run) bool {
	return len(o.config.Run) == 0 || slices.Contains(o.config.Run, run)
}

// arrived enters a stamp into the account of its connection.
func (o *observer) arrived(r *reading, s wire.Stamp) arrival {
	if n := uint64(o.config.TrackOneIn); n > 1 && mixed(uint64(s.Sequence))%n != 0 {
		o.counts.Untracked++
		return arrival{fresh: true}
	}
	if r.track.last == 0 {
		r.run, r.sequence = s.Run, s.Sequence
	}
	usual := s.Run == r.run && s.Sequence == r.sequence
	if usual && r.track.usual(s.N) {
		return arrival{fresh: true}
	}
	if usual && s.N >= r.track.first && s.N <= r.track.last && !o.hasAccount(r) {
		return arrival{} // there are no gaps to be filled
	}
	acc := o.account(r)
	t, g := &r.track, &acc.gaps
	if !usual {
		other := acc.other(sequenceKey{s.Sequence, s.Run})
		if other == nil {
			o.unknown(&acc.full)
			return arrival{unknown: true}
		}
		t, g = &other.track, &other.gaps
	}
	a := t.see(s.N, g, &acc.held)
	if a.unknown {
		o.unknown(&g.unknown)
	}
	return a
}

func (o *observer) hasAccount(r *reading) bool {
	return r.spare != 0 && o.spares.rows[r.spare].account != nil
}

// account returns the account of r, which may be new.
func (o *observer) account(r *reading) *account {
	row := o.spares.of(r)
	if row.account == nil {
		row.account = &account{held: o.held}
	}
	return row.account
}

// unknown counts an account that has become unknown, once.
func (o *observer) unknown(already *bool) {
	if !*already {
		o.counts.UnknownTracks++
		*already = true
	}
}

// late records how long after it was due a message came. One that came before
// cannot have: the clocks of here and of its generator differ by that much at
// least.
func (o *observer) late(d time.Duration) {
	if d < 0 {
		o.counts.BeforeDue++
		for _, c := range []*Counts{&o.counts, &o.highest} {
			c.BeforeDueMS = max(c.BeforeDueMS, -d.Seconds()*1000)
		}
		return
	}
	record(o.latency, d)
	o.recent.add(d)
}
