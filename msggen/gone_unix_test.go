//go:build unix

package msggen

import (
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// connected returns both ends of a connection.
func connected(t *testing.T) (here, there *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

func TestPeerGone(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(there *net.TCPConn)
		gone bool
	}{
		"open":          {func(*net.TCPConn) {}, false},
		"closed":        {func(c *net.TCPConn) { c.Close() }, true},
		"half-closed":   {func(c *net.TCPConn) { _ = c.CloseWrite() }, true},
		"reset":         {func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() }, true},
		"said goodbye":  {func(c *net.TCPConn) { _, _ = io.WriteString(c, "HTTP/1.1 408\r\n") }, true},
		"not reading":   {func(c *net.TCPConn) { _ = c.SetReadBuffer(1) }, false},
		"keeping alive": {func(c *net.TCPConn) { _ = c.SetKeepAlive(true) }, false},
	} {
		here, there := connected(t)
		test.do(there)
		for deadline := time.Now().Add(10 * time.Second); test.gone && !peerGone(here) && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if got := peerGone(here); got != test.gone {
			t.Errorf("%s: gone is %v, want %v", name, got, test.gone)
		}
	}
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	if peerGone(here) || closedUnread(here) {
		t.Error("something is known of a pipe")
	}
}

// TestClosedUnread: the kernel tells a peer that had closed before a request came
// from one that read it.
func TestClosedUnread(t *testing.T) {
	for name, test := range map[string]struct {
		do     func(here, there *net.TCPConn)
		unread bool
	}{
		"closed, then written": {func(here, there *net.TCPConn) {
			there.Close()
			_, _ = io.WriteString(here, "request")
		}, true},
		"read, then closed": {func(here, there *net.TCPConn) {
			_, _ = io.WriteString(here, "request")
			_, _ = io.ReadFull(there, make([]byte, len("request")))
			there.Close()
		}, false},
		"half-closed, then read": {func(here, there *net.TCPConn) {
			_ = there.CloseWrite()
			_, _ = io.WriteString(here, "request")
			_, _ = io.ReadFull(there, make([]byte, len("request")))
		}, false},
	} {
		if test.unread && runtime.GOOS != "linux" {
			continue // elsewhere what a kernel reports varies, and not to know is safe
		}
		here, there := connected(t)
		test.do(here, there)
		if _, err := here.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("%s: reading ends with %v", name, err)
		}
		if got := closedUnread(here); got != test.unread {
			t.Errorf("%s: unread is %v, want %v", name, got, test.unread)
		}
	}
}
