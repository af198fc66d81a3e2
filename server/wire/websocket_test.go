package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// The example of RFC 6455, section 1.3.
const (
	exampleKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	exampleAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + exampleAccept + "\r\n\r\n"

func handshake(fields ...string) string {
	return get("/ws/7", append([]string{"Upgrade: websocket", "Connection: Upgrade"}, fields...)...)
}

func upgradeCases() []headCase {
	const key, version = "Sec-WebSocket-Key: " + exampleKey, "Sec-WebSocket-Version: 13"
	stream := func(name, in string) headCase {
		return headCase{name: name, in: in, kind: WebSocket, ids: []int64{7}, answer: []byte(switching)}
	}
	named := func(name, protocol string, fields ...string) headCase {
		c := stream(name, handshake(append(fields, key, version)...))
		c.answer = []byte(strings.TrimSuffix(switching, crlf) + "Sec-WebSocket-Protocol: " + protocol + crlf + crlf)
		return c
	}
	return []headCase{
		stream("ws", handshake(key, version)),
		stream("ws as Firefox asks", get("/ws/7?x", "Connection: keep-alive, Upgrade", "Upgrade: WebSocket", version, key, "Sec-WebSocket-Extensions: permessage-deflate", "Origin: http://x")),
		stream("ws with bare line feeds", strings.ReplaceAll(handshake(key, version), "\r\n", "\n")),
		stream("ws with a line over 4 KiB", handshake(key, version, "Cookie: "+strings.Repeat("c", 5000))),
		{name: "ws by plain GET", in: get("/ws/7"), answer: UpgradeNeeded.whole},
		{name: "ws with another upgrade", in: get("/ws/7", "Upgrade: h2c", "Connection: Upgrade", key, version), answer: UpgradeNeeded.whole},
		{name: "ws without connection", in: get("/ws/7", "Upgrade: websocket", key, version), answer: UpgradeNeeded.whole},
		{name: "ws of version 8", in: handshake(key, "Sec-WebSocket-Version: 8"), answer: UpgradeNeeded.whole},
		{name: "ws without version", in: handshake(key), answer: BadUpgrade.whole},
		{name: "ws without key", in: handshake(version), answer: BadUpgrade.whole},
		{name: "ws with a short key", in: handshake("Sec-WebSocket-Key: abc", version), answer: BadUpgrade.whole},
		{name: "ws without host", in: strings.Replace(handshake(key, version), "Host: h\r\n", "", 1), answer: BadHost.whole},
		{name: "ws by HTTP/1.0", in: strings.Replace(handshake(key, version), "HTTP/1.1", "HTTP/1.0", 1), answer: UpgradeTooOld.whole},
		{name: "ws with two keys", in: handshake(key, key, version), answer: BadUpgrade.whole},
		{name: "ws with two versions", in: handshake(key, version, version), answer: BadUpgrade.whole},
		{name: "ws with a key that is no base64", in: handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!==", version), answer: BadUpgrade.whole},
		{name: "ws with a body", in: handshake(key, version, "Content-Length: 1"), answer: BadUpgrade.whole},
		stream("ws with an empty body", handshake(key, version, "Content-Length: 0")),
		stream("ws with fields in several lines", get("/ws/7", "Connection: keep-alive", "connection: UPGRADE", "Upgrade: h2c", "upgrade: WebSocket", version, key)),
		stream("ws with 9 KB of cookies", handshake(key, version, "Cookie: "+strings.Repeat("c=0123456789; ", 700))),
		named("ws with a subprotocol", "chat", "Sec-WebSocket-Protocol: chat"),
		named("ws with several subprotocols", "chat", "Sec-WebSocket-Protocol: chat, superchat"),
		named("ws with subprotocols in several lines", "v2.chat", "Sec-WebSocket-Protocol: v2.chat", "sec-websocket-protocol: v1"),
		named("ws with holes in its subprotocols", "chat", "Sec-WebSocket-Protocol: , chat,, v2,"),
		named("ws with an empty line of subprotocols", "chat", "Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol: chat"),
		stream("ws with no subprotocol in its field", handshake(key, version, "Sec-WebSocket-Protocol:")),
		{name: "ws with a subprotocol that is no token", in: handshake(key, version, "Sec-WebSocket-Protocol: a b"), answer: BadUpgrade.whole},
		{name: "ws with a second subprotocol that is no token", in: handshake(key, version, `Sec-WebSocket-Protocol: a, "b"`), answer: BadUpgrade.whole},
	}
}

// frame is what a client sends: masked.
func frame(op ws.OpCode, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlaceWith(ws.NewFrame(op, true, []byte(payload)), [4]byte{1, 2, 3, 4}))
}

func rawFrame(h ws.Header, payload string) []byte {
	var b bytes.Buffer
	if err := ws.WriteHeader(&b, h); err != nil {
		panic(err)
	}
	return append(b.Bytes(), payload...)
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

type frameCase struct {
	name   string
	in     []byte
	reply  string
	closed bool
}

var frameCases = []frameCase{
	{"nothing", nil, "", false},
	{"text is dropped", frame(ws.OpText, "hello"), "", false},
	{"binary is dropped", frame(ws.OpBinary, strings.Repeat("b", 200)), "", false},
	{"large data is dropped", frame(ws.OpBinary, strings.Repeat("b", 70_000)), "", false},
	{"empty text", frame(ws.OpText, ""), "", false},
	{"ping", frame(ws.OpPing, "Hello"), "\x8a\x05Hello", false}, // RFC 6455, section 5.7
	{"empty ping", frame(ws.OpPing, ""), "\x8a\x00", false},
	{"longest ping", frame(ws.OpPing, strings.Repeat("p", 125)), "\x8a\x7d" + strings.Repeat("p", 125), false},
	{"pong nobody asked for", frame(ws.OpPong, "x"), "", false},
	{"ping between fragments", concat(
		rawFrame(ws.Header{OpCode: ws.OpText, Masked: true, Length: 3}, "abc"),
		frame(ws.OpPing, "1"),
		rawFrame(ws.Header{Fin: true, OpCode: ws.OpContinuation, Masked: true, Length: 3}, "def"),
		frame(ws.OpPing, "2")), "\x8a\x011\x8a\x012", false},
	{"close", frame(ws.OpClose, "\x03\xe8bye"), "\x88\x02\x03\xe8", true},
	{"close without status", frame(ws.OpClose, ""), "\x88\x00", true},
	{"close, and more behind it", concat(frame(ws.OpClose, "\x03\xe9"), frame(ws.OpPing, "x")), "\x88\x02\x03\xe9", true},
	{"ping, then close", concat(frame(ws.OpPing, "x"), frame(ws.OpClose, "\x03\xe8")), "\x8a\x01x\x88\x02\x03\xe8", true},
	{"not masked", rawFrame(ws.Header{Fin: true, OpCode: ws.OpPing}, ""), "\x88\x02\x03\xea", true},
	{"reserved op code", rawFrame(ws.Header{Fin: true, OpCode: 3, Masked: true}, ""), "\x88\x02\x03\xea", true},
	{"reserved control code", rawFrame(ws.Header{Fin: true, OpCode: 0xb, Masked: true}, ""), "\x88\x02\x03\xea", true},
	{"reserved bit", rawFrame(ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpText, Masked: true}, ""), "\x88\x02\x03\xea", true},
	{"ping over 125 bytes", frame(ws.OpPing, strings.Repeat("p", 126)), "\x88\x02\x03\xea", true},
	{"fragmented ping", rawFrame(ws.Header{OpCode: ws.OpPing, Masked: true}, ""), "\x88\x02\x03\xea", true},
	{"length with its top bit set", []byte("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04"), "\x88\x02\x03\xea", true},
	{"ping, then garbage", concat(frame(ws.OpPing, "x"), []byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n")), "\x8a\x01x\x88\x02\x03\xea", true},
}

func TestFrameReader(t *testing.T) {
	for _, c := range frameCases {
		t.Run(c.name, func(t *testing.T) {
			var r FrameReader
			reply, closed := r.Feed(c.in, []byte("before"))
			if string(reply) != "before"+c.reply || closed != c.closed {
				t.Errorf("replied %q, closed %t; want %q, %t", reply, closed, "before"+c.reply, c.closed)
			}
			if !closed && !r.Idle() {
				t.Error("between two frames it is not idle")
			}
		})
	}
}

func TestFrameReaderSplit(t *testing.T) {
	for _, c := range frameCases {
		t.Run(c.name, func(t *testing.T) {
			step := max(1, len(c.in)/500)
			for cut := 0; cut <= len(c.in); cut += step {
				reply, closed, _ := feedAll([][]byte{c.in[:cut], c.in[cut:]})
				if string(reply) != c.reply || closed != c.closed {
					t.Fatalf("cut at %d: replied %q, closed %t; want %q, %t", cut, reply, closed, c.reply, c.closed)
				}
			}
			var single [][]byte
			for i := range c.in {
				single = append(single, c.in[i:i+1])
			}
			if reply, closed, _ := feedAll(single); string(reply) != c.reply || closed != c.closed {
				t.Fatalf("byte by byte: replied %q, closed %t; want %q, %t", reply, closed, c.reply, c.closed)
			}
		})
	}
}

// TestFrameReaderKeepsNothing: pieces are overwritten by the next read, so a
// FrameReader must not hold on to them.
func TestFrameReaderKeepsNothing(t *testing.T) {
	var r FrameReader
	ping := frame(ws.OpPing, "Hello")
	piece := bytes.Clone(ping[:8])
	if reply, _ := r.Feed(piece, nil); len(reply) > 0 || r.Idle() {
		t.Fatalf("half a ping: replied %q, idle %t", reply, r.Idle())
	}
	clear(piece)
	if reply, _ := r.Feed(ping[8:], nil); string(reply) != "\x8a\x05Hello" || !r.Idle() {
		t.Errorf("replied %q, idle %t", reply, r.Idle())
	}
}

// feedAll feeds pieces until the reader says that the connection is closed.
func feedAll(pieces [][]byte) (reply []byte, closed, idle bool) {
	var r FrameReader
	for _, p := range pieces {
		if reply, closed = r.Feed(bytes.Clone(p), reply); closed {
			return reply, true, true
		}
	}
	return reply, false, r.Idle()
}

// pieces cuts b at random places.
func pieces(b []byte, seed uint64) (cut [][]byte) {
	r := rand.New(rand.NewPCG(seed, 1))
	for len(b) > 0 {
		n := 1 + r.IntN(len(b))
		if r.IntN(2) == 0 {
			n = 1 + r.IntN(min(len(b), 8))
		}
		cut = append(cut, b[:n:n])
		b = b[n:]
	}
	return cut
}

func FuzzFrames(f *testing.F) {
	for i, c := range frameCases {
		if len(c.in) < 4096 {
			f.Add(c.in, uint64(i))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		reply, closed, idle := feedAll([][]byte{b})
		reply2, closed2, idle2 := feedAll(pieces(b, seed))
		if !bytes.Equal(reply, reply2) || closed != closed2 || idle != idle2 {
			t.Errorf("whole: %q closed %t idle %t; in pieces: %q closed %t idle %t", reply, closed, idle, reply2, closed2, idle2)
		}
		if err := checkReply(reply, closed); err != nil {
			t.Error(err)
		}
	})
}

// checkReply holds a reply against what a server may send.
func checkReply(reply []byte, closed bool) error {
	r := bytes.NewReader(reply)
	for {
		h, err := ws.ReadHeader(r)
		if errors.Is(err, io.EOF) {
			if closed {
				return errors.New("closed without a close frame")
			}
			return nil
		}
		if err != nil {
			return err
		}
		if h.Masked || !h.Fin || h.Rsv != 0 || h.Length > 125 || int64(r.Len()) < h.Length {
			return fmt.Errorf("a bad frame %+v with %d bytes behind it", h, r.Len())
		}
		r.Seek(h.Length, io.SeekCurrent)
		switch {
		case h.OpCode == ws.OpPong:
		case h.OpCode == ws.OpClose && closed && r.Len() == 0:
			return nil
		default:
			return fmt.Errorf("frame %+v, closed %t, %d bytes behind it", h, closed, r.Len())
		}
	}
}
