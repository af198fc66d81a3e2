package wire

import (
	"bytes"
	"math"
	"slices"
)

// MaxHead is the longest request head that is read, in bytes; a longer one is
// answered 431.
const MaxHead = 8 << 10

// Request is a parsed request head.
type Request struct {
	// Kind is how messages are framed on this connection, and 0 where there
	// will be none: then Answer is everything to send.
	Kind Kind
	// IDs are the users that the connection logs in as: at least one, each
	// once, in the order of the path.
	IDs []int64
	// Answer is the head of a stream, or a whole answer where Kind is 0.
	Answer []byte
	// Len is how many bytes of the input the head took.
	Len int
}

// ParseRequest reads the request head at the start of b and decides its answer.
// It reports false while b holds no complete head that could still become a
// valid one; a b that cannot is answered at once. Request.IDs is appended to
// ids[:0], so that a caller who parses many heads can reuse one slice;
// Request.Answer is shared and must not be changed.
func ParseRequest(b []byte, ids []int64) (Request, bool) {
	skipped := leadingEmptyLines(b)
	head := b[skipped:]
	if len(head) > MaxHead {
		head = head[:MaxHead]
	}
	if !maybeMethod(head) {
		return refuse(false, NotHTTP)
	}
	lineEnd := bytes.IndexByte(head, '\n')
	if lineEnd < 0 {
		return incomplete(head)
	}
	method, target, minor, ok := parseRequestLine(trimCR(head[:lineEnd]))
	if !ok {
		return refuse(false, NotHTTP)
	}
	isHead := string(method) == "HEAD"
	end, ok := scanFields(head, lineEnd+1)
	if !ok {
		return refuse(isHead, NotHTTP)
	}
	if end < 0 {
		return incomplete(head)
	}
	req := route(method, target, minor, head[:end], ids)
	req.Len = skipped + end
	return req, true
}

func incomplete(head []byte) (Request, bool) {
	if len(head) >= MaxHead {
		return refuse(bytes.HasPrefix(head, []byte("HEAD ")), HeadTooLong)
	}
	return Request{}, false
}

func refuse(isHead bool, a *Answer) (Request, bool) {
	return Request{Answer: a.bytes(isHead)}, true
}

// route decides what a well-formed head gets.
func route(method, target []byte, minor byte, head []byte, ids []int64) Request {
	isHead := string(method) == "HEAD"
	answer := func(a *Answer) Request { return Request{Answer: a.bytes(isHead)} }
	switch string(method) {
	case "GET", "HEAD":
	case "POST":
		return answer(NotFound)
	default:
		return answer(NotImplemented)
	}
	path := pathOf(target)
	kind, list, ok := kindOf(path)
	if !ok {
		return answer(NotFound)
	}
	ids, ok = appendIDs(ids[:0], list)
	if !ok {
		return answer(BadID)
	}
	if kind == WebSocket {
		return upgrade(head, ids, isHead)
	}
	if minor == '0' {
		kind |= unchunked
	}
	if isHead {
		return Request{Answer: kind.headAnswer()}
	}
	return Request{Kind: kind, IDs: ids, Answer: kind.streamHead()}
}

// leadingEmptyLines counts the bytes of empty lines before the request line,
// which a robust server ignores (RFC 9112, section 2.2).
func leadingEmptyLines(b []byte) int {
	n := 0
	for n < len(b) && (b[n] == '\r' || b[n] == '\n') && n < 16 {
		n++
	}
	return n
}

// maybeMethod reports whether b can be the start of a request line. It looks
// at the method only, so that a TLS hello or a stray protocol is answered at
// its first bytes and not after the timeout.
func maybeMethod(b []byte) bool {
	for i, c := range b {
		if c == ' ' {
			return i > 0
		}
		if !isToken(c) || i >= 32 {
			return false
		}
	}
	return true
}

// parseRequestLine splits `METHOD SP target SP HTTP/1.minor`.
func parseRequestLine(line []byte) (method, target []byte, minor byte, ok bool) {
	method, rest, _ := bytes.Cut(line, []byte{' '})
	target, version, ok := bytes.Cut(rest, []byte{' '})
	if !ok || len(target) == 0 || len(version) != len("HTTP/1.1") ||
		string(version[:7]) != "HTTP/1." || version[7] < '0' || version[7] > '9' {
		return nil, nil, 0, false
	}
	for _, c := range target {
		if c <= ' ' || c == 0x7f {
			return nil, nil, 0, false
		}
	}
	return method, target, version[7], true
}

// scanFields walks the header fields from b[at:] and returns where the head
// ends, past its empty line, or -1 while it does not. It reports false on a
// line that is not `name: value` (RFC 9112, section 5).
func scanFields(b []byte, at int) (int, bool) {
	for {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return -1, true
		}
		line := trimCR(b[at : at+n])
		at += n + 1
		if len(line) == 0 {
			return at, true
		}
		if !validField(line) {
			return 0, false
		}
	}
}

func validField(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return false
	}
	for _, c := range line[:colon] {
		if !isToken(c) {
			return false
		}
	}
	for _, c := range line[colon+1:] {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

func trimCR(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		return line[:n-1]
	}
	return line
}

// isToken is RFC 9110, section 5.6.2.
func isToken(c byte) bool { return c < 128 && tokens[c] }

var tokens = func() (t [128]bool) {
	for c := range t {
		t[c] = c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' ||
			bytes.IndexByte([]byte("!#$%&'*+-.^_`|~"), byte(c)) >= 0
	}
	return t
}()

// pathOf takes the path out of a request target, which may be in absolute
// form (RFC 9112, section 3.2.2) and may carry a query, ignored here.
func pathOf(target []byte) []byte {
	const scheme = "http://"
	path, _, _ := bytes.Cut(target, []byte{'?'})
	if len(path) >= len(scheme) && bytes.EqualFold(path[:len(scheme)], []byte(scheme)) {
		path = path[len(scheme):]
		return path[max(bytes.IndexByte(path, '/'), 0):] // no path: a host is none of ours
	}
	return path
}

func kindOf(path []byte) (kind Kind, ids []byte, ok bool) {
	for k, prefix := range prefixes {
		if prefix == "" {
			continue
		}
		if rest, ok := bytes.CutPrefix(path, []byte(prefix)); ok {
			return Kind(k), rest, true
		}
	}
	return 0, nil, false
}

// appendIDs reads `1,2,3`: whole numbers from 0 to 2^63-1, each kept once.
func appendIDs(ids []int64, list []byte) ([]int64, bool) {
	for {
		part, rest, more := bytes.Cut(list, []byte{','})
		id, ok := ParseID(part)
		if !ok {
			return ids, false
		}
		// This is linear, but a head of 8 KiB holds some thousand ids at the most.
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		if !more {
			return ids, true
		}
		list = rest
	}
}

// ParseID reads an id as a path spells it: a whole number from 0 to 2^63-1.
func ParseID(s []byte) (int64, bool) {
	if len(s) == 0 {
		return 0, false
	}
	var n int64
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}
