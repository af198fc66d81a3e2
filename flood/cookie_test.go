package flood

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestCookies(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"a=1", "a=1"},
		{"a=1; Path=/; HttpOnly; Secure; SameSite=Lax", "a=1"},
		{"a=1|b=2", "a=1; b=2"},
		{"a=1|b=2|a=3", "b=2; a=3"},
		{"a=1|A=2", "a=1; A=2"},
		{" a = x y ; Path=/", "a=x y"},
		{"a==1=", "a==1="},
		{"a=\"1\"", "a=\"1\""},
		{"a=", "a="},
		{"a|=1|;", ""},
		{"a=1|a=2; Max-Age=0", ""},
		{"a=1|b=2|a=x; max-age=-1; Expires=Fri, 31 Dec 2100 23:59:59 GMT", "b=2"},
		{"a=1|a=x; expires=Thu, 01 Jan 1970 00:00:00 GMT", ""},
		{"a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=1"},
		{"a=1|b=" + strings.Repeat("x", maxCookies), "a=1"},
	} {
		o, r := &observer{}, new(reading)
		o.head = []byte("HTTP/1.1 200 OK\r\nset-cookie: " + strings.ReplaceAll(c.set, "|", "\r\nSet-Cookie: ") + "\r\n\r\n")
		o.keepCookies(r)
		got := ""
		if r.spare != 0 {
			got = string(o.spares.rows[r.spare].cookies)
		}
		if got != c.want || got == "" && len(o.spares.rows)-1 > len(o.spares.free) {
			t.Errorf("%q leaves %q, want %q", c.set, got, c.want)
		}
	}
}

// TestCookiesAreSentAgain by those that come back, beside those of their own.
func TestCookiesAreSentAgain(t *testing.T) {
	for _, c := range []struct {
		header []string
		want   string
	}{
		{nil, "|s=1|s=1; t=2"},
		{[]string{"X: y", "cookie: mine=0", "Z: z"}, "mine=0|mine=0; s=1|mine=0; s=1; t=2"},
	} {
		var mu sync.Mutex
		var came []string
		srv := serve(t, func(conn *net.TCPConn, r *http.Request) {
			mu.Lock()
			came = append(came, strings.Join(r.Header["Cookie"], "&"))
			n := len(came)
			mu.Unlock()
			switch n {
			case 1:
				say(conn, "HTTP/1.1 503 Service Unavailable\r\nSet-Cookie: s=1; Path=/\r\n\r\n")
			case 2:
				say(conn, strings.Replace(chunkedHead, "\r\n", "\r\nSet-Cookie: t=2\r\n", 1)) // and is cut off
			default:
				say(conn, chunkedHead)
				hold(conn)
			}
		})
		flooded(t, engines()[0], Config{URL: srv.url("/"), Header: c.header, Behavior: Behavior{Reconnect: quick}}, func(got Counts) bool { return got.Reconnect.Back == 1 })
		mu.Lock()
		if got := strings.Join(came, "|"); got != c.want {
			t.Errorf("%q: the cookies were %q, want %q", c.header, got, c.want)
		}
		mu.Unlock()
	}
}

// TestPollsKeepCookies on both engines.
func TestPollsKeepCookies(t *testing.T) {
	for _, e := range engines() {
		second := make(chan string, 1)
		srv := serve(t, func(c *net.TCPConn, r *http.Request) {
			if cookie := r.Header.Get("Cookie"); cookie != "" {
				second <- cookie
				hold(c)
			}
			say(c, "HTTP/1.1 200 OK\r\nSet-Cookie: s=1\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
		})
		flooded(t, e, Config{URL: srv.url("/"), Protocol: Poll}, func(Counts) bool { return len(second) == 1 })
		if got := <-second; got != "s=1" {
			t.Errorf("%s: %q", e.name, got)
		}
	}
}
