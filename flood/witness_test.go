package flood

import (
	"strings"
	"testing"
)

func TestWitness(t *testing.T) {
	for _, c := range []struct{ fields, want string }{
		{"Server: nginx/1.26.0\r\n", "nginx/1.26.0"},
		{"SERVER : \t nginx \r\n", "nginx"},
		{"X-Powered-By: Express\r\n", "Express"},
		{"X-Powered-By: Express\r\nServer: nginx\r\n", "nginx, Express"},
		{"Server: one\r\nServer: two\r\n", "one"},
		{"Server:\r\n", ""},
		{"Date: today\r\n", ""},
		{"Server: \x1b[31mred\u202e\r\n", `\x1b[31mred\u202e`},
		{"Server: " + strings.Repeat("x", 200) + "\r\n", strings.Repeat("x", maxSaid) + "…"},
	} {
		var w witness
		w.hear([]byte("HTTP/1.1 103 Early Hints\r\nServer: another\r\n\r\nHTTP/1.1 200 OK\r\n" + c.fields + "\r\n"))
		if w.says != c.want {
			t.Errorf("%q: %q, want %q", c.fields, w.says, c.want)
		}
		w.hear([]byte("HTTP/1.1 200 OK\r\nServer: a later one\r\n\r\n"))
		if w.says != c.want {
			t.Errorf("%q: a later answer made it %q", c.fields, w.says)
		}
	}
}

// TestServerOfAnswers: a run says what its answers say, and of several what a refusal
// does.
func TestServerOfAnswers(t *testing.T) {
	t.Parallel()
	for _, e := range engines() {
		for name, c := range map[string]struct {
			answer answer
			want   string
		}{
			"a stream":  {stream("HTTP/1.1 200 OK\r\nServer: nginx/1.26.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("x")), "nginx/1.26.0"},
			"a refusal": {once("HTTP/1.1 503 Service Unavailable\r\nServer: envoy\r\nContent-Length: 0\r\n\r\n"), "envoy"},
			"none":      {stream("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("x")), ""},
		} {
			srv := serve(t, c.answer)
			r := flooded(t, e, Config{URL: srv.url("/"), Connections: 2, atOnce: patience}, func(got Counts) bool { return got.Established()+int(got.Failed) == 2 })
			if r.Server != c.want {
				t.Errorf("%s, %s: %q, want %q", e.name, name, r.Server, c.want)
			}
		}
	}
	o := observer{witnesses: [2]witness{{says: "nginx"}, {says: "envoy"}}}
	if got := o.server(); got != "envoy" {
		t.Errorf("%q, want that of the refusal", got)
	}
}
