package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

var answerAddress = text("503 Service Unavailable", "Retry-After: 1\r\n", "Your address has as many connections as one address may have. Try again when one of them has ended.")

// TestAddressLimitModel compares with a plain count, over addresses that come
// and go.
func TestAddressLimitModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const most = 3
	a := newAddressLimit(most)
	model := map[netip.Addr]int{}
	type stream struct {
		from netip.Addr
		at   place
	}
	var open []stream
	refused := 0
	for step := range 20_000 {
		if r.IntN(20) > len(open)/(1+step%7) {
			from := netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(20))})
			p, ok := a.take(from)
			if ok != (model[from] < most) {
				t.Fatalf("step %d: the stream of %v with %d is let in: %t", step, from, model[from], ok)
			}
			if !ok {
				refused++
				continue
			}
			model[from]++
			open = append(open, stream{from, p})
		} else if len(open) > 0 {
			i := r.IntN(len(open))
			a.leave(open[i].at)
			model[open[i].from]--
			open[i] = open[len(open)-1]
			open = open[:len(open)-1]
		}
	}
	for _, s := range open {
		a.leave(s.at)
	}
	if refused == 0 || len(a.places) != 0 || a.rows != nil {
		t.Errorf("%d refused; in the end %d addresses in %d rows, want none", refused, len(a.places), len(a.rows))
	}
}

// TestAddressLimitNames: an IPv4 address is one address, however it is written.
func TestAddressLimitNames(t *testing.T) {
	a := newAddressLimit(1)
	if _, ok := a.take(netip.MustParseAddr("192.0.2.7")); !ok {
		t.Fatal("the first is refused")
	}
	for name, want := range map[string]bool{"::ffff:192.0.2.7": false, "192.0.2.7": false, "::192.0.2.7": true, "192.0.2.8": true} {
		if _, ok := a.take(netip.MustParseAddr(name)); ok != want {
			t.Errorf("%s is let in: %t, want %t", name, ok, want)
		}
	}
	var none *addressLimit
	for range 3 {
		if p, ok := none.take(netip.MustParseAddr("192.0.2.7")); !ok || p != 0 {
			t.Error("no limit, and it is refused or has a place")
		}
		none.leave(0)
	}
}

// from dials from another address of this machine, and asks.
func (r *running) from(address, request string) *client {
	r.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.Dial("tcp", r.Addr().String())
	if err != nil {
		r.t.Skipf("this system has no second loopback address: %v", err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	r.t.Cleanup(func() { conn.Close() })
	c := &client{conn.(*net.TCPConn), r.t}
	c.send(request)
	return c
}

// waitForPlaces waits until n streams have places of their addresses. A stream gives up
// its place after it is counted out.
func (r *running) waitForPlaces(n uint32) {
	r.t.Helper()
	r.waitFor(fmt.Sprintf("%d places to be taken", n), func(Stats) bool {
		a := r.core.addresses
		a.mu.Lock()
		defer a.mu.Unlock()
		taken := uint32(0)
		for _, p := range a.places {
			taken += a.rows[p].open
		}
		return taken == n
	})
}

// TestConnectionLimit: one more of an address is told so, until one leaves, in
// whatever way; other addresses do not notice.
func TestConnectionLimit(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, ConnectionLimit: 2, MaxConnections: 4})
		refuse := func() {
			t.Helper()
			if got := r.connect("GET /test/9 HTTP/1.1\r\nHost: h\r\n\r\n").rest(); got != answerAddress {
				t.Fatalf("over the limit: %q", got)
			}
		}
		open := []*client{r.stream("1"), r.stream("2")}
		refuse()
		for name, leave := range map[string]func(c *client) error{
			"closes":      func(c *client) error { return c.Close() },
			"resets":      func(c *client) error { return errors.Join(c.SetLinger(0), c.Close()) },
			"half-closes": func(c *client) error { return c.CloseWrite() },
		} {
			if err := leave(open[0]); err != nil {
				t.Fatal(err)
			}
			r.waitFor("one who "+name+" to be noticed", func(s Stats) bool { return s.Connections == 1 })
			r.waitForPlaces(1)
			open = append(open[1:], r.stream("3"))
			refuse()
		}
		// An answered poll gives its place back though its client stays.
		open[0].Close()
		r.waitForPlaces(1)
		poll := r.connect("GET /poll/7 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForLogins(2)
		refuse()
		r.publish(7, "x")
		poll.rest()
		open[0] = r.stream("4")
		if s := r.Stats(); s.RefusedAddress != 5 || s.RefusedFull != 0 || s.RefusedOther != 0 {
			t.Errorf("refused_address %d, refused_full %d, refused_other %d; want 5, 0, 0", s.RefusedAddress, s.RefusedFull, s.RefusedOther)
		}
		if _, metrics := r.ask("GET", "/metrics", ""); !strings.Contains(metrics, "\ncomet_refused_total{reason=\"address\"} 5\n") {
			t.Error("/metrics does not count them")
		}
		// Others have places of their own, up to the limit of all.
		const request = "GET /test/5 HTTP/1.1\r\nHost: h\r\n\r\n"
		for range 2 {
			r.from("127.0.0.2", request).expect(html11)
		}
		if got := r.from("127.0.0.2", request).rest(); got != answerAddress {
			t.Errorf("the third of another: %q", got)
		}
		for range 3 { // who is refused by the one limit must not count in the other
			if got := r.from("127.0.0.3", request).rest(); got != answer503 {
				t.Errorf("a fifth: %q", got)
			}
		}
		open[0].Close()
		r.waitFor("a place", func(s Stats) bool { return s.Connections == 3 })
		r.from("127.0.0.3", request).expect(html11)
	})
}

