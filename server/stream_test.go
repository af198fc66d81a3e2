package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// TestBytes is the contract of a stream, written out: whatever the engine, a
// request gets these bytes and no others, however it comes.
func TestBytes(t *testing.T) {
	const key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	longHead := "GET /test/90 HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 33_000) + "\r\n\r\n"
	cases := []struct {
		name, request string
		logins        int                // that the request makes
		messages      map[int64][]string // then sent
		want          string             // all that comes, to the end
	}{
		{
			"stream", "GET /test/1 HTTP/1.1\r\nHost: h\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\r\n", 1,
			map[int64][]string{1: {"Hello World", `<i>"'&`, "", "grüß"}},
			html11 + chunk(1, "Hello World") + chunk(2, "&lt;i&gt;&#34;&#39;&amp;") + chunk(3, "") + chunk(4, "grüß") + lastOne,
		},
		{"several ids", "GET /test/2,3,2 HTTP/1.1\r\nHost: h\r\n\r\n", 2, map[int64][]string{3: {"three"}}, html11 + chunk(1, "three") + lastOne},
		{"no message", "GET /test/4?query HTTP/1.1\r\nHost: h\r\n\r\n", 1, nil, html11 + lastOne},
		{"large message", "GET /test/5 HTTP/1.1\r\nHost: h\r\n\r\n", 1, map[int64][]string{5: {strings.Repeat("m", 500_000)}}, html11 + chunk(1, strings.Repeat("m", 500_000)) + lastOne},
		{"HTTP/1.0", "GET /test/6 HTTP/1.0\r\n\r\n", 1, map[int64][]string{6: {"a", "b"}}, html10 + "Recvd msg #1: 'a'<br/>Recvd msg #2: 'b'<br/>"},
		{"bytes after the head", "GET /test/7 HTTP/1.1\r\nHost: h\r\n\r\nGET /test/8 HTTP/1.1\r\nHost: h\r\n\r\n\x00\xff", 1, map[int64][]string{7: {"a"}, 8: {"b"}}, html11 + chunk(1, "a") + lastOne},
		{"events", "GET /events/9 HTTP/1.1\r\nHost: h\r\n\r\n", 1, map[int64][]string{9: {"a\nb"}}, sse11 + "17\r\nid: 1\ndata: a\ndata: b\n\n\r\n" + lastOne},
		{
			"poll", "GET /poll/10 HTTP/1.1\r\nHost: h\r\n\r\n", 1,
			map[int64][]string{10: {"<one>", "two"}},
			"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nContent-Length: 5\r\nServer: comet\r\nConnection: close\r\n\r\n<one>",
		},
		{"poll without a message", "GET /poll/11 HTTP/1.1\r\nHost: h\r\n\r\n", 1, nil, answer204},
		{"WebSocket", "GET /ws/12 HTTP/1.1\r\nHost: h\r\n" + key, 1, map[int64][]string{12: {"Hello", "you"}}, switching + "\x81\x05Hello\x81\x03you" + restart},
		{"WebSocket ping right behind the head", "GET /ws/13 HTTP/1.1\r\nHost: h\r\n" + key + "\x89\x81\x00\x00\x00\x00p", 1, nil, switching + "\x8a\x01p" + restart},
		{"WebSocket close right behind the head", "GET /ws/14 HTTP/1.1\r\nHost: h\r\n" + key + "\x88\x82\x00\x00\x00\x00\x03\xe8", 0, nil, switching + "\x88\x02\x03\xe8"},
		{"WebSocket broken", "GET /ws/15 HTTP/1.1\r\nHost: h\r\n" + key + "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, nil, switching + "\x88\x02\x03\xea"},
		{"highest id", "GET /test/9223372036854775807 HTTP/1.1\r\nHost: h\r\n\r\n", 1, map[int64][]string{9223372036854775807: {"top"}}, html11 + chunk(1, "top") + lastOne},

		{"HEAD", "HEAD /test/20 HTTP/1.1\r\nHost: h\r\n\r\n", 0, map[int64][]string{20: {"nobody"}}, strings.Replace(html11, "Server: comet\r\n", "Server: comet\r\nConnection: close\r\n", 1)},
		{"HEAD HTTP/1.0", "HEAD /test/20 HTTP/1.0\r\n\r\n", 0, nil, html10},
		{"HEAD elsewhere", "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n", 0, nil, answer404[:strings.Index(answer404, "\r\n\r\n")+4]},
		{"not a number", "GET /test/bob HTTP/1.1\r\nHost: h\r\n\r\n", 0, nil, answerID},
		{"one number of three bad", "GET /test/20,x,21 HTTP/1.1\r\nHost: h\r\n\r\n", 0, map[int64][]string{20: {"nobody"}}, answerID},
		{"elsewhere", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, nil, answer404},
		{"POST", "POST /test/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 0, nil, answer404},
		{"DELETE", "DELETE /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", 0, nil, answer501},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 0, nil, answer400},
		{"too long", longHead, 0, nil, answer431},
		{
			"WebSocket without handshake", "GET /ws/1 HTTP/1.1\r\nHost: h\r\n\r\n", 0, nil,
			text("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", "This path speaks WebSocket (RFC 6455, version 13) only."),
		},
	}
	for _, split := range []struct {
		name string
		size int
	}{{"whole", 1 << 20}, {"byte by byte", 1}, {"in sevens", 7}} {
		t.Run(split.name, func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				r := start(t, Config{Engine: t.engine})
				clients := make([]*client, len(cases))
				logins, asked := 0, uint64(0)
				for i, c := range cases {
					if split.size == 1 && c.want == answer431 {
						continue // 8,192 writes
					}
					clients[i] = r.dial()
					for piece := range slices.Chunk([]byte(c.request), split.size) {
						// A server that has refused already may have gone.
						if _, err := clients[i].Write(piece); err != nil {
							break
						}
					}
					logins += c.logins
					asked++
				}
				r.waitFor("all to be answered", func(s Stats) bool { return s.Logins == logins && s.Streams+s.RefusedOther == asked })
				for _, c := range cases {
					for id, messages := range c.messages {
						for _, m := range messages {
							r.publish(id, m)
						}
					}
				}
				// A large message takes its reader, and the drain the messages.
				got := make(chan [2]string, len(cases))
				waiting := 0
				for i, c := range cases {
					if clients[i] == nil {
						continue
					}
					waiting++
					go func() {
						all, err := io.ReadAll(clients[i])
						if err != nil {
							all = append(all, err.Error()...)
						}
						clients[i].Close()
						got <- [2]string{c.name, string(all)}
					}()
				}
				r.stop()
				byName := map[string]string{}
				for range waiting {
					g := <-got
					byName[g[0]] = g[1]
				}
				for i, c := range cases {
					if clients[i] != nil && byName[c.name] != c.want {
						t.Errorf("%s: got\n%.500q\nwant\n%.500q", c.name, byName[c.name], c.want)
					}
				}
			})
		})
	}
}

