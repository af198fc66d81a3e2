package flood

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// peer is the server's end of a WebSocket.
type peer struct {
	*net.TCPConn
	in *bufio.Reader
}

// upgrade agrees to a handshake, with further fields.
func upgrade(c *net.TCPConn, r *http.Request, fields string) { say(c, upgradeText(r, fields)) }

func upgradeText(r *http.Request, fields string) string {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + fields +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"
}

// socket answers with a WebSocket, and has talk go on.
func socket(talk func(p *peer)) answer {
	return func(c *net.TCPConn, r *http.Request) {
		upgrade(c, r, "")
		talk(&peer{c, bufio.NewReader(c)})
	}
}

// sends sends bytes after the handshake, in pieces of so many, and waits for the
// client to leave.
func sends(text string, size int) answer {
	return socket(func(p *peer) {
		for b := []byte(text); len(b) > 0; b = b[min(size, len(b)):] {
			p.Write(b[:min(size, len(b))])
			if size < 100 {
				time.Sleep(50 * time.Microsecond)
			}
		}
		hold(p.TCPConn)
	})
}

// next returns the next frame of the client, unmasked: nothing once it has left.
func (p *peer) next() (op ws.OpCode, text string) {
	h, err := ws.ReadHeader(p.in)
	if err != nil || !h.Masked || h.Length > 1<<16 {
		return 0, ""
	}
	payload := make([]byte, h.Length)
	if _, err := io.ReadFull(p.in, payload); err != nil {
		return 0, ""
	}
	ws.Cipher(payload, h.Mask, 0)
	return h.OpCode, string(payload)
}

func (p *peer) say(text string) { say(p.TCPConn, framed(ws.OpText, true, text)) }

// framed returns a frame as a server sends it.
func framed(op ws.OpCode, fin bool, payload string) string {
	var b bytes.Buffer
	ws.WriteHeader(&b, ws.Header{Fin: fin, OpCode: op, Length: int64(len(payload))})
	return b.String() + payload
}

func text(payload string) string { return framed(ws.OpText, true, payload) }

// halves returns a message in two fragments, with a ping and a pong in between.
func halves(payload string) string {
	n := len(payload) / 2
	return framed(ws.OpText, false, payload[:n]) + framed(ws.OpPing, true, "?") + framed(ws.OpPong, true, "") + framed(ws.OpContinuation, true, payload[n:])
}

func closing(code ws.StatusCode, reason string) string {
	return framed(ws.OpClose, true, string(ws.NewCloseFrameBody(code, reason)))
}

func TestWebSocket(t *testing.T) {
	three := messages(asIs, 1, 2, 3)
	toTheEnd := strings.TrimSuffix(messages(asIs, 1), "'<br/>") // its digits end with the message
	const left = "after it was established"
	for _, s := range []struct {
		name   string
		answer answer
		want   figures
		why    string // in the explanation
	}{
		{"held", sends("", 1), figures{established: 2, failures: "[]"}, ""},
		{"messages", sends(messages(text, 1, 2, 3), 1<<20), figures{established: 2, stamped: 6, delivered: 6, failures: "[]"}, ""},
		{"byte by byte", sends(messages(halves, 1, 2, 3), 1), figures{established: 2, stamped: 6, delivered: 6, failures: "[]"}, ""},
		{"several in one message", sends(text(three), 7), figures{established: 2, stamped: 6, delivered: 6, failures: "[]"}, ""},
		{"digits that go on in the next message", sends(text(toTheEnd)+text("12345"), 7), figures{established: 2, stamped: 2, delivered: 2, failures: "[]"}, ""},
		{"binary", sends(framed(ws.OpBinary, true, three+"\xff"), 9), figures{established: 2, stamped: 6, delivered: 6, failures: "[]"}, ""},
		{"of 8 MiB", sends(text(strings.Repeat("x", huge)+three), 1<<20), figures{established: 2, stamped: 6, delivered: 6, failures: "[]"}, ""},

		{"closed in order", sends(text(three)+closing(1000, "bye"), 9), figures{established: 2, closed: 2, stamped: 6, delivered: 6, failures: "[]"}, ""},
		{"closed, going away", sends(closing(1001, ""), 9), figures{established: 2, closed: 2, failures: "[]"}, ""},
		{"closed without a code", sends(framed(ws.OpClose, true, ""), 9), figures{established: 2, closed: 2, failures: "[]"}, ""},
		{"closed for a fault", sends(closing(1011, "boom\x1b"), 9), figures{established: 2, closed: 2, failures: "[close_code:2]"}, left + ` with code 1011, "boom\x1b": it failed`},
		{"closed for a missing token", sends(closing(4401, "Unauthorized"), 9), figures{established: 2, closed: 2, failures: "[close_code:2]"}, "give it a token"},
		{"closed with a code nobody knows", sends(closing(4999, ""), 9), figures{established: 2, closed: 2, failures: "[close_code:2]"}, "code 4999: its documentation"},
		{"closed with a code that cannot be", sends(closing(1005, ""), 9), figures{established: 2, closed: 2, failures: "[malformed:2]"}, "1005, which no close frame may carry"},
		{"cut off", socket(func(*peer) {}), figures{established: 2, closed: 2, failures: "[reset:2]"}, "cut off"},
		{"a masked frame", sends("\x81\x81abcd.", 9), figures{established: 2, closed: 2, failures: "[malformed:2]"}, "masked frame"},
		{"a compressed frame", sends("\xc1\x01a", 9), figures{established: 2, closed: 2, failures: "[malformed:2]"}, "permessage-deflate"},
		{"not UTF-8", sends(text("\xff"), 9), figures{established: 2, closed: 2, failures: "[malformed:2]"}, "not UTF-8"},

		{"a stream", stream(chunkedHead), figures{failed: 2, failures: "[status:2]"}, "no WebSocket: the URL is not that of a WebSocket"},
		{"not found", once("HTTP/1.1 404 Not Found\r\n\r\n"), figures{failed: 2, failures: "[status:2]"}, "404 Not Found and no WebSocket"},
		{"of another key", stream("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"), figures{failed: 2, failures: "[mismatch:2]"}, "Sec-WebSocket-Accept"},
		{"compression forced", func(c *net.TCPConn, r *http.Request) {
			upgrade(c, r, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
			hold(c)
		}, figures{failed: 2, failures: "[mismatch:2]"}, "compression"},
		{"a subprotocol nobody offered", func(c *net.TCPConn, r *http.Request) { upgrade(c, r, "Sec-WebSocket-Protocol: chat\r\n"); hold(c) }, figures{failed: 2, failures: "[mismatch:2]"}, "--subprotocol"},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				srv := serve(t, s.answer)
				r := flooded(t, e, Config{URL: strings.Replace(srv.url("/{id}"), "http", "ws", 1), Connections: 2}, s.want.reached)
				if got := figuresOf(r); got != s.want || !strings.Contains(r.Explanation, s.why) {
					t.Errorf("%s: %+v, want %+v; %q, want %q in it", e.name, got, s.want, r.Explanation, s.why)
				}
			}
		})
	}
}

