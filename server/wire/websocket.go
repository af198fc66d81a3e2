package wire

import (
	"bytes"
	"errors"
	"io"

	"github.com/gobwas/ws"
)

func appendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	var b bytes.Buffer
	// A bytes.Buffer takes every write.
	_ = ws.WriteHeader(&b, ws.Header{Fin: true, OpCode: op, Length: int64(len(payload))})
	dst = append(dst, b.Bytes()...)
	return append(dst, payload...)
}

// AppendClose appends a close frame with a status and no reason.
func AppendClose(dst []byte, status ws.StatusCode) []byte {
	return appendFrame(dst, ws.OpClose, ws.NewCloseFrameBody(status, ""))
}

// FrameReader reads what a WebSocket client sends: it drops data, and answers
// pings and closes. The zero value is ready. It costs memory only between two
// pieces of one frame; Idle says when it can be thrown away.
type FrameReader struct {
	partial []byte // a header or a control frame that has not wholly come
	skip    int64  // bytes of a data frame still to drop
}

// Idle reports whether the reader stands between two frames.
func (r *FrameReader) Idle() bool { return len(r.partial) == 0 && r.skip == 0 }

// Feed takes the next bytes from the client and appends to reply what must be
// sent back. It reports true when the connection is to be closed after that
// reply: the client closed it, or broke the protocol.
func (r *FrameReader) Feed(b, reply []byte) (answer []byte, closed bool) {
	if len(r.partial) > 0 {
		b = append(r.partial, b...)
		r.partial = nil
	}
	for len(b) > 0 {
		if r.skip > 0 {
			n := min(r.skip, int64(len(b)))
			r.skip -= n
			b = b[n:]
			continue
		}
		h, size, complete := parseFrameHeader(b)
		if !complete {
			r.partial = append([]byte(nil), b...)
			return reply, false
		}
		if err := checkClientFrame(h); err != nil {
			return AppendClose(reply, ws.StatusProtocolError), true
		}
		if !h.OpCode.IsControl() {
			r.skip = h.Length
			b = b[size:]
			continue
		}
		end := size + int(h.Length)
		if len(b) < end {
			r.partial = append([]byte(nil), b...)
			return reply, false
		}
		payload := append([]byte(nil), b[size:end]...)
		ws.Cipher(payload, h.Mask, 0)
		b = b[end:]
		switch h.OpCode {
		case ws.OpPing:
			reply = appendFrame(reply, ws.OpPong, payload)
		case ws.OpClose:
			return appendFrame(reply, ws.OpClose, closeEcho(payload)), true
		}
	}
	return reply, false
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

// checkClientFrame holds a frame against RFC 6455, sections 5.1 and 5.2.
// Whether fragments follow in order does not matter to one who drops them.
func checkClientFrame(h ws.Header) error {
	switch {
	case !h.Masked:
		return ws.ErrProtocolMaskRequired
	case h.OpCode.IsReserved():
		return ws.ErrProtocolOpCodeReserved
	case h.Rsv != 0:
		return ws.ErrProtocolNonZeroRsv
	case h.OpCode.IsControl() && h.Length > ws.MaxControlFramePayloadSize:
		return ws.ErrProtocolControlPayloadOverflow
	case h.OpCode.IsControl() && !h.Fin:
		return ws.ErrProtocolControlNotFinal
	}
	return nil
}

// closeEcho answers a close with its own status (RFC 6455, section 5.5.1).
func closeEcho(payload []byte) []byte {
	if len(payload) < 2 {
		return nil
	}
	return payload[:2]
}
