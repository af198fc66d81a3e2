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

func init() { nextPort.Store(10_000 + rand.Int32N(10_000)) }

// freePorts finds n ports in a row that nobody listens at, and the address that
// they are free on. The kernel, asked for a port by the epoll client, gives none
// outside its range, where everybody's connections are: an address of the
// test's own has them free, unless somebody listens there on any other, where the
// kernel gives none to connections (__inet_hash_connect, net/ipv4/inet_hashtables.c).
func freePorts(t *testing.T, engine string, n int) (addr string, low uint16) {
	t.Helper()
	for range 20 {
		addr, low := "127.0.0.1", int(nextPort.Add(int32(n)))-n
		if engine == "epoll" {
			first, last, err := portRange()
			if err != nil {
				t.Fatal(err)
			}
			addr = fmt.Sprintf("127.%d.%d.9", 20+rand.IntN(200), rand.IntN(256))
			low = int(first) + rand.IntN(int(last)-int(first)-n)
		}
		free := true
		for port := low; port < low+n && free; port++ {
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
	t.Fatalf("no %d free ports in a row were found", n)
	return "", 0
}

func TestNoFreePort(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, stream(chunkedHead))
			f, ctx, cancel := prepared(t, Config{URL: srv.url("/"), Connections: 8}, func(c Counts) bool { return c.Connected == 5 && c.Failed == 3 })
			defer cancel()
			addr, low := freePorts(t, e.name, 5)
			f.sources = &sources{addrs: addrs(addr), low: low, count: 5, offset: 3}
			r := ran(ctx, t, e, f)
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
			addr, low := freePorts(t, e.name, taken+1)
			for port := range taken {
				l, err := net.Listen("tcp", net.JoinHostPort(addr, strconv.Itoa(int(low)+port)))
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
			}
			srv := serve(t, stream(chunkedHead))
			f, ctx, cancel := prepared(t, Config{URL: srv.url("/"), Connections: 2}, func(c Counts) bool { return c.Connected == 1 && c.Failed == 1 })
			defer cancel()
			f.sources = &sources{addrs: addrs(addr), low: low, count: taken + 1}
			if r := ran(ctx, t, e, f); r.Failures["no_free_port"] != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}
