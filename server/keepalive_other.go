//go:build !linux

package server

import (
	"syscall"
	"time"
)

// userTimeoutControl does nothing: other systems give up on what is not
// acknowledged by rules of their own.
func userTimeoutControl(time.Duration) func(network, address string, raw syscall.RawConn) error {
	return nil
}
