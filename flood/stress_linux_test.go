package flood

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/comet/server/tlsclient"
)

// TestCountsAddUp floods servers that do anything at any time, with all behavior on,
// and holds the counts against the connections that there are after each turn.
func TestCountsAddUp(t *testing.T) {
	pair, ca := certified(t)
	for i := range 12 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		protocol := []Protocol{Stream, SSE, Poll, WebSocket}[i%4]
		t.Run(fmt.Sprintf("%s/%d", protocol, i), func(t *testing.T) {
			t.Parallel()
			cfg := wildConfig(r, protocol)
			serverTLS := (*tls.Config)(nil)
			if r.IntN(2) == 0 {
				serverTLS = &tls.Config{Certificates: []tls.Certificate{pair}}
				cfg.TLS = tlsclient.Options{CAFile: ca}
			}
			t.Logf("seed %d, TLS %t, timeout %v, %+v, %+v", seed, serverTLS != nil, cfg.ConnectTimeout, cfg.Behavior, cfg.Talk)
			srv := wildServer(t, r.Uint64(), serverTLS, &cfg)
			if serverTLS != nil {
				cfg.URL = strings.Replace(srv.url("/{id}"), "http", "https", 1)
			} else {
				cfg.URL = srv.url("/{id}")
			}
			f, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			l, err := newLoop(f)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
			defer cancel()
			turns := 0
			result, err := l.run(ctx, func() error {
				if turns++; turns == 20 {
					f.Mark()
				}
				if err := l.turn(); err != nil {
					return err
				}
				return checkCounts(l)
			})
			if err != nil {
				t.Fatal(err)
			}
			if end, ok := ctx.Deadline(); ok && time.Since(end) > 10*time.Second {
				t.Errorf("it ended %v late", time.Since(end))
			}
			if l.conns.Len() != 0 {
				t.Errorf("%d connections are left", l.conns.Len())
			}
			t.Logf("%d turns, %+v, %v: %s", turns, result.Counts, result.Failures, result.Explanation)
		})
	}
}

// wildConfig returns a flood with chance behavior.
func wildConfig(r *rand.Rand, protocol Protocol) Config {
	cfg := Config{
		Protocol: protocol, Connections: 1 + r.IntN(60), InFlight: 1 + r.IntN(40), ConnectTimeout: time.Duration(30+r.IntN(200)) * time.Millisecond,
		SampleInterval: 5 * time.Millisecond,
	}
	some := func() bool { return r.IntN(3) > 0 }
	if some() {
		cfg.Reconnect = Reconnect{Min: time.Millisecond, Max: 10 * time.Millisecond, Jitter: FullJitter}
	}
	if some() {
		cfg.Churn = Churn(r.Float64() * 5)
	}
	if some() {
		cfg.Storm, cfg.StormAfterMark = Storm{After: time.Duration(r.IntN(100)) * time.Millisecond, Share: Share(r.Float64())}, some()
	}
	if some() {
		cfg.SlowReaders = SlowReaders{Share: 0.3, Rate: 1 + r.IntN(100_000)}
	}
	if some() {
		cfg.HalfOpen = 0.2
	}
	if protocol == WebSocket && some() {
		cfg.Talk = Talk{FirstMessages: []string{"hello", "go=>on"}, Replies: []string{"ping=>pong"}, SendEvery: []string{"2ms=beat"}}
		if some() {
			cfg.Ready = "go"
		}
	}
	return cfg
}

// wildServer does anything with a connection.
func wildServer(t *testing.T, seed uint64, cfg *tls.Config, flood *Config) *server {
	t.Helper()
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, 1))
	chance := func(n int) int { mu.Lock(); defer mu.Unlock(); return r.IntN(n) }
	return listen(t, "127.0.0.1:0", func(tcp *net.TCPConn) {
		var c net.Conn = tcp
		if chance(10) == 0 {
			tcp.SetLinger(0)
			return
		}
		if cfg != nil {
			c = tls.Server(tcp, cfg)
			defer c.Close()
		}
		in := bufio.NewReader(c)
		for {
			request, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			go io.Copy(io.Discard, request.Body)
			text := wildAnswer(chance, flood.Protocol, request)
			time.Sleep(time.Duration(chance(4)) * time.Duration(chance(20)) * time.Millisecond)
			for cut := chance(3); len(text) > 0; { // whole, in pieces, or a part
				n := len(text)
				if cut > 0 {
					n = 1 + chance(n)
				}
				if _, err := io.WriteString(c, text[:n]); err != nil {
					return
				}
				if text = text[n:]; cut == 2 && chance(4) == 0 {
					break
				}
			}
			switch chance(5) {
			case 0:
				tcp.SetLinger(0)
				return
			case 1:
				return
			case 2:
				hold(c)
				return
			}
			if flood.Protocol != Poll {
				time.Sleep(time.Duration(chance(30)) * time.Millisecond)
				return
			}
		}
	})
}

