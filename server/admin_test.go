package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"example.org/comet/server/router"
)

func TestSendOne(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		a, b := r.stream("1,2"), r.stream("2,9223372036854775807")
		for _, c := range []struct {
			path, body string
			code       int
			answer     string
		}{
			{"/send/1", "Hello", 200, `{"reached":1}`},
			{"/send/2", "both", 200, `{"reached":2}`},
			{"/send/3", "nobody", 200, `{"reached":0}`},
			{"/send/9223372036854775807", "", 200, `{"reached":1}`},
			{"/send/-1", "x", 400, `{"error":"the id must be a whole number from 0 to 9223372036854775807, as in /send/123"}`},
			{"/send/bob", "x", 400, `{"error":"the id must be a whole number from 0 to 9223372036854775807, as in /send/123"}`},
			{"/send/1", strings.Repeat("x", router.MaxMessage+1), 413, `{"error":"a message may have 1 MiB"}`},
		} {
			code, answer := r.ask("POST", c.path, c.body)
			if code != c.code || answer != c.answer+"\n" {
				t.Errorf("%s %.20q: %d %s, want %d %s", c.path, c.body, code, answer, c.code, c.answer)
			}
		}
		a.expect(chunk(1, "Hello") + chunk(2, "both"))
		b.expect(chunk(1, "both") + chunk(2, ""))
		if s := r.Stats(); s.Sent != 4 || s.Routed != 4 || s.Unaddressed != 1 {
			t.Errorf("sent %d, routed %d, unaddressed %d; want 4, 4, 1", s.Sent, s.Routed, s.Unaddressed)
		}
		most := strings.Repeat("m", router.MaxMessage)
		if code, answer := r.ask("POST", "/send/1", most); code != 200 {
			t.Errorf("1 MiB: %d %s", code, answer)
		}
		a.expect(chunk(3, most))
	})
}

