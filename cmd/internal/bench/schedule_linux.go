package bench

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// asBatch starts a process whose threads do not push aside what runs when they
// have something to do (SCHED_BATCH, sched(7)). While a processor is idle that
// makes no difference. When none is, a woken server or flood waits for its turn
// and finds more to do then: of many processes on few processors, most of the
// cost is their wake-ups. A process keeps the policy of the thread it was
// started by. Where that is not allowed it starts all the same.
func asBatch(start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH}, 0); err == nil {
		defer func() {
			_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0)
		}()
	}
	return start()
}

// stayWith starts a process that stays on one processor, the one whose turn it
// is with pair. Server and flood of a pair are then on the same one: what the
// one has written is in its cache when the other reads it, and no processor
// interrupts another to wake them. Where that is not allowed it starts all the
// same.
func stayWith(pair int, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var ours, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &ours); err != nil {
		return start()
	}
	left := pair % max(ours.Count(), 1)
	for cpu := range len(ours) * 64 {
		if ours.IsSet(cpu) {
			if left == 0 {
				one.Set(cpu)
				break
			}
			left--
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err == nil {
		defer func() { _ = unix.SchedSetaffinity(0, &ours) }()
	}
	return start()
}
