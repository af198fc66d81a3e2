package wire

import (
	"bytes"
	"math"
)

// Part is what a [ResponseParser] found.
type Part uint8

// The parts of an answer.
const (
	// More: nothing complete yet. Keep the bytes and come back with more behind
	// them.
	More Part = iota
	// Head: the head of the final answer; Status has its code.
	Head
	// Chunk: one whole chunk of a chunked body, or the rest of one that came in
	// Pieces.
	Chunk
	// Piece: some bytes of a body that has no frames, or of a chunk that is too
	// large to wait for.
	Piece
	// End: the body is complete.
	End
	// Malformed: this is not HTTP/1; the connection is of no more use.
	Malformed
)

// Limits of what a caller has to keep between two calls, in bytes.
const (
	maxAnswerHead = 64 << 10
	maxWholeChunk = 8 << 20 // more than a message of 1 MiB, escaped
	maxSizeLine   = 4 << 10
)

// ResponseParser takes an answer apart that comes in pieces of any size. It is
// a row of numbers: what is incomplete stays with the caller, and between two
// messages that is nothing. The zero value is ready for the first byte.
type ResponseParser struct {
	left   uint64 // bytes of the present chunk, or of a body of known length
	status uint16
	state  parseState
}

type parseState uint8

const (
	inHead    parseState = iota
	inSize               // at the start of a chunk
	inChunk              // inside a large chunk, left bytes to go
	inCRLF               // behind a large chunk
	inTrailer            // behind the last chunk
	inLength             // in a body of left bytes
	inRaw                // in a body that ends with the connection
	ended
)

// Status is the code of the answer's head, 0 before it.
func (p *ResponseParser) Status() int { return int(p.status) }

// Complete reports whether the answer may end where it stands now: whether an
// end of the connection here cuts nothing off.
func (p *ResponseParser) Complete() bool { return p.state == ended || p.state == inRaw }

// Next reads one part from the start of b and returns it, its payload (for
// Chunk and Piece, a part of b) and how many bytes of b it took. Call it until
// it answers More, End or Malformed; bytes that it did not take come first in
// the next b.
func (p *ResponseParser) Next(b []byte) (part Part, payload []byte, n int) {
	switch p.state {
	case inHead:
		return p.head(b)
	case inSize:
		return p.chunk(b)
	case inChunk:
		n = int(min(p.left, uint64(len(b))))
		if n == 0 {
			return More, nil, 0
		}
		if p.left -= uint64(n); p.left > 0 {
			return Piece, b[:n], n
		}
		p.state = inCRLF
		return Chunk, b[:n], n
	case inCRLF:
		return p.chunkEnd(b)
	case inTrailer:
		return p.trailer(b)
	case inLength:
		n = int(min(p.left, uint64(len(b))))
		if p.left -= uint64(n); p.left == 0 {
			p.state = ended
			if n == 0 {
				return End, nil, 0
			}
		}
		if n == 0 {
			return More, nil, 0
		}
		return Piece, b[:n], n
	case inRaw:
		if len(b) == 0 {
			return More, nil, 0
		}
		return Piece, b, len(b)
	default:
		return End, nil, 0
	}
}

func (p *ResponseParser) fail() (Part, []byte, int) {
	p.state = ended
	return Malformed, nil, 0
}

func (p *ResponseParser) head(b []byte) (Part, []byte, int) {
	if !bytes.HasPrefix(b, []byte("HTTP/1.")[:min(len(b), 7)]) {
		return p.fail()
	}
	lineEnd := bytes.IndexByte(b, '\n')
	if lineEnd < 0 {
		return p.wait(b, maxAnswerHead)
	}
	end, ok := scanFields(b, lineEnd+1)
	if !ok || end > maxAnswerHead {
		return p.fail()
	}
	if end < 0 {
		return p.wait(b, maxAnswerHead)
	}
	status, ok := parseStatus(b[:lineEnd])
	if !ok {
		return p.fail()
	}
	if status < 200 && status != 101 { // an interim answer; the real one follows
		part, payload, n := p.head(b[end:])
		if part == Head {
			return part, payload, n + end
		}
		return part, nil, 0
	}
	p.status = status
	if !p.body(b[lineEnd+1 : end]) {
		return p.fail()
	}
	return Head, nil, end
}

