package wire

import (
	"bytes"
	"strconv"
)

// Post is the head of a plain request that brings messages to an admin listener.
// Its texts lie in the head.
type Post struct {
	Target []byte
	// The values of the fields of those names (FetchSite is Sec-Fetch-Site), nil
	// if absent.
	Host, Origin, FetchSite, Authorization []byte
	// Length is that of the body, which is in chunks if it is negative.
	Length int64
	// Len is how many bytes the head took.
	Len int
}

// maxPost is the longest head that ParsePost reads.
const maxPost = 8 << 10

// ParsePost reads the head at the start of b. It reports more while that is not
// complete. Whatever is not plain is not ok, and for a whole HTTP server to
// answer: another method or version, a target of more than letters, digits and
// slashes, a field twice that may come once, a body of unclear length, an
// expectation, a connection that is to end.
func ParsePost(b []byte) (p Post, more, ok bool) {
	const method, version = "POST ", " HTTP/1.1"
	if n := min(len(b), len(method)); string(b[:n]) != method[:n] {
		return p, false, false
	}
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return p, len(b) < maxPost, false
	}
	line := trimCR(b[:end])
	if !bytes.HasSuffix(line, []byte(version)) || len(line) < len(method)+len(version) {
		return p, false, false
	}
	p.Target = line[len(method) : len(line)-len(version)]
	if !isPlainPath(p.Target) {
		return p, false, false
	}
	p.Length = noLength
	for at := end + 1; ; {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return p, len(b) < maxPost, false
		}
		line := trimCR(b[at : at+n])
		at += n + 1
		if len(line) == 0 {
			p.Len = at
			return p, false, p.Host != nil && p.Length != noLength && at <= maxPost
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || !isTokenText(line[:colon]) || !isFieldText(line[colon+1:]) || !p.add(line[:colon], trimBlanks(line[colon+1:])) {
			return p, false, false
		}
	}
}

// isPlainPath reports whether there is one way to read a target.
func isPlainPath(target []byte) bool {
	for _, c := range target {
		if c != '/' && !isLetter(c) && (c < '0' || c > '9') {
			return false
		}
	}
	return len(target) > 0 && target[0] == '/'
}

// Bodies of a Post.
const (
	chunkedBody = -1
	noLength    = -2
)

// add takes in one field, and reports false for one that is not plain.
func (p *Post) add(name, value []byte) bool {
	is := func(s string) bool { return bytes.EqualFold(name, []byte(s)) }
	once := func(to *[]byte) bool {
		first := *to == nil
		*to = value
		return first && value != nil
	}
	switch len(name) {
	case len("Host"):
		return !is("Host") || validHost(value) && once(&p.Host)
	case len("Origin"):
		return !is("Expect") && (!is("Origin") || once(&p.Origin))
	case len("TE"), len("Trailer"):
		return !is("TE") && !is("Trailer") && !is("Upgrade")
	case len("Connection"):
		return !is("Connection") || isInAnyCase(value, "keep-alive")
	case len("Authorization"):
		return !is("Authorization") || once(&p.Authorization)
	case len("Content-Length"):
		switch {
		case is("Content-Length"):
			return p.Length == noLength && p.sized(value)
		case is("Sec-Fetch-Site"):
			return once(&p.FetchSite)
		}
	case len("Transfer-Encoding"):
		if is("Transfer-Encoding") {
			plain := p.Length == noLength && isInAnyCase(value, "chunked")
			p.Length = chunkedBody
			return plain
		}
	}
	return true
}

// isInAnyCase reports whether value is text, which is in lower case. Unlike
// bytes.EqualFold it takes no letter beyond ASCII for one of text, such as the sign
// of Kelvin for a k: who reads it otherwise sees another end of the body.
func isInAnyCase(value []byte, text string) bool {
	if len(value) != len(text) {
		return false
	}
	for i, c := range value {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != text[i] {
			return false
		}
	}
	return true
}

// sized takes in a Content-Length.
func (p *Post) sized(value []byte) bool {
	n, err := strconv.ParseUint(string(value), 10, 62)
	p.Length = int64(n)
	return err == nil
}

// Body returns what reads the body behind the head. Its Next yields Piece, Chunk
// and at last End; an empty Piece stands for the size of a chunk, which Left returns. Of
// chunks it takes only what net/http takes.
func (p *Post) Body() ResponseParser {
	switch {
	case p.Length < 0:
		return ResponseParser{state: inSize, status: ofRequest}
	case p.Length == 0:
		return ResponseParser{state: ended}
	}
	return ResponseParser{state: inLength, left: uint64(p.Length)}
}
