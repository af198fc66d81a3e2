// Package machine has what the tests of memlog and of sockdiag do with the machine
// they run on.
package machine

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// LoopbackUp brings up the loopback interface of a new network namespace.
func LoopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// OwnCPU returns the processor time that this process has used.
func OwnCPU(tb testing.TB) (seconds float64) {
	tb.Helper()
	var ru unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &ru); err != nil {
		tb.Fatal(err)
	}
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}

// RaiseFiles lets this process have n open files, or skips where it may not.
func RaiseFiles(tb testing.TB, n int) {
	tb.Helper()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		tb.Fatal(err)
	}
	if limit.Max < uint64(n) {
		tb.Skipf("%d files are needed, this shell allows %d", n, limit.Max)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil && !errors.Is(err, unix.EPERM) {
		tb.Fatal(err)
	}
}