// TestConnectionLimitMapped: on a listener for both, an IPv4 client is one.
func TestConnectionLimitMapped(t *testing.T) {
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	probe.Close()
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, Listen: ":0", ConnectionLimit: 1})
		_, port, _ := net.SplitHostPort(r.Addr().String())
		const request = "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n"
		for _, host := range []string{"127.0.0.1", "::1"} {
			c := dial(t, net.JoinHostPort(host, port))
			c.send(request)
			c.expect(html11)
			more := dial(t, net.JoinHostPort(host, port))
			more.send(request)
			if got := more.rest(); got != answerAddress {
				t.Errorf("the second from %s: %q", host, got)
			}
		}
	})
}

// TestConnectionLimitStorm: many come and go at once, on several loops. There
// are never more than the limit, and in the end every place is free, which
// ended checks.
func TestConnectionLimitStorm(t *testing.T) {
	bothEngines(t, func(t engineT) {
		const limit, workers, visits = 5, 10, 30
		r := start(t, Config{Engine: t.engine, ConnectionLimit: limit})
		// However slowly they are accepted, there are not places for all.
		var held []*client
		for range limit - 2 {
			held = append(held, r.stream("1"))
		}
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				for n := range visits {
					conn, err := net.Dial("tcp", r.Addr().String())
					if err != nil {
						t.Error(err)
						return
					}
					fmt.Fprintf(conn, "GET /test/%d HTTP/1.1\r\nHost: h\r\n\r\n", i)
					if n%3 > 0 {
						conn.SetDeadline(time.Now().Add(patience))
						if _, err := conn.Read(make([]byte, 1)); err != nil {
							t.Error(err)
						}
						if open := r.Stats().Connections; open > limit {
							t.Errorf("%d streams of one address", open)
						}
					}
					if n%2 == 0 {
						conn.(*net.TCPConn).SetLinger(0) // gone perhaps before it was asked for its name
					}
					conn.Close()
				}
			})
		}
		wg.Wait()
		for _, c := range held {
			c.Close()
		}
		// Some have left before they were accepted.
		all := uint64(len(held) + workers*visits)
		r.waitFor("all to be gone", func(s Stats) bool { return s.Accepted == all && r.core.sockets.Load() == 0 })
		if s := r.Stats(); s.RefusedAddress == 0 {
			t.Error("nobody was refused: this tested nothing")
		}
		for range limit {
			r.stream("1")
		}
	})
}
