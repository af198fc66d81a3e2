package server

import (
	"errors"
	"syscall"
)

// openFileLimit returns 0, unknown: Windows does not limit sockets by number.
func openFileLimit() uint64 { return 0 }

// isReadableByOthers returns false, since the mode of a file does not show it here.
func isReadableByOthers(string) bool { return false }

func isAddrInUse(err error) bool    { return errors.Is(err, syscall.Errno(10048)) } // WSAEADDRINUSE
func isAddrNotAvail(err error) bool { return errors.Is(err, syscall.Errno(10049)) } // WSAEADDRNOTAVAIL

func outOfFiles(err error) bool {
	return errors.Is(err, syscall.Errno(10024)) || errors.Is(err, syscall.Errno(10055)) // WSAEMFILE, WSAENOBUFS
}
