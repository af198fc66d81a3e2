package wire

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// answerHeadCases returns heads as servers in the field send them, each with what
// makes its body readable.
func answerHeadCases() []responseCase {
	const ok, hi, length = "HTTP/1.1 200 OK\r\n", "2\r\nhi\r\n", "\r\n\r\nhello"
	chunked := func(name, head string) responseCase {
		return responseCase{name, head + "\r\n\r\n" + hi + "0\r\n\r\n", 200, []string{"head", "chunk hi", "end"}, true}
	}
	sized := func(name, head string) responseCase {
		return responseCase{name, head + length, 200, []string{"head", "body hello", "end"}, true}
	}
	raw := func(name, head string) responseCase {
		return responseCase{name, head + length, 200, []string{"head", "body hello"}, true}
	}
	refused := func(name, head string) responseCase {
		return responseCase{name, head + length, 200, []string{"malformed"}, true}
	}
	none := func(name, head string) responseCase {
		return responseCase{name, head + length, 0, []string{"malformed"}, true}
	}
	interim := "HTTP/1.1 102 Processing\r\n\r\n"
	return []responseCase{
		chunked("folded", ok+"Transfer-Encoding:\r\n chunked"),
		chunked("folded by a tab, over three lines", ok+"X: a\r\n\tb\r\n  c\r\nTransfer-Encoding: gzip,\r\n\t  chunked"),
		chunked("folded with bare line feeds", "HTTP/1.1 200 OK\nTransfer-Encoding:\n chunked"),
		chunked("folded to nothing", ok+"X:\r\n \r\n\t\r\nTransfer-Encoding: chunked"),
		chunked("a field inside a folded value", ok+"X: a\r\n Content-Length: 3\r\nTransfer-Encoding: chunked"),
		raw("a coding inside a folded value", ok+"X: a\r\n Transfer-Encoding: chunked"),
		sized("a folded length", ok+"Content-Length:\r\n 5"),
		refused("a length folded in two", ok+"Content-Length: 5\r\n 5"),
		sized("a blank line before the first field", ok+" X: passed over\r\nContent-Length: 5"),
		chunked("blanks before the colon", ok+"Transfer-Encoding : chunked\r\nX\t : y"),
		sized("blanks before and behind", ok+"Content-Length \t:\t 5 \t"),
		none("a blank in a name", ok+"Content Length: 5"),
		none("no name", ok+": 5"),
		none("a name of blanks", ok+"X: 1\r\n\x00: 5"),
		chunked("empty values", ok+"X:\r\nTransfer-Encoding: chunked\r\nY:"),
		chunked("bytes above 127", ok+"X: caf\xe9 \xc3\xa9\r\nTransfer-Encoding: chunked"),

		chunked("no reason, no blank", "HTTP/1.1 200\r\nTransfer-Encoding: chunked"),
		chunked("no reason", "HTTP/1.1 200 \r\nTransfer-Encoding: chunked"),
		chunked("a long reason", "HTTP/1.1 200 All is well: \t200 times!\r\nTransfer-Encoding: chunked"),
		none("a code of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 5"),
		chunked("an empty line first", "\r\n"+ok+"Transfer-Encoding: chunked"),
		chunked("some empty lines first", "\n\r\n\n"+ok+"Transfer-Encoding: chunked"),
		none("a blank first", " "+ok+"Transfer-Encoding: chunked"),
		raw("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Type: text/html"),
		sized("HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\nContent-Length: 5"),
		chunked("HTTP/1.0 with chunks, which are there", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked"),

		chunked("100 first", "HTTP/1.1 100 Continue\r\n\r\n"+ok+"Transfer-Encoding: chunked"),
		chunked("100, 102, 103 and an unknown one", "HTTP/1.1 100\r\n\r\n"+interim+interim+"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: b\r\n\r\nHTTP/1.1 199 Nearly\r\nX:\r\n y\r\n\r\n"+ok+"Transfer-Encoding: chunked"),
		raw("an interim answer says nothing of the body", "HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n"+ok+"X: y"),
		chunked("an empty line behind an interim answer", interim+"\r\n"+ok+"Transfer-Encoding: chunked"),
		none("interim answers without end", strings.Repeat(interim, maxAnswerHead/len(interim)+1)),
		none("empty lines without end", strings.Repeat("\r\n", maxAnswerHead/2+1)),

		chunked("a coding in capitals", ok+"TRANSFER-ENCODING: CHUNKED"),
		chunked("codings in two fields", ok+"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"),
		raw("chunks inside another coding", ok+"Transfer-Encoding: chunked, gzip"),
		raw("chunks inside another coding, in two fields", ok+"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip"),
		chunked("empty elements", ok+"Transfer-Encoding: , chunked ,"),
		chunked("a parameter", ok+"Transfer-Encoding: gzip;q=1, chunked;x=y"),
		sized("the identity of RFC 2616", ok+"Transfer-Encoding: identity\r\nContent-Length: 5"),
		raw("a coding and a length", ok+"Content-Length: 3\r\nTransfer-Encoding: gzip"),
		chunked("chunks and a length", ok+"Content-Length: 3\r\nTransfer-Encoding: chunked"),
		chunked("chunks and lengths that contradict", ok+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\nContent-Length: x"),
		sized("one length twice", ok+"Content-Length: 5, 5"),
		sized("one length in three fields", ok+"Content-Length: 5\r\nX: y\r\nContent-Length: 5,5\r\ncontent-length:5"),
		sized("one length with zeros", ok+"Content-Length: 005,5"),
		refused("two lengths", ok+"Content-Length: 5, 6"),
		refused("two lengths in two fields", ok+"Content-Length: 5\r\nContent-Length: 6"),
		refused("no length", ok+"Content-Length:"),
		refused("a length with a sign", ok+"Content-Length: +5"),
		refused("a length in hex", ok+"Content-Length: 0x5"),
		refused("a length over 63 bits", ok+"Content-Length: 9223372036854775808"),
		none("a zero byte", ok+"X: a\x00b"),
	}
}

// chunkCases returns bodies as servers in the field send them.
func chunkCases() []responseCase {
	body := func(name, body string, parts ...string) responseCase {
		return responseCase{name, chunkedHead + body, 200, append([]string{"head"}, parts...), slices.Contains(parts, "end") || slices.Contains(parts, "malformed")}
	}
	many := strings.Repeat("X: y\r\n", maxTrailer/6)
	return []responseCase{
		body("a quoted extension", "2;a=\"b;c\\\"\\r\\n3\"\r\nhi\r\n", "chunk hi"),
		body("an extension that looks like a chunk", "2;x=\"0\\n\"\r\nhi\r\n0\r\n\r\n", "chunk hi", "end"),
		body("a line end in a quoted extension", "2;x=\"\r\nhi\r\n", "chunk hi"),
		body("several extensions with blanks", "2 ; a ; b = c\r\nhi\r\n", "chunk hi"),
		body("a size with blanks behind it", "2 \t \r\nhi\r\n", "chunk hi"),
		body("a last chunk of many zeros with an extension", "000000000000;x\r\n\r\n", "end"),
		body("trailers", "0\r\nExpires: now\r\nX-Sum : 1\r\n  folded\r\n\tagain\r\n\r\n", "end"),
		body("trailers with bare line feeds", "0\nX: y\n\nHTTP/1.1 200 OK\r\n", "end"),
		body("stamps of bytes in trailers and extensions", "0;a\r\nX: s=0badcafe.3 t=17\r\n\r\n", "end"),
		body("a size of zeros without end", strings.Repeat("0", maxLine), "malformed"),
		body("a size longer than a line", strings.Repeat("0", maxLine)+"2\r\nhi\r\n", "malformed"),
		body("trailers without end", "0\r\n"+many+many, "malformed"),
		body("a trailer line without end", "0\r\nX: "+strings.Repeat("y", maxLine), "malformed"),
		body("a trailer that is none", "0\r\nhello\r\n\r\n", "malformed"),
		body("a blank before the size", " 2\r\nhi\r\n", "malformed"),
	}
}

func TestWhatServersSend(t *testing.T) {
	for _, c := range slices.Concat(answerHeadCases(), chunkCases()) {
		t.Run(c.name, func(t *testing.T) {
			want := outcome{status: c.status, parts: c.parts, complete: c.complete}
			if c.parts[0] == "malformed" {
				want.status = parse(t, [][]byte{[]byte(c.in)}).status // a head may be refused before or behind its code
			}
			checkAllCuts(t, []byte(c.in), want)
		})
	}
}

// checkAllCuts reads b whole, cut in two at every byte, and byte by byte.
func checkAllCuts(t *testing.T, b []byte, want outcome) {
	t.Helper()
	check := func(how string, pieces ...[]byte) {
		t.Helper()
		if got := parse(t, pieces); !got.equal(want) {
			t.Fatalf("%.200q, %s:\ngot  %v\nwant %v", b, how, got, want)
		}
	}
	check("whole", b)
	step := max(len(b)/1000, 1)
	for at := 0; at <= len(b); at += step {
		check(fmt.Sprintf("cut at %d", at), b[:at], b[at:])
	}
	check("byte by byte", slices.Collect(slices.Chunk(b, 1))...)
}

func TestCoding(t *testing.T) {
	for fields, want := range map[string]string{
		"":                                               "",
		"Content-Encoding: identity":                     "",
		"Content-Encoding:":                              "",
		"Content-Encoding: gzip":                         "gzip",
		"content-encoding :\r\n GZip":                    "gzip",
		"Content-Encoding: x-gzip":                       "gzip",
		"Content-Encoding: br":                           "br",
		"Content-Encoding: zstd":                         "zstd",
		"Content-Encoding: deflate":                      "deflate",
		"Content-Encoding: compress":                     "compress",
		"Content-Encoding: aes128gcm":                    "another coding",
		"Content-Encoding: identity, Br ,":               "br",
		"Content-Encoding: gzip, br":                     "several codings",
		"Content-Encoding: gzip\r\nContent-Encoding: br": "several codings",
		"Transfer-Encoding: gzip, chunked":               "gzip",
		"Transfer-Encoding: chunked":                     "",
		"Vary: Content-Encoding\r\nX: gzip":              "",
	} {
		var p ResponseParser
		if fields != "" {
			fields += "\r\n"
		}
		if part, _, _ := p.Next([]byte("HTTP/1.1 200 OK\r\n" + fields + "\r\n")); part != Head || p.Coding() != want {
			t.Errorf("%q: part %d, coding %q, want %q", fields, part, p.Coding(), want)
		}
	}
}

func TestHasLength(t *testing.T) {
	for fields, want := range map[string]bool{
		"Content-Length: 5\r\n": true, "Content-Length: 0\r\n": true,
		"": false, "Transfer-Encoding: chunked\r\n": false, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n": false,
	} {
		var p ResponseParser
		if part, _, _ := p.Next([]byte("HTTP/1.1 200 OK\r\n" + fields + "\r\n")); part != Head || p.HasLength() != want {
			t.Errorf("%q: part %d, has a length: %t, want %t", fields, part, p.HasLength(), want)
		}
	}
}

// TestBytesAreLookedAtOnce: a peer that sends a head, or a line, byte by byte
// has each byte searched for a line end once, not again with every other byte.
func TestBytesAreLookedAtOnce(t *testing.T) {
	for name, in := range map[string]string{
		"a head of one line":        "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 5000),
		"a head of many lines":      "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 1000),
		"a chunk size":              chunkedHead + strings.Repeat("0", maxLine-1),
		"a trailer":                 chunkedHead + "0\r\nX: " + strings.Repeat("y", 1000),
		"interim answers":           strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100) + "HTTP/1.1 2",
		"a chunk that goes on":      chunkedHead + "800000\r\n" + strings.Repeat("y", 5000),
		"empty lines before a head": strings.Repeat("\r\n", 1000),
	} {
		var (
			p    ResponseParser
			kept []byte
		)
		for i := range len(in) {
			kept = append(kept, in[i])
			for part := Head; part != More; {
				var n int
				part, _, n = p.Next(kept)
				kept = kept[n:]
			}
			if int(p.seen) != len(kept) {
				t.Fatalf("%s: of %d bytes that are kept, %d will not be looked at again", name, len(kept), p.seen)
			}
		}
	}
}

// TestPersistent: which answers leave a connection on which another may be asked for.
func TestPersistent(t *testing.T) {
	for head, want := range map[string]bool{
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":                                          true,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n":                                 true,
		"HTTP/1.1 200 OK\r\n\r\n":                                                               false,
		"HTTP/1.1 204 No Content\r\n\r\n":                                                       true,
		"HTTP/1.1 304 Not Modified\r\n\r\n":                                                     true,
		"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n":                                  false,
		"HTTP/1.0 304 Not Modified\r\n\r\n":                                                     false,
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n":                true,
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive, close\r\n\r\n":         false,
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n":             false,
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n": false,
	} {
		var p ResponseParser
		if part, _, _ := p.Next([]byte(head)); part != Head || p.Persistent() != want {
			t.Errorf("%q: %v, persistent %t, want %t", head, part, p.Persistent(), want)
		}
	}
}
