package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // RFC 6455, section 4.2.2, wants it
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
)

// oneSided is a connection whose other side has said all that it says.
type oneSided struct {
	net.Conn
	in  *bytes.Reader
	out bytes.Buffer
}

// errNoMore stands for the end of what was said. With io.EOF coder/websocket would take a
// message that was cut off for a whole one.
var errNoMore = errors.New("no more was said")

func (c *oneSided) Read(p []byte) (int, error) {
	if n, err := c.in.Read(p); err == nil {
		return n, nil
	}
	return 0, errNoMore
}

func (c *oneSided) Write(p []byte) (int, error) { return c.out.Write(p) }
func (c *oneSided) Close() error                { return nil }

// hijacked hands a connection to coder/websocket.
type hijacked struct {
	http.ResponseWriter
	conn *oneSided
}

func (h hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// upgraded answers a client of coder/websocket.
type upgraded struct{ conn *oneSided }

func (u upgraded) RoundTrip(r *http.Request) (*http.Response, error) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	return &http.Response{StatusCode: http.StatusSwitchingProtocols, Request: r, Body: u.conn, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Accept": {base64.StdEncoding.EncodeToString(sum[:])},
	}}, nil
}

// openCoder returns a connection of coder/websocket that reads b, as the client of a
// server or as the server of a client.
func openCoder(t *testing.T, b []byte, client bool, said *[]string) (*websocket.Conn, *oneSided) {
	t.Helper()
	conn := &oneSided{in: bytes.NewReader(b)}
	ping := func(_ context.Context, payload []byte) bool {
		*said = append(*said, "ping "+string(payload))
		return true
	}
	pong := func(_ context.Context, payload []byte) { *said = append(*said, "pong "+string(payload)) }
	var c *websocket.Conn
	var err error
	if client {
		c, _, err = websocket.Dial(t.Context(), "ws://h/", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: upgraded{conn}}, OnPingReceived: ping, OnPongReceived: pong,
		})
	} else {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
			r.Header.Set(name, value)
		}
		c, err = websocket.Accept(hijacked{httptest.NewRecorder(), conn}, r, &websocket.AcceptOptions{OnPingReceived: ping, OnPongReceived: pong})
	}
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(-1)
	return c, conn
}

// readByCoder returns what coder/websocket makes of b, in the words of readMessages. Where it
// closes without a code, of what breaks the protocol, that counts as 1002.
func readByCoder(t *testing.T, b []byte, client bool) (said []string) {
	t.Helper()
	c, conn := openCoder(t, b, client, &said)
	defer func() { _ = c.CloseNow() }()
	for {
		_, message, err := c.Read(context.Background())
		if err == nil {
			said = append(said, "message "+string(message))
			continue
		}
		var closed websocket.CloseError
		switch {
		case errors.As(err, &closed):
			return append(said, fmt.Sprintf("close %d %s", closed.Code, closed.Reason))
		case errors.Is(err, errNoMore):
			return said
		}
		code := ws.StatusProtocolError
		for out := bytes.NewReader(conn.out.Bytes()); ; {
			h, err := ws.ReadHeader(out)
			payload := make([]byte, min(h.Length, int64(out.Len())))
			if _, readErr := io.ReadFull(out, payload); err != nil || readErr != nil {
				break
			}
			if h.OpCode == ws.OpClose && len(payload) > 1 {
				ws.Cipher(payload, h.Mask, 0)
				code = ws.StatusCode(binary.BigEndian.Uint16(payload))
			}
		}
		return append(said, fmt.Sprintf("broken %d", code))
	}
}

// lax is a frame that coder/websocket takes, and RFC 6455 does not.
type lax struct {
	from, to int           // where it begins, and where enough of it has come to refuse it
	code     ws.StatusCode // what to close with, 0 if there is none
}

