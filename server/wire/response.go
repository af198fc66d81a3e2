package wire

import (
	"bytes"
	"math"
)

// Part is what a [ResponseParser] found.
type Part uint8

// The parts of an answer.
const (
	// More: nothing more is complete. Keep the bytes that were not taken and come
	// back with more behind them.
	More Part = iota
	// Head: the head of the final answer; Status has its code. The payload is the
	// whole head, for [HeadFields], with the interim answers before it.
	Head
	// Chunk: the end of a chunk of a chunked body: all of it, or what is left
	// behind its Pieces.
	Chunk
	// Piece: some bytes of a chunk that goes on, or of a body without chunks.
	Piece
	// End: the body is complete.
	End
	// Malformed: this is not HTTP/1; the connection is of no more use.
	Malformed
)

// Limits of what a peer may send before it comes to a point, in bytes. What
// comes whole is held against the same limits as what comes in pieces, so that
// the pieces make no difference.
const (
	// MaxKept is the most that a caller has to keep between two calls: a head that
	// is not complete.
	MaxKept = 64 << 10

	maxAnswerHead = MaxKept  // with the interim answers and empty lines before it
	maxTrailer    = 64 << 10 // all lines of it
	maxLine       = 4 << 10  // of a chunk size with its extensions, or of a trailer
)

// ResponseParser takes an answer apart that comes in pieces of any size. It is
// a row of numbers: what is incomplete stays with the caller, and that is part of
// a head or of a line, never of a body. It looks at each byte of those once,
// however many pieces they come in. The zero value is ready for the first byte.
type ResponseParser struct {
	// left is what is still to come of the present chunk, or of a body of known
	// length; in the head and the trailer, how many bytes were taken of it.
	left uint64
	// seen is how many of the bytes that the caller keeps hold no line end.
	seen   uint32
	status uint16
	state  parseState
	form   bodyForm
}

type parseState uint8

const (
	inHead    parseState = iota
	inSize               // at the start of a chunk
	inChunk              // inside a chunk, left bytes to go
	inCRLF               // behind a chunk
	inTrailer            // behind the last chunk
	inLength             // in a body of left bytes
	inRaw                // in a body that ends with the connection
	ended
)

// Status returns the code of the answer's head, 0 before it.
func (p *ResponseParser) Status() int { return int(p.status) }

// Started reports whether a part of a head has come, or an interim answer, and not
// all of the head.
func (p *ResponseParser) Started() bool { return p.state == inHead && (p.left > 0 || p.seen > 0) }

// Complete reports whether the answer may end where it stands now: whether an
// end of the connection here cuts nothing off.
func (p *ResponseParser) Complete() bool { return p.state == ended || p.state == inRaw }

// HasLength reports whether the head said how long the body is: then this is one
// answer, and no stream.
func (p *ResponseParser) HasLength() bool { return p.form&sized != 0 }

// Chunked reports whether the body comes in chunks.
func (p *ResponseParser) Chunked() bool { return p.form&framed != 0 }

// Begun reports whether any of the body has come.
func (p *ResponseParser) Begun() bool { return p.form&begun != 0 }

// Persistent reports whether the server takes another request on this connection
// once the answer is complete (RFC 9112, section 9.3).
func (p *ResponseParser) Persistent() bool {
	return p.form&persistent != 0 && (p.form&(sized|framed) != 0 || p.bodiless())
}

// Events reports whether the body is server-sent events, by its Content-Type.
func (p *ResponseParser) Events() bool { return p.form&events != 0 }

// Coding returns how the body is compressed, such as gzip: "" if it is not.
func (p *ResponseParser) Coding() string { return codings[p.form&codingMask] }

// ChunksBefore returns chunks behind which a reader of them is where this one is now:
// at a size, at the line end of a chunk, or in the trailer.
func (p *ResponseParser) ChunksBefore() string {
	switch p.state {
	case inCRLF:
		return "1\r\nx"
	case inTrailer:
		return "0\r\n"
	default:
		return ""
	}
}

// Next reads one part from the start of b and returns it, its payload (for
// Head, Chunk and Piece, a part of b) and how many bytes of b it took. Call it until
// it answers More, End or Malformed; bytes that it did not take come first in
// the next b.
func (p *ResponseParser) Next(b []byte) (part Part, payload []byte, n int) {
	switch p.state {
	case inHead:
		part, n = p.head(b)
		if part == Head {
			payload = b[:n]
		}
		return part, payload, n
	case inSize:
		return p.chunk(b)
	case inChunk:
		return p.inside(b)
	case inCRLF:
		return p.chunkEnd(b)
	case inTrailer:
		part, n = p.trailer(b)
		return part, nil, n
	case inLength:
		n = int(min(p.left, uint64(len(b))))
		if n == 0 {
			return More, nil, 0
		}
		p.form |= begun
		if p.left -= uint64(n); p.left == 0 {
			p.state = ended
		}
		return Piece, b[:n], n
	case inRaw:
		if len(b) == 0 {
			return More, nil, 0
		}
		p.form |= begun
		return Piece, b, len(b)
	default:
		return End, nil, 0
	}
}

