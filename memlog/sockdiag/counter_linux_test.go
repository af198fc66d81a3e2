package sockdiag

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"example.org/comet/memlog/internal/machine"
)

func openCounter(tb testing.TB) *Counter {
	tb.Helper()
	c, err := Open()
	if err != nil {
		tb.Skipf("sockets cannot be counted here: %v", err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// connect opens n connections to a new listener at address and returns the
// listener's port. to is the host that the clients dial.
func connect(tb testing.TB, address, to string, n int) uint16 {
	tb.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		tb.Skipf("no listener at %s: %v", address, err)
	}
	tb.Cleanup(func() { listener.Close() })
	port := netip.MustParseAddrPort(listener.Addr().String()).Port()
	dial(tb, listener, fmt.Sprintf("%s:%d", to, port), n)
	return port
}

func dial(tb testing.TB, listener net.Listener, to string, n int) {
	tb.Helper()
	for range n {
		client, err := net.Dial("tcp", to)
		if err != nil {
			tb.Skipf("no connection to %s: %v", to, err)
		}
		server, err := listener.Accept()
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { client.Close(); server.Close() })
	}
}

func TestCounterAgainstKnownSockets(t *testing.T) {
	c := openCounter(t)
	if c.Fallback() != nil {
		t.Logf("netlink is not permitted here, /proc is tested: %v", c.Fallback())
	}
	four := connect(t, "127.0.0.1:0", "127.0.0.1", 3)
	six := connect(t, "[::1]:0", "[::1]", 2)
	both := connect(t, "[::]:0", "127.0.0.1", 4) // v4-mapped on the IPv6 side
	tests := []struct {
		name    string
		filters []string
		want    int64
	}{
		{"port, IPv4", []string{fmt.Sprint(four)}, 3},
		{"port, IPv6", []string{fmt.Sprint(six)}, 2},
		{"port, v4-mapped", []string{fmt.Sprint(both)}, 4},
		{"address, v4-mapped", []string{fmt.Sprintf("127.0.0.1:%d", both)}, 4},
		{"wildcard IPv4, v4-mapped", []string{fmt.Sprintf("0.0.0.0:%d", both)}, 4},
		{"wildcard IPv6, v4-mapped", []string{fmt.Sprintf("[::]:%d", both)}, 4},
		{"prefix", []string{fmt.Sprintf("127.0.0.0/8:%d", four)}, 3},
		{"another address", []string{fmt.Sprintf("127.0.0.2:%d", four)}, 0},
		{"another prefix", []string{fmt.Sprintf("10.0.0.0/8:%d", four)}, 0},
		{"IPv6 address", []string{fmt.Sprintf("[::1]:%d", six)}, 2},
		{"IPv6 prefix", []string{fmt.Sprintf("[::]/64:%d", six)}, 2},
		{"three ports", []string{fmt.Sprint(four), fmt.Sprint(six), fmt.Sprint(both)}, 9},
		{"mixed families", []string{fmt.Sprintf("[::1]:%d", six), fmt.Sprintf("127.0.0.1:%d", four)}, 5},
		{"counted once", []string{fmt.Sprint(four), fmt.Sprintf("127.0.0.1:%d", four), fmt.Sprint(four)}, 3},
		{"many filters", append(manyFilters(300), fmt.Sprint(four)), 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var filters []Filter
			for _, s := range tt.filters {
				f, err := ParseFilter(s)
				if err != nil {
					t.Fatal(err)
				}
				filters = append(filters, f)
			}
			got, err := c.Count(filters, Established, CloseWait)
			if err != nil || got != (Counts{Established: tt.want}) {
				t.Errorf("netlink: %v, %v; want %d established", got, err, tt.want)
			}
			got, err = countProc("/proc/self/net", filters, Established, CloseWait)
			if err != nil || got != (Counts{Established: tt.want}) {
				t.Errorf("/proc: %v, %v; want %d established", got, err, tt.want)
			}
		})
	}
	if got, err := c.Count([]Filter{{Port: four}}, Listen); err != nil || got != (Counts{Listen: 1}) {
		t.Errorf("listeners: %v, %v", got, err)
	}
	if _, err := c.Count(make([]Filter, maxFilters+1), Listen); err == nil {
		t.Error("too many filters were accepted")
	}
}

