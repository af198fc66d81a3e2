package wire

import (
	"strings"
	"testing"
)

// fieldCases are fields as clients and proxies send them, and as they should
// not.
func fieldCases() []headCase {
	bare := func(version string, fields ...string) string {
		return "GET /test/1 HTTP/" + version + crlf + strings.Join(append(fields, ""), crlf) + crlf
	}
	cookies := strings.Repeat("c=0123456789; ", 700) // more than 9 KB
	return []headCase{
		stream("empty Host", bare("1.1", "Host:"), HTML, html11, 1),
		stream("Host in capitals", bare("1.1", "HOST: h"), HTML, html11, 1),
		stream("Host with a port", bare("1.1", "Host: example.com:8000"), HTML, html11, 1),
		stream("Host with an empty port", bare("1.1", "Host: example.com:"), HTML, html11, 1),
		stream("Host that is an IPv6 address", bare("1.1", "Host: [::1]:8000"), HTML, html11, 1),
		stream("Host with a zone", bare("1.1", "Host: [fe80::1%25eth0]"), HTML, html11, 1),
		stream("Host with underscores", bare("1.1", "Host: my_service"), HTML, html11, 1),
		stream("Host percent-encoded", bare("1.1", "Host: %41"), HTML, html11, 1),
		stream("Host behind blanks", bare("1.1", "Host: \t h \t"), HTML, html11, 1),
		stream("Host last", bare("1.1", "Accept: */*", "Host: h"), HTML, html11, 1),
		stream("HTTP/1.0 with a Host", bare("1.0", "Host: h"), HTML|unchunked, html10, 1),
		refused("HTTP/1.1 without a Host", bare("1.1"), BadHost),
		refused("HTTP/1.1 with other fields and no Host", bare("1.1", "X-Host: h", "Accept: */*"), BadHost),
		refused("HTTP/1.2 without a Host", bare("1.2"), BadHost),
		refused("two Hosts", bare("1.1", "Host: h", "Host: h"), BadHost),
		refused("two Hosts in HTTP/1.0", bare("1.0", "Host: h", "host: i"), BadHost),
		refused("Host with a path", bare("1.1", "Host: h/x"), BadHost),
		refused("Host with a user", bare("1.1", "Host: me@h"), BadHost),
		refused("Host with a blank", bare("1.1", "Host: a b"), BadHost),
		refused("a list of Hosts", bare("1.1", "Host: a, b"), BadHost),
		refused("Host with a scheme", bare("1.1", "Host: http://h"), BadHost),
		refused("Host with a port that is none", bare("1.1", "Host: h:80x"), BadHost),
		refused("Host with two ports", bare("1.1", "Host: h:1:2"), BadHost),
		refused("Host with an open bracket", bare("1.1", "Host: [::1"), BadHost),
		refused("Host with more behind a bracket", bare("1.1", "Host: [::1]x"), BadHost),
		refused("Host of no ASCII", bare("1.1", "Host: grüß"), BadHost),
		refused("Host with a bad escape", bare("1.1", "Host: %4"), BadHost),
		refused("POST without a Host", "POST /x HTTP/1.1\r\n\r\n", BadHost),
		refused("PUT without a Host", "PUT /x HTTP/1.1\r\n\r\n", BadHost),
		{name: "HEAD without a Host", in: "HEAD /test/1 HTTP/1.1\r\n\r\n", answer: BadHost.head},

		stream("9 KB of cookies", get("/test/1", "Cookie: "+cookies), HTML, html11, 1),
		stream("many fields", get("/test/1", strings.Split(strings.Repeat("X-Field: value\n", 1000)+"X: y", "\n")...), HTML, html11, 1),
		stream("GET with a body", get("/test/1", "Content-Length: 3"), HTML, html11, 1),
		stream("GET with an empty body", get("/test/1", "Content-Length: 0"), HTML, html11, 1),
		stream("GET with a body of chunks", get("/test/1", "Transfer-Encoding: chunked"), HTML, html11, 1),
		stream("a length twice", get("/test/1", "Content-Length: 3", "Content-Length: 3"), HTML, html11, 1),
		refused("two lengths", get("/test/1", "Content-Length: 3", "Content-Length: 4"), NotHTTP),
		refused("a list of lengths", get("/test/1", "Content-Length: 3, 3"), NotHTTP),
		refused("a negative length", get("/test/1", "Content-Length: -1"), NotHTTP),
		refused("an empty length", get("/test/1", "Content-Length:"), NotHTTP),
		refused("length and chunks", get("/test/1", "Content-Length: 3", "Transfer-Encoding: chunked"), NotHTTP),
		stream("Expect", get("/test/1", "Expect: 100-continue"), HTML, html11, 1),
		stream("TE", get("/test/1", "TE: trailers, chunked", "Connection: TE"), HTML, html11, 1),
		stream("Connection: close", get("/test/1", "Connection: close"), HTML, html11, 1),
		stream("Upgrade to something else", get("/test/1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), HTML, html11, 1),
		stream("Range", get("/test/1", "Range: bytes=0-"), HTML, html11, 1),
		stream("conditions", get("/poll/1", `If-None-Match: "x"`, "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT", `If-Match: "y"`), Poll, "", 1),
		stream("Last-Event-ID", get("/events/1", "Last-Event-ID: 41"), Events, sse11, 1),
		stream("Origin, and nobody is allowed", get("/test/1", "Origin: https://app.example.com"), HTML, html11, 1),
		refused("a preflight, and nobody is allowed", preflight("https://app.example.com"), NotImplemented),

		refused("name with a blank", get("/test/1", "X Y: z"), NotHTTP),
		refused("name with a byte over 127", get("/test/1", "X\xff: z"), NotHTTP),
		refused("name with a NUL", get("/test/1", "X\x00: z"), NotHTTP),
		refused("name with a bracket", get("/test/1", "X(: z"), NotHTTP),
		refused("folded with a tab", get("/test/1", "X: a", "\tb"), NotHTTP),
		refused("folded first line", "GET /test/1 HTTP/1.1\r\n Host: h\r\n\r\n", NotHTTP),
		refused("DEL in a field", get("/test/1", "X: a\x7fb"), NotHTTP),
	}
}

// TestMaxHead: the limit is what it is set to, to the byte.
func TestMaxHead(t *testing.T) {
	for _, most := range []int{0, 1024, 9000, 100_000} {
		p := Parser{MaxHead: most}
		if most == 0 {
			most = DefaultMaxHead
		}
		if req, ok := p.Parse([]byte(padded(most)), 0, nil); !ok || req.Kind != HTML {
			t.Errorf("%d: %t %.100q", most, ok, req.Answer)
		}
		want := headTooLong(most).Bytes()
		if req, ok := p.Parse([]byte(padded(most+1)), 0, nil); !ok || string(req.Answer) != string(want) {
			t.Errorf("%d and one: %t %.100q", most, ok, req.Answer)
		}
		if _, ok := p.Parse([]byte(padded(most + 1))[:most-1], 0, nil); ok {
			t.Errorf("%d less one is answered", most)
		}
	}
}