// parseStatus reads `HTTP/1.1 200 OK`.
func parseStatus(line []byte) (uint16, bool) {
	if len(line) < len("HTTP/1.1 200") || line[8] != ' ' {
		return 0, false
	}
	var n uint16
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint16(c-'0')
	}
	return n, n >= 100
}

// body works out how the body ends (RFC 9112, section 6.3).
func (p *ResponseParser) body(fields []byte) bool {
	p.state = inRaw
	if p.status == 204 || p.status == 304 {
		p.state = ended
		return true
	}
	for line := range bytes.Lines(fields) {
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			if lastToken(value, "chunked") {
				p.state = inSize
			}
		case bytes.EqualFold(name, []byte("Content-Length")) && p.state != inSize:
			n, ok := ParseID(value)
			if !ok {
				return false
			}
			p.left = uint64(n)
			p.state = inLength
			if n == 0 {
				p.state = ended
			}
		}
	}
	return true
}

func lastToken(value []byte, token string) bool {
	if i := bytes.LastIndexByte(value, ','); i >= 0 {
		value = bytes.TrimSpace(value[i+1:])
	}
	return bytes.EqualFold(value, []byte(token))
}

// chunk reads a whole chunk, or begins a large one.
func (p *ResponseParser) chunk(b []byte) (Part, []byte, int) {
	lineEnd := bytes.IndexByte(b, '\n')
	if lineEnd < 0 {
		if len(b) > 0 && hexDigit(b[0]) < 0 {
			return p.fail()
		}
		return p.wait(b, maxSizeLine)
	}
	size, ok := parseChunkSize(trimCR(b[:lineEnd]))
	if !ok || lineEnd >= maxSizeLine {
		return p.fail()
	}
	start := lineEnd + 1
	if size == 0 {
		p.state = inTrailer
		part, payload, n := p.trailer(b[start:])
		if part == More {
			return More, nil, start // the size line is done with; the trailer is to come
		}
		return part, payload, start + n
	}
	if size > maxWholeChunk {
		p.left, p.state = size, inChunk
		part, payload, n := p.Next(b[start:])
		return part, payload, start + n
	}
	end := start + int(size)
	if len(b) < end+1 || b[end] == '\r' && len(b) < end+2 {
		return More, nil, 0
	}
	n, ok := lineBreak(b[end:])
	if !ok {
		return p.fail()
	}
	return Chunk, b[start:end], end + n
}

func (p *ResponseParser) chunkEnd(b []byte) (Part, []byte, int) {
	if len(b) == 0 || b[0] == '\r' && len(b) < 2 {
		return More, nil, 0
	}
	n, ok := lineBreak(b)
	if !ok {
		return p.fail()
	}
	p.state = inSize
	part, payload, m := p.chunk(b[n:])
	return part, payload, n + m
}

func lineBreak(b []byte) (int, bool) {
	switch {
	case b[0] == '\n':
		return 1, true
	case b[0] == '\r' && b[1] == '\n':
		return 2, true
	}
	return 0, false
}

func (p *ResponseParser) trailer(b []byte) (Part, []byte, int) {
	end, ok := scanFields(b, 0)
	if !ok || end > maxAnswerHead {
		return p.fail()
	}
	if end < 0 {
		return p.wait(b, maxAnswerHead)
	}
	p.state = ended
	return End, nil, end
}

// wait asks for more, unless there is too much already. What comes whole is held
// against the same limits, so that the pieces it comes in make no difference.
func (p *ResponseParser) wait(b []byte, limit int) (Part, []byte, int) {
	if len(b) >= limit {
		return p.fail()
	}
	return More, nil, 0
}

// parseChunkSize reads hex digits up to an extension (RFC 9112, section 7.1).
func parseChunkSize(line []byte) (uint64, bool) {
	line, _, _ = bytes.Cut(line, []byte{';'})
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range line {
		d := hexDigit(c)
		if d < 0 || n > math.MaxInt64>>4 {
			return 0, false
		}
		n = n<<4 | uint64(d)
	}
	return n, true
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
