//go:build unix

package bench

import "syscall"

// ownGroup puts a process where the terminal's Ctrl-C does not reach it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// giveWay has a process that was started with ownGroup let others go first,
// with all its threads. It is no loss where that is not allowed.
func giveWay(pid int) { _ = syscall.Setpriority(syscall.PRIO_PGRP, pid, 10) }
