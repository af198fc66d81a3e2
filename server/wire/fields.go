package wire

import (
	"bytes"
	"iter"
)

// fields is what a request head says beside its request line, as far as it
// matters here. The slices lie in the head.
type fields struct {
	host    []byte
	hosts   int // Host fields
	badHost bool

	origin  []byte
	origins int // Origin fields

	authorization  []byte
	authorizations int // Authorization fields

	requestMethod  bool   // there is an Access-Control-Request-Method
	requestHeaders []byte // Access-Control-Request-Headers

	upgradesToWebSocket, connectionUpgrade bool // as Upgrade and Connection list them
	key, version, protocol                 []byte
	keys, versions                         int
	badProtocols                           bool

	length      []byte // Content-Length
	badLength   bool
	transferred bool // there is a Transfer-Encoding
	badTransfer bool // another than chunked, or several
}

// readFields walks the header fields from b[at:], adds them to f unless that is
// nil, and returns where the head ends, past its empty line, or, while that is
// not complete, the start of the line to go on from. It reports false on a line
// that is not `name: value` (RFC 9112, section 5).
func readFields(b []byte, at int, f *fields) (next int, complete, valid bool) {
	for {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return at, false, true
		}
		line := trimCR(b[at : at+n])
		at += n + 1
		if len(line) == 0 {
			return at, true, true
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !isTokenText(line[:colon]) || !isFieldText(line[colon+1:]) {
			return 0, false, false
		}
		if f != nil {
			f.add(line[:colon], trimBlanks(line[colon+1:]))
		}
	}
}

// isFieldText reports whether s has no control characters but tabs.
func isFieldText(s []byte) bool {
	for _, c := range s {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// add takes in one field. Most names differ in length already.
func (f *fields) add(name, value []byte) {
	is := func(s string) bool { return bytes.EqualFold(name, []byte(s)) }
	switch {
	case len(name) == 4 && is("Host"):
		f.host = value
		f.hosts++
		f.badHost = f.badHost || !validHost(value)
	case len(name) == 6 && is("Origin"):
		f.origin = value
		f.origins++
	case len(name) == 7 && is("Upgrade"):
		f.upgradesToWebSocket = f.upgradesToWebSocket || lists(value, "websocket")
	case len(name) == 10 && is("Connection"):
		f.connectionUpgrade = f.connectionUpgrade || lists(value, "upgrade")
	case len(name) == 13 && is("Authorization"):
		f.authorization = value
		f.authorizations++
	case len(name) == 14 && is("Content-Length"):
		f.addLength(value)
	case len(name) == 17 && is("Transfer-Encoding"):
		f.badTransfer = f.badTransfer || f.transferred || !bytes.EqualFold(value, []byte("chunked"))
		f.transferred = true
	case len(name) == 17 && is("Sec-WebSocket-Key"):
		f.key = value
		f.keys++
	case len(name) == 21 && is("Sec-WebSocket-Version"):
		f.version = value
		f.versions++
	case len(name) == 22 && is("Sec-WebSocket-Protocol"):
		f.offerProtocols(value)
	case len(name) == 29 && is("Access-Control-Request-Method"):
		f.requestMethod = true
	case len(name) == 30 && is("Access-Control-Request-Headers"):
		f.requestHeaders = value
	}
}

// addLength takes in a Content-Length: digits, and the same in each such field
// (RFC 9112, section 6.3).
func (f *fields) addLength(value []byte) {
	for _, c := range value {
		f.badLength = f.badLength || c < '0' || c > '9'
	}
	const most = 18 // digits that fit into an int64
	f.badLength = f.badLength || len(value) == 0 || len(bytes.TrimLeft(value, "0")) > most || f.length != nil && !bytes.Equal(f.length, value)
	f.length = value
}

// badFraming reports whether it is unclear where the request ends, which a
// proxy in front may see otherwise (RFC 9112, section 6.3).
func (f *fields) badFraming() bool {
	return f.badLength || f.badTransfer || f.transferred && f.length != nil
}

func (f *fields) hasBody() bool {
	return f.transferred || len(bytes.TrimLeft(f.length, "0")) > 0
}

// hostOK reports whether the head names its host as RFC 9112, section 3.2,
// demands: once in HTTP/1.1, at most once in HTTP/1.0, and validly.
func (f *fields) hostOK(minor byte) bool {
	return !f.badHost && (f.hosts == 1 || f.hosts == 0 && minor == '0')
}

// hostBytes are the unreserved characters and the sub-delimiters of RFC 3986.
var hostBytes = func() (t [256]bool) {
	for c := range t {
		t[c] = c < 128 && (isLetter(byte(c)) || c >= '0' && c <= '9' || bytes.IndexByte([]byte("-._~!$&'()*+,;="), byte(c)) >= 0)
	}
	return t
}()

// validHost reports whether v is a host with an optional port, or empty (RFC
// 3986, section 3.2.2).
func validHost(v []byte) bool {
	host, port := v, []byte(nil)
	if len(v) > 0 && v[0] == '[' {
		end := bytes.IndexByte(v, ']')
		if end < 2 {
			return false
		}
		for _, c := range v[1:end] {
			if !isHex(c) && c != ':' && c != '.' && c != '%' && !isLetter(c) {
				return false
			}
		}
		if host, port = nil, v[end+1:]; len(port) > 0 && port[0] != ':' {
			return false
		}
	} else if colon := bytes.IndexByte(v, ':'); colon >= 0 {
		host, port = v[:colon], v[colon:]
	}
	for i, c := range host {
		switch {
		case hostBytes[c]:
		case c == '%' && i+2 < len(host) && isHex(host[i+1]) && isHex(host[i+2]):
		default:
			return false
		}
	}
	for _, c := range port[min(len(port), 1):] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// lists reports whether a list of tokens has one, in any case.
func lists(list []byte, token string) bool {
	for element := range elements(list) {
		if bytes.EqualFold(element, []byte(token)) {
			return true
		}
	}
	return false
}

// elements yields what stands between the commas of a list, without blanks
// around it, and without empty ones.
func elements(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(list) > 0 {
			element, rest, _ := bytes.Cut(list, []byte{','})
			list = rest
			if element = trimBlanks(element); len(element) > 0 && !yield(element) {
				return
			}
		}
	}
}

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// trimBlanks cuts blanks and tabs off both ends (RFC 9110, section 5.6.3).
func trimBlanks(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// isTokenText reports whether s is a token (RFC 9110, section 5.6.2).
func isTokenText(s []byte) bool {
	for _, c := range s {
		if !isToken(c) {
			return false
		}
	}
	return len(s) > 0
}

func isToken(c byte) bool { return c < 128 && tokens[c] }

var tokens = func() (t [128]bool) {
	for c := range t {
		t[c] = c >= '0' && c <= '9' || isLetter(byte(c)) || bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0
	}
	return t
}()

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
