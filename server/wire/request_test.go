package wire

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// headCase is one request head and what the server owes it.
type headCase struct {
	name string
	in   string
	kind Kind    // of the stream, 0 for none
	ids  []int64 // of the stream
	// answer is all that is sent, or the head of the stream.
	answer []byte
	len    int // of the head; 0 stands for the whole input
}

const crlf = "\r\n"

// get is a request head as curl writes it.
func get(target string, fields ...string) string {
	return "GET " + target + " HTTP/1.1" + crlf + "Host: h" + crlf + strings.Join(append(fields, ""), crlf) + crlf
}

const (
	html11 = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nServer: comet\r\n\r\n"
	html10 = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nServer: comet\r\nConnection: close\r\n\r\n"
	sse11  = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nServer: comet\r\n\r\n"
	sse10  = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nServer: comet\r\nConnection: close\r\n\r\n"
	// To HEAD: the same head, but this connection ends here.
	htmlHEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nServer: comet\r\nConnection: close\r\n\r\n"
	sseHEAD  = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nServer: comet\r\nConnection: close\r\n\r\n"
	pollHEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nServer: comet\r\nConnection: close\r\n\r\n"
)

func stream(name, in string, kind Kind, answer string, ids ...int64) headCase {
	return headCase{name: name, in: in, kind: kind, ids: ids, answer: []byte(answer)}
}

func refused(name, in string, a *Answer) headCase {
	return headCase{name: name, in: in, answer: a.whole}
}

