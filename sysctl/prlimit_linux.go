package sysctl

import (
	"os"

	"golang.org/x/sys/unix"
)

// setOpenFiles calls prlimit(2) with RLIMIT_NOFILE.
func setOpenFiles(pid int, soft, hard Value) error {
	r := unix.Rlimit{Cur: toRlimit(soft), Max: toRlimit(hard)}
	return os.NewSyscallError("prlimit", unix.Prlimit(pid, unix.RLIMIT_NOFILE, &r, nil))
}

func toRlimit(v Value) uint64 {
	if v == Unlimited {
		return unix.RLIM_INFINITY
	}
	return uint64(v)
}
