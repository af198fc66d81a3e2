//go:build unix

package adminhttp

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// takeSocket duplicates the socket of a connection and closes the connection,
// which takes it out of the runtime's poller.
func takeSocket(c net.Conn) (fd int, err error) {
	holder, ok := c.(syscall.Conn)
	if !ok {
		return -1, errors.New("adminhttp: a connection without a socket")
	}
	raw, err := holder.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("adminhttp: %w", err)
	}
	var dupErr error
	err = raw.Control(func(own uintptr) { fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, dupErr); err != nil {
		return -1, fmt.Errorf("adminhttp: %w", err)
	}
	c.Close()
	return fd, nil
}

// shutDown ends a connection for both sides.
func shutDown(fd int) { _ = unix.Shutdown(fd, unix.SHUT_RDWR) } // it fails where the peer has ended it
