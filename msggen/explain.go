package msggen

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxStart is how much of a malformed answer is shown.
	maxStart = 64
	// maxSaid is how much of the text of a refusal is shown.
	maxSaid = 200
)

// printable returns at most limit bytes of what a peer said, with what a terminal
// would obey or hide written as an escape of Go.
func printable(s string, limit int) string {
	var b strings.Builder
	for i, r := range s {
		var shown string
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			shown = fmt.Sprintf(`\x%02x`, s[i])
		case unicode.IsPrint(r):
			shown = string(r)
		default:
			shown = strings.Trim(strconv.QuoteRune(r), "'")
		}
		if b.Len()+len(shown) > limit {
			b.WriteString("…")
			break
		}
		b.WriteString(shown)
	}
	return b.String()
}

// excerpt returns the beginning of the text of an answer, for people: its first
// line, or the title of a web page.
func excerpt(text []byte) string {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	if bytes.HasPrefix(text, []byte("<")) {
		_, title, _ := bytes.Cut(text, []byte("<title>"))
		title, _, found := bytes.Cut(title, []byte("</title>"))
		if !found {
			return ""
		}
		text = bytes.TrimSpace(title)
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if line = bytes.TrimSpace(line); len(line) < len("{}") {
		line = bytes.Join(bytes.Fields(text), []byte(" ")) // JSON over several lines
	}
	return printable(string(line), maxSaid)
}

// said returns how an answer reads after "was answered": its status, and the
// beginning of its text in parentheses.
func said(resp *http.Response, text []byte) string {
	status := strings.TrimSpace(printable(resp.Status, maxSaid))
	if _, reason, _ := strings.Cut(status, " "); reason == "" {
		status = strings.TrimSpace(status + " " + http.StatusText(resp.StatusCode))
	}
	if words := excerpt(text); words != "" {
		return status + " (" + words + ")"
	}
	return status
}

// header returns a header of an answer, for people.
func header(resp *http.Response, name string) string {
	return printable(strings.Join(resp.Header.Values(name), ", "), maxSaid)
}

// retryAfter returns ", and asks to wait …" if an answer says how long.
func retryAfter(resp *http.Response) string {
	after := header(resp, "Retry-After")
	if after == "" {
		return ""
	}
	if _, err := strconv.Atoi(after); err == nil {
		return ", and asks to wait " + after + " s (Retry-After)"
	}
	return ", and asks to wait until " + after + " (Retry-After)"
}

// advise returns what to do about an answer to a published message that is no
// 2xx, or "".
func advise(resp *http.Response, text []byte, secure bool) string {
	switch code := resp.StatusCode; {
	case code == http.StatusSwitchingProtocols:
		return "it changes to another protocol, which nobody asked for: name the path that takes messages over HTTP"
	case code >= 300 && code < 400:
		if to := header(resp, "Location"); to != "" {
			return "messages are not sent after a redirect; name " + to + " itself"
		}
		return "messages are not sent after a redirect; name its destination itself"
	case code == http.StatusBadRequest && !secure && mentionsTLS(text):
		return "it speaks TLS there: write https:// instead of http://"
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		wants := ""
		if challenge := header(resp, "WWW-Authenticate"); challenge != "" {
			wants = "it asks for " + challenge + ": "
		}
		return wants + "give what it asks for as a header, such as `Authorization: …`"
	case code == http.StatusNotFound:
		return "see that the path is the one that it takes messages at"
	case code == http.StatusMethodNotAllowed && resp.Header.Get("Allow") != "":
		return "choose another method, of " + header(resp, "Allow")
	case code == http.StatusMethodNotAllowed, code == http.StatusNotImplemented:
		return "choose another method"
	case code == http.StatusRequestEntityTooLarge:
		return "send shorter messages, or raise the server's limit"
	case code == http.StatusUnsupportedMediaType:
		return "give the type of the body as a header, such as `Content-Type: application/json`"
	case code == http.StatusUpgradeRequired:
		return "it wants another protocol (" + header(resp, "Upgrade") + "): name the path that takes messages over HTTP"
	case code == http.StatusTooManyRequests:
		return "the server limits the rate" + retryAfter(resp) + ": send fewer messages per second, or raise its limit"
	case code == http.StatusServiceUnavailable:
		return "the server is overloaded or not ready" + retryAfter(resp) + ": its log should say why"
	case code == http.StatusBadGateway, code == http.StatusGatewayTimeout:
		return "the proxy there does not get an answer from the server behind it: see that that one runs"
	case code >= 500:
		return "the server failed: its log should say why"
	}
	return ""
}

// mentionsTLS reports whether an answer says that it was to a request without
// TLS on a port that speaks it, as servers put that.
func mentionsTLS(text []byte) bool {
	lower := bytes.ToLower(text)
	return bytes.Contains(lower, []byte("https")) && bytes.Contains(lower, []byte("http request"))
}

// notHTTPError is an answer that is none of HTTP/1.1.
type notHTTPError struct{ why string }

func (e *notHTTPError) Error() string { return e.why }

// malformed explains an answer that could not be read, by how it begins.
func malformed(start []byte, err error) error {
	switch {
	case len(start) >= 2 && (start[0] == 0x15 || start[0] == 0x16) && start[1] == 3: // a record of TLS (RFC 8446, section 5.1)
		return &notHTTPError{"it speaks TLS there: write https:// instead of http://"}
	case len(start) >= 4 && start[0] == 0 && start[3] == 4: // a SETTINGS frame (RFC 9113, section 6.5)
		return &notHTTPError{"it speaks HTTP/2 without TLS: messages are published over HTTP/1.1"}
	}
	line, _, _ := strings.Cut(string(start), "\n")
	return &notHTTPError{fmt.Sprintf("it answered \"%s\", which is not HTTP/1.1 (%s)", printable(strings.TrimRight(line, "\r"), maxStart), printable(err.Error(), maxSaid))}
}
