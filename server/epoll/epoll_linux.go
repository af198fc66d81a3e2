package epoll

import (
	"errors"
	"fmt"
	"os"
	"sync"
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
// After [Poller.Keep], while there is something to do every few milliseconds, Wait
// keeps its thread and one of the Go runtime's processors: see [Reserve].
type Poller struct {
	fd int
	// file is an epoll instance of its own that watches fd, and that the runtime's
	// poller watches. Where it does not watch fd, an event wakes nobody but Wait.
	file    *os.File
	watched int // its descriptor
	watches bool
	conn    syscall.RawConn
	look    func(fd uintptr) bool // p.lookNow, made once
	raw     []unix.EpollEvent
	n       int // events in raw
	errno   syscall.Errno
	events  []Event
	end     timespec // of a wait
	keeps   bool
	brisk   bool // the last events came within keepTime
	// woken is set from a Wake until Wait has returned for it: many are one.
	woken atomic.Bool

	mu   sync.Mutex
	bell int // eventfd(2), edge triggered and never read; -1 once closed
}

// bellToken is of a row that Slots never gives.
const bellToken Token = 1<<64 - 1

// New opens a Poller that reports up to 256 events at a time.
func New() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_create1", err))
	}
	p := &Poller{fd: fd, bell: -1, raw: make([]unix.EpollEvent, 256), events: make([]Event, 0, 256)}
	p.look = p.lookNow
	if err := p.openWatch(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	if p.bell, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		p.bell = -1
		return nil, errors.Join(fmt.Errorf("epoll: %w", os.NewSyscallError("eventfd", err)), p.Close())
	}
	if err := p.Add(p.bell, Read, bellToken); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close frees the Poller, not what is registered with it. A second Close does
// nothing.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd < 0 {
		return nil
	}
	if p.bell >= 0 {
		unix.Close(p.bell)
	}
	unix.Close(p.fd)
	p.fd, p.bell = -1, -1
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// Keep has Wait keep its processor from now on. That pays where most events come
// from other processes: a goroutine of this one that calls Wake for each costs more
// so.
func (p *Poller) Keep() { p.keeps = true }

// Add registers fd. Closing fd ends the registration.
func (p *Poller) Add(fd int, what Interest, token Token) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, what, token)
}

// Set changes a registration; no interest at all silences it. What is ready
// already is reported anew.
func (p *Poller) Set(fd int, what Interest, token Token) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, what, token)
}

// Remove ends a registration. One whose fd is closed ends by itself, unless a
// duplicate of it is open.
func (p *Poller) Remove(fd int) error {
	return p.control(unix.EPOLL_CTL_DEL, fd, 0, 0)
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

// Wait returns what is ready, waiting for at most timeout, or without end if that
// is negative. The slice is good until the next Wait. It is empty after the
// timeout or a Wake, and may be without either. Every error of epoll_wait but
// EINTR (EBADF, EFAULT, EINVAL) is a mistake of the program.
func (p *Poller) Wait(timeout time.Duration) ([]Event, error) {
	p.n, p.errno = 0, 0
	if err := p.wait(timeout); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	p.events = p.events[:0]
	for i := range p.n {
		raw := &p.raw[i]
		token := NewToken(uint32(raw.Fd), uint32(raw.Pad))
		if token == bellToken {
			p.woken.Store(false)
			continue
		}
		p.events = append(p.events, Event{Token: token, ready: raw.Events})
	}
	return p.events, nil
}

// Wake makes a Wait that is under way, or else the next one, return at once.
func (p *Poller) Wake() {
	if p.woken.Swap(true) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bell >= 0 {
		one := uint64(1)
		_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(p.bell), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
	}
}
