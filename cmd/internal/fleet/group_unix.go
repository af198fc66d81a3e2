//go:build unix

package fleet

import (
	"os"
	"syscall"
)

// continues is the signal after which a suspended process goes on.
var continues = []os.Signal{syscall.SIGCONT}

// ownGroup puts a process where the terminal's Ctrl-C does not reach it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// giveWay lets all others run before a process that was started with ownGroup,
// where that is allowed.
func giveWay(pid int) { _ = syscall.Setpriority(syscall.PRIO_PGRP, pid, 10) }
