package server

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// setUserTimeout sets how long what is sent on a socket may go without an
// acknowledgement, before the connection is taken for dead (TCP_USER_TIMEOUT,
// tcp(7)). Connections have it from their listening socket.
//
// Keepalive alone is not enough: it does not ask while something is unanswered
// already, and retransmission goes on for some 15 minutes (tcp_retries2). A
// stream that gets a message now and then would outlive its peer by as much.
func setUserTimeout(fd int, d time.Duration) error {
	if d == 0 {
		return nil
	}
	return os.NewSyscallError("setsockopt TCP_USER_TIMEOUT", unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds())))
}

// userTimeoutControl returns setUserTimeout as a net.ListenConfig takes it.
func userTimeoutControl(d time.Duration) func(network, address string, raw syscall.RawConn) error {
	return func(_, _ string, raw syscall.RawConn) error {
		var err error
		if e := raw.Control(func(fd uintptr) { err = setUserTimeout(int(fd), d) }); e != nil {
			return e
		}
		return err
	}
}
