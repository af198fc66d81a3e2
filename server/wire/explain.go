package wire

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Purpose is what an answer was asked for.
type Purpose uint8

// The purposes.
const (
	Publishing Purpose = iota // a message was sent
	Streaming                 // a stream was asked for
)

// words returns the one that fits the purpose.
func (p Purpose) words(publishing, streaming string) string {
	if p == Streaming {
		return streaming
	}
	return publishing
}

// ReadStart reads the final answer that b begins with, which may be cut off
// anywhere, and returns what of its body is in b. It forgives what a parser would
// not, for its result is shown and not obeyed. It returns nil if b does not begin
// with an answer.
func ReadStart(b []byte) (resp *http.Response, body []byte) {
	for {
		b = bytes.TrimLeft(b, "\r\n")
		line, rest, _ := bytes.Cut(b, []byte{'\n'})
		status, ok := parseStatus(trimCR(line))
		if !ok {
			return nil, nil
		}
		resp = &http.Response{StatusCode: int(status), Status: string(trimCR(line)[len("HTTP/1.1 "):]), Header: make(http.Header)}
		for len(rest) > 0 {
			line, rest, _ = bytes.Cut(rest, []byte{'\n'})
			if line = trimCR(line); len(line) == 0 {
				break
			}
			name, value, _ := bytes.Cut(line, []byte{':'})
			resp.Header.Add(string(bytes.TrimSpace(name)), string(bytes.TrimSpace(value)))
		}
		if status >= 200 || status == http.StatusSwitchingProtocols || !bytes.HasPrefix(rest, []byte("HTTP/1.")) {
			return resp, firstChunk(resp, rest)
		}
		b = rest // the final answer follows an interim one
	}
}

// firstChunk returns the body itself, or as much of its first chunk as has come.
func firstChunk(resp *http.Response, body []byte) []byte {
	if resp.Header.Get("Transfer-Encoding") == "" {
		return body
	}
	line, chunk, _ := bytes.Cut(body, []byte{'\n'})
	size, ok := parseChunkSize(trimCR(line))
	if !ok {
		return body
	}
	return chunk[:min(size, uint64(len(chunk)))]
}

// Said returns how an answer reads after "was answered": its status, and the
// beginning of its body in parentheses.
func Said(resp *http.Response, body []byte) string {
	status := strings.TrimSpace(Printable(resp.Status, maxShownText))
	if _, reason, _ := strings.Cut(status, " "); reason == "" {
		status = strings.TrimSpace(status + " " + http.StatusText(resp.StatusCode))
	}
	if words := Excerpt(body); words != "" {
		return status + " (" + words + ")"
	}
	return status
}

// header returns a header of an answer, printable.
func header(resp *http.Response, name string) string {
	return Printable(strings.Join(resp.Header.Values(name), ", "), maxShownText)
}

// RetryAfter returns ", and asks to wait …" if an answer says how long.
func RetryAfter(resp *http.Response) string {
	after := header(resp, "Retry-After")
	if after == "" {
		return ""
	}
	if _, err := strconv.Atoi(after); err == nil {
		return ", and asks to wait " + after + " s (Retry-After)"
	}
	return ", and asks to wait until " + after + " (Retry-After)"
}

// Advise returns what to do about an answer that is not the one asked for, or "".
// secure reports whether it came over TLS.
func Advise(resp *http.Response, body []byte, secure bool, purpose Purpose) string {
	switch code := resp.StatusCode; {
	case code == http.StatusSwitchingProtocols:
		return purpose.words("it changes to another protocol, which nobody asked for: name the path that takes messages over HTTP",
			"it switches to another protocol ("+header(resp, "Upgrade")+"), which was not asked for: for a WebSocket write ws:// instead of http:// (wss:// instead of https://), or give --protocol ws")
	case code >= 200 && code < 300:
		return purpose.words("", "that has no stream in it: name the URL of a stream; a long poll answers so when there is no message: for one, give --protocol poll")
	case code >= 300 && code < 400:
		to := header(resp, "Location")
		if to == "" {
			to = "its destination"
		}
		return purpose.words("messages are not sent after a redirect", "redirects are not followed") + "; name " + to + " itself"
	case code == http.StatusBadRequest && !secure && mentionsTLS(body):
		return speaksTLS(purpose)
	case code >= 400 && code < 500:
		return adviseClient(resp, purpose)
	case code == http.StatusServiceUnavailable:
		return "the server is overloaded or not ready" + RetryAfter(resp) + ": its log should say why"
	case code == http.StatusBadGateway, code == http.StatusGatewayTimeout:
		return "the proxy there does not get an answer from the server behind it: see that that one runs"
	case code == http.StatusNotImplemented:
		return purpose.words("choose another method", "it does not know the method there: name the URL of a stream")
	case code >= 500:
		return "the server failed: its log should say why"
	}
	return ""
}

