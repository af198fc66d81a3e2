package flood

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// nextPort is where to look for the next free ports: below those that the
// kernel hands out, and for each test elsewhere.
var nextPort atomic.Int32

func init() { nextPort.Store(rand.Int32N(10_000)) }

// freePorts finds n ports in a row that nobody listens at, and the address that
// they are free on. The kernel, asked for a port by the epoll client, gives none
// outside its range, where everybody's connections are: an address of the
// test's own has them free, unless somebody listens there on any other, where the
// kernel gives none to connections (__inet_hash_connect, net/ipv4/inet_hashtables.c).
func freePorts(t *testing.T, engine string, n int) (addr string, low uint16) {
	t.Helper()
	for range 5000 { // most of them at once: a machine may have most ports of its range taken
		addr, low := "127.0.0.1", 10_000+int(nextPort.Add(int32(n)))%20_000
		if engine == "epoll" {
			first, last, err := portRange()
			if err != nil {
				t.Fatal(err)
			}
			addr = fmt.Sprintf("127.%d.%d.9", 20+rand.IntN(200), rand.IntN(256))
			low = int(first) + rand.IntN(int(last)-int(first)-n)
		}
		free := true
		for port := low + n - 1; port >= low && free; port-- {
			at := addr
			if port >= low+n-5 { // those that a test connects from
				at = "0.0.0.0"
			}
			l, err := net.Listen("tcp", net.JoinHostPort(at, strconv.Itoa(port)))
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return addr, uint16(low)
		}
	}
	t.Skipf("no %d free ports in a row were found: many connections are open on this machine", n)
	return "", 0
}

// withPorts floods from n free ports until a run had as many connections and
// failures as are wanted: others may take one of the ports meanwhile.
func withPorts(t *testing.T, e engine, n int, cfg Config, connected int, failed uint64, prepare func(addr string, low uint16)) Result {
	t.Helper()
	for try := 1; ; try++ {
		f, ctx, cancel := prepared(t, cfg, func(c Counts) bool { return c.Connected+int(c.Failed) == connected+int(failed) })
		addr, low := freePorts(t, e.name, n)
		f.sources = &sources{addrs: addrs(addr), low: low, count: n, offset: 3}
		prepare(addr, low)
		r := ran(ctx, t, e, f)
		cancel()
		if r.Connected == connected && r.Failed == failed || try == 5 {
			return r
		}
	}
}

func TestNoFreePort(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, stream(chunkedHead))
			r := withPorts(t, e, 5, Config{URL: srv.url("/"), Connections: 8}, 5, 3, func(string, uint16) {})
			if r.Failures["no_free_port"] != 3 || !strings.Contains(r.Explanation, "add source addresses (--source-ip") {
				t.Errorf("%v: %s", r.Failures, r.Explanation)
			}
		})
	}
}

// TestSearchForAPort: all but the last port of the range are taken.
func TestSearchForAPort(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			const taken = 300 // more than are tried in a turn
			srv := serve(t, stream(chunkedHead))
			r := withPorts(t, e, taken+1, Config{URL: srv.url("/"), Connections: 2}, 1, 1, func(addr string, low uint16) {
				for port := range taken {
					l, err := net.Listen("tcp", net.JoinHostPort(addr, strconv.Itoa(int(low)+port)))
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { l.Close() })
				}
			})
			if r.Failures["no_free_port"] != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}
