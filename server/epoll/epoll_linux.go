package epoll

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Interest is what a registration waits for. The end of a connection is always
// reported, as Read.
type Interest uint32

// Interests, to be combined.
const (
	Read  Interest = unix.EPOLLIN | unix.EPOLLRDHUP
	Write Interest = unix.EPOLLOUT
	// Level makes a registration level triggered: it is reported for as long as
	// it is ready. Listening sockets want it, which are not emptied at one go.
	Level Interest = 1 << 31 // never passed to the kernel; EPOLLET is its absence
)

// Event says that a registered file descriptor is ready.
type Event struct {
	// Token is what the file descriptor was registered with.
	Token Token
	ready uint32
}

// Readable reports whether a read will not block; it may find the end or an error.
func (e Event) Readable() bool {
	return e.ready&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
}

// Writable reports whether a write will not block; it may find an error.
func (e Event) Writable() bool {
	return e.ready&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0
}

// Ended reports whether the peer has closed its side, or the connection broke.
// There may be no later event for that.
func (e Event) Ended() bool {
	return e.ready&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
}

// Poller waits for many file descriptors. Wait and Close belong to one
// goroutine; Wake is safe from any, even after Close.
//
// Its epoll instance is itself watched by the Go runtime's poller, and Wait
// parks its goroutine there. A thread of its own in epoll_wait would hold one of
// the runtime's processors until the runtime retakes it, up to 10 ms later, and
// take a system call to be woken by another goroutine.
type Poller struct {
	fd     int
	file   *os.File // owns fd, and has it in the runtime's poller
	raw    []unix.EpollEvent
	n      int // events in raw
	err    error
	events []Event
	conn   syscall.RawConn
	look   func(fd uintptr) bool // p.tryWait, made once
	woken  atomic.Bool
}

// New opens a Poller that reports up to 256 events at a time.
func New() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_create1", err))
	}
	// Only a file that is marked so is given to the runtime's poller.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", os.NewSyscallError("fcntl", err))
	}
	p := &Poller{fd: fd, file: os.NewFile(uintptr(fd), "epoll"), raw: make([]unix.EpollEvent, 256), events: make([]Event, 0, 256)}
	p.look = p.tryWait
	if p.conn, err = p.file.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("epoll: %w", err), p.Close())
	}
	return p, nil
}

// Close frees the Poller, not what is registered with it. A second Close does
// nothing.
func (p *Poller) Close() error {
	if err := p.file.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// Add registers fd. Closing fd ends the registration.
func (p *Poller) Add(fd int, what Interest, token Token) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, what, token)
}

// Set changes a registration; no interest at all silences it. What is ready
// already is reported anew.
func (p *Poller) Set(fd int, what Interest, token Token) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, what, token)
}

func (p *Poller) control(op, fd int, what Interest, token Token) error {
	events := uint32(what)
	if what&Level != 0 {
		events &^= uint32(Level)
	} else {
		events |= unix.EPOLLET
	}
	// The kernel hands back the eight bytes that x/sys calls Fd and Pad.
	ev := unix.EpollEvent{Events: events, Fd: int32(token.Slot()), Pad: int32(token.Gen())}
	if _, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0); errno != 0 {
		return fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_ctl", errno))
	}
	return nil
}

// Wait returns what is ready, waiting for at most timeout, or without end if
// that is negative. The slice is good until the next Wait. It is empty after
// the timeout or a Wake, and may be without either. Every error of epoll_wait
// but EINTR (EBADF, EFAULT, EINVAL) is a mistake of the program.
func (p *Poller) Wait(timeout time.Duration) ([]Event, error) {
	p.n, p.err = 0, nil
	if !p.tryWait(uintptr(p.fd)) && timeout != 0 {
		p.park(timeout)
	}
	if p.err != nil {
		return nil, fmt.Errorf("epoll: %w", p.err)
	}
	p.events = p.events[:0]
	for i := range p.n {
		raw := &p.raw[i]
		p.events = append(p.events, Event{Token: NewToken(uint32(raw.Fd), uint32(raw.Pad)), ready: raw.Events})
	}
	return p.events, nil
}

// tryWait collects what is ready now, and reports whether Wait can return: there
// are events, or an error.
func (p *Poller) tryWait(fd uintptr) bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p.raw))), uintptr(len(p.raw)), 0, 0, 0)
	if errno != 0 {
		if errno != unix.EINTR {
			p.err = os.NewSyscallError("epoll_wait", errno)
		}
		n = 0
	}
	p.n = int(n)
	return p.n > 0 || p.err != nil
}

// park waits for something to be ready. Wake ends it by a deadline in the past.
// woken keeps a Wake just before from being overwritten by the deadline set here.
func (p *Poller) park(timeout time.Duration) {
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	err := p.file.SetReadDeadline(deadline)
	if err == nil && !p.woken.Swap(false) {
		err = p.conn.Read(p.look)
		p.woken.Store(false)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		p.err = err
	}
}

var past = time.Unix(1, 0)

// Wake makes a Wait that is under way, or else the next one, return at once.
func (p *Poller) Wake() {
	p.woken.Store(true)
	// It fails only when the Poller is closed.
	_ = p.file.SetReadDeadline(past)
}