// adviseClient is Advise for the codes that lay it to the request.
func adviseClient(resp *http.Response, purpose Purpose) string {
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		wants := ""
		for _, name := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
			if challenge := header(resp, name); challenge != "" {
				wants = "it asks for " + challenge + ": "
				break
			}
		}
		return wants + "give what it asks for as a header, such as " + purpose.words("`Authorization: …`", "-H 'Authorization: Bearer …', or one for each user with --users")
	case http.StatusNotFound:
		return "see that the path is " + purpose.words("the one that it takes messages at", "that of a stream")
	case http.StatusMethodNotAllowed:
		if allow := header(resp, "Allow"); allow != "" {
			return purpose.words("choose another method, of ", "the path does not take this method, only ") + allow + purpose.words("", ": name the URL of a stream, or give --stream-method")
		}
		return purpose.words("choose another method", "the path does not take this method: name the URL of a stream, or give --stream-method")
	case http.StatusRequestTimeout:
		return purpose.words("", "the server waited for the request too long: lower --connect-rate, or see what it is busy with")
	case http.StatusRequestEntityTooLarge:
		return purpose.words("send shorter messages, or raise the server's limit", "")
	case http.StatusUnsupportedMediaType:
		return purpose.words("give the type of the body as a header, such as `Content-Type: application/json`", "")
	case http.StatusRequestHeaderFieldsTooLarge:
		return "give fewer or shorter headers, or raise the server's limit"
	case http.StatusUpgradeRequired:
		return "it wants another protocol (" + header(resp, "Upgrade") + "): " +
			purpose.words("name the path that takes messages over HTTP", upgradeAdvice(resp))
	case http.StatusTooManyRequests:
		return "the server limits the rate" + RetryAfter(resp) + ": " +
			purpose.words("send fewer messages per second, or raise its limit", "lower --connect-rate, or raise its limit")
	}
	return purpose.words("", "the server refuses the request: see its log, and whether the URL and the headers are right")
}

// upgradeAdvice returns how to speak the protocol that a server wants instead.
func upgradeAdvice(resp *http.Response) string {
	if strings.Contains(strings.ToLower(resp.Header.Get("Upgrade")), "websocket") {
		return "write ws:// instead of http:// (wss:// instead of https://), or give --protocol ws"
	}
	return "that is not spoken here: name the URL of a stream over HTTP/1, or of a WebSocket"
}

// speaksTLS explains a server that speaks TLS to a request without.
func speaksTLS(purpose Purpose) string {
	return "it speaks TLS there" + purpose.words(": write https:// instead of http://", ": write https:// instead of http:// (wss:// instead of ws://)")
}

// mentionsTLS reports whether an answer says that it was to a request without
// TLS on a port that speaks it, as servers put that.
func mentionsTLS(body []byte) bool {
	lower := bytes.ToLower(body)
	return bytes.Contains(lower, []byte("https")) && bytes.Contains(lower, []byte("http request"))
}

