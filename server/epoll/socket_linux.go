package epoll

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Accept takes a connection from a listening socket, non-blocking and closed on
// exec. Unlike [unix.Accept4] it does not ask for the peer's address, which
// would leave garbage for each connection. Errors are bare errnos.
func Accept(listener int) (fd int, err error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

// ReadNow reads what has come. n is 0 at the end of the stream; with nothing
// there the error is EAGAIN. It retries EINTR.
func ReadNow(fd int, b []byte) (n int, err error) {
	return transfer(unix.SYS_RECVFROM, fd, b)
}

// WriteNow writes what the socket takes, which may be nothing: then n is 0 and
// there is no error. It retries EINTR.
func WriteNow(fd int, b []byte) (n int, err error) {
	n, err = transfer(unix.SYS_SENDTO, fd, b)
	if err == unix.EAGAIN { //nolint:errorlint // from the kernel as it is
		return 0, nil
	}
	return n, err
}

// transfer calls recv(2) or send(2) without waiting: they take a shorter way
// through the kernel than read and write. It bypasses the runtime's entersyscall,
// which would wake another thread for a call of microseconds.
func transfer(call uintptr, fd int, b []byte) (n int, err error) {
	for {
		r, _, errno := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(r), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// Peer returns the address of a connection's other end, an IPv4 one as such
// even on a socket that takes both. It fails with ENOTCONN once the peer has
// reset the connection (getpeername(2)), so call it early. Unlike
// [unix.Getpeername] it leaves no garbage, which came to 220 bytes for each
// connection.
func Peer(fd int) (netip.AddrPort, error) {
	var raw unix.RawSockaddrInet6 // holds an IPv4 one as well
	size := uint32(unsafe.Sizeof(raw))
	_, _, errno := unix.RawSyscall(unix.SYS_GETPEERNAME, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)))
	if errno == 0 {
		switch raw.Family {
		case unix.AF_INET:
			raw4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(&raw))
			return netip.AddrPortFrom(netip.AddrFrom4(raw4.Addr), bigEndian(raw4.Port)), nil
		case unix.AF_INET6:
			return netip.AddrPortFrom(netip.AddrFrom16(raw.Addr).Unmap(), bigEndian(raw.Port)), nil
		}
		errno = unix.EAFNOSUPPORT
	}
	return netip.AddrPort{}, fmt.Errorf("epoll: %w", os.NewSyscallError("getpeername", errno))
}

// bigEndian converts a number in network order.
func bigEndian(n uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&n))[:])
}
