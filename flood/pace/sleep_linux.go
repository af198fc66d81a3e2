package pace

import (
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lastStretch is how much of a wait is slept by the thread itself. A Go timer
// may fire more than a millisecond late, and this must cover that.
const lastStretch = 3 * time.Millisecond

// sleepPunctually blocks the thread until t.
func sleepPunctually(t time.Time) error {
	return nap(t, func(wait *unix.Timespec) unix.Errno {
		_, _, errno := unix.Syscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(wait)), 0, 0, 0)
		return errno
	})
}

// holdPunctually blocks the thread until t, unnoticed by Go's runtime. That may
// interrupt it by a signal, to stop the world or to run another goroutine: then
// this wakes, and waits on.
func holdPunctually(t time.Time) error {
	return nap(t, func(wait *unix.Timespec) unix.Errno {
		_, _, errno := unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(wait)), 0, 0, 0)
		return errno
	})
}

// nap sleeps until t by clock_nanosleep(2), again after each signal.
func nap(t time.Time, sleep func(wait *unix.Timespec) unix.Errno) error {
	for {
		wait := time.Until(t)
		if wait <= 0 {
			return nil
		}
		ts := unix.NsecToTimespec(int64(wait))
		if errno := sleep(&ts); errno != 0 && errno != unix.EINTR {
			return fmt.Errorf("pace: cannot wait for a moment: %w", os.NewSyscallError("clock_nanosleep", errno))
		}
	}
}