func headCases() []headCase {
	onlyHead := func(name, in string, a *Answer) headCase {
		return headCase{name: name, in: in, answer: a.head}
	}
	cases := []headCase{
		stream("html", get("/test/123"), HTML, html11, 123),
		stream("several ids", get("/test/1,2,3"), HTML, html11, 1, 2, 3),
		stream("an id twice is one", get("/test/2,1,2,02"), HTML, html11, 2, 1),
		stream("lowest id", get("/test/0"), HTML, html11, 0),
		stream("highest id", get("/test/9223372036854775807"), HTML, html11, math.MaxInt64),
		stream("leading zeros", get("/test/00000000000000000000000007"), HTML, html11, 7),
		stream("query", get("/test/1?x=/test/2,3"), HTML, html11, 1),
		stream("empty query", get("/test/1?"), HTML, html11, 1),
		stream("absolute form", get("http://example.com:8000/test/5"), HTML, html11, 5),
		stream("absolute form, capital scheme", get("HTTP://example.com/test/5?q"), HTML, html11, 5),
		stream("bare line feeds", "GET /test/1 HTTP/1.1\nHost: h\n\n", HTML, html11, 1),
		stream("empty lines first", "\r\n\n\r\n"+get("/test/1"), HTML, html11, 1),
		stream("empty field value", get("/test/1", "X-Empty:"), HTML, html11, 1),
		stream("field value with bytes over 127", get("/test/1", "X: \xff\xfe é"), HTML, html11, 1),
		stream("HTTP/1.7 is 1.1 to us", "GET /test/1 HTTP/1.7\r\nHost: h\r\n\r\n", HTML, html11, 1),
		stream("HTTP/1.0", "GET /test/1 HTTP/1.0\r\n\r\n", HTML|unchunked, html10, 1),
		stream("events", get("/events/4,5"), Events, sse11, 4, 5),
		stream("events HTTP/1.0", "GET /events/4 HTTP/1.0\r\n\r\n", Events|unchunked, sse10, 4),
		stream("poll", get("/poll/4"), Poll, "", 4),
		stream("poll HTTP/1.0", "GET /poll/4 HTTP/1.0\r\n\r\n", Poll|unchunked, "", 4),
		stream("as long as a head may be", padded(DefaultMaxHead), HTML, html11, 1),

		refused("no id", get("/test/"), BadID),
		refused("no id before the query", get("/test/?1"), BadID),
		refused("a word", get("/test/bob"), BadID),
		refused("a number and more", get("/test/12x"), BadID),
		refused("negative", get("/test/-1"), BadID),
		refused("a plus sign", get("/test/+1"), BadID),
		refused("a fraction", get("/test/1.5"), BadID),
		refused("2^63", get("/test/9223372036854775808"), BadID),
		refused("far too large", get("/test/99999999999999999999999"), BadID),
		refused("a list with a hole", get("/test/1,,2"), BadID),
		refused("a list that goes on", get("/test/1,"), BadID),
		refused("a comma", get("/test/,"), BadID),
		refused("a further segment", get("/test/1/2"), BadID),
		refused("events without id", get("/events/"), BadID),
		refused("poll without id", get("/poll/x"), BadID),
		refused("ws without id", get("/ws/x"), BadID),

		refused("root", get("/"), NotFound),
		refused("no slash", get("/test"), NotFound),
		refused("another path", get("/tests/1"), NotFound),
		refused("capital path", get("/Test/1"), NotFound),
		refused("absolute form without a path", get("http://example.com"), NotFound),
		refused("absolute form, a path in the query", get("http://example.com?/test/1"), NotFound),
		refused("absolute form of another scheme", get("ftp://example.com/test/1"), NotFound),
		refused("asterisk", get("*"), NotFound),
		refused("POST", "POST /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", NotFound),
		refused("POST elsewhere", "POST /x HTTP/1.1\r\nHost: h\r\n\r\n", NotFound),

		refused("PUT", "PUT /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", NotImplemented),
		refused("OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", NotImplemented),
		refused("lower case is another method", "get /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", NotImplemented),
		refused("unknown method", "BREW /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", NotImplemented),
		refused("method of 32 letters", strings.Repeat("M", 32)+" / HTTP/1.1\r\nHost: h\r\n\r\n", NotImplemented),

		refused("method of 33 letters", strings.Repeat("M", 33)+" / HTTP/1.1\r\n\r\n", NotHTTP),
		refused("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", NotHTTP),
		refused("binary", "\x00\xff\x80\x00", NotHTTP),
		refused("SSH", "SSH-2.0-OpenSSH_9.2\r\n", NotHTTP),
		refused("a space first", " GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", NotHTTP),
		refused("HTTP/0.9", "GET /test/1\r\n", NotHTTP),
		refused("HTTP/2 without an upgrade", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NotHTTP),
		refused("HTTP/1", "GET /test/1 HTTP/1\r\n\r\n", NotHTTP),
		refused("HTTP/1.10", "GET /test/1 HTTP/1.10\r\n\r\n", NotHTTP),
		refused("http/1.1", "GET /test/1 http/1.1\r\n\r\n", NotHTTP),
		refused("two spaces", "GET  /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", NotHTTP),
		refused("a space in the target", "GET /test/1 2 HTTP/1.1\r\nHost: h\r\n\r\n", NotHTTP),
		refused("a control byte in the target", "GET /test/1\x01 HTTP/1.1\r\nHost: h\r\n\r\n", NotHTTP),
		refused("a return within the request line", "GET /test/1\rX HTTP/1.1\r\nHost: h\r\n\r\n", NotHTTP),
		refused("only a method", "GET\r\n\r\n", NotHTTP),
		refused("field without a colon", get("/test/1", "Host"), NotHTTP),
		refused("field without a name", get("/test/1", ": x"), NotHTTP),
		refused("space before the colon", get("/test/1", "Host : x"), NotHTTP),
		refused("folded field", get("/test/1", "X: a", " b"), NotHTTP),
		refused("NUL in a field", get("/test/1", "X: a\x00b"), NotHTTP),
		refused("a return within a field", get("/test/1", "X: a\rb"), NotHTTP),
		refused("bad field after a bad path", get("/", "x"), NotHTTP),
		refused("seventeen empty lines", strings.Repeat("\n", 17)+get("/test/1"), NotHTTP),

		refused("one byte too long", padded(DefaultMaxHead+1), headTooLong(DefaultMaxHead)),
		refused("one field without an end", "GET /test/1 HTTP/1.1\r\nX: "+strings.Repeat("x", 2*DefaultMaxHead), headTooLong(DefaultMaxHead)),
		refused("a target without an end", "GET /test/"+strings.Repeat("1", 2*DefaultMaxHead), headTooLong(DefaultMaxHead)),

		{name: "HEAD", in: "HEAD /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", answer: []byte(htmlHEAD)},
		{name: "HEAD HTTP/1.0", in: "HEAD /test/1 HTTP/1.0\r\n\r\n", answer: []byte(html10)},
		{name: "HEAD events", in: "HEAD /events/1 HTTP/1.1\r\nHost: h\r\n\r\n", answer: []byte(sseHEAD)},
		{name: "HEAD events HTTP/1.0", in: "HEAD /events/1 HTTP/1.0\r\n\r\n", answer: []byte(sse10)},
		{name: "HEAD poll", in: "HEAD /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n", answer: []byte(pollHEAD)},
		onlyHead("HEAD without id", "HEAD /test/ HTTP/1.1\r\nHost: h\r\n\r\n", BadID),
		onlyHead("HEAD elsewhere", "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n", NotFound),
		onlyHead("HEAD with a bad field", "HEAD /test/1 HTTP/1.1\r\nx\r\n\r\n", NotHTTP),
		onlyHead("HEAD too long", "HEAD /test/1 HTTP/1.1\r\nX: "+strings.Repeat("x", DefaultMaxHead), headTooLong(DefaultMaxHead)),
		onlyHead("HEAD ws", "HEAD /ws/1 HTTP/1.1\r\nHost: h\r\n\r\n", UpgradeNeeded),
	}
	cases = append(cases, upgradeCases()...)
	cases = append(cases, targetCases()...)
	cases = append(cases, fieldCases()...)

	rest := stream("bytes after the head", get("/test/1"), HTML, html11, 1)
	rest.len = len(rest.in)
	rest.in += get("/test/2") + "\x00\xff"
	body := refused("a body after the head", "POST /test/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n", NotFound)
	body.len = len(body.in)
	body.in += "abc"
	return append(cases, rest, body)
}