func (p *ResponseParser) fail() Part {
	p.state = ended
	return Malformed
}

// line returns the end of the line that b begins with, behind its LF: 0 while
// that has not come. ok is false for a line longer than limit.
func (p *ResponseParser) line(b []byte, limit int) (end int, ok bool) {
	known := int(p.seen)
	i := bytes.IndexByte(b[known:], '\n')
	if i < 0 {
		p.seen = uint32(min(uint64(len(b)), math.MaxUint32))
		return 0, len(b) < limit
	}
	p.seen = 0
	end = known + i + 1
	return end, end <= limit
}

// chunk reads a chunk's size, and what has come of the chunk.
func (p *ResponseParser) chunk(b []byte) (Part, []byte, int) {
	if len(b) > 0 && hexDigit(b[0]) < 0 && !p.strict() {
		return p.fail(), nil, 0
	}
	start, ok := p.line(b, maxLine)
	switch {
	case !ok:
		return p.fail(), nil, 0
	case start == 0:
		return More, nil, 0
	}
	size, ok := parseChunkSize(trimCR(b[:start-1]))
	if !ok || !p.strict() && size > math.MaxInt64 || p.strict() && !isStrictSize(b[:start]) {
		return p.fail(), nil, 0
	}
	p.left = size
	if size == 0 {
		p.state = inTrailer
		part, n := p.trailer(b[start:])
		return part, nil, start + n
	}
	p.state = inChunk
	if p.strict() {
		return Piece, nil, start
	}
	part, payload, n := p.inside(b[start:])
	return part, payload, start + n
}

// inside hands on what has come of a chunk.
func (p *ResponseParser) inside(b []byte) (Part, []byte, int) {
	n := int(min(p.left, uint64(len(b))))
	if n == 0 {
		return More, nil, 0
	}
	p.form |= begun
	if p.left -= uint64(n); p.left > 0 {
		return Piece, b[:n], n
	}
	p.state = inCRLF
	// Its line end comes with it as a rule.
	if end, ok := p.lineBreak(b[n:]); ok && end > 0 {
		p.state = inSize
		return Chunk, b[:n], n + end
	}
	return Chunk, b[:n], n
}

func (p *ResponseParser) chunkEnd(b []byte) (Part, []byte, int) {
	n, ok := p.lineBreak(b)
	switch {
	case !ok:
		return p.fail(), nil, 0
	case n == 0:
		return More, nil, 0
	}
	p.state = inSize
	part, payload, m := p.chunk(b[n:])
	return part, payload, n + m
}

// lineBreak returns the length of the line end that b begins with, 0 while that
// has not come.
func (p *ResponseParser) lineBreak(b []byte) (n int, ok bool) {
	switch {
	case len(b) == 0, len(b) == 1 && (b[0] == '\r' || p.strict()):
		return 0, true
	case b[0] == '\n':
		return 1, !p.strict()
	case b[0] == '\r' && b[1] == '\n':
		return 2, true
	}
	return 0, false
}

// trailer reads the lines behind the last chunk up to an empty one. What they say
// is for nobody here.
func (p *ResponseParser) trailer(b []byte) (Part, int) {
	if p.strict() {
		return p.requestTrailer(b)
	}
	for taken := 0; ; {
		end, ok := p.line(b[taken:], maxLine)
		switch {
		case !ok || p.left+uint64(end) > maxTrailer:
			return p.fail(), 0
		case end == 0:
			return More, taken
		}
		line := trimCR(b[taken : taken+end-1])
		taken += end
		p.left += uint64(end)
		if len(line) == 0 {
			p.state = ended
			return End, taken
		}
		if folded := line[0] == ' ' || line[0] == '\t'; !folded && bytes.IndexByte(line, ':') < 1 {
			return p.fail(), 0
		}
	}
}

// parseChunkSize reads hex digits up to an extension (RFC 9112, section 7.1).
// What an extension says ends with its line, quoted or not: a quoted string
// holds no line end (RFC 9110, section 5.6.4).
func parseChunkSize(line []byte) (uint64, bool) {
	line, _, _ = bytes.Cut(line, []byte{';'})
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range line {
		d := hexDigit(c)
		if d < 0 || n > math.MaxUint64>>4 {
			return 0, false
		}
		n = n<<4 | uint64(d)
	}
	return n, true
}

// hexDigit returns the value of a hex digit, -1 for any other byte.
func hexDigit(c byte) int { return int(hexDigits[c]) }

var hexDigits = func() (t [256]int8) {
	for c := range t {
		t[c] = -1
	}
	for i, c := range []byte("0123456789abcdef") {
		t[c] = int8(i)
	}
	for i, c := range []byte("ABCDEF") {
		t[c] = int8(10 + i)
	}
	return t
}()
