package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/comet/server/router"
)

var dates = regexp.MustCompile(`Date: [^\r]*`)

// TestIntakeAnswersAlike: what the loops answer, and what they leave to net/http,
// is the same to the byte as without them, however it is cut.
func TestIntakeAnswersAlike(t *testing.T) {
	post := func(target, fields, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", target, fields, len(body), body)
	}
	chunked := func(body string) string {
		return "POST /send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + body
	}
	trailed := func(fields string) string { return chunked("4\r\n1 a\n\r\n0\r\n" + fields + "\r\n") }
	long := strings.Repeat("m", 40_000)
	for name, requests := range map[string]string{
		"one":                        post("/send/1", "", "Hello"),
		"nobody there":               post("/send/99", "", "Hello"),
		"empty":                      post("/send/1", "", ""),
		"pipelined":                  post("/send/1", "", "a") + post("/send/2", "", "b") + post("/send/1", "User-Agent: x\r\n", "c") + post("/send", "", "1 d\n2 e"),
		"a page behind a message":    post("/send/1", "", "a") + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + post("/send/2", "", "b"),
		"longer than a loop takes":   post("/send/1", "", long) + post("/send/1", "", "b"),
		"too long":                   post("/send/1", "", strings.Repeat("m", router.MaxMessage+1)),
		"in chunks":                  strings.Replace(chunked("3\r\nabc\r\n0\r\n\r\n"), "/send", "/send/1", 1),
		"an id that is none":         post("/send/x", "", "a"),
		"an id over 2^63-1":          post("/send/9223372036854775808", "", "a"),
		"a query":                    post("/send/1?x=y", "", "a"),
		"an escape":                  post("/send/%31", "", "a"),
		"another path":               post("/sent/1", "", "a"),
		"a slash more":               post("/send/1/", "", "a") + post("/send/1", "", "b"),
		"an absolute target":         post("http://localhost/send/1", "", "a"),
		"to be closed":               post("/send/1", "Connection: close\r\n", "a"),
		"kept alive":                 post("/send/1", "Connection: keep-alive\r\n", "a"),
		"expects":                    post("/send/1", "Expect: 100-continue\r\n", "a"),
		"twice a length":             post("/send/1", "Content-Length: 1\r\n", "a"),
		"two lengths":                post("/send/1", "Content-Length: 2\r\n", "a"),
		"a length and chunks":        post("/send/1", "Transfer-Encoding: chunked\r\n", "a"),
		"a length that is none":      "POST /send/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: +1\r\n\r\na",
		"no length":                  "POST /send/1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"another coding":             strings.Replace(chunked(""), "chunked", "gzip, chunked", 1) + "0\r\n\r\n",
		"no host":                    "POST /send/1 HTTP/1.1\r\nContent-Length: 1\r\n\r\na",
		"two hosts":                  post("/send/1", "Host: localhost\r\n", "a"),
		"a host that is none":        strings.Replace(post("/send/1", "", "a"), "localhost", "a b", 1),
		"a host that is not known":   strings.Replace(post("/send/1", "", "a"), "localhost", "evil.example", 1),
		"let pass, then not":         post("/send/1", "", "a") + strings.Replace(post("/send/1", "", "b"), "localhost", "evil.example", 1),
		"of another site":            post("/send/1", "", "a") + post("/send/1", "Sec-Fetch-Site: cross-site\r\n", "b"),
		"of another origin":          post("/send/1", "Origin: http://evil.example\r\n", "a"),
		"HTTP/1.0":                   "POST /send/1 HTTP/1.0\r\nContent-Length: 1\r\n\r\na",
		"HTTP/1.2":                   "POST /send/1 HTTP/1.2\r\nHost: localhost\r\nContent-Length: 1\r\n\r\na",
		"LF alone":                   "POST /send/1 HTTP/1.1\nHost: localhost\nContent-Length: 1\n\na",
		"a folded field":             post("/send/1", "X: a\r\n b\r\n", "a"),
		"a blank before the colon":   post("/send/1", "X : a\r\n", "a"),
		"a control character":        post("/send/1", "X: a\x01\r\n", "a"),
		"GET":                        "GET /send/1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"no HTTP":                    "hello\r\n\r\n",
		"an empty line before":       "\r\n" + post("/send/1", "", "a"),
		"an empty line behind":       post("/send/1", "", "a") + "\r\n" + post("/send/2", "", "b") + "\n\r\n" + post("/send", "", "1 c") + "\r\n" + "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"line ends behind":           post("/send/1", "", "a") + "\r\n\r\n\r\n" + post("/send/2", "", "b"),
		"another letter in chunked":  strings.Replace(chunked("4\r\n1 a\n\r\n0\r\n\r\n"), "chunked", "chun\u212aed", 1),
		"a size that LF ends":        chunked("4\n1 a\n\r\n0\r\n\r\n"),
		"a chunk that LF ends":       chunked("4\r\n1 a\n\n0\r\n\r\n"),
		"a CR in an extension":       chunked("4;\rx\r\n1 a\n\r\n0\r\n\r\n"),
		"a blank before extensions":  chunked("4 ;x\r\n1 a\n\r\n0\r\n\r\n"),
		"a trailer that LF ends":     chunked("4\r\n1 a\n\r\n0\r\n\n"),
		"much besides lines":         chunked(strings.Repeat("4;"+strings.Repeat("x", 2000)+"\r\n1 a\n\r\n", 30) + "0\r\n\r\n"),
		"a size of 17 digits":        chunked("00000000000000004\r\n1 a\n\r\n0\r\n\r\n"),
		"a large head":               post("/send/1", "X: "+strings.Repeat("x", 10_000)+"\r\n", "a"),
		"lines":                      post("/send", "", "1 a\n{\"id\":2,\"message\":\"b\"}\r\n\n1 c\n"),
		"lines, the last not ended":  post("/send", "", "1 a\n2 b"),
		"no lines":                   post("/send", "", "") + post("/send/1", "", "a"),
		"lines in chunks":            chunked("4\r\n1 a\n\r\n2;x=y\r\n2 \r\n2\r\nb\n\r\n0\r\nTrailer: x\r\n\r\n") + post("/send/1", "", "c"),
		"no lines in chunks":         chunked("0\r\n\r\n") + chunked("0\r\n\r\n"),
		"a bad line":                 post("/send", "", "1 a\nbob b\n1 c\n"),
		"a bad last line":            chunked("5\r\n1 a\n2\r\n0\r\n\r\n"),
		"a chunk size that is none":  chunked("4\r\n1 a\n\r\nzz\r\n"),
		"a size of 64 bits":          chunked("ffffffffffffffff\r\n1 a\n"),
		"a size that nobody doubles": chunked("6000000000000000\r\n1 a\n"),
		"a size of letters, no end":  chunked("4\r\n1 a\n\r\nzz"),
		"a size of 5000 letters":     chunked("4\r\n1 a\n\r\n" + strings.Repeat("z", 5000)),
		"a byte behind a chunk":      chunked("4\r\n1 a\nX"),
		"a chunk without its end":    chunked("3\r\n1 aXX\r\n0\r\n\r\n"),
		"a line too long":            post("/send", "", "1 "+strings.Repeat("m", router.MaxMessage+1)+"\n"),
		"a long line":                post("/send", "", "1 "+strings.Repeat("m", router.MaxMessage)+"\n2 b\n"),
		"cut in a head":              "POST /send/1 HTTP/1.1\r\nHost: local",
		"cut in a message":           "POST /send/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc",
		"cut in lines":               "POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n1 a\n2 b",
		"cut in a chunk":             chunked("20\r\n1 a\n2 b"),
		"cut in the size of a chunk": chunked("4\r\n1 a\n\r\n2"),
		"cut behind a chunk":         chunked("4\r\n1 a\n\r"),
		"a byte behind":              post("/send/1", "", "a") + "P",
		"three bytes behind":         post("/send/1", "", "a") + "abc",
		"three bytes of a request":   post("/send", "", "1 a\n") + "POS",
		"a line end, and two bytes":  post("/send/1", "", "a") + "\nPO",
		"four bytes behind":          post("/send/1", "", "a") + "POST",
		"no trailer":                 trailed("") + post("/send/2", "", "b"),
		"two trailers":               trailed("X: y\r\nY: z\r\n") + post("/send/2", "", "b"),
		"trailers alike":             trailed("X: y\r\nX: z\r\n") + post("/send/2", "", "b"),
		"a folded trailer":           trailed("X: y\r\n z\r\n") + post("/send/2", "", "b"),
		"a folded first trailer":     trailed(" X: y\r\n") + post("/send/2", "", "b"),
		"a blank before its colon":   trailed("X : y\r\n") + post("/send/2", "", "b"),
		"a trailer without a colon":  trailed("X\r\n") + post("/send/2", "", "b"),
		"a trailer without a name":   trailed(": y\r\n") + post("/send/2", "", "b"),
		"a trailer with a bare LF":   trailed("X: y\nY: z\r\n") + post("/send/2", "", "b"),
		"a trailer with a bare CR":   trailed("X: y\rY: z\r\n") + post("/send/2", "", "b"),
		"a control in a trailer":     trailed("X: y\x01\r\n") + post("/send/2", "", "b"),
		"trailers that LFs end":      trailed("X: y\n\n") + post("/send/2", "", "b"),
		"a trailer that one LF ends": trailed("X: y\r\n\n") + post("/send/2", "", "b"),
		"a framing field behind":     trailed("Content-Length: 3\r\n") + post("/send/2", "", "b"),
		"a long trailer":             trailed("X: "+strings.Repeat("y", 4000)+"\r\n") + post("/send/2", "", "b"),
		"a trailer of 4096 bytes":    trailed("X: "+strings.Repeat("y", 4096-7)+"\r\n") + post("/send/2", "", "b"),
		"a trailer of 4097 bytes":    trailed("X: "+strings.Repeat("y", 4097-7)+"\r\n") + post("/send/2", "", "b"),
		"a trailer far too long":     trailed("X: "+strings.Repeat("y", 9000)+"\r\n") + post("/send/2", "", "b"),
		"cut before the trailer":     chunked("4\r\n1 a\n\r\n0\r\n"),
		"cut in a line end":          chunked("4\r\n1 a\n\r\n0\r\n\r"),
		"cut in a trailer":           chunked("4\r\n1 a\n\r\n0\r\nX: y"),
		"cut behind a trailer":       chunked("4\r\n1 a\n\r\n0\r\nX: y\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want string
			for _, engine := range []Engine{Goroutine, Epoll} {
				for _, cut := range []int{0, 1, 7} {
					r := start(t, Config{Engine: engine})
					got := exchanged(t, r, requests, cut)
					if want == "" {
						want = got
					}
					if got != want {
						t.Errorf("%s, cut by %d:\n%s\nwant\n%s", engine, cut, got, want)
					}
					r.stop()
				}
			}
		})
	}
}