// manyFilters choose nothing that these tests open.
func manyFilters(n int) []string {
	filters := make([]string, n)
	for i := range filters {
		filters[i] = fmt.Sprintf("[2001:db8::%x]:%d", i+1, i+1)
	}
	return filters
}

func TestCounterAgreesWithSS(t *testing.T) {
	ss, err := exec.LookPath("ss")
	if err != nil {
		t.Skip("ss is not on PATH")
	}
	c := openCounter(t)
	port := connect(t, "[::]:0", "127.0.0.1", 5)
	out, err := exec.CommandContext(t.Context(), ss, "-Htn", "state", "established", fmt.Sprintf("sport = :%d", port)).Output()
	if err != nil {
		t.Skipf("ss does not work here: %v", err)
	}
	want := int64(strings.Count(string(out), "\n"))
	if got, err := c.Count([]Filter{{Port: port}}, Established); err != nil || got[Established] != want {
		t.Errorf("counted %v, %v; ss says %d", got, err, want)
	}
}

func TestCountMakesNoGarbage(t *testing.T) {
	c := openCounter(t)
	if c.Fallback() != nil {
		t.Skipf("netlink is not permitted here: %v", c.Fallback())
	}
	const n = 100
	filters := []Filter{{Port: connect(t, "127.0.0.1:0", "127.0.0.1", n)}}
	allocs := testing.AllocsPerRun(20, func() {
		if got, err := c.Count(filters, Established); err != nil || got[Established] != n {
			t.Errorf("%v, %v", got, err)
		}
	})
	if allocs > 4 { // the race detector makes two; one per socket would be a hundred
		t.Errorf("%v allocations a count, want none", allocs)
	}
}

// TestTakeAnswer gives the parser what a kernel does only on a bad day.
func TestTakeAnswer(t *testing.T) {
	c := openCounter(t)
	if c.Fallback() != nil {
		t.Skipf("netlink is not permitted here: %v", c.Fallback())
	}
	socket := func(seq uint32, flags, state byte) []byte {
		b := make([]byte, nlmsgHdrLen+diagMsgLen)
		b[0], b[4], b[6], b[8] = byte(len(b)), getSock, flags, byte(seq)
		b[nlmsgHdrLen], b[nlmsgHdrLen+1] = unix.AF_INET, state
		return b
	}
	status := func(kind byte, errno int32) []byte {
		b := make([]byte, nlmsgHdrLen+4)
		b[0], b[4], b[8] = byte(len(b)), kind, 7
		b[nlmsgHdrLen] = byte(-errno)
		if errno != 0 {
			b[nlmsgHdrLen+1], b[nlmsgHdrLen+2], b[nlmsgHdrLen+3] = 0xff, 0xff, 0xff
		}
		return b
	}
	tests := []struct {
		name        string
		part        []byte
		established int64
		done, intr  bool
		err         error
	}{
		{"another request's", append(socket(6, 0, 1), socket(7, 0, 1)...), 1, false, false, nil},
		{"end", append(socket(7, 0, 1), status(nlmDone, 0)...), 1, true, false, nil},
		{"interrupted", append(socket(7, nlmDumpIntr, 1), status(nlmDone, 0)...), 1, true, true, nil},
		{"refused", status(nlmError, int32(unix.EPERM)), 0, true, false, unix.EPERM},
		{"failed at the end", status(nlmDone, int32(unix.ENOENT)), 0, true, false, unix.ENOENT},
		{"cut", socket(7, 0, 1)[:40], 0, false, false, errAny},
		{"unknown state", socket(7, 0, 12), 0, false, false, errAny},
		{"empty", nil, 0, false, false, errAny},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := answer{seq: 7}
			err := a.take(tt.part)
			if a.counts[Established] != tt.established || a.done != tt.done || a.interrupted != tt.intr {
				t.Errorf("%v, done %v, interrupted %v", a.counts, a.done, a.interrupted)
			}
			if (err != nil) != (tt.err != nil) || tt.err != nil && !errors.Is(tt.err, errAny) && !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
		})
	}
}

