package epoll

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPeer holds the address against what the other end says of itself.
func TestPeer(t *testing.T) {
	for listen, dial := range map[string]string{"127.0.0.1:0": "127.0.0.1", "[::1]:0": "::1", ":0": "127.0.0.1"} {
		ln, err := net.Listen("tcp", listen)
		if err != nil {
			t.Logf("%s: %v", listen, err) // no IPv6 here
			continue
		}
		defer ln.Close()
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		client, err := net.Dial("tcp", net.JoinHostPort(dial, port))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		accepted, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer accepted.Close()
		raw, err := accepted.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		ask := func() (peer netip.AddrPort, err error) {
			if e := raw.Control(func(fd uintptr) { peer, err = Peer(int(fd)) }); e != nil {
				t.Fatal(e)
			}
			return peer, err
		}
		if got, err := ask(); err != nil || got != netip.MustParseAddrPort(client.LocalAddr().String()) {
			t.Errorf("listening on %s: peer %v, error %v; the client says %v", listen, got, err, client.LocalAddr())
		}
		if garbage := testing.AllocsPerRun(100, func() { ask() }); garbage > 2 { // those are of this test
			t.Errorf("%v allocations", garbage)
		}
		client.(*net.TCPConn).SetLinger(0)
		client.Close()
		accepted.Read(make([]byte, 1)) // until the reset is there
		if got, err := ask(); !errors.Is(err, unix.ENOTCONN) || got.IsValid() {
			t.Errorf("after a reset: peer %v, error %v", got, err)
		}
	}
	ours, theirs := socketPair(t)
	defer unix.Close(theirs)
	if _, err := Peer(ours); !errors.Is(err, unix.EAFNOSUPPORT) {
		t.Errorf("a Unix socket: %v", err)
	}
	if _, err := Peer(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("no file: %v", err)
	}
}
