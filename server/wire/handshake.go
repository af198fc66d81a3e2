package wire

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
)

// handshakeGUID is what RFC 6455, section 1.3, appends to a client's key.
const handshakeGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// upgrade answers a WebSocket handshake (RFC 6455, section 4.2). No extension is
// accepted. Of the subprotocols that the client offers the answer names the
// first: the messages are the same in any, and browsers fail a connection whose
// answer names none of those that they offered.
func (p *Parser) upgrade(f *fields, minor byte, into *Scratch, isHead bool) Request {
	switch {
	case isHead, !f.upgradesToWebSocket, !f.connectionUpgrade, f.versions == 1 && string(f.version) != "13":
		return Request{Answer: UpgradeNeeded.bytes(isHead)}
	case minor == '0': // in which a server ignores Upgrade (RFC 9110, section 7.8)
		return Request{Answer: UpgradeTooOld.bytes(isHead)}
	case f.versions != 1, f.keys != 1, !validKey(f.key), f.badProtocols, f.hasBody():
		return Request{Answer: BadUpgrade.bytes(isHead)}
	case !p.Origins.allowWebSocket(f):
		return Request{Answer: OriginRefused.bytes(isHead)}
	}
	const start = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
	into.answer = append(into.answer[:0], start...)
	into.answer = appendAccept(into.answer, f.key)
	if len(f.protocol) > 0 {
		into.answer = append(into.answer, "\r\nSec-WebSocket-Protocol: "...)
		into.answer = append(into.answer, f.protocol...)
	}
	into.answer = append(into.answer, "\r\n\r\n"...)
	return Request{Kind: WebSocket, IDs: into.ids, Answer: into.answer}
}

// validKey reports whether key is sixteen bytes in base64.
func validKey(key []byte) bool {
	var raw [18]byte
	if len(key) != 24 {
		return false
	}
	n, err := base64.StdEncoding.Decode(raw[:], key)
	return err == nil && n == 16
}

func appendAccept(dst, key []byte) []byte {
	var text [24 + len(handshakeGUID)]byte
	copy(text[copy(text[:], key):], handshakeGUID)
	sum := sha1.Sum(text[:])
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// offerProtocols reads one Sec-WebSocket-Protocol field: a list of tokens, in
// which empty elements are ignored (RFC 9110, section 5.6.1.2).
func (f *fields) offerProtocols(list []byte) {
	for element := range elements(list) {
		if !isTokenText(element) {
			f.badProtocols = true
			return
		}
		if f.protocol == nil {
			f.protocol = element
		}
	}
}

// allowWebSocket reports whether a page may open a WebSocket: always, unless
// only certain origins are allowed and it is of neither one of them nor of this
// host (RFC 6455, section 10.2). Clients that are no browsers send no Origin.
func (o *Origins) allowWebSocket(f *fields) bool {
	if len(o.allowed) == 0 || f.origins == 0 {
		return true
	}
	if f.origins > 1 {
		return false
	}
	_, authority, _ := bytes.Cut(f.origin, []byte("://"))
	return o.find(f.origin) != 0 || len(authority) > 0 && bytes.EqualFold(withoutDefaultPort(authority), withoutDefaultPort(f.host))
}

func withoutDefaultPort(host []byte) []byte {
	if h, ok := bytes.CutSuffix(host, []byte(":80")); ok {
		return h
	}
	return bytes.TrimSuffix(host, []byte(":443"))
}
