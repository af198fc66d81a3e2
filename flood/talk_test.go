package flood

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"example.org/comet/flood/users"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, message string
		want             bool
	}{
		{"2", "2", true},
		{"2", "23", false},
		{"2", "23\n2", true},
		{"2\\n", "2\n", true},
		{"{}", "{}\x1e", true},
		{`{}\x1e`, "{}\x1e", true},
		{`{"type":"connection_ack"*`, `{"type":"connection_ack","payload":{}}`, true},
		{`*connection_ack*`, `{"type":"connection_ack"}`, true},
		{`*`, "", true},
		{`a*b*c`, "abc", true},
		{`a*b*c`, "acb", false},
		{`a*a`, "a", false},
		{`a*a`, "aa", true},
		{`a**a`, "axa", true},
		{`40*`, "40{\"sid\":\"x\"}", true},
		{`\*`, "*", true},
		{`\*`, "x", false},
		{`{"id":1,*`, "{\"push\":{}}\n{\"id\":1,\"subscribe\":{}}", true},
		{`\"\u00e9\'`, "\"é'", true},
		{"ab", "a\nb", false},
	} {
		p, err := parsePattern(c.pattern)
		if err != nil || p.matchesAny([]byte(c.message)) != c.want {
			t.Errorf("%q and %q: %v, want %v; %v", c.pattern, c.message, !c.want, c.want, err)
		}
	}
}