// TestIntakeExcess: how much a stream may have besides its lines does not depend on how the
// sizes of its chunks come.
func TestIntakeExcess(t *testing.T) {
	for _, engine := range []Engine{Goroutine, Epoll} {
		r := start(t, Config{Engine: engine})
		conn, err := net.Dial("tcp", r.AdminAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		go func() {
			io.WriteString(conn, "POST /send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
			for range 9 {
				io.WriteString(conn, "4;"+strings.Repeat("x", 2000)+"\r\n")
				time.Sleep(5 * time.Millisecond)
				io.WriteString(conn, "1 a\n\r\n")
			}
			io.WriteString(conn, "0\r\n\r\n")
		}()
		if answer, _ := bufio.NewReader(conn).ReadString('}'); !strings.Contains(answer, `"sent":8,`) || !strings.Contains(answer, "too much non-data") {
			t.Errorf("%s: %s", engine, answer)
		}
	}
}

// TestIntakeTokens: where the admin listener has a token, each request takes it, also one
// that a loop would take, and behind one that had it.
func TestIntakeTokens(t *testing.T) {
	const right, wrong, none = "Authorization: Bearer the token\r\n", "Authorization: Bearer the tokem\r\n", ""
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, AdminToken: "the token"})
		for _, target := range []string{"/send/1", "/send"} {
			for _, fields := range [][]string{{right, right}, {none}, {wrong}, {right, none}, {right, wrong}, {"Authorization: Basic the token\r\n"}} {
				requests, want := "", []int{}
				for _, field := range fields {
					requests += "POST " + target + " HTTP/1.1\r\nHost: localhost\r\n" + field + "Content-Length: 3\r\n\r\n1 m"
					want = append(want, map[bool]int{true: 200, false: 401}[field == right])
				}
				before := r.Stats().Sent
				c := dial(t, r.AdminAddr().String())
				c.send(requests)
				got, in := []int{}, bufio.NewReader(c)
				for range want {
					answer, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatalf("%s with %q: after %v %v", target, fields, got, err)
					}
					io.Copy(io.Discard, answer.Body)
					got = append(got, answer.StatusCode)
				}
				c.Close()
				sent := r.Stats().Sent - before
				if !slices.Equal(got, want) || sent != uint64(strings.Count(requests, right)) {
					t.Errorf("%s with %q is answered %v, want %v; %d messages were taken", target, fields, got, want, sent)
				}
			}
		}
	})
}

