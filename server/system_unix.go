//go:build unix

package server

import (
	"os"

	"golang.org/x/sys/unix"
)

// openFileLimit returns how many files this process may have open, 0 if unknown. The
// Go runtime has raised the soft limit to the hard one by now.
func openFileLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return limit.Cur
}

// isReadableByOthers reports whether every user of this machine can read a file.
func isReadableByOthers(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o004 != 0
}
