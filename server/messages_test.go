package server

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// TestHostileMessages: whatever a message holds, and by whichever intake it comes, each
// kind of stream frames it so that it ends where it ends, and the next one follows. One
// that is too large harms nobody.
func TestHostileMessages(t *testing.T) {
	messages := []string{
		"", " ", "<script>alert('1')</script>&amp;\"", "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "a\nb\rc\r\nd\n\n", "\n\ndata: forged\nid: 9\n\n", "retry: 1\n\n",
		"nul\x00nul", "\xff\xfe\xc3(\xed\xa0\x80", "\x88\x02\x03\xe8", "\u2028\u2029\ufeff", strings.Repeat("'", 5000), strings.Repeat("é", 70_000),
	}
	intakes := map[string]func(message string) (path, body string, ok bool){
		"POST /send/1": func(m string) (string, string, bool) { return "/send/1", m, true },
		"NDJSON": func(m string) (string, string, bool) {
			text, err := json.Marshal(m)
			return "/send", fmt.Sprintf(`{"id":1,"message":%s}`, text), err == nil && utf8.ValidString(m)
		},
		"lines": func(m string) (string, string, bool) {
			return "/send", "1 " + m + "\n", !strings.ContainsAny(m, "\r\n")
		},
	}
	type stream struct {
		request string
		kind    wire.Kind
	}
	const host = " HTTP/1.1\r\nHost: h\r\n\r\n"
	streams := []stream{
		{"GET /test/1" + host, wire.HTML},
		{"GET /events/1" + host, wire.Events},
		{strings.Replace(wsRequest, "/ws/4", "/ws/1", 1), wire.WebSocket},
	}
	bothEngines(t, func(t engineT) {
		for name, intake := range intakes {
			t.Run(name, func(tt *testing.T) {
				tt.Parallel()
				t := engineT{tt, t.engine}
				r := start(t, Config{Engine: t.engine, BacklogBytes: 4 << 20})
				var clients []*client
				for _, s := range streams {
					clients = append(clients, r.connect(s.request))
				}
				r.waitForLogins(len(streams))
				want := make([][]byte, len(streams))
				n := uint64(0)
				for _, m := range append(messages, strings.Repeat("m", router.MaxMessage+1), "the last one") {
					path, body, ok := intake(m)
					if !ok {
						continue // it cannot be said so
					}
					code, answer := r.ask("POST", path, body)
					if tooLong := len(m) > router.MaxMessage; (code == 200) == tooLong {
						t.Errorf("%s: %.40q is answered %d %s", name, m, code, answer)
					} else if tooLong {
						continue
					}
					n++
					for i, s := range streams {
						want[i] = s.kind.AppendMessage(want[i], n, []byte(m))
					}
					// A long poll has the same message as its whole answer.
					poll := r.connect("GET /poll/1" + host)
					r.waitForLogins(len(streams) + 1)
					if code, _ := r.ask("POST", path, body); code != 200 {
						t.Errorf("%s: %.40q a second time: %d", name, m, code)
					}
					n++
					for i, s := range streams {
						want[i] = s.kind.AppendMessage(want[i], n, []byte(m))
					}
					poll.expect(string(wire.Poll.AppendMessage(nil, 1, []byte(m))))
					r.waitForLogins(len(streams))
				}
				r.cancel()
				for i, c := range clients {
					_, body, _ := strings.Cut(c.rest(), "\r\n\r\n")
					if all := string(want[i]) + map[wire.Kind]string{wire.WebSocket: restart}[streams[i].kind]; body != all && body != all+lastOne {
						t.Errorf("%s: kind %d got %d bytes, want %d", name, streams[i].kind, len(body), len(all))
					}
				}
				r.ended()
			})
		}
	})
}

// TestEndlessLine: a line that does not end is refused once no message is that long, and
// not kept for as long as it goes on.
func TestEndlessLine(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		for _, line := range []struct {
			begin string
			most  int
		}{{"1 ", maxTextLine}, {`{"id":1,"message":"`, maxJSONLine}} {
			begin, most := line.begin, line.most
			c := dial(t, r.AdminAddr().String())
			c.send("POST /send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(begin), begin))
			written := make(chan struct{})
			go func() {
				defer close(written)
				piece := fmt.Sprintf("%x\r\n%s\r\n", lineBuffer, strings.Repeat("x", lineBuffer))
				for n := 0; n < 2*most+2*lineBuffer; n += lineBuffer { // a buffer doubles before it is looked at
					if _, err := io.WriteString(c, piece); err != nil {
						return // it was cut off
					}
				}
			}()
			answer := make([]byte, 1<<10)
			n, err := c.Read(answer)
			if text := string(answer[:n]); err != nil || !strings.HasPrefix(text, "HTTP/1.1 400 ") || !strings.Contains(text, "line 1: a message may have 1 MiB") {
				t.Errorf("%q without end is answered %q, error %v", begin, text, err)
			}
			c.Close()
			<-written
		}
	})
}