// TestNetHTTPClient has the standard library read a stream, which must show
// each message as it comes.
func TestNetHTTPClient(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		resp, err := r.web.Get("http://" + r.Addr().String() + "/test/123")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Server") != "comet" || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("status %d, fields %v", resp.StatusCode, resp.Header)
		}
		for _, message := range []string{"Hello World", "again"} {
			if n := r.publish(123, message); n != 1 {
				t.Fatalf("reached %d, want 1: the head comes after the login", n)
			}
			b := make([]byte, 1000)
			n, err := resp.Body.Read(b)
			if err != nil || !strings.Contains(string(b[:n]), message) {
				t.Fatalf("read %q, error %v", b[:n], err)
			}
		}
		r.cancel()
		if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 {
			t.Errorf("at the end %q, error %v", rest, err)
		}
	})
}

func TestSeveralConnectionsOfOneID(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		var clients []*client
		for range 10 {
			clients = append(clients, r.stream("5,6"))
		}
		if n := r.publish(6, "all"); n != 10 {
			t.Errorf("reached %d, want 10", n)
		}
		for _, c := range clients {
			c.expect(chunk(1, "all"))
		}
	})
}

func TestHEADLogsNobodyIn(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, MaxConnections: 1})
		for range 5 {
			c := r.connect("HEAD /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
			if head := c.rest(); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") {
				t.Fatalf("%q", head)
			}
		}
		if s := r.Stats(); s.Logins != 0 || s.Connections != 0 || s.Streams != 0 {
			t.Errorf("%+v", s)
		}
		if n := r.publish(1, "x"); n != 0 {
			t.Errorf("reached %d", n)
		}
	})
}