// NotHTTP1 explains bytes that are not an answer in HTTP/1, by how they begin.
// err is why they could not be read, or nil.
func NotHTTP1(start []byte, err error, purpose Purpose) string {
	switch {
	case len(start) >= 2 && (start[0] == 0x15 || start[0] == 0x16) && start[1] == 3: // a record of TLS (RFC 8446, section 5.1)
		return speaksTLS(purpose)
	case len(start) >= 4 && start[0] == 0 && start[3] == 4: // a SETTINGS frame (RFC 9113, section 6.5)
		return "it speaks HTTP/2: name a port that speaks HTTP/1.1, which is what is spoken here"
	}
	line, _, _ := strings.Cut(string(start), "\n")
	shown := Printable(strings.TrimRight(line, "\r"), maxShownStart)
	who := protocolOf(start)
	if n, bad, what := badLine(start); n > 0 {
		return fmt.Sprintf("line %d of its answer, \"%s\", is not HTTP/1.1 (%s): the server or a proxy before it has a fault", n, Printable(bad, maxShownStart), what)
	}
	if who != "" {
		return fmt.Sprintf("it answered \"%s\", which is not HTTP/1.1 but %s: is this the right port?", shown, who)
	}
	why := ""
	if err != nil {
		why = " (" + Printable(err.Error(), maxShownText) + ")"
	}
	return fmt.Sprintf("it answered \"%s\", which is not HTTP/1.1%s: is this the right port?", shown, why)
}

// greetings are how servers of other protocols begin.
var greetings = []struct{ start, name string }{
	{"SSH-", "SSH"},
	{"HTTP/2", "HTTP/2"},
	{"HTTP/3", "HTTP/3"},
	{"ICY ", "a SHOUTcast stream"},
	{"-ERR ", "what Redis or a POP3 server says"},
	{"+OK ", "what a POP3 server says"},
	{"+PONG", "what Redis says"},
	{"* OK ", "what an IMAP server says"},
	{"INFO {", "what a NATS server says"},
	{"RFB ", "VNC"},
	{"AMQP", "AMQP"},
	{"RTSP/", "RTSP"},
	{"ERROR\r\n", "what memcached says"},
	{"<html", "a page without a head (HTTP/0.9)"},
	{"<!doctype", "a page without a head (HTTP/0.9)"},
}

// protocolOf names the protocol that bytes begin as, or returns "".
func protocolOf(start []byte) string {
	for _, g := range greetings {
		if len(start) >= len(g.start) && bytes.EqualFold(start[:len(g.start)], []byte(g.start)) {
			return g.name
		}
	}
	if len(start) > 3 && (start[3] == ' ' || start[3] == '-') && start[0] == '2' && start[1] == '2' && start[2] == '0' {
		return "what a mail or FTP server says"
	}
	if len(start) > 0 && start[0] < ' ' && start[0] != '\r' && start[0] != '\n' && start[0] != '\t' {
		return "a binary protocol"
	}
	return ""
}

// badLine returns the first line of a head that is wrong, its number from 1, and
// what it should be: 0 where the head is no HTTP/1 at all, or has no such line.
func badLine(head []byte) (n int, line, what string) {
	if !bytes.HasPrefix(head, []byte("HTTP/1.")) {
		return 0, "", ""
	}
	for raw := range bytes.Lines(head) {
		n++
		text := trimCR(bytes.TrimSuffix(raw, []byte("\n")))
		if n == 1 {
			if _, ok := parseStatus(text); !ok {
				return n, string(text), "a status line reads HTTP/1.1 200 OK"
			}
			continue
		}
		if len(text) == 0 {
			return 0, "", ""
		}
		if text[0] == ' ' || text[0] == '\t' {
			continue
		}
		name, value, found := bytes.Cut(text, []byte{':'})
		switch length := string(bytes.TrimSpace(value)); {
		case !found:
			return n, string(text), "a header has a colon"
		case !isName(bytes.TrimRight(name, " \t")):
			return n, string(text), "that is not the name of a header"
		case bytes.IndexByte(value, 0) >= 0:
			return n, string(text), "a header holds no NUL"
		case bytes.EqualFold(bytes.TrimSpace(name), []byte("Content-Length")):
			if _, ok := ParseID([]byte(length)); !ok {
				return n, string(text), "a length is one whole number"
			}
		}
	}
	return 0, "", ""
}