var errAny = errors.New("any error")

func FuzzTakeAnswer(f *testing.F) {
	f.Add(make([]byte, 40))
	f.Add([]byte{16, 0, 0, 0, getSock, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0}) // a socket without a description
	f.Add([]byte{20, 0, 0, 0, nlmDone, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(_ *testing.T, data []byte) {
		a := answer{seq: 7}
		_ = a.take(data)
	})
}

// TestFallsBackToProc refuses netlink by hand.
func TestFallsBackToProc(t *testing.T) {
	c := openCounter(t)
	port := connect(t, "127.0.0.1:0", "127.0.0.1", 2)
	if err := c.fallBack(unix.EPERM); err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	if got, err := c.Count([]Filter{{Port: port}}, Established); err != nil || got[Established] != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if !errors.Is(c.Fallback(), unix.EPERM) {
		t.Errorf("Fallback() = %v", c.Fallback())
	}
}

func TestCounterRecovers(t *testing.T) {
	c := openCounter(t)
	port := connect(t, "127.0.0.1:0", "127.0.0.1", 2)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Count([]Filter{{Port: port}}, Established); err != nil || got[Established] != 2 {
		t.Errorf("after Close: %v, %v", got, err)
	}
}

// BenchmarkCount reports the processor time of one count, the kernel's part
// included, both ways.
func BenchmarkCount(b *testing.B) {
	for _, n := range []int{0, 1000, 5000} {
		machine.RaiseFiles(b, 2*n+100)
		c := openCounter(b)
		filters := []Filter{{Port: connect(b, "127.0.0.1:0", "127.0.0.1", n)}}
		ways := []struct {
			name  string
			count func() (Counts, error)
		}{
			{"netlink", func() (Counts, error) { return c.Count(filters, Established) }},
			{"proc", func() (Counts, error) { return countProc("/proc/self/net", filters, Established) }},
		}
		for _, way := range ways {
			b.Run(fmt.Sprintf("via=%s/conns=%d", way.name, n), func(b *testing.B) {
				before := machine.OwnCPU(b)
				b.ReportAllocs()
				for b.Loop() {
					if got, err := way.count(); err != nil || got[Established] != int64(n) {
						b.Fatal(got, err)
					}
				}
				b.ReportMetric((machine.OwnCPU(b)-before)*1e3/float64(b.N), "cpu-ms/count")
			})
		}
	}
}

// TestOpenProcess counts for another process, here one in the same namespace,
// whichever way this user may. Package memlog tests another namespace.
func TestOpenProcess(t *testing.T) {
	// With its address: another program's clients may use the port elsewhere.
	filters := []Filter{{
		Prefix: netip.MustParsePrefix("127.0.0.1/32"),
		Port:   connect(t, "127.0.0.1:0", "127.0.0.1", 3),
	}}
	c, err := OpenProcess(int32(os.Getpid()))
	if err != nil {
		t.Skipf("sockets cannot be counted here: %v", err)
	}
	defer c.Close()
	for _, fallBack := range []bool{false, true} {
		if fallBack {
			if err := c.fallBack(unix.EPERM); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := c.Count(filters, Established); err != nil || got[Established] != 3 {
			t.Errorf("fallen back %v (%v): %v, %v", fallBack, c.Fallback(), got, err)
		}
	}
	if c, err := OpenProcess(1<<31 - 2); err == nil {
		c.Close()
		t.Error("a process that does not exist has a network")
	}
}
