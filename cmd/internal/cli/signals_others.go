//go:build !unix

package cli

import (
	"os"
	"syscall"
)

// systemSignals are those that only Unix has.
var systemSignals []os.Signal

// cpuLimit is never sent.
const cpuLimit = syscall.Signal(0)

func isReopen(syscall.Signal) bool { return false }

func hasControllingTerminal() bool { return false }

func isHangup(error) bool { return false }