// TestSendLines: both forms of a line, mixed as they come, and every kind of
// line that is neither, named by its number.
func TestSendLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", router.MaxMessage)
	for _, c := range []struct {
		name, body                 string
		code                       int
		sent, reached, unaddressed int
		err                        string   // how the error begins
		got                        []string // by ids 1 and 2
	}{
		{"nothing", "", 200, 0, 0, 0, "", nil},
		{"a line", "1 Hello World\n", 200, 1, 1, 0, "", []string{"Hello World"}},
		{"a last line without its end", "1 Hello\n2 World", 200, 2, 2, 0, "", []string{"Hello", "World"}},
		{"mixed", "1 a\n{\"id\":2,\"message\":\"b\"}\n{\"message\":\"c\",\"id\":1}\n2 {\"d\"}\n", 200, 4, 4, 0, "", []string{"a", "b", "c", `{"d"}`}},
		{"CRLF and empty lines", "1 a\r\n\r\n\n{\"id\":2,\"message\":\"b\"}\r\n", 200, 2, 2, 0, "", []string{"a", "b"}},
		{"spaces are part of a message", "1  a \n", 200, 1, 1, 0, "", []string{" a "}},
		{"an empty message", "1 \n", 200, 1, 1, 0, "", []string{""}},
		{"escapes in JSON", `{"id":1,"message":"a\nb\u00fc\"","more":[1]}`, 200, 1, 1, 0, "", []string{"a\nbü\""}},
		{"nobody there", "3 a\n1 b\n4 c\n", 200, 3, 1, 2, "", []string{"b"}},
		{"a word for an id", "1 a\n\nbob b\n1 c\n", 400, 1, 1, 0, "line 3: \"bob b\" is neither", []string{"a"}},
		{"a negative id", "-1 b\n", 400, 0, 0, 0, "line 1: ", nil},
		{"an id over 2^63-1", "1 a\n9223372036854775808 b", 400, 1, 1, 0, "line 2: ", []string{"a"}},
		{"an id alone", "1 a\n1\n", 400, 1, 1, 0, "line 2: ", []string{"a"}},
		{"broken JSON", "1 a\n{\"id\":1\n1 c\n", 400, 1, 1, 0, "line 2: this is not {\"id\":1,\"message\":\"…\"}: ", []string{"a"}},
		{"JSON without id", `{"message":"b"}`, 400, 0, 0, 0, `line 1: "id" must be`, nil},
		{"JSON without message", `{"id":1}`, 400, 0, 0, 0, `line 1: "id" must be`, nil},
		{"JSON with a negative id", `{"id":-1,"message":"b"}`, 400, 0, 0, 0, `line 1: "id" must be`, nil},
		{"JSON with a word for an id", `{"id":"1","message":"b"}`, 400, 0, 0, 0, "line 1: this is not", nil},
		{"JSON with a number for a message", `{"id":1,"message":5}`, 400, 0, 0, 0, "line 1: this is not", nil},
		{"JSON and more", `{"id":1,"message":"b"} x`, 400, 0, 0, 0, "line 1: this is not", nil},
		{"a message of 1 MiB", "1 " + long + "\n2 c\n", 200, 2, 2, 0, "", []string{long, "c"}},
		{"a message of 1 MiB before CRLF", "1 " + long + "\r\n2 c\n", 200, 2, 2, 0, "", []string{long, "c"}},
		{"a last message of 1 MiB", "2 c\n1 " + long, 200, 2, 2, 0, "", []string{"c", long}},
		{"a message of 1 MiB in JSON", `{"id":1,"message":"` + long + "\"}\n2 c\n", 200, 2, 2, 0, "", []string{long, "c"}},
		{"a message of 1 MiB in escapes", `{"id":1,"message":"` + strings.Repeat(`\u0078`, len(long)) + "\"}\n2 c\n", 200, 2, 2, 0, "", []string{long, "c"}},
		{"a message of 1 MiB and a byte", "1 a\n1 x" + long + "\n2 c", 400, 1, 1, 0, "line 2: a message may have 1 MiB", []string{"a"}},
		{"a last message of 1 MiB and a byte", "1 a\n1 x" + long, 400, 1, 1, 0, "line 2: a message may have 1 MiB", []string{"a"}},
		{"the same in JSON", "1 a\n" + `{"id":1,"message":"x` + long + "\"}\n2 c", 400, 1, 1, 0, "line 2: a message may have 1 MiB", []string{"a"}},
		{"a line without end", "1 a\n1 " + long + long, 400, 1, 1, 0, "line 2: a message may have 1 MiB", []string{"a"}},
		{"a byte order mark", "\ufeff1 a\n2 b\n", 200, 2, 2, 0, "", []string{"a", "b"}},
		{"a byte order mark before JSON", "\ufeff" + `{"id":1,"message":"a"}`, 200, 1, 1, 0, "", []string{"a"}},
		{"UTF-16", "\xff\xfe1\x00 \x00a\x00\n\x00", 400, 0, 0, 0, "line 1: this is UTF-16", nil},
		{"UTF-16, big end first", "\xfe\xff\x001\x00 \x00a\x00\n", 400, 0, 0, 0, "line 1: this is UTF-16", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				r := start(t, Config{Engine: t.engine, BacklogBytes: 4 << 20})
				stream := r.connect("GET /ws/1,2 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
				r.waitForLogins(2)
				code, answer := r.ask("POST", "/send", c.body)
				var got sendReceipt
				if err := json.Unmarshal([]byte(answer), &got); err != nil {
					t.Fatalf("%q: %v", answer, err)
				}
				want := sendReceipt{Sent: uint64(c.sent), Reached: uint64(c.reached), Unaddressed: uint64(c.unaddressed), Error: got.Error}
				if code != c.code || got != want || !strings.HasPrefix(got.Error, c.err) || (got.Error == "") != (c.err == "") {
					t.Errorf("%d %s; want %d %+v, error %q", code, answer, c.code, want, c.err)
				}
				r.cancel()
				all := stream.rest()
				_, frames, _ := strings.Cut(all, "\r\n\r\n")
				var wantFrames strings.Builder
				for _, m := range c.got {
					switch n := len(m); {
					case n < 126:
						fmt.Fprintf(&wantFrames, "\x81%c%s", n, m)
					default:
						fmt.Fprintf(&wantFrames, "\x81\x7f\x00\x00\x00\x00%s%s", []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, m)
					}
				}
				if frames != wantFrames.String()+restart {
					t.Errorf("delivered %.200q, want %.200q", frames, wantFrames.String())
				}
				stream.Close()
			})
		})
	}
}

// TestSendBroken: who sends a body that is not one must not be told 200.
func TestSendBroken(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		for path, body := range map[string]string{"/send": "1 a\n1 b", "/send/1": "Hello"} {
			c := dial(t, r.AdminAddr().String())
			c.send(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\nzz\r\n", path, len(body), body))
			c.expect("HTTP/1.1 400 Bad Request\r\n")
			if answer := c.rest(); !strings.Contains(answer, "did not come whole") {
				t.Errorf("%s: %q", path, answer)
			}
		}
		if s := r.Stats(); s.Sent != 1 { // the whole line
			t.Errorf("sent %d, want 1", s.Sent)
		}
	})
}

