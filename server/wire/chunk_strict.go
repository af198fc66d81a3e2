package wire

import "bytes"

// ofRequest stands in place of a status while the body of a request is read, which
// is held to the letter: a proxy in front may see another end where a line of the
// framing ends with a bare LF (RFC 9112, section 7.1, erratum 7633).
const ofRequest = 1

// strict reports whether the framing is held to the letter.
func (p *ResponseParser) strict() bool { return p.status == ofRequest }

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

// isStrictTrailer reports whether a line of the trailer is a field, or the empty
// one.
func isStrictTrailer(line []byte) bool {
	line, ended := cutLineEnd(line)
	if !ended || len(line) == 0 {
		return ended
	}
	name, value, found := bytes.Cut(line, []byte{':'})
	return found && isTokenText(name) && isFieldText(value)
}

// cutLineEnd cuts off CR and LF, and reports whether they, and no other CR, were
// there.
func cutLineEnd(line []byte) (text []byte, ok bool) {
	text, ok = bytes.CutSuffix(line, []byte("\r\n"))
	return text, ok && bytes.IndexByte(text, '\r') < 0
}
