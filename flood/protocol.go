package flood

import (
	"fmt"
	"net/url"
	"strings"

	"example.org/comet/server/wire"
)

// Protocol is how a server pushes messages. The zero value is Auto.
type Protocol string

// The protocols.
const (
	// Auto is WebSocket for a URL of ws or wss, and else what the answer is.
	Auto Protocol = "auto"
	// Stream is a body that stays open, of any type.
	Stream Protocol = "stream"
	// SSE is server-sent events (HTML Living Standard, section 9.2).
	SSE Protocol = "sse"
	// Poll is long polling: the server answers once it has something, and is asked
	// again.
	Poll Protocol = "poll"
	// WebSocket is RFC 6455.
	WebSocket Protocol = "ws"
)

// Protocols lists them.
func Protocols() []Protocol { return []Protocol{Auto, Stream, SSE, Poll, WebSocket} }

// check returns an error unless the protocol can be spoken to a URL of scheme.
func (p Protocol) check(scheme string) error {
	if (scheme == "ws" || scheme == "wss") && p != WebSocket && p != Auto && p != "" {
		return fmt.Errorf("a URL of %s is that of a WebSocket: leave --protocol %s out, or write http instead of %s", scheme, p, scheme)
	}
	return nil
}

// socket reports whether a URL of scheme is asked for a WebSocket.
func (p Protocol) socket(scheme string) bool {
	return p == WebSocket || scheme == "ws" || scheme == "wss"
}

// schemes are the schemes of URLs, and whether each is TLS.
var schemes = map[string]bool{"http": false, "https": true, "ws": false, "wss": true}

// checkScheme returns an error unless u can be opened.
func checkScheme(u *url.URL, text string) error {
	if _, ok := schemes[u.Scheme]; ok {
		return nil
	}
	_, rest, _ := strings.Cut(wire.ShowURL(text), ":")
	return badURL(text, "write http://host:port/path, or https, ws or wss; other schemes are not spoken: http:%s", rest)
}
