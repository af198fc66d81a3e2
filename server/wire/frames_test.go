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

// frame is what a client sends: masked.
func frame(op ws.OpCode, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlaceWith(ws.NewFrame(op, true, []byte(payload)), [4]byte{1, 2, 3, 4}))
}

// fragment is a frame that is not the last of its message.
func fragment(op ws.OpCode, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameInPlaceWith(ws.NewFrame(op, false, []byte(payload)), [4]byte{9, 8, 7, 6}))
}

const protocolError, invalidData = "\x88\x02\x03\xea", "\x88\x02\x03\xef"

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
	{"an op code that is reserved in a message", concat(fragment(ws.OpText, "a"), rawFrame(ws.Header{Fin: true, OpCode: 7, Masked: true}, "")), protocolError, true},
	{"each reserved bit: 2", rawFrame(ws.Header{Fin: true, Rsv: 2, OpCode: ws.OpText, Masked: true}, ""), protocolError, true},
	{"each reserved bit: 1, on a ping", rawFrame(ws.Header{Fin: true, Rsv: 1, OpCode: ws.OpPing, Masked: true}, ""), protocolError, true},
	{"a compressed message, which was not agreed on", rawFrame(ws.Header{Fin: true, Rsv: 4, OpCode: ws.OpBinary, Masked: true, Length: 1}, "x"), protocolError, true},
	{"text that is not masked", rawFrame(ws.Header{Fin: true, OpCode: ws.OpText, Length: 1}, "x"), protocolError, true},
	{"close that is not masked", rawFrame(ws.Header{Fin: true, OpCode: ws.OpClose, Length: 2}, "\x03\xe8"), protocolError, true},
	{"fragmented close", rawFrame(ws.Header{OpCode: ws.OpClose, Masked: true, Length: 2}, "\x03\xe8"), protocolError, true},
	{"close over 125 bytes", frame(ws.OpClose, "\x03\xe8"+strings.Repeat("r", 124)), protocolError, true},
	{"pong over 125 bytes", frame(ws.OpPong, strings.Repeat("p", 126)), protocolError, true},
	{"a length in two bytes that fits one", []byte("\x81\xfe\x00\x01\x00\x00\x00\x00x"), protocolError, true},
	{"a length in eight bytes that fits two", []byte("\x81\xff\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00"), protocolError, true},

	{"fragments", concat(fragment(ws.OpText, "a"), fragment(ws.OpContinuation, "b"), frame(ws.OpContinuation, "c"), frame(ws.OpPing, "p")), "\x8a\x01p", false},
	{"empty fragments", concat(fragment(ws.OpText, ""), fragment(ws.OpContinuation, ""), frame(ws.OpContinuation, ""), frame(ws.OpPing, "p")), "\x8a\x01p", false},
	{"binary fragments that are no UTF-8", concat(fragment(ws.OpBinary, "\xff"), frame(ws.OpContinuation, "\xfe")), "", false},
	{"close between fragments", concat(fragment(ws.OpText, "a"), frame(ws.OpClose, "\x03\xe8")), "\x88\x02\x03\xe8", true},
	{"continuation of nothing", frame(ws.OpContinuation, "x"), protocolError, true},
	{"continuation of nothing that goes on", fragment(ws.OpContinuation, "x"), protocolError, true},
	{"continuation after the last", concat(fragment(ws.OpText, "a"), frame(ws.OpContinuation, "b"), frame(ws.OpContinuation, "c")), protocolError, true},
	{"continuation after a whole message", concat(frame(ws.OpText, "a"), frame(ws.OpContinuation, "b")), protocolError, true},
	{"a message within a message", concat(fragment(ws.OpText, "a"), frame(ws.OpText, "b")), protocolError, true},
	{"binary within a text", concat(fragment(ws.OpText, "a"), fragment(ws.OpBinary, "b")), protocolError, true},

	{"text of all lengths of characters", frame(ws.OpText, "a\u00df\u20ac\U0001f600\U0010ffff"), "", false},
	{"a character in two fragments", concat(fragment(ws.OpText, "\xe2\x82"), frame(ws.OpContinuation, "\xac")), "", false},
	{"a character in four fragments", concat(fragment(ws.OpText, "\xf0"), fragment(ws.OpContinuation, "\x9f"), frame(ws.OpPing, ""), fragment(ws.OpContinuation, "\x98"), frame(ws.OpContinuation, "\x80")), "\x8a\x00", false},
	{"a long text", frame(ws.OpText, strings.Repeat("gr\u00fc\u00df dich \u2713 ", 2000)), "", false},
	{"text that is no UTF-8", frame(ws.OpText, "a\xff"), invalidData, true},
	{"text with half a character", frame(ws.OpText, "a\xe2\x82"), invalidData, true},
	{"text with half a character in its last fragment", concat(fragment(ws.OpText, "a"), frame(ws.OpContinuation, "\xe2")), invalidData, true},
	{"half a character, and an empty end", concat(fragment(ws.OpText, "\xe2"), frame(ws.OpContinuation, "")), invalidData, true},
	{"a character broken off by another", concat(fragment(ws.OpText, "\xe2"), frame(ws.OpContinuation, "a")), invalidData, true},
	{"a surrogate", frame(ws.OpText, "\xed\xa0\x80"), invalidData, true},
	{"an overlong slash", frame(ws.OpText, "\xc0\xaf"), invalidData, true},
	{"beyond Unicode", frame(ws.OpText, "\xf4\x90\x80\x80"), invalidData, true},
	{"no UTF-8 far into a long text", frame(ws.OpText, strings.Repeat("x", 5000)+"\x80"+strings.Repeat("x", 5000)), invalidData, true},
	{"bad text in a fragment that is not the last", concat(fragment(ws.OpText, "\xff"), frame(ws.OpPing, "x")), invalidData, true},

	{"close of one byte", frame(ws.OpClose, "\x03"), protocolError, true},
	{"close with a reason that is no UTF-8", frame(ws.OpClose, "\x03\xe8\xff"), invalidData, true},
	{"close with half a character", frame(ws.OpClose, "\x03\xe8\xe2\x82"), invalidData, true},
	{"close with the longest reason", frame(ws.OpClose, "\x03\xe8"+strings.Repeat("r", 123)), "\x88\x02\x03\xe8", true},
	{"bad status and bad reason", frame(ws.OpClose, "\x03\xed\xff"), protocolError, true},
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

// TestCloseCodes: those that may be sent are echoed, others are refused (RFC
// 6455, section 7.4).
func TestCloseCodes(t *testing.T) {
	valid := func(code int) bool {
		switch code {
		case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
			return true
		}
		return code >= 3000 && code < 5000
	}
	for code := range 1 << 16 {
		payload := string([]byte{byte(code >> 8), byte(code)})
		want := protocolError
		if valid(code) {
			want = "\x88\x02" + payload
		}
		var r FrameReader
		if reply, closed := r.Feed(frame(ws.OpClose, payload), nil); !closed || string(reply) != want {
			t.Fatalf("%d is answered %q, closed %t; want %q", code, reply, closed, want)
		}
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
