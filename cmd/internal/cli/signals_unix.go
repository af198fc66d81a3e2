//go:build unix

package cli

import (
	"errors"
	"os"
	"syscall"
)

// systemSignals are those that Windows does not have: the request to reopen logs
// and the limit on processor time.
var systemSignals = []os.Signal{syscall.SIGUSR1, cpuLimit}

// cpuLimit is sent to a process that has used the processor time that it may.
const cpuLimit = syscall.SIGXCPU

// isReopen reports whether sig asks to open logs again, whatever the command.
func isReopen(sig syscall.Signal) bool { return sig == syscall.SIGUSR1 }

// hasControllingTerminal reports whether there is a terminal whose end would
// send SIGHUP (tty(4)).
func hasControllingTerminal() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

// isHangup reports whether a read or write failed as it does on a terminal that
// has closed.
func isHangup(err error) bool { return errors.Is(err, syscall.EIO) }
