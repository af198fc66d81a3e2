package wire

import (
	"bytes"
	"strconv"
	"time"

	"github.com/gobwas/ws"
)

// Kind is how messages are framed on a connection.
type Kind uint8

// The kinds of stream.
const (
	HTML      Kind = iota + 1 // GET /test/{id}: one chunk of HTML a message
	Events                    // GET /events/{id}: server-sent events
	Poll                      // GET /poll/{id}: one message is the whole answer
	WebSocket                 // GET /ws/{id}: one text message each

	// unchunked marks an HTTP/1.0 stream, which ends with its connection.
	unchunked Kind = 0x80
)

// names are the first segments of the paths.
var names = [...]string{HTML: "test", Events: "events", Poll: "poll", WebSocket: "ws"}

// toProxies keeps what stands between from holding messages back: caches and
// compressors (RFC 9111, section 5.2.2), and the buffers of nginx
// (X-Accel-Buffering, ngx_http_proxy_module).
const toProxies = "Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\n"

var (
	htmlHead   = streamHead("text/html; charset=utf-8")
	eventsHead = streamHead("text/event-stream")
)

// streamHead makes the heads for HTTP/1.1, for HTTP/1.0, and for HEAD.
func streamHead(contentType string) [3][]byte {
	start := "HTTP/1.1 200 OK\r\nContent-Type: " + contentType + "\r\n" + toProxies
	return [3][]byte{
		[]byte(start + "Transfer-Encoding: chunked\r\nServer: comet\r\n\r\n"),
		[]byte(start + "Server: comet\r\nConnection: close\r\n\r\n"),
		[]byte(start + "Transfer-Encoding: chunked\r\nServer: comet\r\nConnection: close\r\n\r\n"),
	}
}

// of returns the kind for a client of HTTP/1.minor.
func (k Kind) of(minor byte) Kind {
	if minor == '0' {
		return k | unchunked
	}
	return k
}

// base returns the kind without its HTTP/1.0 mark.
func (k Kind) base() Kind { return k &^ unchunked }

// OneMessage reports whether the connection ends with its first message.
func (k Kind) OneMessage() bool { return k.base() == Poll }

// IsWebSocket reports whether the client speaks in frames too.
func (k Kind) IsWebSocket() bool { return k == WebSocket }

func (k Kind) headVariant(variant int) []byte {
	switch k.base() {
	case HTML:
		return htmlHead[variant]
	case Events:
		return eventsHead[variant]
	}
	return nil // Poll: the head comes with the message
}

func (k Kind) streamHead() []byte {
	if k&unchunked != 0 {
		return k.headVariant(1)
	}
	return k.headVariant(0)
}

// headAnswer answers HEAD: the head of the stream, which is not opened.
func (k Kind) headAnswer() []byte {
	if k.base() == Poll {
		return pollHeadAnswer
	}
	if k&unchunked != 0 {
		return k.headVariant(1) // a chunked answer is nothing for HTTP/1.0 (RFC 9112, section 6.1)
	}
	return k.headVariant(2)
}

var pollHeadAnswer = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n" + toProxies + "Server: comet\r\nConnection: close\r\n\r\n")

// AppendMessage appends message as the n-th one (from 1) of a connection.
func (k Kind) AppendMessage(dst []byte, n uint64, message []byte) []byte {
	switch k {
	case HTML:
		return appendHTMLChunk(dst, n, message)
	case HTML | unchunked:
		return appendHTML(dst, n, message)
	case Events:
		return appendChunk(dst, func(b []byte) []byte { return appendEvent(b, n, message) })
	case Events | unchunked:
		return appendEvent(dst, n, message)
	case WebSocket:
		return appendFrame(dst, ws.OpText, bytes.ToValidUTF8(message, []byte("\uFFFD")))
	default: // Poll
		return appendPollAnswer(dst, message)
	}
}

// AppendEnd appends what ends a stream on purpose: the last chunk, a close frame
// (1001, going away), or, for a poll that had no message, the answer 204.
func (k Kind) AppendEnd(dst []byte) []byte {
	switch {
	case k == WebSocket:
		return AppendClose(dst, ws.StatusGoingAway)
	case k.base() == Poll:
		return append(dst, NoMessage.whole...)
	case k&unchunked != 0:
		return dst
	}
	return append(dst, "0\r\n\r\n"...)
}

// AppendExpired appends what ends a stream whose token has expired: a close frame
// that says so (1008, policy violation), or else what AppendEnd appends.
func (k Kind) AppendExpired(dst []byte) []byte {
	if k == WebSocket {
		return appendFrame(dst, ws.OpClose, ws.NewCloseFrameBody(ws.StatusPolicyViolation, "the token has expired"))
	}
	return k.AppendEnd(dst)
}

