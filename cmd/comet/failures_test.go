package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"example.org/comet/cmd/internal/cli"
)

// said runs a command line and returns its exit code and the first line that it
// prints to standard error.
func said(t *testing.T, args ...string) (code int, first string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stderr bytes.Buffer
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &stderr, Getenv: func(string) string { return "" }}
	code = cli.Run(ctx, env, args)
	first, _, _ = strings.Cut(stderr.String(), "\n")
	return code, first
}

// saidOfFlood runs a flood of two connections for a moment, and again for a longer one
// if neither was answered in that, as on a busy machine.
func saidOfFlood(t *testing.T, url string) (code int, first string) {
	t.Helper()
	for _, moment := range moments {
		code, first = said(t, "flood", "-q", "-c", "2", "-d", moment.String(), url)
		if first != "" && !strings.Contains(first, "was answered before the end") {
			break
		}
	}
	return code, first
}

// oddPeer listens and hands each connection, whose request was read, to behave.
func oddPeer(t *testing.T, behave func(net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
					behave(c)
				}
			}()
		}
	}()
	return l.Addr().String()
}

func answers(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) }
}

// TestFailuresAreExplained: each kind made on purpose; the first line names the
// true cause and the cure, without what a terminal would obey.
func TestFailuresAreExplained(t *testing.T) {
	whole := func(head, body string) func(net.Conn) {
		return answers("HTTP/1.1 " + head + "\r\nConnection: close\r\n\r\n" + body)
	}
	reset := func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }
	for name, c := range map[string]struct {
		behave func(net.Conn)
		// What the first line says of a stream, and of a message; "" is not tried.
		flood, publish []string
	}{
		"closed":             {func(net.Conn) {}, []string{"took the request and closed the connection without an answer", "see the log"}, nil},
		"reset":              {reset, []string{"reset the connection without an answer"}, nil},
		"reset in the head":  {func(c net.Conn) { answers("HTTP/1.1 200 OK\r\nA: ")(c) }, []string{"in the middle of the head", "HTTP/1.1 200 OK"}, nil},
		"101":                {answers("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), []string{"101 Switching", "for a WebSocket write ws://"}, []string{"101 Switching", "path that takes messages"}},
		"204":                {whole("204 No Content", ""), []string{"204 No Content", "name the URL of a stream"}, nil},
		"302":                {whole("302 Found\r\nLocation: https://other/x", ""), []string{"302 Found", "name https://other/x itself"}, []string{"name https://other/x itself"}},
		"401":                {whole("401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"x\"", ""), []string{`asks for Bearer realm="x"`, "-H 'Authorization"}, []string{`asks for Bearer realm="x"`, "as a header"}},
		"403":                {whole("403 Forbidden", "not you"), []string{"403 Forbidden (not you)", "-H"}, []string{"403 Forbidden (not you)", "as a header"}},
		"404":                {whole("404 Not Found", "nothing here\x1b[2J"), []string{`404 Not Found (nothing here\x1b[2J)`, "that of a stream"}, []string{"404 Not Found", "takes messages at"}},
		"405":                {whole("405 Method Not Allowed\r\nAllow: POST", ""), []string{"does not take this method, only POST"}, []string{"choose another method, of POST"}},
		"426":                {whole("426 Upgrade Required\r\nUpgrade: websocket", ""), []string{"another protocol (websocket)", "write ws:// instead of http"}, []string{"another protocol (websocket)"}},
		"429":                {whole("429 Too Many Requests\r\nRetry-After: 30", ""), []string{"wait 30 s (Retry-After)", "lower --connect-rate"}, []string{"wait 30 s (Retry-After)", "fewer messages"}},
		"503":                {whole("503 Service Unavailable\r\nRetry-After: 5", ""), []string{"overloaded", "wait 5 s"}, []string{"overloaded", "wait 5 s"}},
		"502 by a proxy":     {whole("502 Bad Gateway", "<html>\n<head><title>502 Bad\u202e Gateway</title>"), []string{`(502 Bad\u202e Gateway)`, "the server behind it"}, []string{`(502 Bad\u202e Gateway)`, "the server behind it"}},
		"500":                {whole("500 Oops", "boom"), []string{"500 Oops (boom)", "its log"}, []string{"500 Oops (boom)", "its log"}},
		"plain to TLS":       {whole("400 Bad Request", "Client sent an HTTP request to an HTTPS server."), []string{"write https:// instead of http://"}, []string{"write https:// instead"}},
		"a TLS alert":        {answers("\x15\x03\x01\x00\x02\x02\x16"), []string{"it speaks TLS there"}, []string{"it speaks TLS there"}},
		"HTTP/2":             {answers("\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03"), []string{"it speaks HTTP/2: "}, []string{"it speaks HTTP/2: "}},
		"SSH":                {answers("SSH-2.0-OpenSSH\r\n"), []string{`"SSH-2.0-OpenSSH"`, "but SSH", "right port"}, []string{`"SSH-2.0-OpenSSH"`, "but SSH"}},
		"SMTP":               {answers("220 mail ESMTP\r\n"), []string{"a mail or FTP server"}, []string{"a mail or FTP server"}},
		"Redis":              {answers("-ERR unknown command 'GET'\r\n"), []string{"Redis"}, []string{"Redis"}},
		"binary":             {answers("\x04\x00\xff\xd8"), []string{`"\x04\x00\xff\xd8"`, "a binary protocol"}, []string{"a binary protocol"}},
		"a broken line":      {answers("HTTP/1.1 200 OK\r\nA: b\r\nno colon\r\n\r\n"), []string{`line 3 of its answer, "no colon"`}, []string{`line 3 of its answer, "no colon"`}},
		"broken framing":     {answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n\x1bzz\r\n"), []string{"broke their framing", `\x1bzz`}, nil},
		"gzip":               {whole("200 OK\r\nContent-Encoding: gzip", "\x1f\x8b\x08"), []string{"Content-Encoding: gzip", "Accept-Encoding: identity"}, nil},
		"an empty body":      {whole("200 OK\r\nContent-Length: 0", ""), []string{"empty body", "right one"}, nil},
		"a body of a length": {whole("200 OK\r\nContent-Length: 2", "ok"), []string{"long poll, for which give --protocol poll", "give the URL of a stream"}, nil},
		"a head without end": {answers("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 30_000)), []string{"no end within 64 KiB"}, nil},
		"1xx without end":    {answers(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 10_000)), []string{"interim answers (102 Processing) without end"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := "http://" + oddPeer(t, c.behave)
			isOdd := name == "broken framing" || name == "gzip" || name == "an empty body" || name == "a body of a length"
			code, first := saidOfFlood(t, url+"/{id}")
			expect(t, "flood", first, c.flood)
			if code != 1 && !isOdd {
				t.Errorf("flood: exit code %d, want 1", code)
			}
			if c.publish == nil {
				return
			}
			code, first = said(t, "msggen", "-q", "--publish", url+"/{id}", "--count", "1", "--max-id", "1", "-r", "100")
			expect(t, "msggen", first, c.publish)
			if code != 1 {
				t.Errorf("msggen: exit code %d, want 1", code)
			}
		})
	}
}

// TestRefusedConnectionsAreExplained by every command that connects.
func TestRefusedConnectionsAreExplained(t *testing.T) {
	url := "http://" + closedPort(t)
	for who, run := range map[string]func() (int, string){
		"flood": func() (int, string) { return saidOfFlood(t, url+"/") },
		"send":  func() (int, string) { return said(t, "send", "--to", url, "1", "hello") },
	} {
		code, first := run()
		expect(t, who, first, []string{"nothing listens"})
		if code != 1 {
			t.Errorf("%s: exit code %d, want 1", who, code)
		}
	}
}

func expect(t *testing.T, who, got string, want []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s says first: %q\nwant %q in it", who, got, w)
		}
	}
	if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%s says %q: that is not printable", who, got)
	}
}
