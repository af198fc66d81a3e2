package sockdiag

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// bufferLen takes the largest part of an answer that the kernel sends at
	// once, 32 KiB (netlink_dump in net/netlink/af_netlink.c).
	bufferLen = 64 << 10
	// attempts bounds how often an inconsistent answer is asked for again.
	attempts = 3
)

// Counter counts sockets of one network namespace: the one it was opened in, or
// that of another process. It holds one netlink socket and one buffer; counting
// allocates nothing. It is not safe for concurrent use.
type Counter struct {
	proc     string // of the process in whose namespace it counts: /proc/4711
	other    bool   // that is another process than this one
	conn     *netlink.Conn
	raw      syscall.RawConn
	seq      uint32
	request  []byte
	buf      []byte
	n        int   // bytes of buf that read has filled
	ioErr    error // of the last call of read or write
	fallback error // why /proc is read instead

	read, write func(fd uintptr) bool // made once, since a closure is an allocation
}

// Open returns a Counter. Where netlink is not permitted it still succeeds if
// /proc/net/tcp can be read; Fallback then returns why.
func Open() (*Counter, error) { return open(&Counter{proc: "/proc/self"}) }

// OpenProcess opens a Counter for the network namespace of process pid. Netlink
// there needs CAP_SYS_ADMIN; without it the Counter falls back to
// /proc/<pid>/net/tcp, which everyone may read. The namespace lives at least as
// long as the Counter is open.
func OpenProcess(pid int32) (*Counter, error) {
	return open(&Counter{proc: "/proc/" + strconv.Itoa(int(pid)), other: true})
}

func open(c *Counter) (*Counter, error) {
	c.write = func(fd uintptr) bool {
		for c.ioErr = unix.EINTR; errors.Is(c.ioErr, unix.EINTR); {
			_, c.ioErr = unix.Write(int(fd), c.request)
		}
		return !errors.Is(c.ioErr, unix.EAGAIN)
	}
	c.read = func(fd uintptr) bool {
		for c.ioErr = unix.EINTR; errors.Is(c.ioErr, unix.EINTR); {
			c.n, c.ioErr = unix.Read(int(fd), c.buf)
		}
		return !errors.Is(c.ioErr, unix.EAGAIN)
	}
	err := c.dial()
	if err == nil {
		_, err = c.Count([]Filter{{Port: 1}}, Listen) // a sandbox may refuse the request only
	}
	if err == nil {
		return c, nil
	}
	c.Close()
	return nil, err
}

// dial opens the netlink socket, or falls back to /proc.
func (c *Counter) dial() error {
	conn, err := c.connect()
	if err == nil {
		c.raw, err = conn.SyscallConn()
	}
	if err != nil {
		if conn != nil {
			conn.Close()
		}
		return c.fallBack(fmt.Errorf("sockdiag: no netlink socket: %w", err))
	}
	c.conn = conn
	if c.buf == nil {
		c.buf = make([]byte, bufferLen)
	}
	return nil
}

// connect opens a netlink socket in the namespace.
func (c *Counter) connect() (*netlink.Conn, error) {
	if !c.other {
		return netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	}
	namespace, err := os.Open(c.proc + "/ns/net")
	if err != nil {
		return nil, err
	}
	defer namespace.Close()
	return netlink.Dial(unix.NETLINK_SOCK_DIAG, &netlink.Config{NetNS: int(namespace.Fd())})
}

// fallBack switches to /proc because of cause, if that can be read.
func (c *Counter) fallBack(cause error) error {
	f, err := os.Open(c.proc + "/net/tcp")
	if err != nil {
		return fmt.Errorf("%w; and /proc cannot be read either: %w", cause, err)
	}
	f.Close()
	c.fallback = cause
	return nil
}

// Fallback returns why the Counter reads /proc; nil while it uses netlink.
func (c *Counter) Fallback() error { return c.fallback }

// Close releases the netlink socket.
func (c *Counter) Close() error {
	if c.conn == nil {
		return nil
	}
	conn := c.conn
	c.conn, c.raw = nil, nil
	if err := conn.Close(); err != nil {
		return fmt.Errorf("sockdiag: closing netlink: %w", err)
	}
	return nil
}

