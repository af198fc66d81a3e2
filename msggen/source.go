package msggen

import (
	"math/rand/v2"

	"example.org/comet/flood/users"
	"example.org/comet/server/wire"
)

// pieceSize is how many messages a source draws at a time: enough to have their
// counts, which lie anywhere in memory, fetched side by side, which makes the
// difference between 190 and 60 ns a message with two million ids.
const pieceSize = 256

// The random streams of one seed: those of the senders are numbered from 0 to
// maxSenders.
const (
	streamScatter = 1<<32 + iota
	streamArrivals
	streamSizes
)

// item is a message before it is written.
type item struct {
	// id is who gets it, as the sender takes that, and at the place of its user,
	// whom several ids may name, in the counts.
	id int64
	at uint64
	// num is its number in the sender's own count, n among those to id.
	num, n uint64
	size   int
}

// source makes the messages of all senders, who take turns. It allocates
// nothing after it was made.
type source struct {
	// streams holds each sender's random numbers, 16 bytes each: a sender is
	// nothing else, so a million of them cost no goroutine.
	streams []rand.PCG
	// sizes are the random numbers that sizes are made of. They have a stream of
	// their own, so that a seed gives the same ids whatever the sizes are.
	sizes rand.PCG
	// turn is the sender of the next message, and num that message's number in
	// the sender's own count.
	turn int
	num  uint64

	pick picker
	size Size
	// counts holds, for each id from first on, how many messages were stamped
	// for it. 64 bits, because one id at full speed passes 2^32 in hours.
	counts []uint64
	first  int64
	// users give ids of their own, nil without: the ids drawn are rows then, and
	// numbers, if not nil, what a row is for the sender.
	users   *users.Table
	numbers []int64

	run wire.Run
	// items are those that the last call returned, and message is the buffer
	// that the last message lies in.
	items   [pieceSize]item
	message []byte
}

func newSource(c Config, run wire.Run) *source {
	ids := uint64(c.MaxID-c.FirstID) + 1
	counted := ids
	if c.Users.HasID() {
		counted = uint64(c.MaxID) // the first row of an id may lie before those that are drawn
	}
	s := &source{
		streams: make([]rand.PCG, c.Senders),
		num:     1,
		pick:    c.Distribution.picker(ids, c.Seed),
		size:    c.Size,
		counts:  make([]uint64, counted),
		first:   c.FirstID,
		run:     run,
		numbers: c.numbers,
		message: make([]byte, 0, max(c.Size.Bytes, c.Size.Max, 128)),
	}
	if c.Users.HasID() {
		s.users = c.Users
	}
	for i := range s.streams {
		s.streams[i].Seed(c.Seed, uint64(i))
	}
	s.sizes.Seed(c.Seed, streamSizes)
	return s
}

// draw takes the next turns, up to n of them, and draws who gets the messages.
// Each turn is drawn, even for a message that cannot be sent, so that a sender's
// sequence of ids depends on the seed alone. The items hold until the
// next call.
func (s *source) draw(n uint64) []item {
	items := s.items[:min(n, pieceSize)]
	for i := range items {
		at := s.pick(&s.streams[s.turn])
		items[i] = item{
			id:   s.first + int64(at),
			at:   at,
			num:  s.num,
			size: s.size.draw(&s.sizes),
		}
		if s.users != nil {
			s.ofUser(&items[i])
		}
		if s.turn++; s.turn == len(s.streams) {
			s.turn = 0
			s.num++
		}
	}
	return items
}

// ofUser sets who gets an item whose id is a row.
func (s *source) ofUser(it *item) {
	row := s.users.Row(it.id)
	it.at = uint64(s.users.First(row))
	if s.numbers != nil {
		it.id = s.numbers[row]
	}
}

// number numbers the messages of items, in the sequence of each id. A message
// that is refused because the server is unreachable gets no number. One that the
// server itself refuses has got one, which nobody will see: so a gap in a
// sequence is not a loss on the way. What was lost is what the server accepted
// and did not arrive.
func (s *source) number(items []item) {
	for i := range items {
		count := &s.counts[items[i].at]
		*count++
		items[i].n = *count
	}
}

// write makes the message of an item that was numbered. The bytes hold until
// the next call.
func (s *source) write(it *item, due int64) []byte {
	sequence := wire.Sequence(it.id)
	if s.users != nil {
		sequence = wire.SequenceOf(s.users.Cell(int(it.at), s.users.Column("id")))
	}
	stamp := wire.Stamp{Run: s.run, Sequence: sequence, N: it.n, Due: due}
	s.message = wire.AppendStamped(s.message[:0], it.num, stamp)
	s.message = fill(s.message, it.size)
	return s.message
}

const filler = "................................................................................................................................"

// fill pads message to its least size. The filler is kept off the stamp by a
// space, and holds nothing that HTML, JSON or a line protocol would escape.
func fill(message []byte, size int) []byte {
	if size > len(message)+1 {
		message = append(message, ' ')
	}
	for size > len(message) {
		message = append(message, filler[:min(len(filler), size-len(message))]...)
	}
	return message
}