func TestTalkRefuses(t *testing.T) {
	for want, talk := range map[string]Talk{
		"begins with no escape of Go":     {Ready: `\q`},
		"the text to send is empty":       {FirstMessages: []string{"a=>"}},
		"write it as 'TEXT=>TEXT'":        {Replies: []string{"=>x"}},
		"is not a time of 1ms or more":    {SendEvery: []string{"2=x"}},
		"write it as 30s=TEXT":            {SendEvery: []string{"2"}},
		"a name has no blanks":            {Subprotocols: []string{"a, b"}},
		`--first-message "\\": "\\" begi`: {FirstMessages: []string{`\`}},
	} {
		if err := (Config{URL: "ws://h/", Talk: talk}).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q in it", talk, err, want)
		}
	}
	for want, cfg := range map[string]Config{
		"are for WebSockets":                    {URL: "http://h/", Talk: Talk{FirstMessages: []string{"x"}}},
		"leave --protocol sse out":              {URL: "ws://h/", Protocol: SSE},
		"asked for with GET":                    {URL: "wss://h/", Method: "POST"},
		"a GET has no body":                     {URL: "http://h/", Method: "GET", Body: "x"},
		"in capital letters":                    {URL: "http://h/", Method: "post"},
		"use one of":                            {URL: "http://h/", Protocol: "mqtt"},
		"certificates and sessions are for TLS": {URL: "http://h/", TLSResume: true},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q in it", cfg, err, want)
		}
	}
}

func table(t *testing.T, csv string) *users.Table {
	t.Helper()
	all, err := users.Read(strings.NewReader(csv), "users.csv")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTalk has a conversation, each user with a token of their own: a login, a
// subscription once that is acknowledged, pings that are a digit, a heartbeat.
func TestTalk(t *testing.T) {
	accounts := table(t, "id,token,room\nalice,\"s3\"\"cret\",a b\nbob,t0p,c\n")
	for _, e := range engines() {
		said := make(chan string, 2)
		srv := serve(t, func(c *net.TCPConn, r *http.Request) {
			upgrade(c, r, "")
			p := &peer{c, bufio.NewReader(c)}
			var all []string
			hear := func() { _, text := p.next(); all = append(all, text) }
			hear()
			p.say("not yet\n2")
			hear() // the pong of the application
			p.say(`{"ack":true}`)
			hear()
			p.say("2")
			hear()
			p.say("welcome to it")
			hear() // the heartbeat, which begins now
			hear()
			said <- r.RequestURI + " " + r.Header.Get("Authorization") + " " + strings.Join(all, " | ")
			hold(c)
		})
		cfg := Config{URL: srv.url("/{room}?id={id}"), Protocol: WebSocket, Users: accounts, Header: []string{"Authorization: Bearer {token}"}, Talk: Talk{
			FirstMessages: []string{`{"token":"{token}","raw":{id}}`, `{"ack":*=>{"subscribe":"{id}"}`},
			Replies:       []string{"2=>3"}, Ready: "welcome*", SendEvery: []string{"20ms=beat {id}"},
		}}
		r := flooded(t, e, cfg, func(Counts) bool { return len(said) == 2 })
		if got := figuresOf(r); got != (figures{established: 2, failures: "[]"}) {
			t.Errorf("%s: %+v, %s", e.name, got, r.Explanation)
		}
		got := map[string]bool{<-said: true, <-said: true}
		for _, want := range []string{
			`/a%20b?id=alice Bearer s3"cret {"token":"s3\"cret","raw":alice} | 3 | {"subscribe":"alice"} | 3 | beat alice | beat alice`,
			`/c?id=bob Bearer t0p {"token":"t0p","raw":bob} | 3 | {"subscribe":"bob"} | 3 | beat bob | beat bob`,
		} {
			if !got[want] {
				t.Errorf("%s: %v, want %q", e.name, got, want)
			}
		}
	}
}

// TestReady waits for a text in any kind of stream, however it is cut.
func TestReady(t *testing.T) {
	for name, c := range map[string]struct {
		protocol Protocol
		answer   answer
	}{
		"ws":           {WebSocket, sends(text("no")+framed(ws.OpText, false, "hel")+framed(ws.OpContinuation, true, "lo"), 3)},
		"sse":          {SSE, trickle(eventsHead + ": no\n\ndata: no\n\ndata: hello\n\n")},
		"sse, chunked": {SSE, trickle("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk("data: he") + chunk("llo\r\n\r\n"))},
		"lines":        {Stream, trickle(rawHead + "no\nhello\nno")},
		"chunks":       {Stream, trickle(chunkedHead + chunk("no") + chunk("hello"))},
		"all at once":  {Stream, stream(chunkedHead + chunk("no") + chunk("hello"))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				srv := serve(t, c.answer)
				cfg := Config{URL: srv.url("/"), Protocol: c.protocol, Connections: 2, Talk: Talk{Ready: "hello"}}
				if got := figuresOf(flooded(t, e, cfg, figures{established: 2}.reached)); got != (figures{established: 2, failures: "[]"}) {
					t.Errorf("%s: %+v", e.name, got)
				}
			}
		})
	}
}

// TestNotReady: what came instead is told.
func TestNotReady(t *testing.T) {
	for name, c := range map[string]struct {
		answer     answer
		kind, want string
	}{
		"silent":    {sends("", 1), "timeout", "what --ready waits for did not come in time"},
		"says no":   {sends(closing(4401, "no token"), 99), "close_code", `before it was ready with code 4401, "no token"`},
		"hangs up":  {socket(func(*peer) {}), "reset", "before what --ready waits for came"},
		"a goodbye": {sends(closing(1000, ""), 99), "reset", "before what --ready waits for came"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				srv := serve(t, c.answer)
				cfg := Config{URL: srv.url("/"), Protocol: WebSocket, Talk: Talk{Ready: "hello"}}
				if c.kind == "timeout" {
					cfg.ConnectTimeout = time.Second
				}
				r := flooded(t, e, cfg, figures{failed: 1}.reached)
				if r.Failures[c.kind] != 1 || !strings.Contains(r.Explanation, c.want) {
					t.Errorf("%s: %v: %q, want %q", e.name, r.Failures, r.Explanation, c.want)
				}
			}
		})
	}
}

// TestPost asks for streams with a body.
func TestPost(t *testing.T) {
	for _, e := range engines() {
		asked := make(chan string, 1)
		srv := serve(t, func(c *net.TCPConn, r *http.Request) {
			body := make([]byte, r.ContentLength)
			r.Body.Read(body)
			asked <- fmt.Sprintf("%s %s %q", r.Method, r.Header.Get("Content-Type"), body)
			say(c, eventsHead)
			hold(c)
		})
		flooded(t, e, Config{URL: srv.url("/"), Body: `{"user":"{id}"}`, FirstID: 7, LastID: 7}, figures{established: 1}.reached)
		if got, want := <-asked, `POST application/json "{\"user\":\"7\"}"`; got != want {
			t.Errorf("%s: %s, want %s", e.name, got, want)
		}
	}
}
