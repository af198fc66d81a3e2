package msggen

import (
	"math/bits"
	"math/rand/v2"

	"example.org/comet/server/wire"
)

// source makes the messages of all senders, who take turns. It allocates
// nothing after it was made.
type source struct {
	// streams holds each sender's random numbers, 16 bytes each: a sender is
	// nothing else, so a million of them cost no goroutine.
	streams []rand.PCG
	// turn is the sender of the next message, and num that message's number in
	// the sender's own count.
	turn int
	num  uint64

	// counts holds, for each id from first on, how many messages were stamped
	// for it. 64 bits, because one id at full speed passes 2^32 in hours.
	counts []uint64
	first  int64

	run  uint32
	size int
	// message is the buffer that the last message lies in.
	message []byte
}

func newSource(c Config, run uint32) *source {
	s := &source{
		streams: make([]rand.PCG, c.Senders),
		num:     1,
		counts:  make([]uint64, c.MaxID-c.FirstID+1),
		first:   c.FirstID,
		run:     run,
		size:    c.Size,
		message: make([]byte, 0, max(c.Size, 128)),
	}
	for i := range s.streams {
		s.streams[i].Seed(c.Seed, uint64(i))
	}
	return s
}

// draw takes the next turn and says who gets the message. Each turn is drawn,
// also that of a message which cannot be sent, so that a sender's sequence of
// ids depends on the seed alone.
func (s *source) draw() (id int64, num uint64) {
	id = s.first + int64(uniform(&s.streams[s.turn], uint64(len(s.counts))))
	num = s.num
	if s.turn++; s.turn == len(s.streams) {
		s.turn = 0
		s.num++
	}
	return id, num
}

// stamp makes the message for id. Only messages that are given to the server
// are stamped: a number left out would look like a loss on the way. The bytes
// hold until the next call.
func (s *source) stamp(id int64, num uint64, due int64) []byte {
	count := &s.counts[id-s.first]
	*count++
	s.message = wire.AppendStamped(s.message[:0], num, wire.Stamp{Run: s.run, N: *count, Due: due})
	s.fill()
	return s.message
}

// fill pads the message to its least size. The filler is kept off the stamp by
// a space, and holds nothing that HTML, JSON or a line protocol would escape.
func (s *source) fill() {
	missing := s.size - len(s.message)
	if missing <= 0 {
		return
	}
	if missing > 1 {
		s.message = append(s.message, ' ')
	}
	for len(s.message) < s.size {
		s.message = append(s.message, '.')
	}
}

// uniform draws a number below n, each as likely as any other: the high half of
// a 128-bit product, of which the few low halves that would favour some results
// are drawn again (Lemire, "Fast Random Integer Generation in an Interval",
// 2019).
func uniform(random *rand.PCG, n uint64) uint64 {
	high, low := bits.Mul64(random.Uint64(), n)
	if low < n {
		for unfair := -n % n; low < unfair; {
			high, low = bits.Mul64(random.Uint64(), n)
		}
	}
	return high
}
