package fleet

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// asBatch starts a process whose threads do not push aside what runs when they
// have something to do (SCHED_BATCH, sched(7)). While a processor is idle that
// makes no difference. When none is, a process that is woken waits for its turn
// and then finds more to do: of many processes on few processors, most of the
// cost is their wake-ups. A process inherits the policy of the thread that
// starts it. Where batch is not allowed the process starts all the same.
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

// onProcessor starts a process that stays on one processor, counted from 1 and
// again from the first after the last; 0 means any. Two processes that talk to
// each other are best on the same one: what one has written is in the cache when
// the other reads it, and no processor interrupts another to wake them. Where
// that is not allowed the process starts all the same.
func onProcessor(number int, start func() error) error {
	if number == 0 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var ours, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &ours); err != nil {
		return start()
	}
	left := (number - 1) % max(ours.Count(), 1)
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
