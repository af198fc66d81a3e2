package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
)

// Handshake is what a WebSocket client asks for (RFC 6455, section 4.1).
type Handshake struct {
	// Key is 16 bytes that are new for each connection.
	Key [16]byte
	// Subprotocols are offered in this order. The server has to take one of them.
	Subprotocols []string
}

// AppendFields appends the fields of the request head that ask for it.
func (h *Handshake) AppendFields(dst []byte) []byte {
	dst = append(dst, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	dst = base64.StdEncoding.AppendEncode(dst, h.Key[:])
	for i, name := range h.Subprotocols {
		if i == 0 {
			dst = append(dst, "\r\nSec-WebSocket-Protocol: "...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = append(dst, name...)
	}
	return append(dst, "\r\n"...)
}

// Check returns why the head of an answer with status 101 does not agree to h
// (RFC 6455, section 4.1), nil if it does.
func (h *Handshake) Check(head []byte) error {
	var upgrade, connection bool
	var accept, extensions, protocol []byte
	accepts, protocols := 0, 0
	fields := HeadFields(head)
	for name, value, ok := fields.Next(); ok; name, value, ok = fields.Next() {
		switch {
		case bytes.EqualFold(name, []byte("Upgrade")):
			upgrade = upgrade || lists(value, "websocket")
		case bytes.EqualFold(name, []byte("Connection")):
			connection = connection || lists(value, "upgrade")
		case bytes.EqualFold(name, []byte("Sec-WebSocket-Accept")):
			accept, accepts = value, accepts+1
		case bytes.EqualFold(name, []byte("Sec-WebSocket-Extensions")) && len(value) > 0:
			extensions = value
		case bytes.EqualFold(name, []byte("Sec-WebSocket-Protocol")):
			protocol, protocols = value, protocols+1
		}
	}
	var key [24]byte
	var want [28]byte
	base64.StdEncoding.Encode(key[:], h.Key[:])
	switch {
	case !upgrade:
		return errors.New("its answer has no `Upgrade: websocket`")
	case !connection:
		return errors.New("its answer has no `Connection: Upgrade`")
	case accepts != 1 || !bytes.Equal(accept, appendAccept(want[:0], key[:])):
		return fmt.Errorf("its Sec-WebSocket-Accept %q is not the answer to the key that was sent: something before it answers from a cache, or it is no WebSocket server", accept)
	case len(extensions) > 0:
		return fmt.Errorf("it forces the extension %q, which was not offered: switch compression off in the server", extensions)
	case protocols > 1, protocols == 1 && !slices.Contains(h.Subprotocols, string(protocol)):
		return fmt.Errorf("it chose the subprotocol %q, which was not offered: name it with --subprotocol", protocol)
	case len(h.Subprotocols) > 0 && protocols == 0:
		return fmt.Errorf("it took none of the subprotocols %q", h.Subprotocols)
	}
	return nil
}

// HeadFields returns the fields of the last head in b, which holds whole heads
// only: interim answers come before the final one.
func HeadFields(b []byte) Fields {
	b = unfolded(b)
	if last := bytes.LastIndex(b, []byte("\nHTTP/1.")); last >= 0 {
		b = b[last+1:]
	}
	return b
}

// Fields is the fields of a head, for Next.
type Fields []byte

// Next takes the first field of f and returns its name and value. ok is false
// when there is none left.
func (f *Fields) Next() (name, value []byte, ok bool) {
	for len(*f) > 0 {
		line, rest, _ := bytes.Cut(*f, []byte{'\n'})
		*f = rest
		if name, value, ok = bytes.Cut(line, []byte{':'}); ok {
			return bytes.TrimRight(name, " \t"), trimBlanks(trimCR(value)), true
		}
	}
	return nil, nil, false
}
