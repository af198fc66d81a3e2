package server

import "example.org/comet/server/wire"

// backlog is bytes on their way to one connection. It knows where each message
// ends, so that those lost with a connection can be counted. The zero value is
// empty.
type backlog struct {
	bytes []byte
	sent  int   // bytes at the front that are gone
	ends  []int // where each message that is not wholly gone ends in bytes
}

// waiting returns the number of bytes still to be written.
func (b *backlog) waiting() int { return len(b.bytes) - b.sent }

// unsent returns what to write next.
func (b *backlog) unsent() []byte { return b.bytes[b.sent:] }

// messages returns the number of messages that are not wholly written.
func (b *backlog) messages() int { return len(b.ends) }

// addMessage appends the n-th message of a connection.
func (b *backlog) addMessage(kind wire.Kind, n uint64, message []byte) {
	b.bytes = kind.AppendMessage(b.bytes, n, message)
	b.ends = append(b.ends, len(b.bytes))
}

// addWhole appends a message as it goes over the socket.
func (b *backlog) addWhole(framed []byte) {
	b.addBytes(framed)
	b.ends = append(b.ends, len(b.bytes))
}

// addBytes appends what is not a message: a head, an answer, an end.
func (b *backlog) addBytes(p []byte) { b.bytes = append(b.bytes, p...) }

// take appends what is unsent in other, and empties it.
func (b *backlog) take(other *backlog) {
	shift := len(b.bytes) - other.sent
	b.bytes = append(b.bytes, other.unsent()...)
	for _, end := range other.ends {
		b.ends = append(b.ends, end+shift)
	}
	other.reset()
}

// advance takes n written bytes off and returns how many messages are now
// wholly gone.
func (b *backlog) advance(n int) (done int) {
	b.sent += n
	for done < len(b.ends) && b.ends[done] <= b.sent {
		done++
	}
	if b.waiting() == 0 {
		b.reset()
		return done
	}
	b.ends = append(b.ends[:0], b.ends[done:]...)
	if b.sent > len(b.bytes)/2 {
		for i := range b.ends {
			b.ends[i] -= b.sent
		}
		b.bytes = append(b.bytes[:0], b.unsent()...)
		b.sent = 0
	}
	return done
}

// reset empties b, and keeps its memory unless there is a lot of it.
func (b *backlog) reset() {
	const keep = 64 << 10
	if cap(b.bytes) > keep {
		*b = backlog{}
		return
	}
	*b = backlog{bytes: b.bytes[:0], ends: b.ends[:0]}
}
