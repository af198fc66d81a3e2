package wire

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// smuggled are request heads that parts of a chain of proxies may take for different
// requests (RFC 9112, section 11.2), each before "\r\n" and a second request.
var smuggled = []string{
	"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
	"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
	"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
	"Content-Length: 4\r\nContent-Length: 5\r\n",
	"Content-Length: 4\r\nContent-Length: 04\r\n",
	"Content-Length: 4, 5\r\n",
	"Content-Length: +4\r\n",
	"Content-Length: -4\r\n",
	"Content-Length: 0x4\r\n",
	"Content-Length: 4 4\r\n",
	"Content-Length: 4a\r\n",
	"Content-Length:\r\n",
	"Content-Length: 99999999999999999999\r\n",
	"Content-Length : 4\r\n",
	"Transfer-Encoding : chunked\r\n",
	" Transfer-Encoding: chunked\r\n",
	"X: y\r\n Transfer-Encoding: chunked\r\n",
	"X: y\r\n\tContent-Length: 4\r\n",
	"Transfer-Encoding: xchunked\r\n",
	"Transfer-Encoding: chunked, identity\r\n",
	"Transfer-Encoding: identity, chunked\r\n",
	"Transfer-Encoding: gzip\r\n",
	"Transfer-Encoding: \"chunked\"\r\n",
	"Transfer-Encoding: chunked;x=y\r\n",
	"Transfer-Encoding:\r\n",
	"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
	"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
	"Transfer\x00-Encoding: chunked\r\n",
	"Transfer-Encoding: chunked\x00\r\n",
	"Transfer-Encoding: chunked\rX: y\r\n",
	"X: y\rTransfer-Encoding: chunked\r\n",
	"Content-Length\x0b: 4\r\n",
	"Host: other\r\n",
	"Content-Length: 4\r\n\rX: y\r\n",
	"X\r\n",
	": y\r\n",
}

// TestSmuggling: what net/http takes for no request, or for an ambiguous one, is none of
// ours either. A request that does have a body gets a stream at most, behind which nothing
// is read: its connection has no second request.
func TestSmuggling(t *testing.T) {
	for _, fields := range smuggled {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			head := method + " /test/1 HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n"
			if err := noLooser([]byte(head + "0\r\n\r\nGET /test/2 HTTP/1.1\r\nHost: h\r\n\r\n")); err != nil {
				t.Error(err)
			}
		}
	}
}

// noLooser returns an error if b is a request to Parse and none to net/http. What stands
// for a path is not compared: net/url has its own view of it.
func noLooser(b []byte) error {
	req, ok := plain.Parse(b, 0, nil)
	if !ok || req.Refused() {
		return nil
	}
	head := b[leadingEmptyLines(b):req.Len] // net/http takes no empty lines first
	line, rest, _ := strings.Cut(string(head), "\n")
	method, target, _ := strings.Cut(line, " ")
	_, version, _ := strings.Cut(target, " ")
	if version = strings.TrimSuffix(version, "\r"); version > "HTTP/1.1" { // nor versions that there are not
		version = "HTTP/1.1"
	}
	theirs, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " /test/1 " + version + "\r\n" + rest)))
	if err != nil {
		return fmt.Errorf("%q gets a stream, and to net/http is no request: %w", b, err)
	}
	if theirs.Method != http.MethodGet {
		return fmt.Errorf("%q gets a stream, and to net/http is %s", b, theirs.Method)
	}
	return nil
}

// FuzzHead holds Parse to net/http's verdict.
func FuzzHead(f *testing.F) {
	for _, c := range headCases() {
		if len(c.in) < 1000 {
			f.Add([]byte(c.in))
		}
	}
	for _, fields := range smuggled {
		f.Add([]byte("GET /test/1 HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := noLooser(b); err != nil {
			t.Error(err)
		}
	})
}