// wildAnswer returns what a server may answer.
func wildAnswer(chance func(int) int, protocol Protocol, r *http.Request) string {
	switch chance(8) {
	case 0:
		return "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n"
	case 1:
		return "HTTP/1.1 503 Service Unavailable\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n"
	case 2:
		return "SSH-2.0\r\n"
	case 3:
		return ""
	}
	big := strings.Repeat("x", chance(3)*chance(200_000))
	switch protocol {
	case Poll:
		body := messages(asIs, uint64(1+chance(5))) + big
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nETag: a\r\nRetry-After: 1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	case WebSocket:
		return upgradeText(r, "") + text("go") + text("ping") + text(messages(asIs, 1, 3)) +
			[]string{"", "\x88\x00", "\x88\x02\x03\xe8", "\x88\x02\x0f\xa0", "\x89\x01x", "\xff\xff", text(big)}[chance(7)]
	case SSE:
		return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Long: " + strings.Repeat("y", chance(2)*8000) + "\r\n\r\n" +
			"id: 1\nretry: 1\ndata: " + messages(asIs, uint64(1+chance(5))) + "\n\ndata: " + big
	}
	return chunkedHead + messages(chunk, 1, uint64(2+chance(5))) + chunk(big+"z") + []string{"", "0\r\n\r\n", "zz"}[chance(3)]
}

// checkCounts compares the counts with the connections that there are.
func checkCounts(l *loop) error {
	var waiting, inSlots int
	var places [asClosed + 1]int
	rows := make(map[uint32]bool)
	secured := 0
	seen := func(c *conn) error {
		places[c.counted]++
		if c.spare == 0 {
			return nil
		}
		if rows[c.spare] {
			return fmt.Errorf("row %d belongs to two connections", c.spare)
		}
		rows[c.spare] = true
		return nil
	}
	for slot, c := range l.conns.All {
		inSlots++
		if l.secureOf(slot) != nil {
			secured++
		}
		if c.waiting() {
			waiting++
		}
		if err := seen(c); err != nil {
			return err
		}
		if isIn := c.counted == asConnected; !c.waiting() && !isIn || c.waiting() && isIn && l.flood.cfg.Protocol != Poll {
			return fmt.Errorf("a connection in state %d counts as %d", c.state, c.counted)
		}
	}
	for i := range l.absents {
		if err := seen(&l.absents[i].conn); err != nil {
			return err
		}
	}
	if len(l.absents) > 0 && l.absents[0].at < 0 {
		return fmt.Errorf("a connection comes back at %v", l.absents[0].at)
	}
	counts := l.obs.counts
	gone := l.begunCount - inSlots - len(l.absents)
	used := max(len(l.obs.spares.rows)-1, 0) - len(l.obs.spares.free)
	kept := 0
	for _, s := range l.records.conns {
		if s != nil {
			kept++
		}
	}
	got := fmt.Sprint(waiting, places[asConnected], places[asFailed]+places[asClosed]+gone, l.begunCount-places[nowhere], len(rows), secured)
	want := fmt.Sprint(counts.InFlight, counts.Connected, int(counts.Failed+counts.Closed), l.triedCount, used, kept)
	if got != want || gone < 0 || int(counts.Failed) < places[asFailed] || int(counts.Closed) < places[asClosed] || l.flood.cfg.reconnects() && gone > 0 {
		return fmt.Errorf("in flight, connected, failed or closed, tried, rows, TLS: there are %s, and %s are counted; %d are gone, %+v", got, want, gone, counts)
	}
	return nil
}