// exchanged sends requests, the first 600 bytes of them in pieces, says that there
// are no more, and returns the answers, and what was counted.
func exchanged(t *testing.T, r *running, requests string, pieces int) string {
	t.Helper()
	conn, err := net.Dial("tcp", r.AdminAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	go func() {
		for at := 0; pieces > 0 && at < 600 && len(requests) > 0; at += pieces {
			n := min(pieces, len(requests))
			io.WriteString(conn, requests[:n])
			requests = requests[n:]
			if at%(20*pieces) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		io.WriteString(conn, requests)
		conn.(*net.TCPConn).CloseWrite()
	}()
	answers, _ := io.ReadAll(conn) // a reset is as good an end
	s := r.Stats()
	return fmt.Sprintf("%s\nsent %d, unaddressed %d", dates.ReplaceAllString(string(answers), "Date: now"), s.Sent, s.Unaddressed)
}

// TestIntakeMoves: a connection that asks for a page goes to net/http, and goes on
// there; one that rests in the middle of a request is not kept waiting.
func TestIntakeMoves(t *testing.T) {
	r := start(t, Config{Engine: Epoll})
	conn, err := net.Dial("tcp", r.AdminAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	answers := bufio.NewReader(conn)
	for _, request := range []string{
		"POST /send/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\na",
		"POST /send/1 HTTP/1.1\r\nHost: localhost\r\nCont|ent-Length: 1\r\n\r\nb",
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST /send/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n|c",
	} {
		first, second, _ := strings.Cut(request, "|")
		io.WriteString(conn, first)
		if second != "" {
			time.Sleep(2 * partTime)
			io.WriteString(conn, second)
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%q: %v, %v", request, resp, err)
		}
		io.Copy(io.Discard, resp.Body)
	}
	if s := r.Stats(); s.Sent != 3 {
		t.Errorf("sent %d", s.Sent)
	}
}

// TestIntakeShutdown: a stream of lines that a shutdown ends is told how much of it
// was taken, and that is delivered.
func TestIntakeShutdown(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		c := r.stream("1")
		conn, err := net.Dial("tcp", r.AdminAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, "POST /send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1 a\n\r\n")
		c.expect(chunk(1, "a"))
		io.WriteString(conn, "2\r\n1 \r\n")
		r.cancel()
		answer, _ := io.ReadAll(conn)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 503 ") || !strings.Contains(string(answer), `{"sent":1,"reached":1,"unaddressed":0,"error":"the server is shutting down`) {
			t.Errorf("%s", answer)
		}
		c.expect("0\r\n\r\n")
	})
}

// TestIntakeManyRecipients: lines to an id with many connections go on in turns.
func TestIntakeManyRecipients(t *testing.T) {
	const conns, lines = 50, 400
	r := start(t, Config{Engine: Epoll})
	streams := make([]*client, conns)
	for i := range streams {
		streams[i] = r.stream("1")
	}
	var body, want strings.Builder
	for n := range lines {
		fmt.Fprintf(&body, "1 m%d\n", n)
		want.WriteString(chunk(n+1, fmt.Sprint("m", n)))
	}
	code, answer := r.ask("POST", "/send", body.String())
	if wantAnswer := fmt.Sprintf(`{"sent":%d,"reached":%d,"unaddressed":0}`+"\n", lines, lines*conns); code != 200 || answer != wantAnswer {
		t.Errorf("%d %s, want %s", code, answer, wantAnswer)
	}
	for _, c := range streams {
		c.expect(want.String())
	}
}
