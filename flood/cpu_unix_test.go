//go:build unix

package flood

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the user and system time of this process.
func cpuTime() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
