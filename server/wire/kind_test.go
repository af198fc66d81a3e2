package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"html"
	"io"
	"math"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/gobwas/ws"
)

// awkward are messages that framing or escaping could trip over.
var awkward = []string{
	"", "Hello World", `<b>"it's" & that</b>`, "&amp;", "\r\n0\r\n\r\n", "a\nb\r\nc\rd", "\n", "\r", "\n\n", "grüß dich ✓",
	"\x00\xff\xfe", strings.Repeat("x", 15), strings.Repeat("'", 100), strings.Repeat("m", 65_536), ": not a comment", " leading space", "id: 5\ndata: forged",
}

func TestMessageBytes(t *testing.T) {
	for _, c := range []struct {
		kind    Kind
		n       uint64
		message string
		want    string
	}{
		{HTML, 1, "Hello World", "20\r\nRecvd msg #1: 'Hello World'<br/>\r\n"},
		{HTML, 10, "<&>'\"", "2d\r\nRecvd msg #10: '&lt;&amp;&gt;&#39;&#34;'<br/>\r\n"},
		{HTML | unchunked, 2, "Hello", "Recvd msg #2: 'Hello'<br/>"},
		{Events, 3, "one\ntwo", "1b\r\nid: 3\ndata: one\ndata: two\n\n\r\n"},
		{Events | unchunked, 3, "one\r\ntwo\rthree", "id: 3\ndata: one\ndata: two\ndata: three\n\n"},
		{Events | unchunked, 4, "", "id: 4\ndata: \n\n"},
		{Poll, 1, "Hello <b>", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nContent-Length: 9\r\nServer: comet\r\nConnection: close\r\n\r\nHello <b>"},
		{Poll | unchunked, 1, "", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nContent-Length: 0\r\nServer: comet\r\nConnection: close\r\n\r\n"},
		{WebSocket, 1, "Hello", "\x81\x05Hello"},                                                // RFC 6455, section 5.7
		{WebSocket, 1, "a\xff\xfeb", "\x81\x05a\xef\xbf\xbdb"},                                  // a text message is UTF-8
		{WebSocket, 9, strings.Repeat("x", 256), "\x81\x7e\x01\x00" + strings.Repeat("x", 256)}, // section 5.7
		{WebSocket, 9, strings.Repeat("x", 65536), "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00" + strings.Repeat("x", 65536)},
	} {
		if got := c.kind.AppendMessage([]byte("before"), c.n, []byte(c.message)); string(got) != "before"+c.want {
			t.Errorf("kind %d message %d %.40q:\ngot  %.200q\nwant %.200q", c.kind, c.n, c.message, got, "before"+c.want)
		}
	}
}

func TestEndBytes(t *testing.T) {
	for kind, want := range map[Kind]string{
		HTML: "0\r\n\r\n", Events: "0\r\n\r\n", HTML | unchunked: "", Events | unchunked: "",
		Poll: string(NoMessage.Bytes()), Poll | unchunked: string(NoMessage.Bytes()),
		WebSocket: "\x88\x02\x03\xe9", // 1001, going away
	} {
		if got := kind.AppendEnd([]byte("x")); string(got) != "x"+want {
			t.Errorf("kind %d ends with %q, want %q", kind, got, "x"+want)
		}
	}
}

func TestRestartBytes(t *testing.T) {
	const closed = "\x88\x15\x03\xf4the server restarts" // 1012, service restart
	poll := func(field string) string {
		return strings.TrimSuffix(string(NoMessage.Bytes()), "\r\n") + field + "\r\n"
	}
	for wait, want := range map[time.Duration]map[Kind]string{
		0: {
			HTML: "0\r\n\r\n", HTML | unchunked: "", Events: "0\r\n\r\n", Events | unchunked: "",
			Poll: string(NoMessage.Bytes()), Poll | unchunked: string(NoMessage.Bytes()), WebSocket: closed,
		},
		1: {Events: "a\r\nretry: 1\n\n\r\n0\r\n\r\n", Poll: poll("Retry-After: 1\r\n"), WebSocket: closed},
		2501 * time.Millisecond: {
			HTML: "0\r\n\r\n", HTML | unchunked: "", Events: "d\r\nretry: 2501\n\n\r\n0\r\n\r\n", Events | unchunked: "retry: 2501\n\n",
			Poll: poll("Retry-After: 3\r\n"), Poll | unchunked: poll("Retry-After: 3\r\n"), WebSocket: closed,
		},
		time.Hour: {Events | unchunked: "retry: 3600000\n\n", Poll: poll("Retry-After: 3600\r\n")},
	} {
		for kind, want := range want {
			if got := kind.AppendRestart([]byte("x"), wait); string(got) != "x"+want {
				t.Errorf("kind %d ends with %q, want %q", kind, got, "x"+want)
			}
		}
	}
	// Our own reader of events takes it for what it is.
	var r EventReader
	r.Feed((Events|unchunked).AppendRestart(nil, 1500*time.Millisecond), func(e Event) { t.Errorf("an event: %q", e.Data) })
	if r.Retry != 1500*time.Millisecond || !r.idle() {
		t.Errorf("retry %v, idle %t", r.Retry, r.idle())
	}
}

func TestHeartbeatBytes(t *testing.T) {
	for kind, want := range map[Kind]string{
		HTML: "", HTML | unchunked: "", Poll: "", Poll | unchunked: "",
		Events: "d\r\n: heartbeat\n\n\r\n", Events | unchunked: ": heartbeat\n\n",
		WebSocket: "\x89\x00",
	} {
		if got := kind.AppendHeartbeat([]byte("x")); string(got) != "x"+want || kind.HasHeartbeat() != (want != "") {
			t.Errorf("kind %d: heartbeat %q, want %q; it has one: %t", kind, got, "x"+want, kind.HasHeartbeat())
		}
	}
	// A chunk reader and a frame reader take them for what they are.
	body, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(Events.AppendEnd(Events.AppendHeartbeat(nil)))))
	if err != nil || string(body) != ": heartbeat\n\n" {
		t.Errorf("the chunk holds %q, error %v", body, err)
	}
	ping, err := ws.ReadHeader(bytes.NewReader(WebSocket.AppendHeartbeat(nil)))
	if err != nil || ping.OpCode != ws.OpPing || !ping.Fin || ping.Masked || ping.Length != 0 {
		t.Errorf("the frame is %+v, error %v", ping, err)
	}
}

