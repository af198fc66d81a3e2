package wire

import (
	"bytes"
	"iter"
)

// bodyForm is what is known of a body: in the low bits, how it is compressed.
type bodyForm uint8

const (
	codingMask bodyForm = 1<<3 - 1
	persistent bodyForm = 1 << 3 // the connection outlasts it
	events     bodyForm = 1 << 4 // it is server-sent events
	sized      bodyForm = 1 << 5 // its head gave its length
	framed     bodyForm = 1 << 6 // it comes in chunks
	begun      bodyForm = 1 << 7 // some of it has come
)

// codings are the content codings in use (RFC 9110, section 8.4.1, and the IANA
// registry); the last stands for all others.
var codings = [codingMask + 1]string{"", "gzip", "br", "zstd", "deflate", "compress", "another coding", "several codings"}

const (
	otherCoding    bodyForm = 6
	severalCodings bodyForm = 7
)

// head reads a head, and the interim answers before it.
func (p *ResponseParser) head(b []byte) (Part, int) {
	for taken := 0; ; {
		if p.seen == 0 { // empty lines (RFC 9112, section 2.2, of a request)
			n := len(b) - taken - len(bytes.TrimLeft(b[taken:], "\r\n"))
			taken += n
			p.left += uint64(n)
		}
		end, ok := p.headEnd(b[taken:])
		switch {
		case !ok:
			return p.fail(), 0
		case end == 0:
			return More, taken
		}
		head := b[taken : taken+end]
		taken += end
		p.left += uint64(end)
		lineEnd := bytes.IndexByte(head, '\n')
		line := trimCR(head[:lineEnd])
		status, ok := parseStatus(line)
		if !ok {
			return p.fail(), 0
		}
		f, ok := parseFields(head[lineEnd+1:])
		if !ok {
			return p.fail(), 0
		}
		if !f.close && (f.keepAlive || line[len("HTTP/1.")] != '0') {
			f.form |= persistent
		}
		if status < 200 && status != 101 { // an interim answer; the real one follows
			continue
		}
		p.status = status
		if !p.body(f) {
			return p.fail(), 0
		}
		return Head, taken
	}
}

// headEnd returns where the head that b begins with ends, behind its empty line:
// 0 while that has not come. ok is false for one that is too long, or is none.
func (p *ResponseParser) headEnd(b []byte) (end int, ok bool) {
	if start := "HTTP/1."; !bytes.HasPrefix(b, []byte(start)[:min(len(b), len(start))]) {
		return 0, false
	}
	most := maxAnswerHead - int(p.left)
	for most > 0 {
		i := bytes.IndexByte(b[p.seen:], '\n')
		if i < 0 {
			p.seen = uint32(min(len(b), MaxKept))
			return 0, len(b) < most
		}
		end := int(p.seen) + i + 1
		if end > most {
			return 0, false
		}
		p.seen = uint32(end)
		line := trimCR(b[:end-1])
		if len(line) > 0 && line[len(line)-1] == '\n' {
			p.seen = 0
			return end, true
		}
	}
	return 0, false
}

// parseStatus reads `HTTP/1.1 200 OK`, of which the reason may be missing.
func parseStatus(line []byte) (uint16, bool) {
	const codeAt, codeEnd = len("HTTP/1.1 "), len("HTTP/1.1 200")
	if len(line) < codeEnd || line[codeAt-1] != ' ' || len(line) > codeEnd && line[codeEnd] != ' ' {
		return 0, false
	}
	var n uint16
	for _, c := range line[codeAt:codeEnd] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint16(c-'0')
	}
	return n, n >= 100
}

// answerFields are what a head says of how to read its body.
type answerFields struct {
	transfer bool // there are transfer codings
	chunked  bool // and this is the last one
	sized    bool
	length   uint64
	// badLength: it is not a number, or not one.
	badLength bool
	// close and keepAlive: Connection says so.
	close, keepAlive bool
	form             bodyForm // how it is compressed, and of what type it is
}

// parseFields reads the fields of a head up to its empty line. It takes what a
// client has to (RFC 9112, section 5): blanks before a colon, which some servers
// send, and values folded over several lines.
func parseFields(b []byte) (f answerFields, ok bool) {
	for line := range bytes.Lines(unfolded(b)) {
		line = trimCR(line[:len(line)-1])
		switch {
		case len(line) == 0:
			return f, true
		case line[0] == ' ' || line[0] == '\t':
			continue // before the first field: to be passed over (RFC 9112, section 2.2)
		}
		name, value, found := bytes.Cut(line, []byte{':'})
		name = bytes.TrimRight(name, " \t")
		if !found || !isName(name) || bytes.IndexByte(value, 0) >= 0 {
			return f, false
		}
		f.take(name, value)
	}
	return f, true
}