// TestWebSocketRequest: what a server is asked, as it reads it, and that each
// connection has a key of its own.
func TestWebSocketRequest(t *testing.T) {
	for _, e := range engines() {
		requests := make(chan *http.Request, 2)
		srv := serve(t, func(c *net.TCPConn, r *http.Request) {
			requests <- r
			upgrade(c, r, "Sec-WebSocket-Protocol: b\r\n")
			hold(c)
		})
		cfg := Config{URL: srv.url("/x?id={id}"), Protocol: WebSocket, Connections: 2, Header: []string{"Origin: http://h"}, Talk: Talk{Subprotocols: []string{"a", "b"}}}
		flooded(t, e, cfg, figures{established: 2}.reached)
		first, second := <-requests, <-requests
		for _, r := range []*http.Request{first, second} {
			h := r.Header
			if r.Method != "GET" || !strings.HasPrefix(r.RequestURI, "/x?id=") || h.Get("Upgrade") != "websocket" || h.Get("Connection") != "Upgrade" ||
				h.Get("Sec-WebSocket-Version") != "13" || h.Get("Sec-WebSocket-Protocol") != "a, b" || h.Get("Origin") != "http://h" {
				t.Errorf("%s: %v", e.name, r)
			}
		}
		if one, other := first.Header.Get("Sec-WebSocket-Key"), second.Header.Get("Sec-WebSocket-Key"); one == other || len(one) != 24 || len(other) != 24 {
			t.Errorf("%s: keys %q and %q", e.name, one, other)
		}
	}
}

// TestPongs: a ping is answered with its payload, also within a message, and a close
// with its code.
func TestPongs(t *testing.T) {
	for _, e := range engines() {
		said := make(chan string, 1)
		srv := serve(t, socket(func(p *peer) {
			say(p.TCPConn, framed(ws.OpPing, true, "one")+framed(ws.OpText, false, "a")+framed(ws.OpPing, true, "")+framed(ws.OpContinuation, true, "b"))
			var all []string
			for range 2 {
				op, payload := p.next()
				all = append(all, fmt.Sprintf("%x %s", op, payload))
			}
			say(p.TCPConn, closing(1012, "restart"))
			op, payload := p.next()
			said <- strings.Join(append(all, fmt.Sprintf("%x %x", op, payload)), "; ")
		}))
		flooded(t, e, Config{URL: srv.url("/"), Protocol: WebSocket}, figures{established: 1, closed: 1}.reached)
		if got := <-said; got != "a one; a ; 8 03f4" {
			t.Errorf("%s: the client said %q", e.name, got)
		}
	}
}

// TestAFloodSaysGoodbye: at its end the server gets 1001, going away.
func TestAFloodSaysGoodbye(t *testing.T) {
	for _, e := range engines() {
		said := make(chan string, 1)
		srv := serve(t, socket(func(p *peer) {
			op, payload := p.next()
			said <- fmt.Sprintf("%x %x", op, payload)
		}))
		flooded(t, e, Config{URL: srv.url("/"), Protocol: WebSocket}, figures{established: 1}.reached)
		if got := <-said; got != "8 03e9" {
			t.Errorf("%s: %v", e.name, got)
		}
	}
}

// TestAPeerThatPingsAndDoesNotRead must not make a flood grow.
func TestAPeerThatPingsAndDoesNotRead(t *testing.T) {
	e := engines()[0]
	srv := serve(t, socket(func(p *peer) {
		pings := strings.Repeat(framed(ws.OpPing, true, strings.Repeat("x", 125)), 1000)
		for {
			if _, err := p.Write([]byte(pings)); err != nil {
				return
			}
		}
	}))
	if e.name != "epoll" {
		t.Skip("the goroutine of a connection waits in its write, and reads no more")
	}
	r := flooded(t, e, Config{URL: srv.url("/"), Protocol: WebSocket}, figures{established: 1, closed: 1}.reached)
	if !strings.Contains(r.Explanation, "does not read") {
		t.Errorf("%v: %q", r.Failures, r.Explanation)
	}
}
