//go:build unix

package msggen

import (
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"time"
)

// onSocket calls f with the descriptor of conn, and reports whether it has one.
func onSocket(conn net.Conn, f func(fd int)) bool {
	if secure, is := conn.(*tls.Conn); is {
		conn = secure.NetConn()
	}
	socket, is := conn.(syscall.Conn)
	if !is {
		return false
	}
	raw, err := socket.SyscallConn()
	return err == nil && raw.Control(func(fd uintptr) { f(int(fd)) }) == nil
}

// peerGone reports whether the peer is known to have closed conn, or has said
// something unasked, which it does before that. It never waits. Under TLS, what
// was said unasked may be a new session's ticket.
func peerGone(conn net.Conn) (gone bool) {
	_, secure := conn.(*tls.Conn)
	onSocket(conn, func(fd int) {
		n, _, err := syscall.Recvfrom(fd, make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if err != nil {
			gone = !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
		} else {
			gone = n == 0 || !secure
		}
	})
	return gone
}

// closedUnread reports whether the peer, which has ended conn, had closed it
// before it read what was written last: then its kernel answers that with a
// reset (RFC 9293, section 3.10.7.1), which comes within one round trip after
// the end. A peer that had read it sends none.
func closedUnread(conn net.Conn) (unread bool) {
	const patience = 100 * time.Millisecond
	for wait := time.Millisecond; ; wait *= 2 {
		known := onSocket(conn, func(fd int) {
			code, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
			unread = err == nil && code != 0
		})
		if unread || !known || wait > patience {
			return unread
		}
		<-time.After(wait)
	}
}