// padded is a head of exactly n bytes.
func padded(n int) string {
	const start, end = "GET /test/1 HTTP/1.1\r\nHost: h\r\nX: ", "\r\n\r\n"
	return start + strings.Repeat("x", n-len(start)-len(end)) + end
}

// plain is a Parser as most have it.
var plain Parser

func TestParse(t *testing.T) {
	for _, c := range headCases() {
		t.Run(c.name, func(t *testing.T) {
			req, ok := plain.Parse([]byte(c.in), 0, nil)
			if !ok {
				t.Fatalf("%.200q is still waited for", c.in)
			}
			if req.Kind != c.kind || !slices.Equal(req.IDs, c.ids) || !bytes.Equal(req.Answer, c.answer) {
				t.Errorf("%.200q:\nkind %d ids %d answer %q\nwant\nkind %d ids %d answer %q",
					c.in, req.Kind, req.IDs, req.Answer, c.kind, c.ids, c.answer)
			}
			want := c.len
			if want == 0 {
				want = len(c.in)
			}
			if c.kind != 0 && req.Len != want {
				t.Errorf("the head took %d bytes, want %d", req.Len, want)
			}
		})
	}
}

// TestParseSplit holds that the pieces a head comes in make no
// difference: with each further byte there is either no answer yet, or the one
// that the whole gets.
func TestParseSplit(t *testing.T) {
	for _, c := range headCases() {
		t.Run(c.name, func(t *testing.T) {
			whole, _ := plain.Parse([]byte(c.in), 0, nil)
			headEnd := max(whole.Len, 1)
			from := 0
			for n := range len(c.in) {
				req, ok := plain.Parse([]byte(c.in[:n]), from, nil)
				if from = 0; !ok {
					from = req.Len
				}
				switch {
				case ok && (req.Kind != whole.Kind || !slices.Equal(req.IDs, whole.IDs) || !bytes.Equal(req.Answer, whole.Answer)):
					t.Fatalf("after %d bytes %q, in the end %q", n, req.Answer, whole.Answer)
				case ok && req.Kind != 0 && n < headEnd:
					t.Fatalf("a stream after %d bytes of a head of %d", n, headEnd)
				case !ok && whole.Len > 0 && n >= whole.Len:
					t.Fatalf("nothing after %d bytes, though the head has %d", n, whole.Len)
				}
			}
		})
	}
}

// TestRefusedEarly holds that what can never become HTTP is told so with its
// first bytes, and does not hold a connection until the timeout.
func TestRefusedEarly(t *testing.T) {
	for _, in := range []string{"\x16", "\x00", " ", "GET\x80", "GET\n", strings.Repeat("M", 33)} {
		if req, ok := plain.Parse([]byte(in), 0, nil); !ok || !bytes.Equal(req.Answer, NotHTTP.Bytes()) {
			t.Errorf("%q: answered %t %q, want 400", in, ok, req.Answer)
		}
	}
	for _, in := range []string{"", "G", "GET", "GET ", "GET /test/1", "GET /test/1 HTTP/1.1\r", "GET /test/1 HTTP/1.1\r\n", "\r\n", strings.Repeat("\n", 16)} {
		if req, ok := plain.Parse([]byte(in), 0, nil); ok {
			t.Errorf("%q: answered %q, though it may become a request", in, req.Answer)
		}
	}
}

