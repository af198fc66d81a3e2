//go:build !nonats && unix

package broker

import "golang.org/x/sys/unix"

// openFileLimit returns how many files this process may have open, 0 if that is
// unknown. The Go runtime has raised the soft limit to the hard one by now.
func openFileLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}
