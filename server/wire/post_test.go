package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

const plainPost = "POST /send/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"

// TestParsePost: what is plain, and what is for a whole HTTP server.
func TestParsePost(t *testing.T) {
	post, more, ok := ParsePost([]byte(plainPost))
	if more || !ok || string(post.Target) != "/send/1" || string(post.Host) != "localhost" || post.Length != 3 || post.Len != len(plainPost)-3 {
		t.Errorf("%+v, more %t, ok %t", post, more, ok)
	}
	for n := range len(plainPost) - 3 {
		if _, more, ok := ParsePost([]byte(plainPost[:n])); !more || ok {
			t.Errorf("%q: more %t, ok %t", plainPost[:n], more, ok)
		}
	}
	for _, c := range [][2]string{
		{"/send/1 ", "/send/1?x "},
		{"/send/1 ", "/send/%31 "},
		{"/send/1 ", "send/1 "},
		{"/send/1 ", "http://h/send/1 "},
		{"/send/1 ", " "},
		{"HTTP/1.1", "HTTP/1.0"},
		{"POST", "post"},
		{"localhost", "a b"},
		{"Content-Length", "Content-Length "},
		{"Content-Length: 3", "Transfer-Encoding: chun\u212aed"},
		{"Content-Length: 3", "Transfer-Encoding: chunked, chunked"},
		{"Content-Length: 3", "Content-Length: 3\r\nContent-Length: 3"},
		{"Content-Length: 3", "Content-Length: 3\r\nTransfer-Encoding: chunked"},
		{"Content-Length: 3", "Content-Length: 3\r\nConnection: close"},
		{"Content-Length: 3", "Content-Length: 3\r\nConnection: \u212aeep-alive"},
		{"Content-Length: 3", "Content-Length: +3"},
		{"Content-Length: 3", "Content-Length:"},
		{"Content-Length: 3", "X: y"},
	} {
		head := strings.Replace(plainPost, c[0], c[1], 1)
		if _, more, ok := ParsePost([]byte(head)); more || ok {
			t.Errorf("%q: more %t, ok %t", head, more, ok)
		}
	}
}

// TestPostBody: of chunks, what net/http does not take is malformed.
func TestPostBody(t *testing.T) {
	const head = "POST /send HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	for body, whole := range map[string]bool{
		"3\r\nabc\r\n0\r\n\r\n": true, "3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n": true, "3 \r\nabc\r\n0\r\n\r\n": true,
		"3\nabc\r\n0\r\n\r\n": false, "3\r\nabc\n0\r\n\r\n": false, "3\r\nabc\r\n0\n\r\n": false, "3\r\nabc\r\n0\r\n\n": false,
		"3;\rx\r\nabc\r\n0\r\n\r\n": false, "3 ;x\r\nabc\r\n0\r\n\r\n": false, "00000000000000003\r\nabc\r\n0\r\n\r\n": false,
		"3\r\nabc\r\n0\r\nX: y\n\r\n": false, "3\r\nabc\r\n0\r\n: y\r\n\r\n": false, "3\r\nabc\r\n0\r\n y\r\n\r\n": false,
		"ffffffffffffffff\r\nabc": false, "3\r\nabcX": false,
		"0\r\nX: y\n\nPOST /\r\n\r\n": true, "0\r\nX : y\r\n z\r\n\r\n": true, "0\r\nX\r\n\r\n": false, "0\r\n\nX: y\r\n\r\n": true,
	} {
		for cut := range len(body) {
			post, _, _ := ParsePost([]byte(head))
			if _, _, ok := readBody(post.Body(), []byte(body), cut); ok != whole {
				t.Errorf("%q, cut at %d: whole %t", body, cut, ok)
			}
		}
		sameAsHTTP(t, []byte(head+body))
	}
}

// readBody reads a body that comes in two pieces.
func readBody(p ResponseParser, b []byte, cut int) (data []byte, n int, ok bool) {
	for _, end := range []int{min(cut, len(b)), len(b)} {
		for {
			part, payload, took := p.Next(b[n:end])
			data, n = append(data, payload...), n+took
			switch part {
			case End:
				return data, n, true
			case Malformed:
				return data, n, false
			}
			if part == More {
				break
			}
		}
	}
	return data, n, false
}

// sameAsHTTP holds that net/http reads what is plain in the same way: the request,
// its body, and where that ends.
func sameAsHTTP(t *testing.T, b []byte) {
	t.Helper()
	post, more, ok := ParsePost(b)
	if !ok || more {
		return
	}
	left := bytes.NewReader(b)
	buffered := bufio.NewReader(left)
	taken := func() int { return len(b) - left.Len() - buffered.Buffered() }
	req, err := http.ReadRequest(buffered)
	if err != nil {
		t.Fatalf("%q is plain, but %v", b, err)
	}
	if req.Method != http.MethodPost || req.RequestURI != string(post.Target) || req.URL.Path != string(post.Target) || req.Host != string(post.Host) || taken() != post.Len || req.Close {
		t.Errorf("%q: %s %s of %q, close %t, head of %d; want %+v", b, req.Method, req.RequestURI, req.Host, req.Close, taken(), post)
	}
	for name, want := range map[string][]byte{"Origin": post.Origin, "Sec-Fetch-Site": post.FetchSite, "Authorization": post.Authorization} {
		if got := req.Header.Get(name); got != string(want) || len(req.Header.Values(name)) > 1 {
			t.Errorf("%q: %s %q, want %q", b, name, got, want)
		}
	}
	chunked := len(req.TransferEncoding) == 1 && req.TransferEncoding[0] == "chunked"
	if chunked != (post.Length < 0) || !chunked && req.ContentLength != post.Length {
		t.Errorf("%q: chunked %t, length %d; want %+v", b, chunked, req.ContentLength, post)
	}
	data, n, whole := readBody(post.Body(), b[post.Len:], 0)
	body, err := io.ReadAll(req.Body)
	if whole != (err == nil) || whole && (!bytes.Equal(body, data) || taken() != post.Len+n) {
		t.Errorf("%q: body %q to %d, error %v; want whole %t, %q to %d", b, body, taken(), err, whole, data, post.Len+n)
	}
}

// FuzzParsePost: what is plain, net/http reads in the same way.
func FuzzParsePost(f *testing.F) {
	f.Add([]byte(plainPost))
	for _, fields := range []string{
		"Transfer-Encoding: chunked", "Transfer-Encoding: chun\u212aed", "Content-Length: 0", "Content-Length: 0003", "Content-Length: 3\r\nConnection: keep-alive",
		"Content-Length: 3\r\nOrigin: http://x\r\nSec-Fetch-Site: none\r\nAuthorization: Bearer x",
	} {
		for _, body := range []string{"abc", "3\r\nabc\r\n0\r\n\r\n", "3;x=y\r\nabc\r\n00\r\nX: y\r\n\r\nPOST", "0\r\nX: y\n z\n\nPOST\r\n\r\n", "3\nabc\n0\n\n"} {
			f.Add([]byte("POST /send HTTP/1.1\r\nHost: [::1]:8001\r\n" + fields + "\r\n\r\n" + body))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { sameAsHTTP(t, b) })
}
