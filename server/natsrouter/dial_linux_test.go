//go:build !nonats

package natsrouter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

// TestDirectConn: a connection to the router reads, writes and fails as package net's do.
func TestDirectConn(t *testing.T) {
	soon := func() time.Time { return time.Now().Add(30 * time.Millisecond) }
	later := func(f func() error) { time.AfterFunc(30*time.Millisecond, func() { f() }) }
	read := func(c net.Conn) (int, error) { return c.Read(make([]byte, 10)) }
	large := bytes.Repeat([]byte("0123456789abcdef"), 512<<10)
	for _, test := range []struct {
		what string
		do   func(c net.Conn, peer *net.TCPConn) (int, error)
	}{
		{"the peer's end", func(c net.Conn, peer *net.TCPConn) (int, error) {
			peer.CloseWrite()
			return read(c)
		}},
		{"a half-close of its own", func(c net.Conn, peer *net.TCPConn) (int, error) {
			c.(interface{ CloseWrite() error }).CloseWrite()
			if _, err := read(peer); !errors.Is(err, io.EOF) {
				t.Errorf("the peer reads %v", err)
			}
			peer.Write([]byte("abc"))
			return read(c)
		}},
		{"a read after a reset", func(c net.Conn, peer *net.TCPConn) (int, error) {
			peer.SetLinger(0)
			peer.Close()
			return read(c)
		}},
		{"a write after a reset", func(c net.Conn, peer *net.TCPConn) (int, error) {
			peer.SetLinger(0)
			peer.Close()
			read(c)
			return c.Write([]byte("abc"))
		}},
		{"a read to nowhere", func(c net.Conn, _ *net.TCPConn) (int, error) { return c.Read(nil) }},
		{"a deadline that has passed", func(c net.Conn, peer *net.TCPConn) (int, error) {
			peer.Write([]byte("abc"))
			c.SetReadDeadline(time.Unix(1, 0))
			return read(c)
		}},
		{"a read past its deadline", func(c net.Conn, _ *net.TCPConn) (int, error) {
			c.SetReadDeadline(soon())
			return read(c)
		}},
		{"a read after its deadline was put off", func(c net.Conn, peer *net.TCPConn) (int, error) {
			c.SetReadDeadline(time.Unix(1, 0))
			read(c)
			c.SetReadDeadline(time.Time{})
			peer.Write([]byte("abc"))
			return read(c)
		}},
		{"a write past its deadline", func(c net.Conn, _ *net.TCPConn) (int, error) {
			c.SetWriteDeadline(soon())
			n, err := c.Write(large)
			if n == 0 || n == len(large) {
				t.Errorf("%d bytes of %d are written", n, len(large))
			}
			return 0, err
		}},
		{"a read of a closed one", func(c net.Conn, _ *net.TCPConn) (int, error) {
			c.Close()
			return read(c)
		}},
		{"a write to a closed one", func(c net.Conn, _ *net.TCPConn) (int, error) {
			c.Close()
			return c.Write([]byte("abc"))
		}},
		{"one that is closed while it reads", func(c net.Conn, _ *net.TCPConn) (int, error) {
			later(c.Close)
			return read(c)
		}},
		{"one that is closed while it writes", func(c net.Conn, _ *net.TCPConn) (int, error) {
			later(c.Close)
			_, err := c.Write(large)
			return 0, err
		}},
		{"more than the socket takes", func(c net.Conn, peer *net.TCPConn) (int, error) {
			got := make(chan []byte)
			go func() {
				all, _ := io.ReadAll(peer)
				got <- all
			}()
			n, err := c.Write(large)
			c.Close()
			if all := <-got; !bytes.Equal(all, large) {
				t.Errorf("of %d bytes %d came, or others", len(large), len(all))
			}
			return n, err
		}},
	} {
		results := map[bool]string{}
		for _, direct := range []bool{false, true} {
			c, peer := dialTest(t, direct)
			n, err := test.do(c, peer)
			results[direct] = fmt.Sprintf("%d bytes, error %s", n, describe(err))
		}
		if results[true] != results[false] {
			t.Errorf("%s: %s, of package net %s", test.what, results[true], results[false])
		}
	}
}

// describe returns what an error says, without the addresses.
func describe(err error) string {
	if op, is := errors.AsType[*net.OpError](err); is {
		return fmt.Sprintf("%s %s: %v, timeout %v, closed %v", op.Op, op.Net, op.Err, op.Timeout(), errors.Is(err, net.ErrClosed))
	}
	return fmt.Sprint(err)
}

// dialTest returns both ends of a connection, one of them direct or not.
func dialTest(t *testing.T, direct bool) (c net.Conn, peer *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dial := net.Dial
	if direct {
		dial = newDialer().Dial
	}
	if c, err = dial("tcp", ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, is := c.(*directConn); is != direct {
		t.Fatalf("this is a %T", c)
	}
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	peer = accepted.(*net.TCPConn)
	peer.SetReadBuffer(256 << 10)     // else the kernel takes up to 32 MiB for who does not read
	const patience = 20 * time.Second // only ever reached by a failure
	c.SetDeadline(time.Now().Add(patience))
	peer.SetDeadline(time.Now().Add(patience))
	return c, peer
}
