package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// outcome is what a ResponseParser made of some bytes, with pieces put
// together, so that it can be compared however the bytes came.
type outcome struct {
	status   int
	parts    []string // "head", "chunk …", "body …", "end", "malformed"
	body     []byte
	complete bool // the connection may end here
}

// parse takes pieces as a client does: what the parser leaves comes first in
// the next piece.
func parse(t *testing.T, pieces [][]byte) (o outcome) {
	t.Helper()
	var p ResponseParser
	var kept, open []byte
	flush := func(name string) {
		o.parts = append(o.parts, name+" "+string(open))
		o.body = append(o.body, open...)
		open = nil
	}
	defer func() {
		if len(open) > 0 {
			flush("body")
		}
		o.status, o.complete = p.Status(), p.Complete()
	}()
	for _, piece := range pieces {
		b := slices.Concat(kept, piece)
		for {
			part, payload, n := p.Next(b)
			if n < 0 || n > len(b) {
				t.Fatalf("took %d of %d bytes", n, len(b))
			}
			b = b[n:]
			switch part {
			case Head:
				o.parts = append(o.parts, "head")
			case Chunk:
				open = append(open, payload...)
				flush("chunk")
			case Piece:
				if len(payload) == 0 {
					t.Fatal("an empty piece")
				}
				open = append(open, payload...)
			case End:
				if len(open) > 0 {
					flush("body")
				}
				o.parts = append(o.parts, "end")
				return o
			case Malformed:
				if len(open) > 0 {
					flush("body")
				}
				o.parts = append(o.parts, "malformed")
				return o
			}
			if part == More {
				break
			}
			if n == 0 {
				t.Fatalf("part %d without taking a byte", part)
			}
		}
		kept = bytes.Clone(b)
		if len(kept) > MaxKept {
			t.Fatalf("a caller keeps %d bytes, want %d at most", len(kept), MaxKept)
		}
	}
	return o
}

func (o outcome) String() string {
	return fmt.Sprintf("status %d, complete %t, parts %.300q", o.status, o.complete, o.parts)
}

func (o outcome) equal(other outcome) bool {
	return o.status == other.status && o.complete == other.complete && slices.Equal(o.parts, other.parts)
}

const chunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

type responseCase struct {
	name     string
	in       string
	status   int
	parts    []string
	complete bool
}

