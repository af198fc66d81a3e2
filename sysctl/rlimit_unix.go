//go:build linux || darwin

package sysctl

import (
	"fmt"
	"math"
	"os"
	"syscall"
)

// openFileLimits reads RLIMIT_NOFILE as it is in force. By then the Go runtime has
// raised the soft limit to one below the hard one. It puts it back in the
// processes that it starts (package syscall, rlimit.go).
func openFileLimits() (soft, hard Value, err error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return Unknown, Unknown, fmt.Errorf("sysctl: open-file limit: %w", os.NewSyscallError("getrlimit", err))
	}
	return fromRlimit(r.Cur), fromRlimit(r.Max), nil
}

// fromRlimit maps RLIM_INFINITY, which is 2^64-1 on Linux and 2^63-1 on macOS.
func fromRlimit(n uint64) Value { return Value(min(n, math.MaxInt64)) }

// RaiseOpenFiles sets the soft limit on open files to the hard one, or to the
// kernel's ceiling for any process if that is lower, and returns what is in force
// afterwards, also beside an error. Processes started from here inherit it, unlike
// the raise that the Go runtime makes at start-up. It may be called more than
// once, and does nothing on platforms without such limits.
func RaiseOpenFiles() (soft, hard uint64, err error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, 0, fmt.Errorf("sysctl: open-file limit: %w", os.NewSyscallError("getrlimit", err))
	}
	target := uint64(tighter(fromRlimit(r.Max), filesCeiling()))
	raised := syscall.Rlimit{Cur: max(r.Cur, target), Max: r.Max}
	// Also when there is nothing to raise: this call makes the runtime leave the
	// limit alone in child processes.
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil && r.Cur < target {
		return r.Cur, r.Max, fmt.Errorf("sysctl: cannot raise the open-file limit from %s to %s: %w",
			fromRlimit(r.Cur), fromRlimit(target), os.NewSyscallError("setrlimit", err))
	}
	return min(raised.Cur, target), r.Max, nil
}