// Count counts the sockets in these states whose local end one of the filters
// chooses; without filters, all sockets. A socket that two filters choose counts
// once. IPv4 and IPv6 are both counted.
//
// With ErrInterrupted the counts are valid, with any other error they are not.
func (c *Counter) Count(filters []Filter, states ...State) (Counts, error) {
	want, err := mask(states)
	if err != nil {
		return Counts{}, err
	}
	if len(filters) > maxFilters {
		return Counts{}, fmt.Errorf("sockdiag: %d filters are more than the %d that one request holds: use prefixes", len(filters), maxFilters)
	}
	if c.fallback == nil && c.conn == nil { // an earlier error left it in an unknown state
		if err := c.dial(); err != nil {
			return Counts{}, err
		}
	}
	if c.fallback != nil {
		return countProc(c.proc+"/net", filters, states...)
	}
	for try := 1; ; try++ {
		a, err := c.ask(filters, want)
		switch {
		case errors.Is(err, ErrInterrupted) && try < attempts:
			continue
		case err == nil, errors.Is(err, ErrInterrupted):
			return a.counts, err
		}
		c.Close() // the rest of an answer may still be on its way
		if !refused(err) {
			return Counts{}, err
		}
		if err := c.fallBack(err); err != nil {
			return Counts{}, err
		}
		return countProc(c.proc+"/net", filters, states...)
	}
}

// Backlog returns how many connections fit into the accept queue of the listeners that
// the filters choose, the least of several, as they asked for it in listen(2) and as
// net.core.somaxconn allows; 0 if there is no listener. It needs netlink: after a
// Fallback it returns that.
func (c *Counter) Backlog(filters []Filter) (int64, error) {
	if _, err := c.Count(filters, Listen); err != nil {
		return 0, err // or it falls back
	}
	if c.fallback != nil {
		return 0, c.fallback
	}
	want, err := mask([]State{Listen})
	if err != nil {
		return 0, err
	}
	a, err := c.ask(filters, want)
	return a.backlog, err
}

// refused reports whether the request will fail the same way next time: without
// permission, or on a kernel without sock_diag or its TCP part.
func refused(err error) bool {
	for _, e := range []error{fs.ErrPermission, unix.ENOENT, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EINVAL} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// ask sends the request and reads the answer to its end.
func (c *Counter) ask(filters []Filter, want uint32) (answer, error) {
	c.seq++
	c.request = appendRequest(c.request[:0], want, c.seq, filters)
	if err := c.raw.Write(c.write); err != nil {
		return answer{}, fmt.Errorf("sockdiag: asking the kernel: %w", err)
	}
	if c.ioErr != nil {
		return answer{}, fmt.Errorf("sockdiag: asking the kernel: %w", os.NewSyscallError("write", c.ioErr))
	}
	a := answer{seq: c.seq}
	for !a.done {
		if err := c.raw.Read(c.read); err != nil {
			return answer{}, fmt.Errorf("sockdiag: reading the kernel's answer: %w", err)
		}
		if c.ioErr != nil {
			return answer{}, fmt.Errorf("sockdiag: reading the kernel's answer: %w", os.NewSyscallError("read", c.ioErr))
		}
		if err := a.take(c.buf[:c.n]); err != nil {
			return answer{}, err
		}
	}
	if a.interrupted {
		return a, ErrInterrupted
	}
	return a, nil
}

// answer adds up the parts of one dump.
type answer struct {
	seq         uint32
	counts      Counts
	backlog     int64 // the least of the listeners'; 0 if there is none
	interrupted bool
	done        bool
}

// take counts the messages of one part. It looks only at the state of each socket:
// the kernel has chosen by everything else.
func (a *answer) take(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("sockdiag: the kernel's answer has no end: %w", io.ErrUnexpectedEOF)
	}
	for len(b) >= nlmsgHdrLen {
		size := int(binary.NativeEndian.Uint32(b))
		if size < nlmsgHdrLen || size > len(b) {
			break
		}
		if binary.NativeEndian.Uint16(b[6:])&nlmDumpIntr != 0 {
			a.interrupted = true
		}
		if binary.NativeEndian.Uint32(b[8:]) == a.seq {
			switch body := b[nlmsgHdrLen:size]; binary.NativeEndian.Uint16(b[4:]) {
			case nlmDone, nlmError:
				a.done = true
				return kernelError(body)
			case getSock:
				if len(body) < diagMsgLen || body[1] >= byte(numStates) {
					return fmt.Errorf("sockdiag: this kernel's answers are not understood: a socket described as %x", body[:min(len(body), 4)])
				}
				a.counts[body[1]]++
				if State(body[1]) == Listen {
					a.listener(int64(binary.NativeEndian.Uint32(body[sendQueue:])))
				}
			}
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	if len(b) > 0 {
		return fmt.Errorf("sockdiag: %d bytes at the end of the kernel's answer are not a message", len(b))
	}
	return nil
}

// listener notes the accept queue of one.
func (a *answer) listener(backlog int64) {
	if a.backlog == 0 || backlog < a.backlog {
		a.backlog = backlog
	}
}

// kernelError reads the status at the head of an error or end message.
func kernelError(body []byte) error {
	if len(body) < 4 {
		return nil
	}
	if status := int32(binary.NativeEndian.Uint32(body)); status < 0 {
		return fmt.Errorf("sockdiag: the kernel refused to list sockets: %w", syscall.Errno(-status))
	}
	return nil
}