func responseCases() []responseCase {
	stream := []byte(html11)
	for i, m := range []string{"Hello", "", "<b>", strings.Repeat("y", 300)} {
		stream = HTML.AppendMessage(stream, uint64(i+1), []byte(m))
	}
	big := strings.Repeat("z", 9<<20)
	bigSize := fmt.Sprintf("%x\r\n", len(big))
	longExt := "5;" + strings.Repeat("e", maxLine) + "\r\nhello\r\n"
	longHead := "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxAnswerHead) + "\r\n\r\n"
	chunks := []string{
		"head", "chunk Recvd msg #1: 'Hello'<br/>", "chunk Recvd msg #2: ''<br/>", "chunk Recvd msg #3: '&lt;b&gt;'<br/>",
		"chunk Recvd msg #4: '" + strings.Repeat("y", 300) + "'<br/>",
	}
	return []responseCase{
		{"nothing", "", 0, nil, false},
		{"our stream, open", string(stream), 200, chunks, false},
		{"our stream, ended", string(stream) + "0\r\n\r\n", 200, append(slices.Clone(chunks), "end"), true},
		{"our HTTP/1.0 stream", html10 + "Recvd msg #1: 'x'<br/>", 200, []string{"head", "body Recvd msg #1: 'x'<br/>"}, true},
		{"our 404", string(NotFound.Bytes()), 404, []string{"head", "body There is nothing here. Streams are at GET /test/{id}, /events/{id}, /poll/{id} and /ws/{id}.\n", "end"}, true},
		{"our 204", string(NoMessage.Bytes()), 204, []string{"head", "end"}, true},
		{"our 101", switching + "\x81\x05Hello", 101, []string{"head", "body \x81\x05Hello"}, true},
		{"a body cut short", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 200, []string{"head", "body hel"}, false},
		{"no body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, []string{"head", "end"}, true},
		{"bytes behind the body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", 200, []string{"head", "body he", "end"}, true},
		{"304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, []string{"head", "end"}, true},
		{"no reason phrase", "HTTP/1.1 200\r\n\r\n", 200, []string{"head"}, true},
		{"bare line feeds", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", 200, []string{"head", "chunk hello", "end"}, true},
		{"100 first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + chunkedHead + "0\r\n\r\n", 200, []string{"head", "end"}, true},
		{"names in any case", "HTTP/1.1 200 OK\r\ntransfer-ENCODING: Chunked\r\n\r\n2\r\nhi\r\n", 200, []string{"head", "chunk hi"}, false},
		{"gzip, chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n", 200, []string{"head", "chunk hi"}, false},
		{"chunked over length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200, []string{"head", "chunk hi", "end"}, true},
		{"extension, capitals, zeros", chunkedHead + "000A ; x=\"1\"\r\n0123456789\r\n", 200, []string{"head", "chunk 0123456789"}, false},
		{"trailer", chunkedHead + "0\r\nX: y\r\nZ: 1\r\n\r\nmore", 200, []string{"head", "end"}, true},
		{"the last chunk without its empty line", chunkedHead + "0\r\n", 200, []string{"head"}, false},
		{"a large chunk", chunkedHead + bigSize + big + "\r\n1\r\na\r\n0\r\n\r\n", 200, []string{"head", "chunk " + big, "chunk a", "end"}, true},
		{"a large chunk cut short", chunkedHead + bigSize + "zz", 200, []string{"head", "body zz"}, false},

		{"not HTTP", "SSH-2.0-OpenSSH\r\n", 0, []string{"malformed"}, true},
		{"HTTP/2", "HTTP/2 200\r\n\r\n", 0, []string{"malformed"}, true},
		{"no code", "HTTP/1.1 OK\r\n\r\n", 0, []string{"malformed"}, true},
		{"a code of two digits", "HTTP/1.1 20\r\n\r\n", 0, []string{"malformed"}, true},
		{"code 099", "HTTP/1.1 099 x\r\n\r\n", 0, []string{"malformed"}, true},
		{"a bad field", "HTTP/1.1 200 OK\r\nx\r\n\r\n", 0, []string{"malformed"}, true},
		{"a bad length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", 200, []string{"malformed"}, true},
		{"a head without an end", longHead, 0, []string{"malformed"}, true},
		{"a chunk size of letters", chunkedHead + "xyz\r\n", 200, []string{"head", "malformed"}, true},
		{"no chunk size", chunkedHead + "\r\nhello", 200, []string{"head", "malformed"}, true},
		{"a negative chunk size", chunkedHead + "-5\r\nhello\r\n", 200, []string{"head", "malformed"}, true},
		{"a chunk size over 63 bits", chunkedHead + "ffffffffffffffff\r\n", 200, []string{"head", "malformed"}, true},
		{"a chunk longer than its size", chunkedHead + "4\r\nhello\r\n", 200, []string{"head", "chunk hell", "malformed"}, true},
		{"a chunk without its line end", chunkedHead + "5\r\nhello\rx", 200, []string{"head", "chunk hello", "malformed"}, true},
		{"a large chunk longer than its size", chunkedHead + bigSize + big + "z\r\n", 200, []string{"head", "chunk " + big, "malformed"}, true},
		{"an extension without an end", chunkedHead + longExt, 200, []string{"head", "malformed"}, true},
		{"a bad trailer", chunkedHead + "0\r\nx\r\n\r\n", 200, []string{"head", "malformed"}, true},
	}
}

func TestResponseParser(t *testing.T) {
	for _, c := range responseCases() {
		t.Run(c.name, func(t *testing.T) {
			got := parse(t, [][]byte{[]byte(c.in)})
			if want := (outcome{status: c.status, parts: c.parts, complete: c.complete}); !got.equal(want) {
				t.Errorf("%.200q:\ngot  %v\nwant %v", c.in, got, want)
			}
		})
	}
}

func TestResponseParserSplit(t *testing.T) {
	for _, c := range responseCases() {
		t.Run(c.name, func(t *testing.T) {
			b := []byte(c.in)
			whole := parse(t, [][]byte{b})
			cuts := make([]int, len(b)+1)
			for i := range cuts {
				cuts[i] = i
			}
			if len(b) > 8192 { // where something happens
				cuts = []int{len(chunkedHead), len(chunkedHead) + 3, len(b) / 2, len(b) - 4, len(b) - 3, len(b) - 1}
			}
			for _, cut := range cuts {
				if got := parse(t, [][]byte{b[:cut], b[cut:]}); !got.equal(whole) {
					t.Fatalf("cut at %d: %v\nwhole: %v", cut, got, whole)
				}
			}
			if len(b) > 4096 {
				return
			}
			var single [][]byte
			for i := range b {
				single = append(single, b[i:i+1])
			}
			if got := parse(t, single); !got.equal(whole) {
				t.Fatalf("byte by byte: %v\nwhole: %v", got, whole)
			}
		})
	}
}

// TestResponseParserAtRest: flood holds one for each connection.
func TestResponseParserAtRest(t *testing.T) {
	var p ResponseParser
	b := HTML.AppendMessage([]byte(html11), 1, []byte("Hello"))
	_, _, n := p.Next(b)
	_, _, m := p.Next(b[n:])
	if n+m != len(b) {
		t.Errorf("between two messages %d bytes stay with the caller, want none", len(b)-n-m)
	}
	if part, _, n := p.Next(nil); part != More || n != 0 {
		t.Errorf("no bytes: part %d, took %d", part, n)
	}
	chunk := HTML.AppendMessage(nil, 2, []byte("Hello"))
	if n := testing.AllocsPerRun(100, func() { p.Next(chunk) }); n != 0 {
		t.Errorf("a message costs %v allocations, want none", n)
	}
}

func FuzzResponse(f *testing.F) {
	for i, c := range responseCases() {
		if len(c.in) < 4096 {
			f.Add([]byte(c.in), uint64(i))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		whole := parse(t, [][]byte{b})
		if got := parse(t, pieces(b, seed)); !got.equal(whole) {
			t.Errorf("whole: %v\nin pieces: %v", whole, got)
		}
		compareWithNetHTTP(t, b, whole)
	})
}

// compareWithNetHTTP holds a complete answer against what net/http makes of the
// same bytes. Where net/http refuses, or means something else by the first head
// (it returns interim answers, and ignores chunks in HTTP/1.0), there is
// nothing to compare.
func compareWithNetHTTP(t *testing.T, b []byte, o outcome) {
	t.Helper()
	if !o.complete || slices.Contains(o.parts, "malformed") || o.status < 200 {
		return
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil || resp.StatusCode != o.status || !resp.ProtoAtLeast(1, 1) {
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && !bytes.Equal(body, o.body) {
		t.Errorf("%q:\nnet/http reads %q\nwe read      %q", b, body, o.body)
	}
}

func BenchmarkResponseParser(b *testing.B) {
	var p ResponseParser
	p.Next([]byte(html11))
	chunk := HTML.AppendMessage(nil, 12, []byte("Fake message Num = 12345 s=0badcafe.123 t=1700000000000000000"))
	b.ReportAllocs()
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		if part, _, _ := p.Next(chunk); part != Chunk {
			b.Fatal(part)
		}
	}
}
