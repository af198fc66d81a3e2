package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// FrameReader reads what a WebSocket client sends: it checks and drops data, and
// answers pings and closes (RFC 6455, sections 5 and 7). The zero value is
// ready. It holds memory only in the middle of a message or a control frame;
// Idle reports when it can be discarded.
type FrameReader struct {
	partial []byte // a header or a control frame that has not wholly come

	// The data frame whose payload is under way.
	left int64   // bytes of it still expected
	mask [4]byte // as the next of them is masked
	fin  bool    // it is the last of its message

	// The message under way.
	message bool // there is one: continuations are expected
	isText  bool
	begun   [utf8.UTFMax - 1]byte // a character that has not wholly come
	nBegun  uint8
}

// Idle reports whether the reader stands between two messages.
func (r *FrameReader) Idle() bool { return len(r.partial) == 0 && r.left == 0 && !r.message }

// Feed takes the next bytes from the client and appends to reply what must be
// sent back. It reports true when the connection is to be closed after that
// reply: the client closed it, or broke the protocol.
func (r *FrameReader) Feed(b, reply []byte) (answer []byte, closed bool) {
	if len(r.partial) > 0 {
		b = append(r.partial, b...)
		r.partial = nil
	}
	for len(b) > 0 {
		if r.left > 0 {
			n := int(min(r.left, int64(len(b))))
			if !r.payload(b[:n]) {
				return AppendClose(reply, ws.StatusInvalidFramePayloadData), true
			}
			b = b[n:]
			continue
		}
		h, size, complete := parseFrameHeader(b)
		if complete && !r.allows(h, size) {
			return AppendClose(reply, ws.StatusProtocolError), true
		}
		end := size
		if complete && h.OpCode.IsControl() {
			end += int(h.Length)
		}
		if !complete || len(b) < end {
			r.partial = append([]byte(nil), b...)
			return reply, false
		}
		if h.OpCode.IsControl() {
			if reply, closed = control(h, b[size:end], reply); closed {
				return reply, true
			}
		} else if !r.begin(h) {
			return AppendClose(reply, ws.StatusInvalidFramePayloadData), true
		}
		b = b[end:]
	}
	return reply, false
}

// allows reports whether a client may send a frame with this header of size
// bytes now (RFC 6455, sections 5.1, 5.2, 5.4 and 5.5). No extension is spoken.
func (r *FrameReader) allows(h ws.Header, size int) bool {
	switch {
	case !h.Masked, h.Rsv != 0, h.OpCode.IsReserved(), size != ws.HeaderSize(h): // a length in more bytes than it needs
		return false
	case h.OpCode.IsControl():
		return h.Fin && h.Length <= ws.MaxControlFramePayloadSize
	}
	return r.message == (h.OpCode == ws.OpContinuation)
}

// begin starts a data frame. It reports false when it ends its message, as an
// empty frame does, in the middle of a character.
func (r *FrameReader) begin(h ws.Header) bool {
	if h.OpCode != ws.OpContinuation {
		r.message, r.isText = true, h.OpCode == ws.OpText
	}
	r.left, r.mask, r.fin = h.Length, h.Mask, h.Fin
	return r.left > 0 || r.endFrame()
}

// payload takes in bytes of a data frame. It reports false for what is not
// UTF-8 in a text (RFC 6455, section 8.1).
func (r *FrameReader) payload(b []byte) bool {
	r.left -= int64(len(b))
	if r.isText && !r.text(b) {
		return false
	}
	return r.left > 0 || r.endFrame()
}

// endFrame reports false if a text ends in the middle of a character.
func (r *FrameReader) endFrame() bool {
	if !r.fin {
		return true
	}
	whole := r.nBegun == 0
	*r = FrameReader{}
	return whole
}

// text checks masked bytes of a text, bit by bit, so that it needs no memory.
func (r *FrameReader) text(b []byte) bool {
	var plain [512 + utf8.UTFMax]byte
	for len(b) > 0 {
		kept := copy(plain[:], r.begun[:r.nBegun])
		n := copy(plain[kept:512], b)
		b = b[n:]
		ws.Cipher(plain[kept:kept+n], r.mask, 0)
		r.turnMask(n)
		rest, ok := incomplete(plain[:kept+n])
		if !ok {
			return false
		}
		r.nBegun = uint8(copy(r.begun[:], rest))
	}
	return true
}

// turnMask goes on by n bytes.
func (r *FrameReader) turnMask(n int) {
	old := r.mask
	for i := range r.mask {
		r.mask[i] = old[(i+n)%4]
	}
}

// incomplete returns the beginning of a character at the end of b, if there is
// one, and reports whether all before it is UTF-8.
func incomplete(b []byte) (rest []byte, ok bool) {
	for i := max(0, len(b)-utf8.UTFMax+1); i < len(b); i++ {
		if utf8.RuneStart(b[i]) && !utf8.FullRune(b[i:]) {
			return b[i:], utf8.Valid(b[:i])
		}
	}
	return nil, utf8.Valid(b)
}

// control answers a control frame, and reports whether it was a close.
func control(h ws.Header, masked, reply []byte) ([]byte, bool) {
	payload := append([]byte(nil), masked...)
	ws.Cipher(payload, h.Mask, 0)
	switch h.OpCode {
	case ws.OpPing:
		return appendFrame(reply, ws.OpPong, payload), false
	case ws.OpClose:
		return appendCloseReply(reply, payload), true
	}
	return reply, false
}

// appendCloseReply answers a close with its own status, or with what is wrong
// with it (RFC 6455, sections 5.5.1 and 7.4).
func appendCloseReply(reply, payload []byte) []byte {
	if len(payload) == 0 {
		return appendFrame(reply, ws.OpClose, nil)
	}
	if len(payload) == 1 {
		return AppendClose(reply, ws.StatusProtocolError)
	}
	status := ws.StatusCode(binary.BigEndian.Uint16(payload))
	switch {
	case !maySend(status):
		status = ws.StatusProtocolError
	case !utf8.Valid(payload[2:]):
		status = ws.StatusInvalidFramePayloadData
	}
	return AppendClose(reply, status)
}

// maySend reports whether a close frame may carry a status: one that is defined
// for it, by RFC 6455 or since (the IANA registry of WebSocket close codes), or
// one for libraries and applications.
func maySend(s ws.StatusCode) bool {
	return s >= 1000 && s <= 1003 || s >= 1007 && s <= 1014 || s >= 3000 && s <= 4999
}

func parseFrameHeader(b []byte) (h ws.Header, size int, complete bool) {
	r := bytes.NewReader(b)
	h, err := ws.ReadHeader(r)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return h, 0, false
	case err != nil: // a length with its top bit set
		return ws.Header{OpCode: 0xf}, 0, true
	}
	return h, len(b) - r.Len(), true
}
