package epoll

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// StampArrivals makes the kernel note when what comes on a socket came
// (SO_TIMESTAMPNS, socket(7)), for an [ArrivalReader].
func StampArrivals(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("epoll: %w", os.NewSyscallError("setsockopt SO_TIMESTAMPNS", err))
	}
	return nil
}

// ArrivalReader reads what has come, and when it came. The zero value is ready. It is
// not for concurrent use, nor to be copied once it has read.
type ArrivalReader struct {
	msg     unix.Msghdr
	iov     unix.Iovec
	control [8]uint64 // aligned for a header, with room for what nobody asked for
}

// Read reads as [ReadNow] does. came is when the kernel had the last of the bytes, in
// nanoseconds since 1970 by its clock: 0 if it does not say, as on a socket without
// [StampArrivals].
func (r *ArrivalReader) Read(fd int, b []byte) (n int, came int64, err error) {
	r.iov.Base = unsafe.SliceData(b)
	r.iov.SetLen(len(b))
	r.msg.Iov = &r.iov
	r.msg.SetIovlen(1)
	for {
		r.msg.Control = (*byte)(unsafe.Pointer(&r.control))
		r.msg.SetControllen(int(unsafe.Sizeof(r.control)))
		got, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.msg)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		switch errno {
		case 0:
			runtime.KeepAlive(b)
			return int(got), r.stamp(), nil
		case unix.EINTR:
		default:
			return 0, 0, errno
		}
	}
}

// stamp returns the time that came with what was read.
func (r *ArrivalReader) stamp() int64 {
	head := (*unix.Cmsghdr)(unsafe.Pointer(&r.control))
	if r.msg.Controllen < unix.SizeofCmsghdr || head.Level != unix.SOL_SOCKET || head.Type != unix.SCM_TIMESTAMPNS {
		return 0
	}
	return (*unix.Timespec)(unsafe.Add(unsafe.Pointer(&r.control), unix.CmsgLen(0))).Nano()
}

// Nap sleeps for d in the kernel. Like Wait of a [Poller] that keeps its processor it
// is not seen by Go's runtime.
func Nap(d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	// An interruption makes it shorter.
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
}
