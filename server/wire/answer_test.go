package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestAnswers writes every answer out: these bytes are the contract.
func TestAnswers(t *testing.T) {
	text := func(status, fields, sentence, length string) string {
		return "HTTP/1.1 " + status + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " + length +
			"\r\nServer: comet\r\nConnection: close\r\n" + fields + "\r\n" + sentence + "\n"
	}
	for _, c := range []struct {
		answer *Answer
		want   string
	}{
		{BadID, text("400 Bad Request", "", "The id must be a whole number from 0 to 9223372036854775807, as in /test/123; several are separated by commas.", "111")},
		{NotHTTP, text("400 Bad Request", "", "This is not a request in HTTP/1.0 or HTTP/1.1.", "47")},
		{BadUpgrade, text("400 Bad Request", "", "This is not a valid WebSocket handshake (RFC 6455, section 4.2.1).", "67")},
		{NotFound, text("404 Not Found", "", "There is nothing here. Streams are at GET /test/{id}, /events/{id}, /poll/{id} and /ws/{id}.", "93")},
		{HeadTimeout, text("408 Request Timeout", "", "No complete request head came in time.", "39")},
		{UpgradeNeeded, text("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", "This path speaks WebSocket (RFC 6455, version 13) only.", "56")},
		{headTooLong(32 << 10), text("431 Request Header Fields Too Large", "", "The request head is longer than 32 KiB.", "40")},
		{headTooLong(9000), text("431 Request Header Fields Too Large", "", "The request head is longer than 9000 bytes.", "44")},
		{BadHost, text("400 Bad Request", "", "A request in HTTP/1.1 carries one valid Host field (RFC 9112, section 3.2).", "76")},
		{OriginRefused, text("403 Forbidden", "", "Pages of this origin may not open streams here: the server's --allow-origin does not name it.", "94")},
		{UpgradeTooOld, text("426 Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", "A WebSocket handshake takes HTTP/1.1; this one came in HTTP/1.0. Behind nginx, set proxy_http_version 1.1.", "107")},
		{NotImplemented, text("501 Not Implemented", "", "Only GET and HEAD are understood here.", "39")},
		{Full, text("503 Service Unavailable", "Retry-After: 1\r\n", "The server holds as many connections as it may. Try again shortly.", "67")},
		{AddressFull, text("503 Service Unavailable", "Retry-After: 1\r\n", "Your address has as many connections as one address may have. Try again when one of them has ended.", "100")},
		{MemoryFull, text("503 Service Unavailable", "Retry-After: 1\r\n", "The server has as much memory as it may have. Try again shortly, or another server.", "84")},
		{tooManyIDs(3), text("400 Bad Request", "", "One connection may have up to 3 ids: spread them over several.", "63")},
		{RouterAway, text("503 Service Unavailable", "Retry-After: 1\r\n", "The router that messages come through is away. Try again shortly, or another server.", "85")},
		{NoMessage, "HTTP/1.1 204 No Content\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nServer: comet\r\nConnection: close\r\n\r\n"},
	} {
		if got := string(c.answer.Bytes()); got != c.want {
			t.Errorf("got\n%q\nwant\n%q", got, c.want)
		}
		// net/http is the witness that a client can read it.
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(c.answer.Bytes())), nil)
		if err != nil {
			t.Errorf("%.30q: %v", c.want, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !resp.Close || !strings.HasSuffix(c.want, "\r\n\r\n"+string(body)) {
			t.Errorf("%.30q: net/http read body %q, close %t, error %v", c.want, body, resp.Close, err)
		}
		if c.answer.head != nil && !strings.HasSuffix(c.want, string(c.answer.head)+string(body)) {
			t.Errorf("%.30q: to HEAD it is %q", c.want, c.answer.head)
		}
	}
}