// TestLimit is the article's trap: with three allowed and one gone, the next
// gets in.
func TestLimit(t *testing.T) {
	leave := map[string]func(r *running, c *client){
		"closes":      func(_ *running, c *client) { c.Close() },
		"resets":      func(_ *running, c *client) { c.reset() },
		"half-closes": func(_ *running, c *client) { c.CloseWrite() },
	}
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, MaxConnections: 3})
		if r.MaxConnections() != 3 {
			t.Errorf("MaxConnections %d", r.MaxConnections())
		}
		refuse := func() {
			t.Helper()
			c := r.connect("GET /test/9 HTTP/1.1\r\nHost: h\r\n\r\n")
			if got := c.rest(); got != answer503 {
				t.Fatalf("over the limit: %q", got)
			}
		}
		open := []*client{r.stream("1"), r.stream("2"), r.stream("3")}
		refuse()
		refuse()
		for name, leave := range leave {
			leave(r, open[0])
			r.waitFor("one who "+name+" to be noticed", func(s Stats) bool { return s.Connections == 2 && s.Logins == 2 })
			open = append(open[1:], r.stream("4"))
			refuse()
		}
		// An id that nobody may have does not take a place, nor does one that waits.
		open[0].Close()
		r.waitFor("a place", func(s Stats) bool { return s.Connections == 2 })
		asking := r.connect("GET /test/5 HTTP/1.1\r\nHost: h\r\n")
		if got := r.connect("GET /test/x HTTP/1.1\r\nHost: h\r\n\r\n").rest(); got != answerID {
			t.Errorf("%q", got)
		}
		r.stream("6")
		asking.send("\r\n")
		if got := asking.rest(); got != answer503 {
			t.Errorf("who asked late got %q", got)
		}
		if s := r.Stats(); s.RefusedFull != 6 || s.RefusedOther != 1 || s.Connections != 3 {
			t.Errorf("refused_full %d, refused_other %d, connections %d; want 6, 1, 3", s.RefusedFull, s.RefusedOther, s.Connections)
		}
	})
}

// TestAnsweredPollFreesItsPlace though its client has not gone yet.
func TestAnsweredPollFreesItsPlace(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, MaxConnections: 1})
		for range 3 {
			poll := r.connect("GET /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n")
			r.waitForLogins(1)
			r.publish(1, "x")
			poll.expect("HTTP/1.1 200 OK\r\n")
			poll.rest()
			// The client has not closed, but the answer is over.
			if s := r.Stats(); s.Connections != 0 {
				t.Fatalf("%d connections", s.Connections)
			}
		}
	})
}

func TestHeadTimeout(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, HeadTimeout: 400 * time.Millisecond})
		stream := r.stream("1")
		partial := r.connect("GET /test/1 HTTP/1.1\r\nHost:")
		silent := r.dial()
		for name, c := range map[string]*client{"partial": partial, "silent": silent} {
			if got := c.rest(); got != answer408 {
				t.Errorf("%s: %q, want 408", name, got)
			}
		}
		r.publish(1, "still here") // the time is for the head only
		stream.expect(chunk(1, "still here"))
		if s := r.Stats(); s.RefusedOther != 2 || s.Connections != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestAnswerSurvivesTheRest: the kernel answers what nobody reads with an RST,
// which would take the answer away from the client.
func TestAnswerSurvivesTheRest(t *testing.T) {
	body := strings.Repeat("b", 100<<10)
	for name, c := range map[string]struct{ request, want string }{
		"POST with a body": {"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 102400\r\n\r\n" + body, answer404},
		"head without end": {"GET /test/1 HTTP/1.1\r\nX: " + body, answer431},
		"not HTTP":         {"\x00" + body, answer400},
		"pipelined":        {strings.Repeat("GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 5000), answer404},
	} {
		t.Run(name, func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				r := start(t, Config{Engine: t.engine})
				for range 5 {
					conn := r.connect(c.request)
					// Say more while the answer is on its way.
					conn.send("and more")
					if got := conn.rest(); got != c.want {
						t.Fatalf("got %.300q, want %.300q", got, c.want)
					}
					conn.Close()
				}
			})
		})
	}
}