// findLax returns the first such frame: one with a length in more bytes than it needs
// (section 5.2), one of a server that is masked (5.1), a text or the reason of a close that
// is not UTF-8 (8.1 and 5.5.1). What coder/websocket refuses ends the search.
func findLax(b []byte, client bool) lax {
	isText, begun := false, []byte(nil)
	for at := 0; len(b)-at >= 2; {
		f := b[at:]
		fin, op, masked, size := f[0]&0x80 != 0, ws.OpCode(f[0]&0xf), f[1]&0x80 != 0, 2
		length := uint64(f[1] & 0x7f)
		bytesOfLength := map[uint64]int{126: 2, 127: 8}[length]
		size += bytesOfLength
		if masked {
			size += 4
		}
		if len(f) < size {
			return lax{}
		}
		switch bytesOfLength {
		case 2:
			length = uint64(binary.BigEndian.Uint16(f[2:]))
		case 8:
			length = binary.BigEndian.Uint64(f[2:])
		}
		switch {
		case length>>63 != 0:
			return lax{}
		case masked && client, bytesOfLength == 2 && length < 126, bytesOfLength == 8 && length < 1<<16:
			return lax{at, at + size, ws.StatusProtocolError}
		}
		whole := uint64(len(f)-size) >= length
		payload := bytes.Clone(f[size:][:min(length, uint64(len(f)-size))])
		if masked {
			for i := range payload {
				payload[i] ^= f[size-4+i%4]
			}
		}
		switch op {
		case ws.OpText, ws.OpBinary:
			isText, begun = op == ws.OpText, nil
		case ws.OpClose:
			if whole && len(payload) > 2 && !utf8.Valid(payload[2:]) {
				return lax{at, at + size + len(payload), ws.StatusInvalidFramePayloadData}
			}
			return lax{}
		}
		if isText && !op.IsControl() {
			for begun = append(begun, payload...); len(begun) > 0 && utf8.FullRune(begun); {
				r, n := utf8.DecodeRune(begun)
				if r == utf8.RuneError && n == 1 {
					return lax{at, at + size, ws.StatusInvalidFramePayloadData}
				}
				begun = begun[n:]
			}
			if fin && whole && len(begun) > 0 {
				return lax{at, at + size, ws.StatusInvalidFramePayloadData}
			}
		}
		if !whole {
			return lax{}
		}
		at += size + int(length)
	}
	return lax{}
}

// hasEnded reports whether a side has closed.
func hasEnded(said []string) bool {
	return len(said) > 0 && (strings.HasPrefix(said[len(said)-1], "close ") || strings.HasPrefix(said[len(said)-1], "broken "))
}

// wanted returns what is to be made of b: what coder/websocket does, and a refusal where
// that is lax.
func wanted(t *testing.T, b []byte, client bool) []string {
	t.Helper()
	found := findLax(b, client)
	if found.code == 0 {
		return readByCoder(t, b, client)
	}
	if with := readByCoder(t, b[:found.to], client); hasEnded(with) && strings.HasPrefix(with[len(with)-1], "broken ") {
		return with
	}
	before := readByCoder(t, b[:found.from], client)
	if hasEnded(before) {
		return before
	}
	return append(before, fmt.Sprintf("broken %d", found.code))
}

// answers returns what a server says to what it was told, as a FrameReader answers.
func answers(said []string) (all []string) {
	for _, one := range said {
		what, text, _ := strings.Cut(one, " ")
		switch what {
		case "ping":
			all = append(all, "pong "+text)
		case "close", "broken":
			code, _, _ := strings.Cut(text, " ")
			all = append(all, "close "+code)
		}
	}
	return all
}

// answered returns what a FrameReader says, in the same words.
func answered(t *testing.T, reply []byte) (all []string) {
	t.Helper()
	for r := bytes.NewReader(reply); r.Len() > 0; {
		h, err := ws.ReadHeader(r)
		payload := make([]byte, h.Length)
		if _, readErr := io.ReadFull(r, payload); err != nil || readErr != nil {
			t.Fatalf("%q is no frames: %v, %v", reply, err, readErr)
		}
		switch h.OpCode {
		case ws.OpPong:
			all = append(all, "pong "+string(payload))
		case ws.OpClose:
			code, _, err := ReadClose(payload)
			if err != nil {
				t.Fatalf("it closes with %q: %v", payload, err)
			}
			all = append(all, fmt.Sprintf("close %d", code))
		}
	}
	return all
}

// ours returns what our side of that makes of b.
func ours(t *testing.T, b []byte, client bool) (said []string) {
	t.Helper()
	if !client {
		reply, closed := new(FrameReader).Feed(bytes.Clone(b), nil)
		if said = answered(t, reply); hasClosed(said) != closed {
			t.Fatalf("%q: closed %t, and the reply is %q", b, closed, said)
		}
		return said
	}
	for i, one := range readMessages(t, new(MessageReader), b) {
		if said = append(said, one); hasEnded(said) {
			return said[:i+1] // nothing counts behind a close (RFC 6455, section 5.5.1)
		}
	}
	return said
}

