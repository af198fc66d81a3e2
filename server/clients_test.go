package server

import (
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.org/comet/server/wire"
)

const (
	app     = "https://app.example.com"
	toApp   = "Access-Control-Allow-Origin: " + app + "\r\nAccess-Control-Allow-Credentials: true\r\nVary: Origin\r\n"
	toNone  = "Vary: Origin\r\n"
	wsStart = "GET /ws/1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	wsHead  = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)

// with puts fields at the end of an answer's head.
func with(answer, fields string) string {
	return strings.Replace(answer, "\r\n\r\n", "\r\n"+fields+"\r\n", 1)
}

// TestClients: what browsers, proxies and programs send is answered to the byte
// the same by both engines, whole or in pieces. One message "m" is published to
// each of ids 1 and 2, and the stream is then ended.
func TestClients(t *testing.T) {
	get := func(target string, fields ...string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + strings.Join(append(fields, ""), "\r\n") + "\r\n"
	}
	cookies := "Cookie: " + strings.Repeat("c=0123456789; ", 700)
	html := chunk(1, "m") + chunk(2, "m") + lastOne
	events := "f\r\nid: 1\ndata: m\n\n\r\n" + "f\r\nid: 2\ndata: m\n\n\r\n" + lastOne
	polled := "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nContent-Length: 1\r\nServer: comet\r\nConnection: close\r\n\r\nm"
	frames := "\r\n\x81\x01m" + restart
	badHost := text("400 Bad Request", "", "A request in HTTP/1.1 carries one valid Host field (RFC 9112, section 3.2).")
	refused := text("403 Forbidden", toNone, "Pages of this origin may not open streams here: the server's --allow-origin does not name it.")
	named := Config{AllowOrigins: []string{"https://other.example", app}}
	star := Config{AllowOrigins: []string{"*"}}
	for _, c := range []struct {
		name, request string
		cfg           Config
		logins        int
		want          string
	}{
		{"encoded ids", get("/test/%31%2C2"), Config{}, 2, html11 + html},
		{"encoded ids, lower case", get("/events/1%2c%32"), Config{}, 2, sse11 + events},
		{"bad encoding", get("/test/1%zz"), Config{}, 0, answerID},
		{"encoded twice", get("/test/%2531"), Config{}, 0, answerID},
		{"absolute form", get("https://example.com/test/1,2?x"), Config{}, 2, html11 + html},
		{"subprotocol", wsStart + "Sec-WebSocket-Protocol: v2.chat, chat\r\n\r\n", Config{}, 1, wsHead + "Sec-WebSocket-Protocol: v2.chat\r\n" + frames},
		{"no subprotocol", wsStart + "\r\n", Config{}, 1, wsHead + frames},
		{"9 KB of cookies", get("/test/1,2", cookies), Config{}, 2, html11 + html},
		{"9 KB of cookies on a WebSocket", wsStart + cookies + "\r\n\r\n", Config{}, 1, wsHead + frames},
		{"more cookies than are allowed", get("/test/1", cookies), Config{MaxHeadBytes: 9000}, 0, text("431 Request Header Fields Too Large", "", "The request head is longer than 9000 bytes.")},
		{"no Host", "GET /test/1 HTTP/1.1\r\nAccept: */*\r\n\r\n", Config{}, 0, badHost},
		{"two Hosts", get("/test/1", "Host: h"), Config{}, 0, badHost},
		{"empty Host", "GET /test/1,2 HTTP/1.1\r\nHost:\r\n\r\n", Config{}, 2, html11 + html},
		{"bare line feeds", "GET /test/1,2 HTTP/1.1\nHost: h\n\n", Config{}, 2, html11 + html},
		{"HTTP/1.0 as nginx speaks it", "GET /events/1,2 HTTP/1.0\r\nHost: h\r\nConnection: close\r\n\r\n", Config{}, 2, sse10 + "id: 1\ndata: m\n\nid: 2\ndata: m\n\n"},
		{"a body", get("/test/1,2", "Content-Length: 3") + "abc", Config{}, 2, html11 + html},
		{"a body of chunks", get("/test/1,2", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n", Config{}, 2, html11 + html},
		{"Expect", get("/test/1,2", "Expect: 100-continue", "Content-Length: 3"), Config{}, 2, html11 + html},
		{"poll with conditions", get("/poll/1", `If-None-Match: "x"`), Config{}, 1, polled},
		{"folded field", get("/test/1", "X: a", " b"), Config{}, 0, answer400},
		{"Last-Event-ID", get("/events/1,2", "Last-Event-ID: 41"), Config{}, 2, sse11 + events},
		{"preflight without origins", "OPTIONS /events/1 HTTP/1.1\r\nHost: h\r\nOrigin: " + app + "\r\nAccess-Control-Request-Method: GET\r\n\r\n", Config{}, 0, answer501},

		{"stream to an origin", get("/test/1,2", "Origin: "+app), named, 2, with(html11, toApp) + html},
		{"events to an origin", get("/events/1,2", "Origin: "+app), named, 2, with(sse11, toApp) + events},
		{"poll to an origin", get("/poll/1", "Origin: "+app), named, 1, with(polled, toApp)},
		{"poll without a message to an origin", get("/poll/9", "Origin: "+app), named, 1, with(answer204, toApp)},
		{"stream to another origin", get("/test/1,2", "Origin: https://evil.example"), named, 2, with(html11, toNone) + html},
		{"poll to any origin", get("/poll/1", "Origin: null"), star, 1, with(polled, "Access-Control-Allow-Origin: *\r\n")},
		{"bad id from an origin", get("/test/x", "Origin: "+app), named, 0, with(answerID, toApp)},
		{
			"preflight", "OPTIONS /events/1 HTTP/1.1\r\nHost: h\r\nOrigin: " + app + "\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: cache-control\r\n\r\n", named, 0,
			"HTTP/1.1 204 No Content\r\nServer: comet\r\nConnection: close\r\nAccess-Control-Allow-Methods: GET, HEAD\r\nAccess-Control-Max-Age: 7200\r\nAccess-Control-Allow-Headers: cache-control\r\n" + toApp + "\r\n",
		},
		{"WebSocket from another origin", wsStart + "Origin: https://evil.example\r\n\r\n", named, 0, refused},
		{"WebSocket from an origin", wsStart + "Origin: " + app + "\r\n\r\n", named, 1, wsHead + frames},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				for _, size := range []int{1 << 20, 7} {
					c.cfg.Engine = t.engine
					r := start(t, c.cfg)
					conn := r.dial()
					for rest := c.request; len(rest) > 0; rest = rest[min(size, len(rest)):] {
						if _, err := io.WriteString(conn, rest[:min(size, len(rest))]); err != nil {
							break // it is refused already
						}
					}
					if c.logins > 0 {
						r.waitForLogins(c.logins)
						r.publish(1, "m")
						r.publish(2, "m")
					} else {
						r.waitFor("the refusal", func(s Stats) bool { return s.RefusedOther == 1 })
					}
					go r.cancel()
					if got := conn.rest(); got != c.want {
						t.Errorf("in pieces of %d: got\n%.600q\nwant\n%.600q", size, got, c.want)
					}
					conn.Close()
					r.stop()
				}
			})
		})
	}
}