// TestLinger: an answered client sees the end at once, and may go on talking for
// a while, into the void, before it is cut off.
func TestLinger(t *testing.T) {
	for request, want := range map[string]string{
		"GET /x HTTP/1.1\r\nHost: h\r\n\r\n":      answer404,
		"GET /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n": answer204,
	} {
		bothEngines(t, func(t engineT) {
			r := open(t, Config{Engine: t.engine, PollTimeout: time.Millisecond})
			r.core.lingerTime = time.Hour
			r.run()
			c := r.connect(request)
			if got := c.rest(); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			for range 20 { // a closed socket would answer the first by an RST
				c.send(strings.Repeat("b", 10_000))
				time.Sleep(100 * time.Microsecond)
			}
			c.Close()
		})
		bothEngines(t, func(t engineT) {
			r := open(t, Config{Engine: t.engine, PollTimeout: time.Millisecond})
			r.core.lingerTime = time.Millisecond
			r.run()
			c := r.connect(request)
			if got := c.rest(); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			var cut error
			for ; cut == nil; time.Sleep(time.Millisecond) {
				_, cut = c.Write([]byte("b"))
			}
			if errors.Is(cut, os.ErrDeadlineExceeded) { // the test's own
				t.Fatal("it is never cut off")
			}
		})
	}
}

// TestHalfClose: who says all and half-closes, as `nc -N` does, gets what is
// there and is logged out.
func TestHalfClose(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		for range 50 {
			for request, want := range map[string]string{
				"GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n": html11,
				"GET /x HTTP/1.1\r\nHost: h\r\n\r\n":      answer404,
				"GET /test/1 HTTP/1.1\r\n":                "",
			} {
				c := r.connect(request)
				c.CloseWrite()
				if got := c.rest(); got != want {
					t.Fatalf("%q: got %q, want %q", request, got, want)
				}
				c.Close()
			}
		}
		r.waitForLogins(0)
	})
}

// TestGoneAtOnce: however a client goes, its id is free at once and nothing is
// sent to whoever comes next.
func TestGoneAtOnce(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		for range 20 {
			a, b := r.stream("1"), r.stream("2")
			a.reset()
			b.Close()
			r.waitForLogins(0)
			c := r.stream("3") // most likely with a file descriptor of theirs
			if n := r.publish(1, "for 1") + r.publish(2, "for 2"); n != 0 {
				t.Fatalf("reached %d", n)
			}
			r.publish(3, "for 3")
			c.expect(chunk(1, "for 3"))
			c.Close()
			r.waitForLogins(0)
		}
	})
}

// TestTalkativeClient: what a client says on a stream is dropped, much of it
// too, and holds nobody up.
func TestTalkativeClient(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, Loops: 1})
		other := r.stream("2")
		c := r.stream("1")
		c.send(strings.Repeat("blah", 1<<20))
		r.publish(1, "Hello")
		c.expect(chunk(1, "Hello"))
		r.publish(2, "Hello")
		other.expect(chunk(1, "Hello"))
	})
}

func TestPoll(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, PollTimeout: 30 * time.Millisecond})
		for range 3 {
			if got := r.connect("GET /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n").rest(); got != answer204 {
				t.Errorf("no message: %q", got)
			}
		}
		r.waitFor("nobody", func(s Stats) bool { return s.Logins == 0 && s.Connections == 0 })
	})
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		c := r.connect("GET /poll/1,2 HTTP/1.0\r\n\r\n")
		r.waitForLogins(2)
		p := newPublisher(r.core) // three at once: the first is the answer
		for _, m := range []string{"one", "two", "three"} {
			p.send(2, []byte(m))
		}
		if err := p.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := c.rest(); !strings.HasSuffix(got, "Content-Length: 3\r\nServer: comet\r\nConnection: close\r\n\r\none") {
			t.Errorf("%q", got)
		}
		r.waitForLogins(0)
		r.stop()
		if s := r.Stats(); s.Written != 1 || s.DroppedClosed != s.Routed-1 {
			t.Errorf("written %d, dropped_closed %d of %d", s.Written, s.DroppedClosed, s.Routed)
		}
	})
}