func TestStats(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, MaxConnections: 7})
		c := r.stream("1,2")
		r.ask("POST", "/send", "1 Hello\n3 nobody\n")
		c.expect(chunk(1, "Hello"))
		r.waitFor("it to be counted", func(s Stats) bool { return s.Written == 1 })
		resp, body := r.askFull("GET", "/stats", nil)
		if resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("fields %v", resp.Header)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]any{
			"engine": string(t.engine), "draining": false, "connections": 1.0, "max_connections": 7.0, "logins": 2.0,
			"accepted": 1.0, "streams": 1.0, "refused_full": 0.0, "refused_other": 0.0, "accept_pauses": 0.0,
			"bytes_written": float64(len(html11 + chunk(1, "Hello"))), "backlog_bytes": 0.0, "dropped_closed": 0.0, "dropped_slow": 0.0,
			"disconnected": 0.0, "sent": 2.0, "routed": 1.0, "unaddressed": 1.0, "written": 1.0,
		} {
			if got[key] != want {
				t.Errorf("%s is %v, want %v", key, got[key], want)
			}
		}
		var decoded Stats // by a program that reads /stats
		if err := json.Unmarshal([]byte(body), &decoded); err != nil || decoded.Engine != t.engine || decoded.Sent != 2 || decoded.Written != 1 || decoded.Router != nil {
			t.Errorf("decoded %+v, %v", decoded, err)
		}
		if got["pid"] == nil || got["uptime_seconds"] == nil {
			t.Errorf("no pid or uptime: %s", body)
		}
	})
}

func TestHealth(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
			if code, body := r.ask("GET", path, ""); code != 200 || body != want {
				t.Errorf("%s: %d %q", path, code, body)
			}
		}
		r.core.draining.Store(true)
		if code, body := r.ask("GET", "/readyz", ""); code != 503 || body != "draining\n" {
			t.Errorf("while draining: %d %q", code, body)
		}
		if code, _ := r.ask("GET", "/healthz", ""); code != 200 {
			t.Errorf("while draining it is healthy all the same: %d", code)
		}
	})
}

