package epoll

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// connected connects to a listener, and returns both ends. It fails if the system has no
// such address.
func connected(t *testing.T, listen, dial string) (client net.Conn, accepted *net.TCPConn, err error) {
	t.Helper()
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, nil, err
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	if client, err = net.Dial("tcp", net.JoinHostPort(dial, port)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	other, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return client, other.(*net.TCPConn), nil
}

// TestPeer holds the address against what the other end says of itself.
func TestPeer(t *testing.T) {
	for listen, dial := range map[string]string{"127.0.0.1:0": "127.0.0.1", "[::1]:0": "::1", ":0": "127.0.0.1"} {
		client, accepted, err := connected(t, listen, dial)
		if err != nil {
			t.Logf("%s: %v", listen, err) // no IPv6 here
			continue
		}
		raw, err := accepted.SyscallConn()
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

// TestArrivalReader: what is read late came when the kernel had it.
func TestArrivalReader(t *testing.T) {
	peer, accepted, err := connected(t, "127.0.0.1:0", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := accepted.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	fd := -1
	if err := raw.Control(func(number uintptr) { fd = int(number) }); err != nil { // open until the test ends
		t.Fatal(err)
	}
	var r ArrivalReader
	b := make([]byte, 10)
	read := func() (text string, came int64) {
		for {
			n, came, err := r.Read(fd, b)
			if err == nil {
				return string(b[:n]), came
			}
			if !errors.Is(err, unix.EAGAIN) || n != 0 {
				t.Fatal(n, err)
			}
			time.Sleep(time.Millisecond)
		}
	}
	if _, _, err := r.Read(fd, b); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("nothing came, and it is %v", err)
	}
	peer.Write([]byte("a"))
	if text, came := read(); text != "a" || came != 0 {
		t.Errorf("without a stamp: %q came at %d", text, came)
	}
	if err := StampArrivals(fd); err != nil {
		t.Fatal(err)
	}
	stamped := false
	for try := 0; try < 100 && !stamped; try++ { // the kernel begins in its own time
		before := time.Now()
		peer.Write([]byte("b"))
		time.Sleep(50 * time.Millisecond)
		after := time.Now()
		text, came := read()
		stamped = came != 0
		if text != "b" || stamped && (came < before.UnixNano() || came > after.UnixNano()) {
			t.Errorf("%q came at %d, written at %d, read after %d", text, came, before.UnixNano(), after.UnixNano())
		}
	}
	if !stamped {
		t.Error("there is no time")
	}
	peer.Close()
	if text, _ := read(); text != "" {
		t.Errorf("at the end it read %q", text)
	}
	if garbage := testing.AllocsPerRun(100, func() { r.Read(fd, b) }); garbage > 0 {
		t.Errorf("%v allocations", garbage)
	}
	if _, _, err := r.Read(-1, b); !errors.Is(err, unix.EBADF) {
		t.Errorf("a closed socket: %v", err)
	}
	if err := StampArrivals(-1); !errors.Is(err, unix.EBADF) {
		t.Errorf("a closed socket: %v", err)
	}
}

// TestNap: it takes as long as it is told, unless a signal ends it: the runtime sends itself
// some.
func TestNap(t *testing.T) {
	const long = 20 * time.Millisecond
	var took time.Duration
	for try := 0; try < 100 && took < long; try++ {
		before := time.Now()
		Nap(long)
		took = time.Since(before)
	}
	if took < long {
		t.Errorf("none of 100 took %v", long)
	}
}