// AppendRestart appends what ends a stream of a server that leaves. It asks the
// client to return after wait, where the kind can say so: by the retry field of
// server-sent events, and by Retry-After, in whole seconds, of the answer to a poll.
// A WebSocket is closed with 1012 (service restart), upon which clients return after
// a time of their own. Else, and where wait is 0, it appends what AppendEnd does.
func (k Kind) AppendRestart(dst []byte, wait time.Duration) []byte {
	switch {
	case k == WebSocket:
		return appendFrame(dst, ws.OpClose, ws.NewCloseFrameBody(statusRestart, "the server restarts"))
	case wait <= 0:
		return k.AppendEnd(dst)
	case k.base() == Poll:
		return append(dst, noMessage(retryAfter(wait)).whole...)
	case k == Events:
		dst = appendChunk(dst, func(b []byte) []byte { return appendRetry(b, wait) })
	case k == Events|unchunked:
		dst = appendRetry(dst, wait)
	}
	return k.AppendEnd(dst)
}

// statusRestart is the close code of a server that restarts (IANA registry of
// WebSocket close codes).
const statusRestart ws.StatusCode = 1012

// appendRetry asks the client to wait before it returns (HTML standard, section
// 9.2.6). The empty line ends the block, which has no data and so is no event.
func appendRetry(dst []byte, wait time.Duration) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, max(wait.Milliseconds(), 1), 10)
	return append(dst, "\n\n"...)
}

// AppendHeartbeat appends what shows a silent client, and proxies, that the
// stream is alive, and is not a message: a comment in
// server-sent events (HTML standard, section 9.2.7: "a comment line … every 15
// seconds or so"), or a WebSocket ping (RFC 6455, section 5.5.2). Other kinds
// have no such thing.
func (k Kind) AppendHeartbeat(dst []byte) []byte {
	switch k {
	case Events:
		return append(dst, "d\r\n: heartbeat\n\n\r\n"...)
	case Events | unchunked:
		return append(dst, ": heartbeat\n\n"...)
	case WebSocket:
		return append(dst, 0x80|byte(ws.OpPing), 0)
	}
	return dst
}

// HasHeartbeat reports whether AppendHeartbeat appends anything.
func (k Kind) HasHeartbeat() bool { return k.base() == Events || k == WebSocket }

// appendHTMLChunk writes the chunk size in front without a second buffer: the
// length of an escaped message is known before it is written.
func appendHTMLChunk(dst []byte, n uint64, message []byte) []byte {
	size := len("Recvd msg #: ''<br/>") + decimalLen(n) + escapedLen(message)
	dst = strconv.AppendUint(dst, uint64(size), 16)
	dst = append(dst, "\r\n"...)
	dst = appendHTML(dst, n, message)
	return append(dst, "\r\n"...)
}

func appendHTML(dst []byte, n uint64, message []byte) []byte {
	dst = append(dst, "Recvd msg #"...)
	dst = strconv.AppendUint(dst, n, 10)
	dst = append(dst, ": '"...)
	dst = appendEscaped(dst, message)
	return append(dst, "'<br/>"...)
}

// appendEvent writes one server-sent event; every line of the message becomes
// a data line, as the standard has it.
func appendEvent(dst []byte, n uint64, message []byte) []byte {
	dst = append(dst, "id: "...)
	dst = strconv.AppendUint(dst, n, 10)
	for {
		i := bytes.IndexAny(message, "\r\n")
		dst = append(dst, "\ndata: "...)
		if i < 0 {
			dst = append(dst, message...)
			return append(dst, "\n\n"...)
		}
		dst = append(dst, message[:i]...)
		if message[i] == '\r' && i+1 < len(message) && message[i+1] == '\n' {
			i++
		}
		message = message[i+1:]
	}
}

func appendPollAnswer(dst, message []byte) []byte {
	dst = append(dst, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"+toProxies+"Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(message)), 10)
	dst = append(dst, "\r\nServer: comet\r\nConnection: close\r\n\r\n"...)
	return append(dst, message...)
}

// appendChunk wraps what body appends in one chunk. It moves the body to make
// room for its size, so it suits the kinds that are not the fast path.
func appendChunk(dst []byte, body func([]byte) []byte) []byte {
	start := len(dst)
	dst = body(dst)
	var size [18]byte
	head := append(strconv.AppendUint(size[:0], uint64(len(dst)-start), 16), "\r\n"...)
	dst = append(dst, head...) // grow
	copy(dst[start+len(head):], dst[start:len(dst)-len(head)])
	copy(dst[start:], head)
	return append(dst, "\r\n"...)
}

func decimalLen(n uint64) int {
	digits := 1
	for n >= 10 {
		n /= 10
		digits++
	}
	return digits
}

// escapes are those of html.EscapeString, which the contract names.
var escapes = [256]string{'<': "&lt;", '>': "&gt;", '&': "&amp;", '\'': "&#39;", '"': "&#34;"}

func escapedLen(message []byte) int {
	n := len(message)
	for _, c := range message {
		if e := escapes[c]; e != "" {
			n += len(e) - 1
		}
	}
	return n
}

func appendEscaped(dst, message []byte) []byte {
	from := 0
	for i, c := range message {
		if e := escapes[c]; e != "" {
			dst = append(dst, message[from:i]...)
			dst = append(dst, e...)
			from = i + 1
		}
	}
	return append(dst, message[from:]...)
}