// TestParseReusesScratch: the ids of one head must not be mixed with those
// of the one before, and parsing must not allocate once the slice is there.
func TestParseReusesScratch(t *testing.T) {
	scratch := new(Scratch)
	plain.Parse([]byte(get("/test/1,2,3")), 0, scratch)
	second, _ := plain.Parse([]byte(get("/test/4")), 0, scratch)
	if !slices.Equal(second.IDs, []int64{4}) {
		t.Errorf("ids %d, want [4]", second.IDs)
	}
	head := []byte(get("/test/123"))
	if n := testing.AllocsPerRun(100, func() { plain.Parse(head, 0, scratch) }); n != 0 {
		t.Errorf("a plain head costs %v allocations, want none", n)
	}
}

func TestParseID(t *testing.T) {
	for in, want := range map[string]int64{"0": 0, "7": 7, "007": 7, "9223372036854775807": math.MaxInt64} {
		if got, ok := ParseID([]byte(in)); !ok || got != want {
			t.Errorf("%q: %d %t, want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "-0", "+1", " 1", "1 ", "0x1", "1e3", "9223372036854775808", "9223372036854775810", "10000000000000000000", "١"} {
		if got, ok := ParseID([]byte(in)); ok {
			t.Errorf("%q is id %d, want none", in, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range headCases() {
		f.Add([]byte(c.in), len(c.in)/2)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		whole, ok := plain.Parse(b, 0, nil)
		if !ok {
			if len(b) > DefaultMaxHead+16 {
				t.Errorf("%d bytes and no answer", len(b))
			}
			return
		}
		if err := checkRequest(whole, b); err != nil {
			t.Error(err)
		}
		cut = min(max(cut, 0), len(b))
		early, ok := plain.Parse(b[:cut], 0, nil)
		if !ok {
			if late, ok := plain.Parse(b, early.Len, nil); !ok || late.Kind != whole.Kind || late.Len != whole.Len || !bytes.Equal(late.Answer, whole.Answer) {
				t.Errorf("%q: from %d on %+v, at once %+v", b, early.Len, late, whole)
			}
		}
		if ok && (early.Kind != whole.Kind || early.Len != whole.Len || !slices.Equal(early.IDs, whole.IDs) || !bytes.Equal(early.Answer, whole.Answer)) {
			t.Errorf("%q: after %d bytes %+v, in the end %+v", b, cut, early, whole)
		}
		if !ok && whole.Len > 0 && cut >= whole.Len {
			t.Errorf("%q: nothing after %d bytes of a head of %d", b, cut, whole.Len)
		}
	})
}

func checkRequest(req Request, b []byte) error {
	if req.Len > len(b) || req.Len > DefaultMaxHead+16 {
		return fmt.Errorf("a head of %d bytes in %d", req.Len, len(b))
	}
	if req.Kind == 0 {
		if len(req.IDs) > 0 || !bytes.HasPrefix(req.Answer, []byte("HTTP/1.1 ")) || !bytes.Contains(req.Answer, []byte("\r\nConnection: close\r\n")) {
			return fmt.Errorf("a refusal %q with ids %d", req.Answer, req.IDs)
		}
		return nil
	}
	if len(req.IDs) == 0 || req.Len == 0 {
		return fmt.Errorf("a stream for %d, of a head of %d bytes", req.IDs, req.Len)
	}
	seen := map[int64]bool{}
	for _, id := range req.IDs {
		if id < 0 || seen[id] {
			return fmt.Errorf("ids %d", req.IDs)
		}
		seen[id] = true
	}
	return nil
}

func BenchmarkParse(b *testing.B) {
	head := []byte(get("/test/12345", "User-Agent: comet-flood/1.0", "Accept: */*"))
	scratch := new(Scratch)
	b.ReportAllocs()
	for b.Loop() {
		plain.Parse(head, 0, scratch)
	}
}
