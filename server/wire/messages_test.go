package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// readMessages returns what a reader makes of pieces, a word each, and keeps
// between them what its caller has to.
func readMessages(t *testing.T, r *MessageReader, pieces ...[]byte) (all []string) {
	t.Helper()
	var kept, message []byte
	for _, piece := range pieces {
		b := concat(kept, piece)
		for {
			part, payload, n := r.Next(b)
			switch part {
			case MessagePiece:
				message = append(message, payload...)
			case MessageEnd:
				all = append(all, "message "+string(append(message, payload...)))
				message = nil
			case Ping:
				all = append(all, "ping "+string(payload))
			case Pong:
				all = append(all, "pong "+string(payload))
			case Close:
				code, reason, err := ReadClose(payload)
				if err != nil {
					return append(all, fmt.Sprintf("broken %d", err.Code))
				}
				all = append(all, fmt.Sprintf("close %d %s", code, reason))
			case Broken:
				return append(all, fmt.Sprintf("broken %d", r.Err().Code))
			}
			b = b[n:]
			if part == MessageMore {
				break
			}
		}
		if len(b) > MaxFrameKept {
			t.Fatalf("%d bytes are kept", len(b))
		}
		kept = bytes.Clone(b)
	}
	return all
}

// ofServer is a frame as a server sends it.
func ofServer(op ws.OpCode, payload string) []byte {
	return rawFrame(ws.Header{Fin: true, OpCode: op, Length: int64(len(payload))}, payload)
}

// partOfServer is a frame that is not the last of its message.
func partOfServer(op ws.OpCode, payload string) []byte {
	return rawFrame(ws.Header{OpCode: op, Length: int64(len(payload))}, payload)
}

// withRSV is a frame with reserved bits.
func withRSV(bits byte, op ws.OpCode) []byte {
	return rawFrame(ws.Header{Fin: true, Rsv: bits, OpCode: op, Length: 1}, "a")
}

// messageCases are RFC 6455, sections 5 and 7, as a client meets them.
var messageCases = []struct {
	name string
	in   []byte
	want []string
}{
	{"nothing", nil, nil},
	{"the RFC's unmasked text", []byte{0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f}, []string{"message Hello"}},
	{"the RFC's fragments", []byte{0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f}, []string{"message Hello"}},
	{"empty", ofServer(ws.OpText, ""), []string{"message "}},
	{"empty fragments", concat(partOfServer(ws.OpText, ""), partOfServer(ws.OpContinuation, ""), ofServer(ws.OpContinuation, "")), []string{"message "}},
	{"binary is not checked", ofServer(ws.OpBinary, "\xff\xfe"), []string{"message \xff\xfe"}},
	{"two", concat(ofServer(ws.OpText, "a"), ofServer(ws.OpBinary, "b")), []string{"message a", "message b"}},
	{"125 and 126 bytes", concat(ofServer(ws.OpText, strings.Repeat("x", 125)), ofServer(ws.OpText, strings.Repeat("y", 126))), []string{"message " + strings.Repeat("x", 125), "message " + strings.Repeat("y", 126)}},
	{"65,536 bytes", ofServer(ws.OpText, strings.Repeat("z", 65_536)), []string{"message " + strings.Repeat("z", 65_536)}},
	{"control frames between fragments", concat(partOfServer(ws.OpText, "a"), ofServer(ws.OpPing, "1"), partOfServer(ws.OpContinuation, "b"), ofServer(ws.OpPong, ""), ofServer(ws.OpContinuation, "c")), []string{"ping 1", "pong ", "message abc"}},
	{"longest ping", ofServer(ws.OpPing, strings.Repeat("p", 125)), []string{"ping " + strings.Repeat("p", 125)}},
	{"a ping too long", rawFrame(ws.Header{Fin: true, OpCode: ws.OpPing, Length: 126}, strings.Repeat("p", 126)), []string{"broken 1002"}},
	{"a ping in fragments", partOfServer(ws.OpPing, ""), []string{"broken 1002"}},
	{"a close in fragments", partOfServer(ws.OpClose, ""), []string{"broken 1002"}},
	{"masked text", frame(ws.OpText, "a"), []string{"broken 1002"}},
	{"masked ping", frame(ws.OpPing, "a"), []string{"broken 1002"}},
	{"masked close", frame(ws.OpClose, ""), []string{"broken 1002"}},
	{"RSV1, as permessage-deflate", withRSV(4, ws.OpText), []string{"broken 1002"}},
	{"RSV2", withRSV(2, ws.OpText), []string{"broken 1002"}},
	{"RSV3", withRSV(1, ws.OpText), []string{"broken 1002"}},
	{"RSV1 on a ping", withRSV(4, ws.OpPing), []string{"broken 1002"}},
	{"reserved data opcode", []byte{0x83, 0}, []string{"broken 1002"}},
	{"reserved control opcode", []byte{0x8b, 0}, []string{"broken 1002"}},
	{"continuation of nothing", ofServer(ws.OpContinuation, "a"), []string{"broken 1002"}},
	{"continuation after an end", concat(ofServer(ws.OpText, "a"), ofServer(ws.OpContinuation, "b")), []string{"message a", "broken 1002"}},
	{"a message in a message", concat(partOfServer(ws.OpText, "a"), ofServer(ws.OpText, "b")), []string{"broken 1002"}},
	{"a length in too many bytes", []byte{0x81, 126, 0, 5, 'H', 'e', 'l', 'l', 'o'}, []string{"broken 1002"}},
	{"a length in far too many", []byte{0x81, 127, 0, 0, 0, 0, 0, 0, 0, 1, 'H'}, []string{"broken 1002"}},
	{"a length with its top bit", []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, []string{"broken 1002"}},
	{"not UTF-8", ofServer(ws.OpText, "a\xffb"), []string{"broken 1007"}},
	{"a surrogate", ofServer(ws.OpText, "\xed\xa0\x80"), []string{"broken 1007"}},
	{"overlong", ofServer(ws.OpText, "\xc0\xaf"), []string{"broken 1007"}},
	{"beyond the end of Unicode", ofServer(ws.OpText, "\xf4\x90\x80\x80"), []string{"broken 1007"}},
	{"a character cut by the end", ofServer(ws.OpText, "a\xe2\x82"), []string{"broken 1007"}},
	{"a character in fragments", concat(partOfServer(ws.OpText, "\xe2"), partOfServer(ws.OpContinuation, "\x82"), ofServer(ws.OpContinuation, "\xac")), []string{"message €"}},
	{"a character in fragments, cut", concat(partOfServer(ws.OpText, "\xe2"), ofServer(ws.OpContinuation, "")), []string{"broken 1007"}},
	{"a character in fragments, broken off", concat(partOfServer(ws.OpText, "\xe2"), partOfServer(ws.OpContinuation, "a")), []string{"broken 1007"}},
	{"U+FFFD is a character", concat(partOfServer(ws.OpText, "\xef"), ofServer(ws.OpContinuation, "\xbf\xbd")), []string{"message \uFFFD"}},
	{"close", ofServer(ws.OpClose, "\x03\xe8bye"), []string{"close 1000 bye"}},
	{"close without a code", ofServer(ws.OpClose, ""), []string{"close 1005 "}},
	{"close of one byte", ofServer(ws.OpClose, "\x03"), []string{"broken 1002"}},
	{"close with 1005", ofServer(ws.OpClose, "\x03\xed"), []string{"broken 1002"}},
	{"close with 999", ofServer(ws.OpClose, "\x03\xe7"), []string{"broken 1002"}},
	{"close with 5000", ofServer(ws.OpClose, "\x13\x88"), []string{"broken 1002"}},
	{"close of an application", ofServer(ws.OpClose, "\x11\x31"), []string{"close 4401 "}},
	{"close with a reason that is not UTF-8", ofServer(ws.OpClose, "\x03\xe8\xff"), []string{"broken 1007"}},
}