func TestKinds(t *testing.T) {
	for kind, want := range map[Kind][2]bool{
		HTML: {false, false}, HTML | unchunked: {false, false}, Events: {false, false},
		Poll: {true, false}, Poll | unchunked: {true, false}, WebSocket: {false, true},
	} {
		if got := [2]bool{kind.OneMessage(), kind.IsWebSocket()}; got != want {
			t.Errorf("kind %d: one message, WebSocket = %t, want %t", kind, got, want)
		}
	}
}

// TestHTMLByNetHTTP has net/http take the chunks apart, and html do the
// escaping, for messages of every kind.
func TestHTMLByNetHTTP(t *testing.T) {
	check := func(messages [][]byte, n uint64) bool {
		var stream, plain []byte
		var want strings.Builder
		n %= math.MaxUint64 - uint64(len(messages))
		for i, m := range messages {
			stream = HTML.AppendMessage(stream, n+uint64(i), m)
			plain = (HTML | unchunked).AppendMessage(plain, n+uint64(i), m)
			fmt.Fprintf(&want, "Recvd msg #%d: '%s'<br/>", n+uint64(i), html.EscapeString(string(m)))
		}
		stream = HTML.AppendEnd(stream)
		got, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(stream)))
		if err != nil || string(got) != want.String() || string(plain) != want.String() {
			t.Logf("error %v\ngot  %q\nplain %q\nwant %q", err, got, plain, want.String())
			return false
		}
		return true
	}
	for _, m := range awkward {
		for _, n := range []uint64{1, 9, 10, 99, 100, math.MaxUint64} {
			if !check([][]byte{[]byte(m), []byte(m)}, n-1) {
				t.Errorf("message %d %.60q", n, m)
			}
		}
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

// sseEvent is what a browser makes of an event stream.
type sseEvent struct{ id, data string }

// readSSE is the algorithm of WHATWG HTML, section 9.2.6, for the fields we send.
func readSSE(t *testing.T, stream string) (events []sseEvent) {
	t.Helper()
	var id, data string
	var hasData bool
	stream = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(stream)
	lines := strings.SplitAfter(stream, "\n")
	if last := lines[len(lines)-1]; last != "" {
		t.Errorf("the stream ends in the middle of line %q", last)
	}
	for _, line := range lines[:len(lines)-1] {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			if hasData {
				events = append(events, sseEvent{id, strings.TrimSuffix(data, "\n")})
			}
			data, hasData = "", false
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "":
		case "id":
			id = value
		case "data":
			data += value + "\n"
			hasData = true
		default:
			t.Errorf("field %q", name)
		}
	}
	return events
}

