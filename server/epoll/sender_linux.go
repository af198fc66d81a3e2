package epoll

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// senderBatch is how many sends go to the kernel in one call.
const senderBatch = 512

// Send is one write to a socket, and what came of it.
type Send struct {
	FD    int
	Bytes []byte
	// N and Err are what WriteNow would return: a full socket takes less, or
	// nothing without an error.
	N   int
	Err error
}

// Sender writes to many sockets in few system calls, by io_uring(7), or one
// after the other where the kernel is too old for that or forbids it. It belongs
// to one goroutine.
type Sender struct {
	ring  *ring  // nil: plain writes
	why   error  // that there is no ring
	sends []Send // being done
	pins  runtime.Pinner
	done  func(userData uint64, result int32) // s.complete, made once
}

// NewSender returns a Sender. With pinned, all calls come from the thread that
// makes this one (runtime.LockOSThread), which the kernel can make use of.
func NewSender(pinned bool) *Sender {
	s := &Sender{}
	s.done = s.complete
	flags := uint32(setupSubmitAll)
	if pinned {
		flags |= setupSingleIssuer | setupDeferTaskrun
	}
	s.ring, s.why = newRing(senderBatch, flags)
	if errors.Is(s.why, unix.EINVAL) { // the kernel does not know some flag
		s.ring, s.why = newRing(senderBatch, 0)
	}
	return s
}

// Plain returns why writes are made one by one, or nil if they are not.
func (s *Sender) Plain() error { return s.why }

// Close frees what the kernel keeps.
func (s *Sender) Close() {
	if s.ring != nil {
		s.ring.close()
		s.ring = nil
	}
}

// Send does all sends and sets what came of each. A socket may be in there once:
// what follows a write that is cut short would go to the wrong place.
func (s *Sender) Send(sends []Send) {
	for len(sends) > 0 && s.ring != nil {
		n := min(len(sends), senderBatch)
		s.sends = sends[:n]
		s.submit()
		s.sends = nil
		sends = sends[n:]
	}
	for i := range sends {
		sends[i].plain()
	}
}

// submit does s.sends in one call. If the ring fails, that is the end of it: what
// it has not taken is written.
func (s *Sender) submit() {
	var last *byte
	for i := range s.sends {
		one := &s.sends[i]
		one.N, one.Err = 0, errUnknown
		if first := unsafe.SliceData(one.Bytes); first != last { // the kernel has only its address
			s.pins.Pin(first)
			last = first
		}
		s.ring.addSend(int32(one.FD), one.Bytes, uint64(i))
	}
	taken, err := s.ring.submit(len(s.sends), s.done)
	s.pins.Unpin()
	if err != nil {
		s.Close()
		s.why = err
		for i := range s.sends[taken:] {
			s.sends[taken+i].plain()
		}
	}
}

// errUnknown is of a send that the ring took before it failed: to make it again
// might make it twice.
var errUnknown = errors.New("epoll: io_uring failed, and what it sent is not known: close the connection")

// complete takes one result from the kernel.
func (s *Sender) complete(i uint64, result int32) {
	one := &s.sends[i]
	switch errno := unix.Errno(-result); {
	case result >= 0:
		one.N, one.Err = int(result), nil
	case errno == unix.EAGAIN:
		one.Err = nil
	case errno == unix.EINTR:
		one.plain()
	default:
		one.Err = errno
	}
}

func (s *Send) plain() { s.N, s.Err = WriteNow(s.FD, s.Bytes) }
