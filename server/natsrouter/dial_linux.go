//go:build !nonats

package natsrouter

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"example.org/comet/server/epoll"
)

// dialer connects to a server. It is a nats.CustomDialer.
type dialer struct{ net.Dialer }

func newDialer() *dialer {
	return &dialer{net.Dialer{Timeout: dialTimeout, FallbackDelay: -1}} // as nats.go has it
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := d.DialContext(context.Background(), network, address)
	tcp, ok := conn.(*net.TCPConn)
	if err != nil || !ok {
		return conn, err
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	return &directConn{TCPConn: tcp, raw: raw}, nil
}

// directConn is a connection that reads and writes without telling the Go runtime of
// the call, which never waits. A runtime without work is woken by a call that it is
// told of: its monitor (runtime.sysmon) then looks for 20 µs, and sleeps again. A
// server of many that gets a message now and then was woken three times for each
// instead of once.
type directConn struct {
	*net.TCPConn
	raw syscall.RawConn
}

// Read implements [io.Reader].
func (c *directConn) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, nil
	}
	waited := c.raw.Read(func(fd uintptr) bool {
		n, err = epoll.ReadNow(int(fd), b)
		return !errors.Is(err, unix.EAGAIN)
	})
	switch {
	case waited != nil || err != nil:
		return 0, c.fault("read", waited, err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write implements [io.Writer].
func (c *directConn) Write(b []byte) (n int, err error) {
	waited := c.raw.Write(func(fd uintptr) bool {
		for n < len(b) {
			var took int
			if took, err = epoll.WriteNow(int(fd), b[n:]); err != nil {
				return true
			}
			if took == 0 {
				return false
			}
			n += took
		}
		return true
	})
	if waited != nil || err != nil {
		return n, c.fault("write", waited, err)
	}
	return n, nil
}

// fault returns the error that package net would return: for waited, if the deadline
// has passed or the connection is closed, else for err, of the system call.
func (c *directConn) fault(op string, waited, err error) error {
	if of, is := errors.AsType[*net.OpError](waited); is {
		of.Op = op // of a RawConn it has another name
		return of
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(op, err)}
}
