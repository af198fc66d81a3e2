package wire

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// MessagePart is what a [MessageReader] found.
type MessagePart uint8

// The parts of what a WebSocket server sends.
const (
	// MessageMore: nothing more is complete. Keep the bytes that were not taken,
	// at most MaxFrameKept, and come back with more behind them.
	MessageMore MessagePart = iota
	// MessagePiece: some bytes of a message that goes on.
	MessagePiece
	// MessageEnd: the last bytes of a message, or all of it.
	MessageEnd
	// Ping: a ping, to be answered by a pong with the same payload.
	Ping
	// Pong: a pong, which needs no answer.
	Pong
	// Close: the payload of a close frame, for [ReadClose].
	Close
	// Broken: the server broke the protocol; Err says how.
	Broken
)

// MaxFrameKept is the most that the caller of a MessageReader has to keep: the
// header of a frame, and a control frame, that have not wholly come.
const MaxFrameKept = ws.MaxHeaderSize + ws.MaxControlFramePayloadSize

// ProtocolError is how a WebSocket server broke the protocol.
type ProtocolError struct {
	// Code is what to close the connection with (RFC 6455, section 7.4.1).
	Code ws.StatusCode
	// Reason says what is wrong.
	Reason string
}

func (e *ProtocolError) Error() string { return e.Reason }

func broken(code ws.StatusCode, format string, args ...any) *ProtocolError {
	return &ProtocolError{code, fmt.Sprintf(format, args...)}
}

// MessageReader reads what a WebSocket server sends, in pieces of any size (RFC
// 6455, sections 5 and 7). It hands payloads on as they come and keeps none. No
// extension is spoken. The zero value is ready; between two messages it may be
// discarded for another.
type MessageReader struct {
	left uint64 // bytes of the present data frame still expected
	// err is set once the server has broken the protocol.
	err *ProtocolError

	fin     bool // the present frame is the last of its message
	message bool // one is under way
	isText  bool
	begun   [utf8.UTFMax - 1]byte // a character of it that has not wholly come
	nBegun  uint8
}

// Idle reports whether the reader stands between two messages.
func (r *MessageReader) Idle() bool { return r.left == 0 && !r.message && r.err == nil }

// Err returns how the server broke the protocol, nil while it has not.
func (r *MessageReader) Err() *ProtocolError { return r.err }

// Next reads one part from the start of b and returns it, its payload (a part
// of b) and how many bytes of b it took. Call it until it answers MessageMore or
// Broken.
func (r *MessageReader) Next(b []byte) (part MessagePart, payload []byte, n int) {
	for {
		switch {
		case r.err != nil:
			return Broken, nil, 0
		case r.left > 0:
			if n == len(b) {
				return MessageMore, nil, n
			}
			part, payload = r.payload(b[n : n+int(min(r.left, uint64(len(b)-n)))])
			return part, payload, n + len(payload)
		}
		h, size := r.header(b[n:])
		switch {
		case r.err != nil:
			return Broken, nil, n
		case size == 0:
			return MessageMore, nil, n
		case h.OpCode.IsControl():
			end := n + size + int(h.Length)
			if len(b) < end {
				return MessageMore, nil, n
			}
			return controlPart(h.OpCode), b[n+size : end], end
		}
		n += size
		if h.OpCode != ws.OpContinuation {
			r.message, r.isText = true, h.OpCode == ws.OpText
		}
		r.left, r.fin = uint64(h.Length), h.Fin
		if r.left == 0 && r.fin {
			part, payload = r.payload(b[n:n])
			return part, payload, n
		}
	}
}

func controlPart(op ws.OpCode) MessagePart {
	switch op {
	case ws.OpPing:
		return Ping
	case ws.OpPong:
		return Pong
	}
	return Close
}