func TestGC(t *testing.T) {
	r := start(t, Config{Engine: Goroutine})
	code, body := r.ask("POST", "/gc", "")
	var got struct {
		Before *int64 `json:"rss_before_bytes"`
		After  *int64 `json:"rss_after_bytes"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	if runtime.GOOS == "linux" && (got.Before == nil || got.After == nil || *got.Before < 1<<20 || *got.After < 1<<20) {
		t.Errorf("%s", body)
	}
	if code, _ := r.ask("GET", "/gc", ""); code != 405 {
		t.Errorf("GET /gc: %d, want 405", code)
	}
}

func TestPprof(t *testing.T) {
	r := start(t, Config{Engine: Goroutine})
	for path, want := range map[string]string{
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/cmdline":           "test",
		"/debug/pprof/goroutine?debug=1": "goroutine profile:",
		"/debug/pprof/heap?debug=1":      "heap profile:",
		"/debug/pprof/symbol":            "num_symbols",
	} {
		if code, body := r.ask("GET", path, ""); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.100q", path, code, body)
		}
	}
}

func TestToken(t *testing.T) {
	const secret = "correct horse"
	// With a token it may be reached from anywhere.
	r := start(t, Config{Engine: Goroutine, Admin: "0.0.0.0:0", AdminToken: secret})
	paths := []string{"GET /stats", "POST /send", "POST /send/1", "POST /gc", "GET /debug/pprof/", "GET /debug/pprof/cmdline", "GET /elsewhere"}
	for _, request := range paths {
		method, path, _ := strings.Cut(request, " ")
		for _, given := range []string{"", "Bearer wrong", "Bearer ", "Bearer " + secret + "x", "Basic " + secret, secret} {
			resp, body := r.askFull(method, path, nil, "Authorization: "+given)
			if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(body, "Authorization: Bearer TOKEN") || strings.Contains(body, secret) {
				t.Errorf("%s with %q: %d %q", request, given, resp.StatusCode, body)
			}
		}
		if code, _ := r.ask(method, path, "", "Authorization: Bearer "+secret); code == http.StatusUnauthorized {
			t.Errorf("%s with the token: %d", request, code)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, _ := r.ask("GET", path, ""); code != 200 {
			t.Errorf("%s without a token: %d", path, code)
		}
	}
	if s := r.Stats(); s.Sent != 1 { // the empty message of POST /send/1
		t.Errorf("sent %d, want 1", s.Sent)
	}
}

// TestCrossOrigin: a web page that a person on this machine looks at must not
// be able to send.
func TestCrossOrigin(t *testing.T) {
	r := start(t, Config{Engine: Goroutine})
	for _, field := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: http://evil.example"} {
		for _, path := range []string{"/send", "/send/1", "/gc"} {
			if code, _ := r.ask("POST", path, "1 x", field); code != http.StatusForbidden {
				t.Errorf("POST %s with %s: %d, want 403", path, field, code)
			}
		}
	}
	if s := r.Stats(); s.Sent != 0 {
		t.Errorf("%d messages were taken", s.Sent)
	}
	for _, field := range []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none", "Origin: http://" + r.AdminAddr().String()} {
		if code, _ := r.ask("POST", "/send/1", "x", field); code != 200 {
			t.Errorf("with %s: %d, want 200", field, code)
		}
	}
}

// TestMethods: what there is no handler for is told what there is.
func TestMethods(t *testing.T) {
	r := start(t, Config{Engine: Goroutine})
	for request, want := range map[string]struct {
		code         int
		allow, error string
	}{
		"GET /send":      {405, "POST", `GET is not for \"/send\", which takes POST`},
		"GET /send/1":    {405, "POST", `GET is not for \"/send/1\", which takes POST`},
		"PUT /send/1":    {405, "POST", `PUT is not for \"/send/1\", which takes POST`},
		"POST /stats":    {405, "GET, HEAD", `POST is not for \"/stats\", which takes GET, HEAD`},
		"GET /nothing":   {404, "", `there is nothing at \"/nothing\"; this listener has /, /debug/pprof/, /event/{publisher}, /gc, /healthz, /metrics, /nodes, /readyz, /send, /send/{id}, /stats, /subscriptions/{follower}, /subscriptions/{follower}/{publisher}`},
		"POST /event":    {404, "", `there is nothing at \"/event\"; this listener has `},
		"POST /send/1/2": {404, "", `there is nothing at \"/send/1/2\"; this listener has `},
		"POST /a%0a%22b": {404, "", `there is nothing at \"/a\\n\\\"b\"; `},
	} {
		method, path, _ := strings.Cut(request, " ")
		answer, body := r.askFull(method, path, nil)
		if answer.StatusCode != want.code || answer.Header.Get("Allow") != want.allow || answer.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(body, `{"error":"`+want.error) {
			t.Errorf("%s: %d, allow %q, %s; want %+v", request, answer.StatusCode, answer.Header.Get("Allow"), body, want)
		}
	}
}

// TestStreamOfLines: each line is delivered as it arrives, for as long as the
// sender likes, and the answer comes at the end.
func TestStreamOfLines(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		c := r.stream("1")
		body, lines := io.Pipe()
		answered := make(chan string, 1)
		go func() {
			resp, err := r.web.Post("http://"+r.AdminAddr().String()+"/send", "application/x-ndjson", body)
			if err != nil {
				answered <- err.Error()
				return
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			answered <- string(text)
		}()
		for n := range 5 {
			if n%2 == 0 {
				fmt.Fprintf(lines, "1 m%d\n", n)
			} else {
				fmt.Fprintf(lines, "{\"id\":1,\"message\":\"m%d\"}\n", n)
			}
			c.expect(chunk(n+1, fmt.Sprint("m", n)))
		}
		lines.Close()
		if got := <-answered; got != `{"sent":5,"reached":5,"unaddressed":0}`+"\n" {
			t.Errorf("%s", got)
		}
	})
}

// TestEngineText: the words of --engine, both ways.
func TestEngineText(t *testing.T) {
	for word, engine := range map[string]Engine{"epoll": Epoll, "goroutine": Goroutine, "auto": Auto} {
		var got Engine
		if err := got.UnmarshalText([]byte(word)); err != nil || got != engine {
			t.Errorf("%s is %q, %v", word, got, err)
		}
		if text, err := engine.MarshalText(); err != nil || string(text) != word {
			t.Errorf("%q is %s, %v", engine, text, err)
		}
	}
	for _, word := range []string{"", "Epoll", "threads"} {
		if err := new(Engine).UnmarshalText([]byte(word)); err == nil {
			t.Errorf("%q is an engine", word)
		}
	}
}