// TestRefusalsToAnOrigin: a page can read why it is refused.
func TestRefusalsToAnOrigin(t *testing.T) {
	const request = "GET /test/1 HTTP/1.1\r\nHost: h\r\nOrigin: " + app + "\r\n\r\n"
	bothEngines(t, func(t engineT) {
		for name, cfg := range map[string]Config{"full": {MaxConnections: 1}, "address": {ConnectionLimit: 1}} {
			cfg.Engine, cfg.AllowOrigins = t.engine, []string{app}
			r := start(t, cfg)
			open := r.connect(request)
			open.expect(with(html11, toApp))
			if got := r.connect(request).rest(); !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\n"+toApp+"\r\n") {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

// TestHeadsLeaveNothing: a connection at rest costs the same after a head of 30
// KB as after one of 30 bytes.
func TestHeadsLeaveNothing(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	head := "GET /test/1 HTTP/1.1\r\nHost: h\r\nCookie: " + strings.Repeat("c", 30_000)
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		const n = 100
		before := heap()
		for range n {
			c := r.dial()
			c.send(head)
			c.send("\r\n\r\n")
			c.expect(html11)
		}
		r.waitForLogins(n)
		if more := int64(heap()) - int64(before); more > n*10_000 {
			t.Errorf("%d bytes for each connection stay", more/n)
		}
	})
}

// TestNoTimeouts: with negative values a poll waits for as long as its client,
// and a head may take its time.
func TestNoTimeouts(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, HeadTimeout: -1, PollTimeout: -1})
		partial := r.connect("GET /test/2 HTTP/1.1\r\nHost: h\r\n")
		poll := r.connect("GET /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForLogins(1)
		time.Sleep(20 * time.Millisecond) // far longer than either was wrongly given
		r.publish(1, "late")
		if got := poll.rest(); !strings.HasSuffix(got, "\r\n\r\nlate") {
			t.Errorf("the poll got %q", got)
		}
		partial.send("\r\n")
		partial.expect(html11)
	})
}

// heldConn is an end of a pipe: what it writes waits until it is read.
type heldConn struct{ net.Conn }

func (c heldConn) Write(b []byte) (int, error) {
	if len(b) == 0 { // for which a pipe would wait as well
		return 0, nil
	}
	return c.Conn.Write(b)
}

// TestPollLeavesFirst: a poll of the goroutine engine has left before its answer goes
// out, so that a client that comes back at once does not meet itself. What comes for it
// meanwhile is counted as dropped, like an answer that cannot be written.
func TestPollLeavesFirst(t *testing.T) {
	r := start(t, Config{Engine: Goroutine, MaxConnections: 1})
	answer := string(wire.Poll.AppendMessage(nil, 1, []byte("m")))
	for _, takes := range []bool{true, false} {
		client, served := net.Pipe()
		r.core.sockets.Add(1)
		r.engine.(*stdEngine).begin(heldConn{served})
		client.SetDeadline(time.Now().Add(patience))
		io.WriteString(client, "GET /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForLogins(1)
		before := r.Stats()
		p := newPublisher(r.core)
		p.send(1, []byte("m"))
		p.send(1, []byte("another"))
		p.count()
		r.waitForLogins(0)
		again := r.connect("GET /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForLogins(1)
		r.publish(1, "m")
		if got := again.rest(); got != answer {
			t.Errorf("who came back got %q", got)
		}
		written := uint64(1)
		if takes {
			written++
			if _, err := io.ReadFull(client, make([]byte, len(answer))); err != nil {
				t.Errorf("the answer does not come: %v", err)
			}
		}
		client.Close()
		r.waitFor("each message to be written or dropped", func(s Stats) bool {
			return s.Written == before.Written+written && s.Routed-before.Routed == written+s.DroppedClosed-before.DroppedClosed
		})
	}
}

// TestNoDrain: with no time to drain, clients that read still get what was
// accepted, and the end.
func TestNoDrain(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, DrainTimeout: -1})
		var clients []*client
		for range 20 {
			clients = append(clients, r.stream("1"))
		}
		r.publish(1, "m")
		r.stop()
		for _, c := range clients {
			if got := c.rest(); got != chunk(1, "m")+lastOne {
				t.Fatalf("got %q", got)
			}
		}
	})
}