// TestMessages: each case whole, byte by byte, and cut at random.
func TestMessages(t *testing.T) {
	for _, test := range messageCases {
		t.Run(test.name, func(t *testing.T) {
			check := func(how string, got []string) {
				if fmt.Sprint(got) != fmt.Sprint(test.want) {
					t.Errorf("%s: %.200q, want %.200q", how, got, test.want)
				}
			}
			check("whole", readMessages(t, new(MessageReader), test.in))
			if len(test.in) < 1000 {
				check("byte by byte", readMessages(t, new(MessageReader), bytes.SplitAfter(test.in, nil)...))
			}
			for range 10 {
				at := rand.IntN(len(test.in) + 1)
				check(fmt.Sprint("cut at ", at), readMessages(t, new(MessageReader), test.in[:at], test.in[at:]))
			}
		})
	}
}

func TestMessageReaderIsIdleBetweenMessages(t *testing.T) {
	for in, want := range map[string]bool{
		"": true, string(ofServer(ws.OpText, "a")): true, string(partOfServer(ws.OpText, "a")): false,
		string(ofServer(ws.OpPing, "a")): true, "\x81\x05He": false, "\x01\x00": false, "\x83\x00": false,
	} {
		var r MessageReader
		readMessages(t, &r, []byte(in))
		if r.Idle() != want {
			t.Errorf("after %q: idle %v", in, !want)
		}
	}
}

// FuzzMessages: how the bytes are cut makes no difference.
func FuzzMessages(f *testing.F) {
	for _, test := range messageCases {
		if len(test.in) < 1000 {
			f.Add(test.in, 3)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, at int) {
		at = min(max(at, 0), len(in))
		whole := readMessages(t, new(MessageReader), in)
		for _, pieces := range [][][]byte{{in[:at], in[at:]}, bytes.SplitAfter(in, nil)} {
			if got := readMessages(t, new(MessageReader), pieces...); fmt.Sprint(got) != fmt.Sprint(whole) {
				t.Fatalf("cut: %q, whole: %q", got, whole)
			}
		}
	})
}

// TestAppendMasked: what a client writes is what a server reads.
func TestAppendMasked(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65_535, 65_536} {
		want := strings.Repeat("m", size)
		sent := bytes.NewReader(appendMasked(nil, ws.OpText, 0xdeadbeef, []byte(want)))
		h, err := ws.ReadHeader(sent)
		got := make([]byte, sent.Len())
		_, _ = sent.Read(got) // it has as many
		ws.Cipher(got, h.Mask, 0)
		if err != nil || !h.Masked || h.Length != int64(size) || string(got) != want {
			t.Errorf("%d bytes: %v, %v", size, h, err)
		}
	}
	for _, code := range []ws.StatusCode{ws.StatusNormalClosure, ws.StatusNoStatusRcvd} {
		reply, closed := new(FrameReader).Feed(AppendClientClose(nil, 7, code), nil)
		if got, _, _ := ReadClose(reply[2:]); !closed || got != code {
			t.Errorf("close %d is answered with %d", code, got)
		}
	}
}
