package wire

import (
	"bufio"
	"bytes"
	"net/textproto"
)

// ofRequest stands in place of a status while the body of a request is read, which
// is held to the letter: a proxy in front may see another end where a line of the
// framing ends with a bare LF (RFC 9112, section 7.1, erratum 7633).
const ofRequest = 1

// strict reports whether the framing is held to the letter. Then what is wrong with a line
// is said once all of it has come, as net/http does.
func (p *ResponseParser) strict() bool { return p.status == ofRequest }

// Left returns how much of the present chunk, or of a body of known length, is still to
// come.
func (p *ResponseParser) Left() uint64 { return p.left }

// maxSizeDigits is how many digits a chunk's size has at most.
const maxSizeDigits = 16

// isStrictSize reports whether a line gives a chunk's size to the letter: line has
// its line end.
func isStrictSize(line []byte) bool {
	line, ended := cutLineEnd(line)
	size, _, extended := bytes.Cut(line, []byte{';'})
	if !extended {
		size = bytes.TrimRight(size, " \t")
	}
	return ended && len(size) <= maxSizeDigits && !bytes.ContainsAny(size, " \t")
}

// maxRequestTrailer is how long the lines behind the last chunk of a request may be, in
// bytes, with the empty one: what net/http buffers.
const maxRequestTrailer = 4 << 10

// requestTrailer reads the lines behind the last chunk of a request, up to an empty one.
// Where there are any it does so once all have come, with the reader of net/http, so that
// both see the same end.
func (p *ResponseParser) requestTrailer(b []byte) (Part, int) {
	if bytes.HasPrefix(b, []byte("\r\n")) {
		p.state = ended
		return End, len("\r\n")
	}
	behind := []byte("\r\n\r\n")
	from := max(int(p.seen)-len(behind)+1, 0)
	i := bytes.Index(b[from:min(len(b), maxRequestTrailer)], behind)
	switch {
	case i < 0 && len(b) >= maxRequestTrailer:
		return p.fail(), 0
	case i < 0:
		p.seen = uint32(len(b))
		return More, 0
	}
	lines := bytes.NewReader(b[:from+i+len(behind)])
	buffered := bufio.NewReader(lines)
	if _, err := textproto.NewReader(buffered).ReadMIMEHeader(); err != nil {
		return p.fail(), 0
	}
	p.state = ended
	return End, int(lines.Size()) - lines.Len() - buffered.Buffered()
}

// cutLineEnd cuts off CR and LF, and reports whether they, and no other CR, were
// there.
func cutLineEnd(line []byte) (text []byte, ok bool) {
	text, ok = bytes.CutSuffix(line, []byte("\r\n"))
	return text, ok && bytes.IndexByte(text, '\r') < 0
}
