package wire

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Answer is a whole HTTP answer that ends its connection, with a sentence for
// the person who reads it.
type Answer struct {
	whole, head []byte
	// Status and Sentence are what it says, and Challenge is its WWW-Authenticate,
	// if it has one.
	Status              int
	Sentence, Challenge string
}

func (a *Answer) bytes(headOnly bool) []byte {
	if headOnly {
		return a.head
	}
	return a.whole
}

// Bytes returns the answer as it goes over the socket. It must not be changed.
func (a *Answer) Bytes() []byte { return a.whole }

// The answers that are not streams.
var (
	BadID          = newAnswer(http.StatusBadRequest, "The id must be a whole number from 0 to 9223372036854775807, as in /test/123; several are separated by commas.")
	NotHTTP        = newAnswer(http.StatusBadRequest, "This is not a request in HTTP/1.0 or HTTP/1.1.")
	TLSNeeded      = newAnswer(http.StatusBadRequest, "This is a plain HTTP request to an HTTPS port: write https:// or wss://.")
	BadHost        = newAnswer(http.StatusBadRequest, "A request in HTTP/1.1 carries one valid Host field (RFC 9112, section 3.2).")
	BadUpgrade     = newAnswer(http.StatusBadRequest, "This is not a valid WebSocket handshake (RFC 6455, section 4.2.1).")
	OriginRefused  = newAnswer(http.StatusForbidden, "Pages of this origin may not open streams here: the server's --allow-origin does not name it.")
	TokenNeeded    = newChallenge(http.StatusUnauthorized, "", "A token is needed here: Authorization: Bearer TOKEN.")
	TokenInvalid   = newChallenge(http.StatusUnauthorized, "invalid_token", "This token is not valid here, or not any more: get a new one.")
	TokenAmbiguous = newChallenge(http.StatusBadRequest, "invalid_request", "A request carries one token, in one place (RFC 6750, section 2).")
	TokenForbids   = newChallenge(http.StatusForbidden, "insufficient_scope", "This token does not allow that.")
	NotFound       = newAnswer(http.StatusNotFound, "There is nothing here. Streams are at GET /test/{id}, /events/{id}, /poll/{id} and /ws/{id}.")
	HeadTimeout    = newAnswer(http.StatusRequestTimeout, "No complete request head came in time.")
	UpgradeNeeded  = newAnswer(http.StatusUpgradeRequired, "This path speaks WebSocket (RFC 6455, version 13) only.", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
	UpgradeTooOld  = newAnswer(http.StatusUpgradeRequired, "A WebSocket handshake takes HTTP/1.1; this one came in HTTP/1.0. Behind nginx, set proxy_http_version 1.1.", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
	NotImplemented = newAnswer(http.StatusNotImplemented, "Only GET and HEAD are understood here.")
	Full           = newAnswer(http.StatusServiceUnavailable, "The server holds as many connections as it may. Try again shortly.", "Retry-After: 1")
	AddressFull    = newAnswer(http.StatusServiceUnavailable, "Your address has as many connections as one address may have. Try again when one of them has ended.", "Retry-After: 1")
	MemoryFull     = newAnswer(http.StatusServiceUnavailable, "The server has as much memory as it may have. Try again shortly, or another server.", "Retry-After: 1")
	RouterAway     = newAnswer(http.StatusServiceUnavailable, "The router that messages come through is away. Try again shortly, or another server.", "Retry-After: 1")
	NoMessage      = noMessage("")
)

// Leaving answers a stream that comes while the server ends, and asks its client to
// return after wait, or, where that is 0, soon.
func Leaving(wait time.Duration) *Answer {
	return newAnswer(http.StatusServiceUnavailable, "This server is about to end. Try again shortly, or another server.", strings.TrimSuffix(retryAfter(wait), "\r\n"))
}

// noMessage answers a poll that had no message, with more fields.
func noMessage(fields string) *Answer {
	return &Answer{Status: http.StatusNoContent, whole: []byte("HTTP/1.1 204 No Content\r\n" + toProxies + "Server: comet\r\nConnection: close\r\n" + fields + "\r\n")}
}

// retryAfter returns the field that asks to wait, in whole seconds and at least one
// (RFC 9110, section 10.2.3).
func retryAfter(wait time.Duration) string {
	return fmt.Sprintf("Retry-After: %d\r\n", max((wait+time.Second-1)/time.Second, 1))
}

// tooManyIDs answers a request with more than most ids.
func tooManyIDs(most int) *Answer {
	return newAnswer(http.StatusBadRequest, fmt.Sprintf("One connection may have up to %d ids: spread them over several.", most))
}

// headTooLong answers a head of more than most bytes.
func headTooLong(most int) *Answer {
	size := fmt.Sprintf("%d bytes", most)
	if most%1024 == 0 {
		size = fmt.Sprintf("%d KiB", most/1024)
	}
	return newAnswer(http.StatusRequestHeaderFieldsTooLarge, "The request head is longer than "+size+".")
}

func newAnswer(code int, sentence string, fields ...string) *Answer {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nServer: comet\r\nConnection: close\r\n",
		code, http.StatusText(code), len(sentence)+1)
	for _, f := range fields {
		b.WriteString(f + "\r\n")
	}
	b.WriteString("\r\n")
	head := b.String()
	return &Answer{whole: []byte(head + sentence + "\n"), head: []byte(head), Status: code, Sentence: sentence}
}

// newChallenge makes an answer about a token (RFC 6750, section 3). A request without
// one is told no error.
func newChallenge(code int, problem, sentence string) *Answer {
	challenge := `Bearer realm="comet"`
	if problem != "" {
		challenge += `, error="` + problem + `"`
	}
	a := newAnswer(code, sentence, "WWW-Authenticate: "+challenge, "Cache-Control: no-store")
	a.Challenge = challenge
	return a
}
