package epoll

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// keepTime is how long a wait keeps its processor. It is less than the 10 ms after
// which the runtime asks for one back.
const keepTime = 5 * time.Millisecond

// wait fills p.raw, and returns how many events that are.
//
// It waits for a short time without the runtime knowing: a thread that has told
// it gives its processor up to other work, which takes 20 µs to 10 ms and two to
// four system calls for each event. What the runtime may need of this goroutine
// meanwhile, such as a stop for the garbage collector, it asks for by a signal,
// which ends the wait. Where nothing comes for keepTime, the wait goes on as the
// runtime likes it, and costs nothing while it lasts.
func (p *Poller) wait(timeout time.Duration) (n int, errno syscall.Errno) {
	if timeout >= 0 && timeout <= keepTime {
		return p.call(unix.RawSyscall6, timeout)
	}
	if n, errno = p.call(unix.RawSyscall6, keepTime); n != 0 || errno != 0 {
		return n, errno
	}
	if timeout > 0 {
		timeout -= keepTime
	}
	return p.call(unix.Syscall6, timeout)
}

// noNanos is set where the kernel has no epoll_pwait2(2), which is Linux before
// 5.11, or a sandbox that refuses it.
var noNanos atomic.Bool

// call makes the system call, with an end to the nanosecond where that can be had.
func (p *Poller) call(enter func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, errno syscall.Errno), timeout time.Duration) (int, syscall.Errno) {
	events, most := uintptr(unsafe.Pointer(unsafe.SliceData(p.raw))), uintptr(len(p.raw))
	if timeout > 0 && !noNanos.Load() {
		p.end = unix.NsecToTimespec(int64(timeout)) // not on a stack, which may move
		n, _, errno := enter(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), events, most, uintptr(unsafe.Pointer(&p.end)), 0, 0)
		if errno != unix.ENOSYS && errno != unix.EPERM {
			return count(n, errno), errno
		}
		noNanos.Store(true)
	}
	n, _, errno := enter(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), events, most, millis(timeout), 0, 0)
	return count(n, errno), errno
}

// count returns the number of events, none after an error.
func count(n uintptr, errno syscall.Errno) int {
	if errno != 0 {
		return 0
	}
	return int(n)
}

// millis rounds a timeout up; a negative one has no end.
func millis(d time.Duration) uintptr {
	if d < 0 {
		return ^uintptr(0)
	}
	return uintptr((d + time.Millisecond - 1) / time.Millisecond)
}