func TestWebSocket(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		conn, br, _, err := ws.Dial(t.Context(), "ws://"+r.Addr().String()+"/ws/7,8")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		if br != nil {
			t.Errorf("%d bytes behind the handshake", br.Buffered())
		}
		rw := struct {
			io.Reader
			io.Writer
		}{bufio.NewReader(conn), conn}
		for _, m := range []string{"Hello", "<not escaped>", strings.Repeat("m", 100_000)} {
			if n := r.publish(8, m); n != 1 {
				t.Fatalf("reached %d", n)
			}
			got, op, err := wsutil.ReadServerData(rw)
			if err != nil || op != ws.OpText || string(got) != m {
				t.Fatalf("got %.60q op %d, error %v; want %.60q", got, op, err, m)
			}
		}
		// Data is dropped, a ping answered, a close echoed.
		if err := wsutil.WriteClientText(conn, bytes.Repeat([]byte("x"), 200_000)); err != nil {
			t.Fatal(err)
		}
		if err := wsutil.WriteClientMessage(conn, ws.OpPing, []byte("are you there")); err != nil {
			t.Fatal(err)
		}
		frame := make([]byte, len("\x8a\x0dare you there"))
		if _, err := io.ReadFull(rw, frame); err != nil || string(frame) != "\x8a\x0dare you there" {
			t.Fatalf("got %q, error %v, want a pong", frame, err)
		}
		if err := wsutil.WriteClientMessage(conn, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, "bye")); err != nil {
			t.Fatal(err)
		}
		if rest, err := io.ReadAll(rw); err != nil || string(rest) != "\x88\x02\x03\xe8" {
			t.Fatalf("got %q, error %v, want a close and the end", rest, err)
		}
		r.waitForLogins(0)
		if n := r.publish(7, "x"); n != 0 {
			t.Errorf("reached %d after the close", n)
		}
	})
}

// TestWebSocketCloseAndGo: a client that sends its close and half-closes at
// once is still answered.
func TestWebSocketCloseAndGo(t *testing.T) {
	const request = "GET /ws/1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		for range 50 {
			c := r.connect(request + "\x88\x82\x00\x00\x00\x00\x03\xe8")
			c.CloseWrite()
			if got := c.rest(); !strings.HasSuffix(got, "\r\n\r\n\x88\x02\x03\xe8") {
				t.Fatalf("got %q, want the close echoed", got)
			}
			c.Close()
		}
	})
}

// TestPingFlood: a client that pings and does not read is cut off.
func TestPingFlood(t *testing.T) {
	const request = "GET /ws/1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		c := r.connect(request)
		c.SetReadBuffer(256 << 10)
		pings := strings.Repeat("\x89\xfd\x00\x00\x00\x00"+strings.Repeat("p", 125), 1000)
		for range 1000 {
			if _, err := io.WriteString(c, pings); err != nil {
				break
			}
		}
		r.waitFor("it to be cut off", func(s Stats) bool { return s.Disconnected == 1 && s.Connections == 0 && s.BacklogBytes == 0 })
	})
}

func TestRunTwoServers(t *testing.T) {
	bothEngines(t, func(t engineT) {
		a, b := start(t, Config{Engine: t.engine}), start(t, Config{Engine: t.engine})
		ca, cb := a.stream("1"), b.stream("1")
		a.publish(1, "a")
		b.publish(1, "b")
		ca.expect(chunk(1, "a"))
		cb.expect(chunk(1, "b"))
	})
}

// TestCloseWithoutRun frees the ports.
func TestCloseWithoutRun(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := open(t, Config{Engine: t.engine})
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		for _, address := range []string{r.Addr().String(), r.AdminAddr().String()} {
			ln, err := net.Listen("tcp", address)
			if err != nil {
				t.Errorf("%s is still taken: %v", address, err)
				continue
			}
			ln.Close()
		}
	})
}
