package epoll

import "iter"

// Slots is a table of connections. A connection at rest is one row of it: its
// file descriptor, a generation, and a T, which should hold no pointers, so
// that the garbage collector does not look at a million of them. Rows come in
// pages, are used again after Free, and never move.
//
// The token of a row names its generation too: an event or a message for a
// connection that is gone finds nothing, even where its row or its file
// descriptor has a new owner.
//
// The zero value is ready. A Slots belongs to one goroutine.
type Slots[T any] struct {
	page  []*[slotsPerPage]row[T]
	free  uint32 // the first free row, chained by fd; 0 is none
	fresh uint32 // rows from here on were never used
	used  int
}

type row[T any] struct {
	fd  int32
	gen uint32 // odd while in use
	val T
}

const (
	slotBits     = 8
	slotsPerPage = 1 << slotBits
)

// Alloc takes a row for fd, with a zero T. No row has number 0.
func (s *Slots[T]) Alloc(fd int) (slot uint32, val *T) {
	slot = s.free
	if slot == 0 {
		s.fresh++
		slot = s.fresh
		if int(slot>>slotBits) >= len(s.page) {
			s.page = append(s.page, new([slotsPerPage]row[T]))
		}
	} else {
		s.free = uint32(s.row(slot).fd)
	}
	r := s.row(slot)
	r.fd = int32(fd)
	r.gen++
	s.used++
	return slot, &r.val
}

// Free returns a row. Its token is not valid any more.
func (s *Slots[T]) Free(slot uint32) {
	r := s.row(slot)
	*r = row[T]{fd: int32(s.free), gen: r.gen + 1}
	s.free = slot
	s.used--
}

// Token returns the token of the connection in slot.
func (s *Slots[T]) Token(slot uint32) Token { return NewToken(slot, s.row(slot).gen) }

// Lookup finds the connection that a token names, if it is still there.
func (s *Slots[T]) Lookup(token Token) (slot uint32, val *T, ok bool) {
	slot = token.Slot()
	if slot == 0 || slot > s.fresh {
		return 0, nil, false
	}
	r := s.row(slot)
	return slot, &r.val, r.gen == token.Gen()
}

// At returns the T of a slot in use.
func (s *Slots[T]) At(slot uint32) *T { return &s.row(slot).val }

// FD returns the file descriptor of a slot in use.
func (s *Slots[T]) FD(slot uint32) int { return int(s.row(slot).fd) }

// Len returns the number of rows in use.
func (s *Slots[T]) Len() int { return s.used }

// All calls yield for each slot in use; yield may free it.
func (s *Slots[T]) All(yield func(slot uint32, val *T) bool) {
	s.Between(0, s.fresh)(yield)
}

// Rows returns the number of rows, used or not. They are numbered from 1, and
// there are never fewer.
func (s *Slots[T]) Rows() uint32 { return s.fresh }

// Between yields as All does, for the rows from after+1 to last, so that a large
// table can be visited in parts.
func (s *Slots[T]) Between(after, last uint32) iter.Seq2[uint32, *T] {
	return func(yield func(slot uint32, val *T) bool) {
		for slot := after + 1; slot <= min(last, s.fresh); slot++ {
			if r := s.row(slot); r.gen&1 == 1 && !yield(slot, &r.val) {
				return
			}
		}
	}
}

func (s *Slots[T]) row(slot uint32) *row[T] {
	return &s.page[slot>>slotBits][slot%slotsPerPage]
}
