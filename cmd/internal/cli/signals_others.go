//go:build !unix

package cli

import (
	"errors"
	"os"
	"syscall"
)

// systemSignals are those that only Unix has.
var systemSignals []os.Signal

// cpuLimit is never sent.
const cpuLimit = syscall.Signal(0)

func isReopen(syscall.Signal) bool { return false }

func hasControllingTerminal() bool { return false }

// isBrokenPipe reports whether a write failed because nobody reads any more:
// ERROR_BROKEN_PIPE or ERROR_NO_DATA.
func isBrokenPipe(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number) && (number == 109 || number == 232)
}

func isHangup(error) bool { return false }
