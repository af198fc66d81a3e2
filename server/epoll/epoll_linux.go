package epoll

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

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
	Token uint64
	ready uint32
}

// Readable reports that a read will not block; it may find the end or an error.
func (e Event) Readable() bool {
	return e.ready&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
}

// Writable reports that a write will not block; it may find an error.
func (e Event) Writable() bool {
	return e.ready&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0
}

// Ended reports that the peer has closed its side, or the connection broke. No
// later event need come to say so.
func (e Event) Ended() bool {
	return e.ready&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
}

// wakeToken is the token of a Poller's own eventfd. Callers may not use it.
const wakeToken = ^uint64(0)

// Poller waits for many file descriptors. Wait and Close belong to one
// goroutine; Wake is safe from any, even after Close.
type Poller struct {
	fd     int
	raw    []unix.EpollEvent
	events []Event

	// wakeMu guards wake: once closed, its number may be somebody's connection.
	wakeMu sync.Mutex
	wake   int // -1 once closed
}

// New opens a Poller that reports up to 256 events at a time.
func New() (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_create1", err))
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("epoll: %w", os.NewSyscallError("eventfd", err))
	}
	p := &Poller{fd: fd, wake: wake, raw: make([]unix.EpollEvent, 256), events: make([]Event, 0, 256)}
	// Edge triggered, so that the counter need never be read.
	if err := p.Add(wake, Read, wakeToken); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close frees the Poller, not what is registered with it. A second Close does
// nothing.
func (p *Poller) Close() error {
	p.wakeMu.Lock()
	defer p.wakeMu.Unlock()
	if p.wake < 0 {
		return nil
	}
	err := errors.Join(unix.Close(p.wake), unix.Close(p.fd))
	p.wake, p.fd = -1, -1
	return err
}

// Add registers fd. Closing fd ends the registration.
func (p *Poller) Add(fd int, what Interest, token uint64) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, what, token)
}

// Set changes a registration; no interest at all silences it. What is ready
// already is reported anew.
func (p *Poller) Set(fd int, what Interest, token uint64) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, what, token)
}

func (p *Poller) control(op, fd int, what Interest, token uint64) error {
	events := uint32(what)
	if what&Level != 0 {
		events &^= uint32(Level)
	} else {
		events |= unix.EPOLLET
	}
	// The kernel hands back the eight bytes that x/sys calls Fd and Pad.
	ev := unix.EpollEvent{Events: events, Fd: int32(uint32(token)), Pad: int32(uint32(token >> 32))}
	if err := unix.EpollCtl(p.fd, op, fd, &ev); err != nil {
		return fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_ctl", err))
	}
	return nil
}

// Wait returns what is ready, waiting for at most timeout, or without end if
// that is negative. The slice is good until the next Wait. It is empty after
// the timeout, a Wake, or a signal (EINTR); every other error of epoll_wait
// (EBADF, EFAULT, EINVAL) is a mistake of the program and is returned.
func (p *Poller) Wait(timeout time.Duration) ([]Event, error) {
	n, err := unix.EpollWait(p.fd, p.raw, milliseconds(timeout))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return nil, fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_wait", err))
	}
	p.events = p.events[:0]
	for i := range max(n, 0) {
		raw := &p.raw[i]
		token := uint64(uint32(raw.Fd)) | uint64(uint32(raw.Pad))<<32
		if token != wakeToken {
			p.events = append(p.events, Event{Token: token, ready: raw.Events})
		}
	}
	return p.events, nil
}

// milliseconds rounds up, so that a deadline has passed when Wait returns. The
// kernel takes an int of 32 bits: longer waits end early, in 24 days.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	ms := d / time.Millisecond
	if d%time.Millisecond > 0 {
		ms++
	}
	return int(min(ms, math.MaxInt32))
}

// Wake makes a Wait that is under way, or else the next one, return at once.
func (p *Poller) Wake() {
	p.wakeMu.Lock()
	defer p.wakeMu.Unlock()
	if p.wake < 0 {
		return
	}
	one := [8]byte{1} // any byte order: the sum is never read
	// It fails only when the counter is full, and then the event is pending.
	_, _ = unix.Write(p.wake, one[:])
}