func isName(name []byte) bool {
	for _, c := range name {
		if !isToken(c) {
			return false
		}
	}
	return len(name) > 0
}

// unfolded returns b with blanks for the line ends that a folded line follows
// (RFC 9112, section 5.2): b itself where there are none.
func unfolded(b []byte) []byte {
	if !bytes.Contains(b, []byte("\n ")) && !bytes.Contains(b, []byte("\n\t")) {
		return b
	}
	isFold := func(i int) bool { return b[i] == '\n' && i+1 < len(b) && (b[i+1] == ' ' || b[i+1] == '\t') }
	b = bytes.Clone(b)
	for i := range b {
		if !isFold(i) {
			continue
		}
		b[i] = ' '
		if i > 0 && b[i-1] == '\r' {
			b[i-1] = ' '
		}
	}
	return b
}

func (f *answerFields) take(name, value []byte) {
	switch {
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		for coding := range codingsOf(value) {
			if bytes.EqualFold(coding, []byte("identity")) { // of RFC 2616: none
				continue
			}
			f.transfer = true
			if f.chunked = bytes.EqualFold(coding, []byte("chunked")); !f.chunked {
				f.form = f.form.with(coding)
			}
		}
	case bytes.EqualFold(name, []byte("Content-Encoding")):
		for coding := range codingsOf(value) {
			f.form = f.form.with(coding)
		}
	case bytes.EqualFold(name, []byte("Content-Length")):
		f.takeLength(value)
	case bytes.EqualFold(name, []byte("Connection")):
		f.close = f.close || lists(value, "close")
		f.keepAlive = f.keepAlive || lists(value, "keep-alive")
	case bytes.EqualFold(name, []byte("Content-Type")):
		for kind := range codingsOf(value) {
			if bytes.EqualFold(kind, []byte("text/event-stream")) {
				f.form |= events
			}
		}
	}
}

// takeLength takes a Content-Length. The same one several times is one (RFC
// 9110, section 8.6).
func (f *answerFields) takeLength(value []byte) {
	none := true
	for element := range codingsOf(value) {
		n, ok := ParseID(element)
		f.badLength = f.badLength || !ok || f.sized && uint64(n) != f.length
		f.length, f.sized, none = uint64(n), true, false
	}
	f.badLength = f.badLength || none
}

// codingsOf yields the elements of a list without their parameters (RFC 9110,
// section 10.1.4).
func codingsOf(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for element := range elements(list) {
			name, _, _ := bytes.Cut(element, []byte{';'})
			if name = trimBlanks(name); len(name) > 0 && !yield(name) {
				return
			}
		}
	}
}

// with returns f for a body to which a coding was applied as well.
func (f bodyForm) with(coding []byte) bodyForm {
	if bytes.EqualFold(coding, []byte("identity")) {
		return f
	}
	coding = bytes.TrimPrefix(bytes.ToLower(coding), []byte("x-")) // RFC 9110, section 8.4.1
	which := otherCoding
	for i, name := range codings[:otherCoding] {
		if i > 0 && name == string(coding) {
			which = bodyForm(i)
		}
	}
	if f&codingMask != 0 && f&codingMask != which {
		which = severalCodings
	}
	return f&^codingMask | which
}

// bodiless reports whether the answer ends with its head (RFC 9112, section 6.3).
func (p *ResponseParser) bodiless() bool { return p.status == 204 || p.status == 304 }

// body works out how the body ends (RFC 9112, section 6.3), and reports false if
// that cannot be.
func (p *ResponseParser) body(f answerFields) bool {
	p.form, p.left = f.form, 0
	switch {
	case p.bodiless():
		p.state = ended
	case f.chunked:
		p.state = inSize
		p.form |= framed
	case f.transfer || p.status == 101:
		p.state = inRaw
	case f.badLength:
		return false
	case f.sized:
		p.state, p.left = inLength, f.length
		p.form |= sized
		if p.left == 0 {
			p.state = ended
		}
	default:
		p.state = inRaw
	}
	return true
}
