package wire

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// preflight is what a browser asks before a request with unusual fields.
func preflight(origin string) string {
	return "OPTIONS /events/1 HTTP/1.1\r\nHost: h\r\nOrigin: " + origin + "\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: authorization, ,x-a\r\n\r\n"
}

func mustOrigins(tb testing.TB, list ...string) Origins {
	tb.Helper()
	o, err := ParseOrigins(list)
	if err != nil {
		tb.Fatal(err)
	}
	return o
}

func TestParseOrigins(t *testing.T) {
	for in, want := range map[string]string{
		"https://app.example.com":     "https://app.example.com",
		"https://app.example.com/":    "https://app.example.com",
		"HTTPS://App.Example.com:443": "https://app.example.com",
		"http://localhost:80":         "http://localhost",
		"http://localhost:3000":       "http://localhost:3000",
		"http://[::1]:8080":           "http://[::1]:8080",
		"capacitor://localhost":       "capacitor://localhost",
		"null":                        "null",
		"*":                           "*",
	} {
		if o, err := ParseOrigins([]string{in}); err != nil || o.allowed[0] != want {
			t.Errorf("%q: %q, error %v; want %q", in, o.allowed, err, want)
		}
	}
	for _, list := range [][]string{
		{""},
		{"example.com"},
		{"app.example.com:3000"},
		{"https://"},
		{"https://a/b"},
		{"https://a?b"},
		{"https://a#b"},
		{"https://me@a"},
		{"https://*.example.com/x"},
		{"https://a b"},
		{"https://a\r\nX: y"},
		{"*", "https://a"},
		{"https://a", "*"},
		slices.Repeat([]string{"https://a"}, maxOrigins+1),
	} {
		if o, err := ParseOrigins(list); err == nil {
			t.Errorf("%.50q: allowed %q", list, o.allowed)
		}
	}
}

// TestCORS: what each answer says of origins, for each kind of request.
func TestCORS(t *testing.T) {
	const app, files = "https://app.example.com", "null"
	const vary = "Vary: Origin\r\n"
	const star = "Access-Control-Allow-Origin: *\r\n"
	const ours = "Access-Control-Allow-Origin: " + app + "\r\nAccess-Control-Allow-Credentials: true\r\n" + vary
	const null = "Access-Control-Allow-Origin: null\r\n" + vary
	for _, c := range []struct {
		name   string
		allow  []string
		origin string // its field, if any
		want   string
	}{
		{"off", nil, "Origin: " + app, ""},
		{"any", []string{"*"}, "Origin: " + app, star},
		{"any, none sent", []string{"*"}, "", star},
		{"any, null", []string{"*"}, "Origin: null", star},
		{"named", []string{"https://a", app, files}, "Origin: " + app, ours},
		{"null", []string{app, files}, "Origin: null", null},
		{"another", []string{app}, "Origin: https://evil.example", vary},
		{"one that begins so", []string{app}, "Origin: " + app + ".evil.example", vary},
		{"of another scheme", []string{app}, "Origin: http://app.example.com", vary},
		{"of another port", []string{app}, "Origin: " + app + ":8443", vary},
		{"none sent", []string{app}, "", vary},
		{"null, not allowed", []string{app}, "Origin: null", vary},
		{"two", []string{app}, "Origin: " + app + "\r\nOrigin: " + app, vary},
		{"a list", []string{app}, "Origin: " + app + " https://b", vary},
	} {
		p := Parser{Origins: mustOrigins(t, c.allow...)}
		for request, plainAnswer := range map[string]string{
			"GET /test/1": html11, "GET /events/1": sse11, "HEAD /test/1": htmlHEAD, "HEAD /poll/1": pollHEAD,
			"GET /x": string(NotFound.whole), "GET /test/x": string(BadID.whole), "POST /test/1": string(NotFound.whole), "PUT /test/1": string(NotImplemented.whole),
		} {
			head := request + " HTTP/1.1\r\nHost: h\r\n" + strings.TrimPrefix(c.origin+"\r\n", "\r\n") + "\r\n"
			req, ok := p.Parse([]byte(head), 0, nil)
			want := strings.Replace(plainAnswer, "\r\n\r\n", "\r\n"+c.want+"\r\n", 1)
			if !ok || string(req.Answer) != want {
				t.Errorf("%s: %s:\ngot  %q\nwant %q", c.name, request, req.Answer, want)
			}
			// An answer that the engine makes up later says the same.
			if got := string(p.Share(Full.Bytes(), req.Origin)); got != strings.Replace(string(Full.whole), "\r\n\r\n", "\r\n"+c.want+"\r\n", 1) {
				t.Errorf("%s: %s: later %q", c.name, request, got)
			}
		}
	}
	p := Parser{Origins: mustOrigins(t, app)}
	for _, kind := range []Kind{HTML, Events, WebSocket} {
		if end := kind.AppendEnd(nil); !bytes.Equal(p.Share(end, someOrigin), end) {
			t.Errorf("kind %d ends with %q", kind, p.Share(end, someOrigin))
		}
	}
	if string(HTML.streamHead()) != html11 {
		t.Error("a shared answer was changed")
	}
}

