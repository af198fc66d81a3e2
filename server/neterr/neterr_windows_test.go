package neterr

import "golang.org/x/sys/windows"

// The compiler compares the numbers with those of x/sys/windows.
var (
	_ = [1]bool{windows.WSAEACCES - wsaAccess: true}
	_ = [1]bool{windows.WSAEMFILE - wsaTooManyFiles: true}
	_ = [1]bool{windows.WSAEADDRINUSE - wsaAddrInUse: true}
	_ = [1]bool{windows.WSAEADDRNOTAVAIL - wsaAddrNotAvail: true}
	_ = [1]bool{windows.WSAENETDOWN - wsaNetDown: true}
	_ = [1]bool{windows.WSAENETUNREACH - wsaNetUnreach: true}
	_ = [1]bool{windows.WSAECONNABORTED - wsaConnAborted: true}
	_ = [1]bool{windows.WSAECONNRESET - wsaConnReset: true}
	_ = [1]bool{windows.WSAENOBUFS - wsaNoBuffers: true}
	_ = [1]bool{windows.WSAETIMEDOUT - wsaTimedOut: true}
	_ = [1]bool{windows.WSAECONNREFUSED - wsaConnRefused: true}
	_ = [1]bool{windows.WSAEHOSTDOWN - wsaHostDown: true}
	_ = [1]bool{windows.WSAEHOSTUNREACH - wsaHostUnreach: true}
	_ = [1]bool{windows.ERROR_BROKEN_PIPE - errorBrokenPipe: true}
	_ = [1]bool{windows.ERROR_NO_DATA - errorNoData: true}
	_ = [1]bool{windows.ERROR_PIPE_NOT_CONNECTED - errorNotPiped: true}
)
