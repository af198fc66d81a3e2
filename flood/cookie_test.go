package flood

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSetCookie(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]string{
		"a=1":                                "a=1",
		" a = 1 ; Path=/x; HttpOnly; Secure": "a=1",
		"a=":                                 "a=",
		`a="b c, d"; Domain=example.org`:     `a="b c, d"`,
		`a={"b":1}`:                          `a={"b":1}`,
		"a=b=c==":                            "a=b=c==",
		"a=é":                                "a=é",
		"a":                                  "",
		"=1":                                 "",
		"":                                   "",
		"; a=1":                              "",
		"a=1\x00":                            "",
		"a=1; Max-Age=0":                     "-a=1",
		"a=1; max-age=-5":                    "-a=1",
		"a=1; Max-Age=5":                     "a=1",
		"a=1; Max-Age=soon":                  "a=1",
		"a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT":             "-a=",
		"a=; expires=Thu, 01-Jan-1970 00:00:00 GMT":             "-a=",
		"a=; expires=Thursday, 01-Jan-70 00:00:00 GMT":          "-a=",
		"a=; expires=Thu Jan  1 00:00:00 1970":                  "-a=",
		"a=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT":            "a=1",
		"a=1; Expires=never":                                    "a=1",
		"a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5": "a=1",
	} {
		c, ok := parseSetCookie([]byte(value), now)
		got := string(c.pair)
		if c.gone {
			got = "-" + got
		}
		if ok != (want != "") || got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestWithCookie(t *testing.T) {
	for _, c := range []struct {
		have, set string
		gone      bool
		want      string
	}{
		{"", "a=1", false, "a=1"},
		{"a=1", "b=2", false, "a=1; b=2"},
		{"a=1; b=2", "a=3", false, "b=2; a=3"},
		{"a=1; A=2", "A=3", false, "a=1; A=3"},
		{"a=1; b=2", "a=", true, "b=2"},
		{"a=1", "a=", true, ""},
		{"a=1", "c=", true, "a=1"},
		{"a=1", "b=" + strings.Repeat("x", maxCookies), false, "a=1"},
	} {
		if got := string(withCookie([]byte(c.have), setCookie{[]byte(c.set), c.gone})); got != c.want {
			t.Errorf("%.20q with %.20q: %.40q, want %q", c.have, c.set, got, c.want)
		}
	}
}

func TestJoinCookies(t *testing.T) {
	for _, c := range []struct{ header, carried, want string }{
		{"", "", ""},
		{"", "Cookie: a=1\r\nIf-None-Match: x\r\n", "Cookie: a=1\r\nIf-None-Match: x\r\n"},
		{"Cookie: u=1", "", "Cookie: u=1\r\n"},
		{"Cookie: u=1", "If-None-Match: x\r\n", "Cookie: u=1\r\nIf-None-Match: x\r\n"},
		{"Cookie: u=1", "Cookie: a=1; b=2\r\nLast-Event-ID: 7\r\n", "Cookie: u=1; a=1; b=2\r\nLast-Event-ID: 7\r\n"},
		{"cookie:u=1; a=0;|Cookie: v=2", "Cookie: a=1\r\n", "Cookie: u=1; v=2; a=1\r\n"},
		{"Cookie: a=0", "Cookie: a=1\r\n", "Cookie: a=1\r\n"},
		{"Cookie: ;", "Cookie: a=1\r\n", "Cookie: a=1\r\n"},
		{"Cookie: u={id}", "Cookie: a=1\r\n", "Cookie: u=8; a=1\r\n"},
	} {
		cfg := Config{URL: "http://h/", FirstID: 7, Connections: 2, Header: []string{"User-Agent: x"}}.withDefaults()
		if c.header != "" {
			cfg.Header = append(strings.Split(c.header, "|"), cfg.Header...)
		}
		targets, err := newTargets(&Config{URL: "http://127.0.0.1:1/", FirstID: 7, LastID: 8, Header: cfg.Header, Method: "GET", random: cfg.random})
		if err != nil {
			t.Fatal(err)
		}
		want := "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\nUser-Agent: x\r\n" + c.want + "\r\n"
		if got := string(targets.append([]byte("before\n"), 1, []byte(c.carried), 0)); got != "before\n"+want {
			t.Errorf("%q and %q:\n%q, want\n%q", c.header, c.carried, got, want)
		}
	}
}

// TestPollKeepsCookies over the requests of one connection and of the next one.
func TestPollKeepsCookies(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var came []string
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				mu.Lock()
				came = append(came, strings.Join(r.Header["Cookie"], " AND ")+"|"+r.Header.Get("If-None-Match"))
				n := len(came)
				mu.Unlock()
				set := map[int]string{
					1: "Set-Cookie: node=1; Path=/; HttpOnly\r\nset-cookie: s=a\r\nETag: \"1\"\r\n",
					2: "ETag: \"2\"\r\n",
					3: "Set-Cookie: node=2\r\n",
					4: "Set-Cookie: node=; Max-Age=0\r\n",
					5: "Set-Cookie: s=; Expires=Thu, 01 Jan 1970 00:00:00 GMT\r\n",
				}[n]
				if n > 6 {
					hold(c)
					return
				}
				say(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n"+set+"Content-Length: 1\r\n\r\n1")
			})
			r := flooded(t, e, Config{URL: srv.url("/"), Protocol: Poll, Header: []string{"Cookie: mine=0"}}, func(c Counts) bool { return c.Chunks >= 6 })
			srv.stop()
			mu.Lock()
			defer mu.Unlock()
			want := `mine=0|; mine=0; node=1; s=a|"1"; mine=0; node=1; s=a|"2"; mine=0; s=a; node=2|"2"; mine=0; s=a|"2"; mine=0|"2"`
			if got := strings.Join(came[:min(len(came), 6)], "; "); got != want || r.Failed != 0 {
				t.Errorf("%s\nwant %s; %s", got, want, r.Explanation)
			}
		})
	}
}