func TestPreflight(t *testing.T) {
	const app = "https://app.example.com"
	const start = "HTTP/1.1 204 No Content\r\nServer: comet\r\nConnection: close\r\nAccess-Control-Allow-Methods: GET, HEAD\r\nAccess-Control-Max-Age: 7200\r\n"
	const named = start + "Access-Control-Allow-Headers: authorization, x-a\r\nAccess-Control-Allow-Origin: " + app + "\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin\r\n\r\n"
	refusal := strings.Replace(string(OriginRefused.whole), "\r\n\r\n", "\r\nVary: Origin\r\n\r\n", 1)
	p, all := Parser{Origins: mustOrigins(t, app)}, Parser{Origins: mustOrigins(t, "*")}
	for _, c := range []struct {
		name string
		p    *Parser
		in   string
		want string
	}{
		{"named", &p, preflight(app), named},
		{"any", &all, preflight("https://x"), start + "Access-Control-Allow-Headers: authorization, x-a\r\nAccess-Control-Allow-Origin: *\r\n\r\n"},
		{"another", &p, preflight("https://evil.example"), refusal},
		{"without fields", &all, strings.Replace(preflight("https://x"), "Access-Control-Request-Headers: authorization, ,x-a\r\n", "", 1), start + "Access-Control-Allow-Origin: *\r\n\r\n"},
		{"bad names of fields", &all, strings.Replace(preflight("https://x"), "authorization, ,x-a", "a b, (", 1), start + "Access-Control-Allow-Origin: *\r\n\r\n"},
		{"no origin", &p, strings.Replace(preflight(app), "Origin: "+app+"\r\n", "", 1), strings.Replace(string(NotImplemented.whole), "\r\n\r\n", "\r\nVary: Origin\r\n\r\n", 1)},
		{"not a preflight", &p, strings.Replace(preflight(app), "Access-Control-Request-Method: GET\r\n", "", 1), ""},
		{"elsewhere", &all, strings.Replace(preflight("https://x"), "/events/1", "/x", 1), strings.Replace(string(NotImplemented.whole), "\r\n\r\n", "\r\nAccess-Control-Allow-Origin: *\r\n\r\n", 1)},
	} {
		req, ok := c.p.Parse([]byte(c.in), 0, nil)
		if want := c.want; !ok || !req.Refused() || want != "" && string(req.Answer) != want || want == "" && !strings.HasPrefix(string(req.Answer), "HTTP/1.1 501 ") {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, req.Answer, want)
		}
	}
}

// TestWebSocketOrigin: a WebSocket is refused to pages of other origins only
// where some are named.
func TestWebSocketOrigin(t *testing.T) {
	const key = "Sec-WebSocket-Key: " + exampleKey
	const version = "Sec-WebSocket-Version: 13"
	refusal := bytes.Replace(OriginRefused.whole, []byte("\r\n\r\n"), []byte("\r\nVary: Origin\r\n\r\n"), 1)
	for _, c := range []struct {
		allow  []string
		origin string
		want   []byte
	}{
		{nil, "https://evil.example", []byte(switching)},
		{[]string{"*"}, "https://evil.example", []byte(switching)},
		{[]string{"https://a"}, "https://a", []byte(switching)},
		{[]string{"https://a"}, "", []byte(switching)},         // no browser
		{[]string{"https://a"}, "http://h", []byte(switching)}, // our own pages
		{[]string{"https://a"}, "https://H:443", []byte(switching)},
		{[]string{"https://a"}, "https://evil.example", refusal},
		{[]string{"https://a"}, "null", refusal},
		{[]string{"https://a"}, "https://h.evil.example", refusal},
		{[]string{"https://a"}, "https://a\r\nOrigin: https://a", refusal},
		{[]string{"null"}, "null", []byte(switching)},
	} {
		p := Parser{Origins: mustOrigins(t, c.allow...)}
		fields := []string{key, version}
		if c.origin != "" {
			fields = append(fields, "Origin: "+c.origin)
		}
		if req, ok := p.Parse([]byte(handshake(fields...)), 0, nil); !ok || !bytes.Equal(req.Answer, c.want) {
			t.Errorf("allowed %q, origin %q:\ngot  %q\nwant %q", c.allow, c.origin, req.Answer, c.want)
		}
	}
}
