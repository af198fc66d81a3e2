package epoll

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// From linux/io_uring.h; golang.org/x/sys has only the numbers of the calls.
const (
	opSend = 26 // IORING_OP_SEND

	setupSubmitAll    = 1 << 7 // one bad entry does not end the submission (Linux 5.18)
	setupSingleIssuer = 1 << 12
	setupDeferTaskrun = 1 << 13 // demands the one above (Linux 6.1)
	featSingleMmap    = 1 << 0  // both rings are one mapping (Linux 5.4)
	enterGetEvents    = 1 << 0

	offsetRings   = 0
	offsetEntries = 0x10000000
)

// ringParams is struct io_uring_params.
type ringParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

// submission is struct io_uring_sqe, as IORING_OP_SEND has it.
type submission struct {
	op, flags uint8
	_         uint16
	fd        int32
	_         uint64
	address   uint64
	length    uint32
	msgFlags  uint32
	userData  uint64
	_         [3]uint64
}

// completion is struct io_uring_cqe.
type completion struct {
	userData uint64
	result   int32
	_        uint32
}

// ring is an io_uring(7) instance for calls that complete at once.
type ring struct {
	fd             int
	shared, sqes   []byte // mapped
	entries        []submission
	completions    []completion
	sqTail         *uint32
	cqHead, cqTail *uint32
	cqMask         uint32
	filled         uint32 // the next value of sqTail
}

// newRing opens one with so many entries, a power of two.
func newRing(entries, flags uint32) (*ring, error) {
	p := ringParams{flags: flags}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("io_uring_setup", errno)
	}
	r := &ring{fd: int(fd)}
	if p.features&featSingleMmap == 0 {
		r.close()
		return nil, os.NewSyscallError("io_uring_setup", unix.ENOSYS)
	}
	var err error
	size := max(p.sq.array+p.sqEntries*4, p.cq.cqes+p.cqEntries*uint32(unsafe.Sizeof(completion{})))
	if r.shared, err = r.mapped(offsetRings, int(size)); err == nil {
		r.sqes, err = r.mapped(offsetEntries, int(p.sqEntries)*int(unsafe.Sizeof(submission{})))
	}
	if err != nil {
		r.close()
		return nil, err
	}
	r.entries = unsafe.Slice((*submission)(unsafe.Pointer(&r.sqes[0])), p.sqEntries)
	r.completions = unsafe.Slice((*completion)(unsafe.Pointer(&r.shared[p.cq.cqes])), p.cqEntries)
	r.sqTail, r.cqHead, r.cqTail = r.word(p.sq.tail), r.word(p.cq.head), r.word(p.cq.tail)
	r.cqMask = p.cqEntries - 1
	for i := range p.sqEntries { // entries go in the order of their places
		*r.word(p.sq.array + i*4) = i
	}
	return r, nil
}

func (r *ring) mapped(offset int64, size int) ([]byte, error) {
	b, err := unix.Mmap(r.fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	return b, os.NewSyscallError("mmap", err)
}

func (r *ring) word(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.shared[offset])) }

func (r *ring) close() {
	for _, b := range [][]byte{r.sqes, r.shared} {
		if b != nil {
			_ = unix.Munmap(b)
		}
	}
	unix.Close(r.fd)
}

// addSend fills the next entry. The bytes at b must stay where they are until
// its completion.
func (r *ring) addSend(fd int32, b []byte, userData uint64) {
	e := &r.entries[r.filled&uint32(len(r.entries)-1)]
	*e = submission{
		op: opSend, fd: fd, userData: userData,
		address: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))), length: uint32(len(b)),
		msgFlags: unix.MSG_DONTWAIT | unix.MSG_NOSIGNAL,
	}
	r.filled++
}

// submit has the kernel do the last n entries, and calls done for each. An error
// is of the ring, which has taken only the first of them then.
func (r *ring) submit(n int, done func(userData uint64, result int32)) (taken int, err error) {
	atomic.StoreUint32(r.sqTail, r.filled)
	for reaped := 0; reaped < n; reaped += r.reap(done) {
		// As for send(2) in transfer: nothing of it waits.
		did, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(n-taken), uintptr(n-reaped), enterGetEvents, 0, 0)
		switch errno {
		case 0:
			taken += int(did)
		case unix.EINTR:
		default:
			r.reap(done) // what has completed is known
			return taken, fmt.Errorf("epoll: %w", os.NewSyscallError("io_uring_enter", errno))
		}
	}
	return n, nil
}

// reap takes what has completed and returns how many that were.
func (r *ring) reap(done func(userData uint64, result int32)) int {
	head, tail := *r.cqHead, atomic.LoadUint32(r.cqTail)
	n := int(tail - head)
	for ; head != tail; head++ {
		c := &r.completions[head&r.cqMask]
		done(c.userData, c.result)
	}
	atomic.StoreUint32(r.cqHead, head)
	return n
}
