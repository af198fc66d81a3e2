package server

import (
	"io"
	"strings"
	"testing"
)

// TestWebSocketRules holds both engines to RFC 6455, sections 5 and 7, however
// a client's frames are cut. (Package wire has the whole table.)
func TestWebSocketRules(t *testing.T) {
	masked := func(first byte, payload string) string {
		return string([]byte{first, 0x80 | byte(len(payload))}) + "\x00\x00\x00\x00" + payload
	}
	const text, more, last, ping, pong = 0x81, 0x01, 0x80, 0x89, "\x8a\x01p"
	closed := func(status string) string { return "\x88\x02" + status }
	const normal, wrong, notUTF8 = "\x03\xe8", "\x03\xea", "\x03\xef"
	for _, c := range []struct{ name, frames, want string }{
		{"fragments", masked(more, "a\xe2\x82") + masked(ping, "p") + masked(0x00, "\xac") + masked(last, "") + masked(ping, "p") + masked(0x88, normal), pong + pong + closed(normal)},
		{"close of an application", masked(0x88, "\x0f\xa0why"), closed("\x0f\xa0")},
		{"close without status", masked(0x88, ""), "\x88\x00"},
		{"close 1005", masked(0x88, "\x03\xed"), closed(wrong)},
		{"close 1006", masked(0x88, "\x03\xee"), closed(wrong)},
		{"close 1015", masked(0x88, "\x03\xf7"), closed(wrong)},
		{"close 0", masked(0x88, "\x00\x00"), closed(wrong)},
		{"close 2999", masked(0x88, "\x0b\xb7"), closed(wrong)},
		{"close 5000", masked(0x88, "\x13\x88"), closed(wrong)},
		{"close of one byte", masked(0x88, "\x03"), closed(wrong)},
		{"close with a bad reason", masked(0x88, normal+"\xff"), closed(notUTF8)},
		{"bad text", masked(text, "ab\xffcd"), closed(notUTF8)},
		{"half a character", masked(text, "ab\xe2\x82"), closed(notUTF8)},
		{"half a character over fragments", masked(more, "ab\xe2") + masked(last, "c"), closed(notUTF8)},
		{"continuation of nothing", masked(last, "x"), closed(wrong)},
		{"a message in a message", masked(more, "x") + masked(text, "y"), closed(wrong)},
		{"fragmented ping", masked(0x09, "x"), closed(wrong)},
		{"not masked", "\x81\x01x", closed(wrong)},
		{"reserved bit", masked(0xc1, "x"), closed(wrong)},
		{"reserved op code", masked(0x83, "x"), closed(wrong)},
		{"a long ping", "\x89\xfe\x00\x7e\x00\x00\x00\x00" + strings.Repeat("p", 126), closed(wrong)},
		{"nothing counts after the close", masked(0x88, normal) + masked(ping, "p"), closed(normal)},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				r := start(t, Config{Engine: t.engine})
				for _, size := range []int{1 << 20, 3, 1} {
					conn := r.connect(wsStart + "\r\n")
					conn.expect(wsHead + "\r\n")
					for rest := c.frames; len(rest) > 0; rest = rest[min(size, len(rest)):] {
						if _, err := io.WriteString(conn, rest[:min(size, len(rest))]); err != nil {
							break // it is closed already
						}
					}
					if got := conn.rest(); got != c.want {
						t.Errorf("in pieces of %d: got %q, want %q", size, got, c.want)
					}
					conn.Close()
				}
				r.waitForLogins(0)
			})
		})
	}
}
