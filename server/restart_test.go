package server

import (
	"bufio"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sentAway matches what ends a stream of each kind during a drain, with how long its
// client is asked to stay away.
var sentAway = map[string]*regexp.Regexp{
	"GET /events/1 HTTP/1.1\r\nHost: h\r\n\r\n": regexp.MustCompile(`^` + regexp.QuoteMeta(sse11) + `[a-f]\r\nretry: (\d+)\n\n\r\n0\r\n\r\n$`),
	"GET /events/1 HTTP/1.0\r\n\r\n":            regexp.MustCompile(`^` + regexp.QuoteMeta(sse10) + `retry: (\d+)\n\n$`),
	"GET /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n":   regexp.MustCompile(`^` + regexp.QuoteMeta(strings.TrimSuffix(answer204, "\r\n")) + `Retry-After: (\d+)\r\n\r\n$`),
	"GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n":   regexp.MustCompile(`^` + regexp.QuoteMeta(html11+lastOne) + `$`),
	"GET /test/1 HTTP/1.0\r\n\r\n":              regexp.MustCompile(`^` + regexp.QuoteMeta(html10) + `$`),
	wsRequest:                                   regexp.MustCompile(`^HTTP/1.1 101 (?s:.*)\r\n\r\n(?s:....)the server restarts$`),
}

// TestReturnIsSpread: a server that leaves asks each client to return at a time of its
// own, so that they do not come to the next one all at once. Both engines say it in the
// same bytes, with TLS and without.
func TestReturnIsSpread(t *testing.T) {
	const each, spread = 24, 4 * time.Second
	run := func(t engineT, r *running, dial func() io.ReadWriteCloser) {
		got := map[string][]io.ReadWriteCloser{}
		for request := range sentAway {
			for range each {
				c := dial()
				if _, err := io.WriteString(c, request); err != nil {
					t.Fatal(err)
				}
				got[request] = append(got[request], c)
			}
		}
		r.waitForLogins(each * len(sentAway))
		r.cancel()
		for request, conns := range got {
			asked := map[string]int{}
			for _, c := range conns {
				all, err := io.ReadAll(c)
				parts := sentAway[request].FindStringSubmatch(string(all))
				c.Close()
				if err != nil || parts == nil {
					t.Fatalf("%.30q ended with %q, error %v", request, all, err)
				}
				if len(parts) == 1 {
					continue // it cannot say so
				}
				unit := time.Second
				if strings.Contains(request, "events") {
					unit = time.Millisecond
				}
				n, err := strconv.Atoi(parts[1])
				if wait := time.Duration(n) * unit; err != nil || wait <= 0 || wait > spread {
					t.Errorf("%.30q asks to wait %q, which is not within %v", request, parts[1], spread)
				}
				asked[parts[1]]++
			}
			// All of them in one second of four has a chance of 1 in 4^23.
			if len(asked) == 1 {
				t.Errorf("%.30q asks all clients to return at once: %v", request, asked)
			}
		}
		r.ended()
	}
	bothEngines(t, func(t engineT) {
		cfg := Config{Engine: t.engine, DrainSpread: spread}
		r := start(t, cfg)
		run(t, r, func() io.ReadWriteCloser { return r.dial() })
		secure, client := startTLS(t, cfg)
		run(t, secure, func() io.ReadWriteCloser { return secure.shake(client, 1<<20) })
	})
}

// TestNewcomersOfADrain: a stream that comes while the server drains is answered 503,
// and when to return.
func TestNewcomersOfADrain(t *testing.T) {
	bothEngines(t, func(t engineT) {
		release := make(chan struct{})
		end := sync.OnceFunc(func() { close(release) })
		x := &fakeExchange{settled: 1 << 20, leaving: func() { <-release }}
		r := start(t, Config{Engine: t.engine, Exchange: x, DrainSpread: 3 * time.Second, AllowOrigins: []string{"*"}})
		t.Cleanup(end)
		stays := r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForLogins(1)
		r.cancel()
		r.waitFor("the drain", func(Stats) bool { return r.core.leaves() })
		asked := map[string]bool{}
		for i := range 24 {
			path := []string{"/test/1", "/events/1", "/poll/1"}[i%3]
			resp, err := http.ReadResponse(bufio.NewReader(r.connect("GET "+path+" HTTP/1.1\r\nHost: h\r\nOrigin: https://a.example\r\n\r\n")), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			after := resp.Header.Get("Retry-After")
			if err != nil || resp.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(string(body), "This server is about to end.") ||
				!regexp.MustCompile(`^[123]$`).MatchString(after) || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Fatalf("%s: %s %v %q, error %v", path, resp.Status, resp.Header, body, err)
			}
			asked[after] = true
		}
		if len(asked) == 1 {
			t.Errorf("all are asked to return at once: %v", asked)
		}
		if s := r.Stats(); s.RefusedLeaving != 24 || s.Connections != 1 || s.Logins != 1 {
			t.Errorf("refused_leaving %d, %d connections, %d logins; want 24, 1, 1", s.RefusedLeaving, s.Connections, s.Logins)
		}
		if _, metrics := r.ask("GET", "/metrics", ""); !strings.Contains(metrics, "\ncomet_refused_total{reason=\"leaving\"} 24\n") {
			t.Error("/metrics does not count them")
		}
		end()
		if got := stays.rest(); !strings.HasPrefix(got, "HTTP/1.1 200 OK") || !strings.HasSuffix(got, lastOne) {
			t.Errorf("who was there before got %q", got)
		}
	})
}
