package flood

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// crowd is a listener with an accept queue for one connection, which is taken:
// the kernel drops the first packet of the next one, and its sender repeats it
// after a second (tcp(7), tcp_syn_retries). So that connect is still under way
// when the system call returns, as it is on a real network.
type crowd struct {
	net.Listener
	t     *testing.T
	first net.Conn
}

func crowded(t *testing.T) *crowd {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if ctl := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), 0) }); ctl != nil || err != nil {
		t.Fatal(ctl, err)
	}
	first, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { first.Close() })
	return &crowd{l, t, first}
}

// admit makes room, and answers the connection that gets in.
func (c *crowd) admit() {
	for {
		got, err := c.Accept()
		if err != nil {
			c.t.Error(err)
			return
		}
		c.t.Cleanup(func() { got.Close() })
		if got.RemoteAddr().String() != c.first.LocalAddr().String() {
			say(got, chunkedHead)
			return
		}
	}
}

func TestSlowConnect(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		during  func(*crowd) // once the connect is under way, nil for nothing
		want    figures
	}{
		{"in the end", patience, (*crowd).admit, figures{established: 1, failures: "[]"}},
		{"refused", patience, func(c *crowd) { c.Close() }, figures{failed: 1, failures: "[refused:1]"}},
		{"never", 100 * time.Millisecond, nil, figures{failed: 1, failures: "[timeout:1]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				t.Run(e.name, func(t *testing.T) {
					t.Parallel()
					l := crowded(t)
					underWay := false
					r := flooded(t, e, Config{URL: "http://" + l.Addr().String() + "/", ConnectTimeout: c.timeout, OnSample: func(s Sample) {
						if s.InFlight == 1 && !underWay && c.during != nil {
							underWay = true
							c.during(l)
						}
					}}, c.want.reached)
					if got := figuresOf(r); got != c.want || underWay != (c.during != nil) {
						t.Errorf("\n got %+v\nwant %+v", got, c.want)
					}
				})
			}
		})
	}
}

// TestSlowConnectTriesTheNextAddress: the first one refuses only after a while.
func TestSlowConnectTriesTheNextAddress(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			l := crowded(t)
			srv := serve(t, stream(chunkedHead))
			underWay := false
			f, ctx, cancel := prepared(t, Config{URL: srv.url("/"), ConnectTimeout: patience, OnSample: func(s Sample) {
				if s.InFlight == 1 && !underWay {
					underWay = true
					l.Close()
				}
			}}, func(c Counts) bool { return c.Connected == 1 })
			defer cancel()
			f.targets.hosts[0].addrs = addrPorts{addrPort(l), addrPort(srv)}
			if r := ran(ctx, t, e, f); r.Failed != 0 || r.InFlight != 0 || !underWay {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestASilentAddressIsLeft for the next one of its host, long before the connect may
// not take longer.
func TestASilentAddressIsLeft(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			l := crowded(t)
			srv := serve(t, stream(chunkedHead))
			f, ctx, cancel := prepared(t, Config{URL: srv.url("/"), Connections: 3, ConnectTimeout: time.Minute}, figures{established: 3}.reached)
			defer cancel()
			f.targets.hosts[0].addrs = []netip.AddrPort{addrPort(l), addrPort(srv)}
			start := time.Now()
			r := ran(ctx, t, e, f)
			if got, took := figuresOf(r), time.Since(start); got != (figures{established: 3, failures: "[]"}) || took < tryFor {
				t.Errorf("after %v: %+v; %s", took, got, r.Explanation)
			}
		})
	}
}

func TestConnIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(conn{}); size != 80 {
		t.Errorf("a conn takes %d bytes, its comment says 80", size)
	}
}

// TestTooManyFiles takes the process's files away. It has the process for
// itself: no t.Parallel.
func TestTooManyFiles(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0") // the kernel accepts; nobody answers
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			const conns = 30
			f, ctx, cancel := prepared(t, Config{URL: "http://" + l.Addr().String() + "/", Connections: conns}, func(c Counts) bool { return c.Failed > 0 && c.Failed+uint64(c.InFlight) == conns })
			defer cancel()
			defer limitFiles(t, 12)()
			r := ran(ctx, t, e, f)
			if n := r.Failures["too_many_files"]; n == 0 || n != r.Failed || n == conns || !strings.Contains(r.Explanation, "ulimit -n") {
				t.Errorf("%+v", r)
			}
		})
	}
}

// limitFiles leaves room for so many more files, until restore is called.
func limitFiles(t *testing.T, more uint64) (restore func()) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	open := make(map[string]bool)
	for _, f := range files {
		open[f.Name()] = true
	}
	limit := uint64(0) // one above the highest number that a file may have
	for ; more > 0; limit++ {
		if !open[strconv.FormatUint(limit, 10)] {
			more--
		}
	}
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(limit, was.Max), Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
	}
}
