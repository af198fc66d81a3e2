package epoll

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// keepTime is how long a wait keeps its processor. It is less than the 10 ms after
// which the runtime asks for one back.
const keepTime = 5 * time.Millisecond

// wait fills p.raw.
//
// Where the last events came soon, it waits for the next ones in the kernel, and
// the runtime does not know. A goroutine that parks costs two to four system calls
// for each event, and other threads that look for work. A thread that tells the
// runtime of its wait loses its processor, which has the runtime look every 20 µs
// for a while. What the runtime may need of this goroutine meanwhile, such as a stop
// for the garbage collector, it asks for by a signal, which ends the wait.
//
// Where nothing comes for keepTime the goroutine parks, and costs nothing until
// something does.
func (p *Poller) wait(timeout time.Duration) error {
	if timeout == 0 {
		return p.take(0)
	}
	if p.brisk {
		if err := p.watch(false); err != nil {
			return err
		}
		all := timeout > 0 && timeout <= keepTime
		kept := keepTime
		if all {
			kept = timeout
		}
		if err := p.take(kept); err != nil || p.n > 0 || p.errno != 0 || all {
			return err
		}
		p.brisk = false
		if timeout > 0 {
			timeout -= keepTime
		}
	}
	if err := p.watch(true); err != nil {
		return err
	}
	parked := time.Now()
	err := p.park(timeout)
	if p.brisk = p.keeps && time.Since(parked) < keepTime; p.brisk {
		// The thread that runs this may be the one that waited in the runtime's poller,
		// and it will not be back for long. If all was idle, the runtime's monitor
		// sleeps too, and what comes for other goroutines would be seen by nobody
		// (findRunnable and sysmon in runtime/proc.go, Go 1.26). This has the runtime
		// wake another thread, which finds nothing to do and waits there.
		runtime.Gosched()
	}
	return err
}

// take collects what is ready, or comes within timeout.
func (p *Poller) take(timeout time.Duration) error {
	p.call(timeout)
	return p.fault()
}

// fault returns what is wrong with the call: every error but EINTR is a mistake of
// the program.
func (p *Poller) fault() error {
	if p.errno == 0 || p.errno == unix.EINTR {
		return nil
	}
	return os.NewSyscallError("epoll_wait", p.errno)
}

// openWatch opens what the runtime's poller watches.
func (p *Poller) openWatch() (err error) {
	if p.watched, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", os.NewSyscallError("epoll_create1", err))
	}
	// Only a file that is marked so is given to the runtime's poller.
	if err := unix.SetNonblock(p.watched, true); err != nil {
		unix.Close(p.watched)
		return fmt.Errorf("epoll: %w", os.NewSyscallError("fcntl", err))
	}
	p.file = os.NewFile(uintptr(p.watched), "epoll")
	if p.conn, err = p.file.SyscallConn(); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	p.watches = true
	return p.controlWatch(unix.EPOLL_CTL_ADD, unix.EPOLLIN)
}

// watch lets the runtime's poller see what comes, or not: a thread of the runtime that
// waits there would be woken by each event, for nothing.
func (p *Poller) watch(on bool) error {
	if on == p.watches {
		return nil
	}
	p.watches = on
	if on {
		return p.controlWatch(unix.EPOLL_CTL_MOD, unix.EPOLLIN)
	}
	return p.controlWatch(unix.EPOLL_CTL_MOD, 0)
}

func (p *Poller) controlWatch(op int, events uint32) error {
	ev := unix.EpollEvent{Events: events}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.watched, op, p.fd, &ev))
}

// park waits as the runtime likes it: its poller watches what watches the epoll
// instance.
func (p *Poller) park(timeout time.Duration) error {
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	if err := p.file.SetReadDeadline(deadline); err != nil {
		return err
	}
	if err := p.conn.Read(p.look); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return p.fault()
}

// lookNow collects what is ready now, and reports whether Wait can return.
func (p *Poller) lookNow(uintptr) bool {
	p.call(0)
	return p.n > 0 || p.errno != 0
}

// noNanos is set where the kernel has no epoll_pwait2(2), which is Linux before
// 5.11, or a sandbox that refuses it.
var noNanos atomic.Bool

// timespec is struct __kernel_timespec, which epoll_pwait2 takes on every machine.
// [unix.Timespec] is half as long on those of 32 bits.
type timespec struct{ sec, nsec int64 }

// call makes the system call, with an end to the nanosecond where that can be had.
func (p *Poller) call(timeout time.Duration) {
	events, most := uintptr(unsafe.Pointer(unsafe.SliceData(p.raw))), uintptr(len(p.raw))
	if timeout > 0 && !noNanos.Load() {
		p.end = timespec{int64(timeout / time.Second), int64(timeout % time.Second)} // not on a stack, which may move
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), events, most, uintptr(unsafe.Pointer(&p.end)), 0, 0)
		if errno != unix.ENOSYS && errno != unix.EPERM {
			p.took(n, errno)
			return
		}
		noNanos.Store(true)
	}
	millis := uintptr((timeout + time.Millisecond - 1) / time.Millisecond)
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), events, most, millis, 0, 0)
	p.took(n, errno)
}

func (p *Poller) took(n uintptr, errno syscall.Errno) {
	if p.errno = errno; errno == 0 {
		p.n = int(n)
	}
}