func TestEventsByTheStandard(t *testing.T) {
	var stream, plain []byte
	var want []sseEvent
	for i, m := range awkward {
		stream = Events.AppendMessage(stream, uint64(i+1), []byte(m))
		plain = (Events | unchunked).AppendMessage(plain, uint64(i+1), []byte(m))
		normal := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(m)
		want = append(want, sseEvent{fmt.Sprint(i + 1), normal})
	}
	body, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(Events.AppendEnd(stream))))
	if err != nil || !bytes.Equal(body, plain) {
		t.Fatalf("chunked and plain differ, error %v:\n%q\n%q", err, body, plain)
	}
	got := readSSE(t, string(body))
	if len(got) != len(want) {
		t.Fatalf("%d events of %d messages: one broke out of its frame", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("event %d: %.80q, want %.80q", i, got[i], want[i])
		}
	}
}

func TestPollByNetHTTP(t *testing.T) {
	for _, m := range awkward {
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(Poll.AppendMessage(nil, 1, []byte(m)))), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != m || resp.StatusCode != 200 || !resp.Close {
			t.Errorf("%.60q: status %d, close %t, body %.60q, error %v", m, resp.StatusCode, resp.Close, body, err)
		}
	}
}

func TestWebSocketMessagesByGobwas(t *testing.T) {
	var stream []byte
	for i, m := range awkward {
		stream = WebSocket.AppendMessage(stream, uint64(i+1), []byte(m))
	}
	r := bytes.NewReader(WebSocket.AppendEnd(stream))
	for _, m := range awkward {
		frame, err := readFrame(r)
		if err != nil || frame.Header.OpCode != ws.OpText || !frame.Header.Fin || frame.Header.Masked {
			t.Fatalf("frame %+v, error %v", frame.Header, err)
		}
		if want := strings.ToValidUTF8(m, "\uFFFD"); string(frame.Payload) != want {
			t.Errorf("%.60q came as %.60q", want, frame.Payload)
		}
	}
	frame, err := readFrame(r)
	if err != nil || frame.Header.OpCode != ws.OpClose || !bytes.Equal(frame.Payload, []byte{0x03, 0xe9}) || r.Len() > 0 {
		t.Errorf("the end is %+v %q, error %v, %d bytes behind it", frame.Header, frame.Payload, err, r.Len())
	}
}

// readFrame reads one frame, of which the test knows that it is not too large.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}

func BenchmarkAppendMessage(b *testing.B) {
	message := []byte("Fake message Num = 12345 s=0badcafe.123 t=1700000000000000000")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = HTML.AppendMessage(buf[:0], 12, message)
	}
	b.SetBytes(int64(len(buf)))
}
