//go:build unix

package bench

import "syscall"

// ownGroup puts a process where the terminal's Ctrl-C does not reach it.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