// header reads a header, and sets err to why it cannot be. size is 0 while it
// has not wholly come; what is wrong with its first bytes is found before.
func (r *MessageReader) header(b []byte) (h ws.Header, size int) {
	if len(b) == 0 {
		return h, 0
	}
	h.Fin, h.Rsv, h.OpCode = b[0]&0x80 != 0, b[0]>>4&7, ws.OpCode(b[0]&0xf)
	if len(b) > 1 {
		h.Masked, h.Length = b[1]&0x80 != 0, int64(b[1]&0x7f)
	}
	if r.err = r.refuse(h); r.err != nil || len(b) < 2 {
		return h, 0
	}
	size = 2
	switch h.Length {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if len(b) < size {
		return h, 0
	}
	length := uint64(h.Length)
	switch size {
	case 4:
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 10:
		length = binary.BigEndian.Uint64(b[2:])
	}
	switch {
	case length>>63 != 0:
		r.err = broken(ws.StatusProtocolError, "a frame of %d bytes: the top bit of a length must be 0 (RFC 6455, section 5.2)", length)
	case size == 4 && length < 126, size == 10 && length <= 0xffff:
		r.err = broken(ws.StatusProtocolError, "a length of %d in more bytes than it needs (RFC 6455, section 5.2)", length)
	}
	h.Length = int64(length)
	return h, size
}

// refuse returns why a server may not send a frame that begins so now, nil if
// it may.
func (r *MessageReader) refuse(h ws.Header) *ProtocolError {
	const code = ws.StatusProtocolError
	switch {
	case h.Rsv == 4:
		return broken(code, "a frame with RSV1 set, as permessage-deflate does, which was not agreed on: switch compression off in the server")
	case h.Rsv != 0:
		return broken(code, "a frame with reserved bits (RSV %03b) of an extension that was not agreed on (RFC 6455, section 5.2)", h.Rsv)
	case h.OpCode.IsReserved():
		return broken(code, "a frame with the reserved opcode %#x (RFC 6455, section 5.2)", byte(h.OpCode))
	case h.Masked:
		return broken(code, "a masked frame, which only clients send (RFC 6455, section 5.1)")
	case h.OpCode.IsControl() && !h.Fin:
		return broken(code, "a control frame in fragments (RFC 6455, section 5.5)")
	case h.OpCode.IsControl() && h.Length > ws.MaxControlFramePayloadSize:
		return broken(code, "a control frame of more than %d bytes (RFC 6455, section 5.5)", ws.MaxControlFramePayloadSize)
	case h.OpCode == ws.OpContinuation && !r.message:
		return broken(code, "a continuation of no message (RFC 6455, section 5.4)")
	case !h.OpCode.IsControl() && h.OpCode != ws.OpContinuation && r.message:
		return broken(code, "a new message before the last one ended (RFC 6455, section 5.4)")
	}
	return nil
}

// payload takes in b, bytes of a data frame.
func (r *MessageReader) payload(b []byte) (MessagePart, []byte) {
	r.left -= uint64(len(b))
	end := r.left == 0 && r.fin
	if r.isText && !r.text(b, end) {
		r.err = broken(ws.StatusInvalidFramePayloadData, "a text that is not UTF-8 (RFC 6455, section 8.1)")
		return Broken, b
	}
	if end {
		*r = MessageReader{}
		return MessageEnd, b
	}
	return MessagePiece, b
}

// text reports whether a text that goes on with b can be UTF-8, and at its end
// whether it is.
func (r *MessageReader) text(b []byte, end bool) bool {
	if r.nBegun > 0 {
		var char [utf8.UTFMax]byte
		kept := copy(char[:], r.begun[:r.nBegun])
		n := kept + copy(char[kept:], b)
		for size := kept + 1; size < n; size++ {
			if utf8.FullRune(char[:size]) {
				n = size
			}
		}
		if !utf8.FullRune(char[:n]) {
			r.nBegun = uint8(copy(r.begun[:], char[:n]))
			return !end
		}
		if !utf8.Valid(char[:n]) {
			return false
		}
		b, r.nBegun = b[n-kept:], 0
	}
	rest, ok := incomplete(b)
	r.nBegun = uint8(copy(r.begun[:], rest))
	return ok && (!end || len(rest) == 0)
}

// ReadClose reads the payload of a close frame: 1005 for an empty one (RFC 6455,
// section 7.1.5). The error is what is wrong with it.
func ReadClose(payload []byte) (code ws.StatusCode, reason []byte, err *ProtocolError) {
	switch len(payload) {
	case 0:
		return ws.StatusNoStatusRcvd, nil, nil
	case 1:
		return 0, nil, broken(ws.StatusProtocolError, "a close frame of one byte (RFC 6455, section 5.5.1)")
	}
	code, reason = ws.StatusCode(binary.BigEndian.Uint16(payload)), payload[2:]
	switch {
	case !maySend(code):
		return code, reason, broken(ws.StatusProtocolError, "a close with the code %d, which no close frame may carry (RFC 6455, section 7.4)", code)
	case !utf8.Valid(reason):
		return code, reason, broken(ws.StatusInvalidFramePayloadData, "a close with a reason that is not UTF-8 (RFC 6455, section 5.5.1)")
	}
	return code, reason, nil
}

// AppendClientText appends a text message as a client sends it: whole and masked
// (RFC 6455, section 5.3). Whoever chooses text must not be able to foresee mask.
func AppendClientText(dst []byte, mask uint32, text []byte) []byte {
	return appendMasked(dst, ws.OpText, mask, text)
}

// AppendPong appends a client's answer to a ping with this payload.
func AppendPong(dst []byte, mask uint32, payload []byte) []byte {
	return appendMasked(dst, ws.OpPong, mask, payload)
}

// AppendClientClose appends a client's close frame with a code and no reason, or
// for 1005 one without a code.
func AppendClientClose(dst []byte, mask uint32, code ws.StatusCode) []byte {
	if code == ws.StatusNoStatusRcvd {
		return appendMasked(dst, ws.OpClose, mask, nil)
	}
	return appendMasked(dst, ws.OpClose, mask, binary.BigEndian.AppendUint16(nil, uint16(code)))
}

func appendMasked(dst []byte, op ws.OpCode, mask uint32, payload []byte) []byte {
	dst = append(dst, 0x80|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = binary.BigEndian.AppendUint32(dst, mask)
	begin := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[begin:], [4]byte(dst[begin-4:begin]), 0)
	return dst
}
