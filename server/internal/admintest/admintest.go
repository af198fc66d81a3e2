// Package admintest holds any admin listener to the rules of adminhttp, over the
// wire: the tests of each process that has one call it.
package admintest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// patience is how long an answer may take. Only a failure reaches it.
const patience = 20 * time.Second

// Dial connects to address for the rest of the test.
func Dial(tb testing.TB, address string) net.Conn {
	tb.Helper()
	conn, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// Status sends a request as it is, and returns the status of the answer, 0 if
// the connection ended without one.
func Status(tb testing.TB, address, request string) int {
	tb.Helper()
	conn := Dial(tb, address)
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		return 0
	}
	return read(conn)
}

func read(conn net.Conn) int {
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// Hosts holds a listener without a token to the rule for hosts, with requests
// that would pass otherwise, in every form of target. post is the path of a POST
// without a body that is answered 200.
func Hosts(t *testing.T, address, post string) {
	t.Helper()
	for _, c := range []struct {
		target, host string // %s is the path; a host of - is none, by HTTP/1.0
		passes       bool
	}{
		{"%s", address, true},
		{"%s", "localhost", true},
		{"%s", "LOCALHOST.:1", true},
		{"%s", "[::1]:8001", true},
		{"%s", "[fe80::1%25eth0]", true},
		{"%s", "-", true},
		{"http://" + address + "%s", address, true},
		{"http://localhost%s", "localhost", true},
		{"%s", "evil.example", false},
		{"%s", "evil.example:8001", false},
		{"%s", "127.0.0.1.nip.io", false},
		{"%s", "localhost.evil.example", false},
		{"%s", "", false},
		{"%s", "localhost\r\nHost: localhost", false},
		{"%s", "localhost\r\nHost: evil.example", false},
		{"%s", "user@localhost", false},
		{"http://evil.example%s", "localhost", false},
		{"http://evil.example%s", "evil.example", false},
		{"http://evil.example%s", "-", false},
		{"http://localhost@evil.example%s", "localhost", false},
		{"http://evil.example@localhost%s", "localhost", false},
		{"http://%s", "localhost", false},
	} {
		for _, request := range []string{"GET /stats", "GET /", "GET /healthz", "GET /readyz", "HEAD /metrics", "GET /debug/pprof/cmdline", "OPTIONS /stats", "POST " + post} {
			method, path, _ := strings.Cut(request, " ")
			head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n", method, strings.ReplaceAll(c.target, "%s", path), c.host)
			if c.host == "-" {
				head = fmt.Sprintf("%s %s HTTP/1.0\r\n", method, strings.ReplaceAll(c.target, "%s", path))
			}
			status := Status(t, address, head+"Connection: close\r\nContent-Length: 0\r\n\r\n")
			if refused := status == 400 || status == 403; status == 0 || refused == c.passes {
				t.Errorf("%q is answered %d", head, status)
			}
		}
	}
	for _, request := range []string{"OPTIONS * HTTP/1.1", "GET * HTTP/1.1", "CONNECT evil.example:443 HTTP/1.1", "GET evil.example:80 HTTP/1.1", "PRI * HTTP/2.0"} {
		if status := Status(t, address, request+"\r\nHost: evil.example\r\nConnection: close\r\n\r\n"); status != 400 && status != 403 && status != 505 {
			t.Errorf("%s is answered %d", request, status)
		}
	}
}

// CrossSite holds a listener without a token to the rule for pages of other
// sites. posts are paths of POSTs that have effects.
func CrossSite(t *testing.T, address string, posts ...string) {
	t.Helper()
	effects := []string{"GET /debug/pprof/profile?seconds=1", "GET /debug/pprof/trace?seconds=1", "GET /debug/pprof/heap?gc=1", "GET /debug/pprof/cmdline", "GET http://" + address + "/debug/pprof/heap"}
	for _, path := range posts {
		effects = append(effects, "POST "+path)
	}
	for _, field := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.example", "Origin: null", "Origin: http://127.0.0.1:1", "Origin: http://" + address + "\r\nSec-Fetch-Site: cross-site"} {
		for _, request := range effects {
			if status := Status(t, address, fmt.Sprintf("%s HTTP/1.1\r\nHost: %s\r\n%s\r\nContent-Length: 0\r\n\r\n", request, address, field)); status != 403 {
				t.Errorf("%s with %s is answered %d, want 403", request, field, status)
			}
		}
	}
	for _, field := range []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Origin: http://" + address, "X: y"} {
		if status := Status(t, address, fmt.Sprintf("GET /debug/pprof/cmdline HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n", address, field)); status != 200 {
			t.Errorf("with %s it is answered %d, want 200", field, status)
		}
	}
}

// Idle opens more connections than the listener holds, of each kind that could
// silence it, and asks whether it still answers.
func Idle(t *testing.T, address string) {
	t.Helper()
	const many = 24
	for _, c := range []struct {
		kind, begin string
		answer      int // what begin is answered at once, 0 for nothing
	}{
		{"silent", "", 0},
		{"idle after a request", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
		{"in the middle of a head", "GET /healthz HTTP/1.1\r\nHost: local", 0},
		{"in the middle of a body", "POST /gc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx", 0},
		{"in the middle of a body that nobody reads", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx", 0},
		{"in the middle of a chunk", "POST /gc HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\na\r\nx", 0},
		{"refused, in the middle of a body", "POST /gc HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 10\r\n\r\nx", 0},
	} {
		for range many {
			conn := Dial(t, address)
			_, _ = io.WriteString(conn, c.begin) // its place may be gone
			if c.answer != 0 {
				if status := read(conn); status != c.answer {
					t.Fatalf("%s: answered %d", c.kind, status)
				}
			}
		}
		if status := Status(t, address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); status != 200 {
			t.Errorf("with %d connections that are %s, /healthz is answered %d", many, c.kind, status)
		}
	}
}
