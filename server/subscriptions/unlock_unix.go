//go:build unix

package subscriptions

import (
	"os"

	"golang.org/x/sys/unix"
)

// unlock ends bbolt's lock of a file that stays mapped: closing it does not.
func unlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }
