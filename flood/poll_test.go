package flood

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// polled answers each request of a connection in turn, and returns how often each
// connection was asked, and the fields that were carried on.
func polled(t *testing.T, each func(c *net.TCPConn, n int) (goesOn bool)) (srv *server, seen func() (conns []int, carried []string)) {
	t.Helper()
	var mu sync.Mutex
	var conns []int
	var carried []string
	srv = listen(t, "127.0.0.1:0", func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		mu.Lock()
		at := len(conns)
		conns = append(conns, 0)
		mu.Unlock()
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			mu.Lock()
			conns[at]++
			total := sum(conns)
			carried = append(carried, fmt.Sprintf("%s|%.3s|%s", r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since"), r.Header.Get("Last-Event-ID")))
			mu.Unlock()
			if !each(c, total) {
				return
			}
		}
	})
	return srv, func() ([]int, []string) {
		mu.Lock()
		defer mu.Unlock()
		if n := len(conns); n > 0 && conns[n-1] == 0 { // it was opened, and what it asks had not come
			return slices.Clone(conns[:n-1]), slices.Clone(carried)
		}
		return slices.Clone(conns), slices.Clone(carried)
	}
}

func sum(all []int) (total int) {
	for _, n := range all {
		total += n
	}
	return total
}

func TestPoll(t *testing.T) {
	reply := func(n int, fields string) string {
		body := strings.TrimSuffix(message(7, uint64(n), time.Now()), "'<br/>")
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(body), body)
	}
	for name, c := range map[string]struct {
		each  func(c *net.TCPConn, n int) bool
		asked int    // how often it asks for 5 messages, and one more
		conns string // how often on each connection
	}{
		"kept": {func(c *net.TCPConn, n int) bool {
			if n <= 5 {
				say(c, reply(n, ""))
			}
			return true
		}, 6, "[6]"},
		"kept, chunked": {func(c *net.TCPConn, n int) bool {
			if n <= 5 {
				say(c, chunkedHead+chunk(message(7, uint64(n), time.Now()))+"0\r\n\r\n")
			}
			return true
		}, 6, "[6]"},
		"closed each time": {func(c *net.TCPConn, n int) bool {
			if n <= 5 {
				say(c, reply(n, "Connection: close\r\n"))
				return false
			}
			return true
		}, 6, "[1 1 1 1 1 1]"},
		"without a length": {func(c *net.TCPConn, n int) bool {
			if n <= 5 {
				say(c, rawHead+message(7, uint64(n), time.Now()))
				return false
			}
			return true
		}, 6, "[1 1 1 1 1 1]"},
		"nothing new in between": {func(c *net.TCPConn, n int) bool {
			switch {
			case n <= 5:
				say(c, reply(n, ""))
			case n == 6:
				say(c, "HTTP/1.1 204 No Content\r\n\r\n")
			case n == 7:
				say(c, "HTTP/1.1 304 Not Modified\r\n\r\n")
			case n == 8:
				say(c, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
			}
			return true
		}, 9, "[9]"},
		"closed while idle": {func(c *net.TCPConn, n int) bool {
			if n <= 5 {
				say(c, reply(n, ""))
			}
			return n != 3 && n != 4 // behind its answer
		}, 6, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				srv, seen := polled(t, c.each)
				r := flooded(t, e, Config{URL: srv.url("/"), Protocol: Poll}, func(got Counts) bool {
					conns, _ := seen()
					return figures{established: 1, stamped: 5}.reached(got) && sum(conns) >= c.asked
				})
				srv.stop()
				if got, want := figuresOf(r), (figures{established: 1, stamped: 5, delivered: 5, failures: "[]"}); got != want || r.Connected != 1 {
					t.Errorf("%s: %+v, want %+v; %s", e.name, got, want, r.Explanation)
				}
				if conns, _ := seen(); c.conns != "" && fmt.Sprint(conns) != c.conns {
					t.Errorf("%s: connections were asked %v times, want %s", e.name, conns, c.conns)
				}
			}
		})
	}
}

// TestPollCarriesOn what says where a client stands, also over another connection.
func TestPollCarriesOn(t *testing.T) {
	for _, e := range engines() {
		srv, seen := polled(t, func(c *net.TCPConn, n int) bool {
			switch n {
			case 1:
				say(c, "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nLast-Modified: Mon, 20 Oct 2008 16:57:24 GMT\r\nContent-Length: 1\r\n\r\n1")
			case 2:
				say(c, "HTTP/1.1 200 OK\r\nETag: \"2\"\r\nLast-Event-ID: 2\r\nConnection: close\r\nContent-Length: 1\r\n\r\n2")
				return false
			case 3:
				say(c, "HTTP/1.1 304 Not Modified\r\n\r\n")
			case 4:
				say(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"+"end")
			}
			return true
		})
		flooded(t, e, Config{URL: srv.url("/"), Protocol: Poll}, func(c Counts) bool { return c.Chunks >= 3 })
		srv.stop()
		_, carried := seen()
		if got, want := strings.Join(carried[:4], "; "), `||; "1"|Mon|; "2"||2; "2"||2`; got != want {
			t.Errorf("%s: %s, want %s", e.name, got, want)
		}
	}
}

// TestPollRefused: an answer that is none takes the poll back.
func TestPollRefused(t *testing.T) {
	for name, c := range map[string]struct {
		answer       string
		failed       uint64
		closed       uint64
		kind, reason string
	}{
		"401":        {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n", 1, 0, "status", "asks for Bearer"},
		"not HTTP":   {"SSH-2.0\r\n", 0, 1, "malformed", "SSH"},
		"no answer":  {"", 0, 1, "reset", ""},
		"in a head":  {"HTTP/1.1 200 OK\r\nX", 0, 1, "reset", ""},
		"in a body":  {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", 0, 1, "reset", ""},
		"a redirect": {"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", 1, 0, "status", "/there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				srv := serve(t, once(c.answer))
				r := flooded(t, e, Config{URL: srv.url("/"), Protocol: Poll}, func(got Counts) bool { return got.Failed+got.Closed > 0 })
				if r.Failed != c.failed || r.Closed != c.closed || r.Connected != 0 || r.Failures[c.kind] != 1 || !strings.Contains(r.Explanation, c.reason) {
					t.Errorf("%s: %+v, %v: %q, want %q in it", e.name, r.Counts, r.Failures, r.Explanation, c.reason)
				}
			}
		})
	}
}

// TestSSE insists on events, which it asks for.
func TestSSE(t *testing.T) {
	for _, e := range engines() {
		srv := serve(t, func(c *net.TCPConn, r *http.Request) {
			if r.Header.Get("Accept") != "text/event-stream" {
				say(c, "HTTP/1.1 406 Not Acceptable\r\n\r\n")
				return
			}
			say(c, eventsHead+"data: "+message(7, 1, time.Now())+"\n\n")
			hold(c)
		})
		want := figures{established: 1, stamped: 1, delivered: 1, failures: "[]"}
		if got := figuresOf(flooded(t, e, Config{URL: srv.url("/"), Protocol: SSE}, want.reached)); got != want {
			t.Errorf("%s: %+v", e.name, got)
		}
		page := serve(t, stream(chunkedHead))
		r := flooded(t, e, Config{URL: page.url("/"), Protocol: SSE}, figures{failed: 1}.reached)
		if r.Failures["mismatch"] != 1 || !strings.Contains(r.Explanation, "Content-Type is not text/event-stream") {
			t.Errorf("%s: %v %q", e.name, r.Failures, r.Explanation)
		}
	}
}