func hasClosed(said []string) bool {
	return slices.ContainsFunc(said, func(one string) bool { return strings.HasPrefix(one, "close ") })
}

// undecided returns one without its end, if other has none.
func undecided(one, other []string) []string {
	if hasEnded(one) && !hasEnded(other) {
		return one[:len(one)-1]
	}
	return one
}

// differs returns an error where we and coder/websocket read other things out of b.
func differs(t *testing.T, b []byte, client bool) error {
	t.Helper()
	// A side may refuse a frame of which only a part has come, or wait for more of it.
	// With a header's worth of bytes behind it, or one more, both have made up their minds.
	same, last := false, error(nil)
	for _, more := range []int{0, ws.MaxHeaderSize, ws.MaxHeaderSize + 1} {
		in := append(bytes.Clone(b), make([]byte, more)...)
		got, want := ours(t, in, client), wanted(t, in, client)
		if !client {
			want = answers(want)
		}
		last = fmt.Errorf("%q, client %t: %.300q, to coder/websocket it is %.300q", in, client, got, want)
		if !slices.Equal(undecided(got, want), undecided(want, got)) {
			return last
		}
		same = same || more > 0 && slices.Equal(got, want)
	}
	if !same {
		return last
	}
	return nil
}

// shaped makes whole frames of any bytes, most of which may be sent. Of each frame they say
// how it begins, what is odd about it, how long it is, and its payload.
func shaped(b []byte, client bool) (frames []byte) {
	for len(b) >= 3 {
		first, odd, length := b[0]&0x8f, b[1], int(b[2])
		if b = b[3:]; length >= 200 { // with a length in two bytes
			length *= 2
		}
		payload := append(make([]byte, 0, length), b[:min(length, len(b))]...)[:length]
		b = b[min(length, len(b)):]
		if odd >= 0xf0 {
			first |= odd & 7 << 4
		}
		h := []byte{first, byte(length)}
		switch {
		case odd&0xc0 == 0x80 && odd&1 == 0 || length > 125:
			h = binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(length))
		case odd&0xc0 == 0x80:
			h = binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(length))
		}
		if masked := !client; masked != (odd&0xc0 == 0x40 && odd&7 == 7) {
			mask := [4]byte{odd, 1, 2, 3}
			h[1] |= 0x80
			h = append(h, mask[:]...)
			ws.Cipher(payload, mask, 0)
		}
		frames = append(append(frames, h...), payload...)
	}
	return frames
}

// TestDiffers: what a case is to us, it is to coder/websocket, with findLax's exceptions.
func TestDiffers(t *testing.T) {
	for _, c := range frameCases {
		if err := differs(t, c.in, false); err != nil {
			t.Errorf("%s: %.600v", c.name, err)
		}
	}
	for _, c := range messageCases {
		if err := differs(t, c.in, true); err != nil {
			t.Errorf("%s: %.600v", c.name, err)
		}
	}
	for code := range 5100 {
		if code%97 > 0 && (code < 995 || code > 1020) && (code < 2998 || code > 3002) && (code < 4998 || code > 5002) {
			continue // the ends of each range, and some of all
		}
		payload := string([]byte{byte(code >> 8), byte(code)})
		if err := errors.Join(differs(t, frame(ws.OpClose, payload), false), differs(t, ofServer(ws.OpClose, payload), true)); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzDiffers holds both sides of WebSocket to coder/websocket.
func FuzzDiffers(f *testing.F) {
	for _, c := range frameCases {
		if len(c.in) < 500 {
			f.Add(c.in, false, false)
		}
	}
	for _, c := range messageCases {
		if len(c.in) < 500 {
			f.Add(c.in, true, false)
		}
	}
	for _, client := range []bool{false, true} {
		for _, b := range []string{"\x81\x00\x02hi\x89\x00\x01p\x88\x00\x02\x03\xe8", "\x01\x00\x01\xe2\x8a\x00\x00\x00\x00\x01\x82\x80\x00\x01\xac", "\x82\x00\xc8x\x89\x00\x7dp", "\x81\x80\x05Hello", "\x81\xf4\x01x", "\x82\x47\x01x", "\x88\x00\x05\x03\xe8\xff\xff\xff"} {
			f.Add([]byte(b), client, true)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, client, shape bool) {
		if shape {
			b = shaped(b, client)
		}
		if err := differs(t, b, client); err != nil {
			t.Error(err)
		}
	})
}
