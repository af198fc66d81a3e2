// Package neterr says what an error of the network means, on every system:
//
//	conn, err := net.Dial("tcp", address)
//	if neterr.IsRefused(err) { … } // nothing listens there
//
// The names of package syscall alone do not tell. On Windows they are numbers that
// Go made up (syscall.ECONNREFUSED), which no call returns: sockets fail there with
// the numbers of Windows Sockets.
//
// All functions return false for nil.
package neterr

import (
	"errors"
	"runtime"
	"syscall"
)

// The numbers of Windows Sockets (winsock2.h). Unix has none as high.
const (
	wsaAccess       syscall.Errno = 10013
	wsaTooManyFiles syscall.Errno = 10024
	wsaAddrInUse    syscall.Errno = 10048
	wsaAddrNotAvail syscall.Errno = 10049
	wsaNetDown      syscall.Errno = 10050
	wsaNetUnreach   syscall.Errno = 10051
	wsaConnAborted  syscall.Errno = 10053
	wsaConnReset    syscall.Errno = 10054
	wsaNoBuffers    syscall.Errno = 10055
	wsaTimedOut     syscall.Errno = 10060
	wsaConnRefused  syscall.Errno = 10061
	wsaHostDown     syscall.Errno = 10064
	wsaHostUnreach  syscall.Errno = 10065
)

// The numbers with which a write to a pipe fails on Windows (winerror.h). They have
// other meanings on Unix.
const (
	errorBrokenPipe syscall.Errno = 109
	errorNoData     syscall.Errno = 232
	errorNotPiped   syscall.Errno = 233 // ERROR_PIPE_NOT_CONNECTED
)

// IsRefused reports whether nothing listens at the address.
func IsRefused(err error) bool { return is(err, syscall.ECONNREFUSED, wsaConnRefused) }

// IsTimeout reports whether the system gave up waiting for the other end.
func IsTimeout(err error) bool { return is(err, syscall.ETIMEDOUT, wsaTimedOut) }

// IsReset reports whether the other end has cut the connection off.
func IsReset(err error) bool {
	return is(err, syscall.ECONNRESET, syscall.EPIPE, wsaConnReset, wsaConnAborted)
}

// IsBrokenPipe reports whether a write failed because nobody reads any more.
func IsBrokenPipe(err error) bool {
	return is(err, syscall.EPIPE) || runtime.GOOS == "windows" && is(err, errorBrokenPipe, errorNoData, errorNotPiped)
}

// IsAddrInUse reports whether another socket has the address.
func IsAddrInUse(err error) bool { return is(err, syscall.EADDRINUSE, wsaAddrInUse) }

// IsAddrNotAvail reports whether this machine has no such address, or for it no
// local port that is free.
func IsAddrNotAvail(err error) bool { return is(err, syscall.EADDRNOTAVAIL, wsaAddrNotAvail) }

// IsUnreachable reports whether there is no route to the address, or no host that
// answers at its end.
func IsUnreachable(err error) bool {
	return is(err, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN,
		wsaNetUnreach, wsaHostUnreach, wsaNetDown, wsaHostDown)
}

// IsForbidden reports whether a rule of this machine keeps packets from an address,
// where connect(2) failed: a route that prohibits it (EACCES) or throws away what goes
// there (EINVAL), or a firewall (EPERM, on Windows WSAEACCES).
func IsForbidden(err error) bool {
	return is(err, syscall.EACCES, syscall.EPERM, syscall.EINVAL, wsaAccess)
}

// IsTooManyFiles reports whether this process, or the machine, may open no more
// files.
func IsTooManyFiles(err error) bool {
	return is(err, syscall.EMFILE, syscall.ENFILE, wsaTooManyFiles)
}

// IsOutOfMemory reports whether the system had no memory for a socket.
func IsOutOfMemory(err error) bool {
	return is(err, syscall.ENOBUFS, syscall.ENOMEM, wsaNoBuffers)
}

func is(err error, numbers ...syscall.Errno) bool {
	for _, number := range numbers {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}
