package pace

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lastStretch is how much of a wait is slept by the thread itself. A Go timer
// may fire more than a millisecond late, and this must cover that.
const lastStretch = 3 * time.Millisecond

// sleepPunctually blocks the thread until t. The kernel gets an absolute moment,
// so that a signal that interrupts the wait, as the Go runtime's preemption does,
// does not lengthen it.
func sleepPunctually(t time.Time) error {
	for {
		wait := time.Until(t)
		if wait <= 0 {
			return nil
		}
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			return fmt.Errorf("pace: cannot read the clock: %w", os.NewSyscallError("clock_gettime", err))
		}
		until := unix.NsecToTimespec(now.Nano() + int64(wait))
		err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &until, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("pace: cannot wait for a moment: %w", os.NewSyscallError("clock_nanosleep", err))
		}
	}
}
