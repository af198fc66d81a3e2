package wire

import (
	"errors"
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain – ünïcode":        "plain – ünïcode",
		"\x1b[31mred\x07\r\n\t":  `\x1b[31mred\a\r\n\t`,
		"a\x00b\x7f\u0085\u009b": `a\x00b\x7f\u0085\u009b`,
		"\u202eright to left":    `\u202eright to left`,
		"\xff\xfe broken":        `\xff\xfe broken`,
		"\ufffd stays":           "\ufffd stays",
		"0123456789":             "0123456789",
	} {
		if got := Printable(text, maxShownText); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
	if got := Printable(strings.Repeat("\x1b", 100), 10); got != `\x1b\x1b…` {
		t.Errorf("it is cut to %q", got)
	}
}

func TestExcerpt(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"slow down\nplease":       "slow down",
		"\ufeff hello \r\n":       "hello",
		"{\n \"error\": \"x\"\n}": `{ "error": "x" }`,
		"<html><head><title>502 Bad\x1b Gateway</title>": `502 Bad\x1b Gateway`,
		"<HTML><HEAD><TITLE>Not Found</TITLE>":           "Not Found",
		"<html></title><title>":                          "",
		"<html><body>":                                   "",
	} {
		if got := Excerpt([]byte(text)); got != want {
			t.Errorf("of %q it shows %q, want %q", text, got, want)
		}
	}
}

func TestPrintableLines(t *testing.T) {
	if got := PrintableLines("a\x1b[2J\nb\u202e\xff\r\n"); got != "a\\x1b[2J\nb\\u202e\\xff\\r\n" {
		t.Errorf("%q", got)
	}
}

// TestAdviseForStreams names what to do about each status.
func TestAdviseForStreams(t *testing.T) {
	for head, want := range map[string]string{
		"101 Switching Protocols\r\nUpgrade: websocket": "for a WebSocket write ws:// instead of http://",
		"204 No Content":                               "no stream in it",
		"301 Moved\r\nLocation: https://x/y":           "redirects are not followed; name https://x/y itself",
		"307 Temporary Redirect":                       "name its destination itself",
		"302 Found\r\nLocation: /\x1b[2J":              `name /\x1b[2J itself`,
		"400 Bad Request":                              "the URL and the headers",
		"401 Unauthorized\r\nWWW-Authenticate: Bearer": "it asks for Bearer: give what it asks for as a header, such as -H",
		"403 Forbidden":                                "-H 'Authorization",
		"407 Proxy\r\nProxy-Authenticate: Basic":       "it asks for Basic",
		"404 Not Found":                                "see that the path is that of a stream",
		"405 Method Not Allowed\r\nAllow: POST":        "does not take this method, only POST",
		"405 Method Not Allowed":                       "does not take this method",
		"408 Request Timeout":                          "lower --connect-rate",
		"418 Teapot":                                   "the URL and the headers",
		"426 Upgrade Required\r\nUpgrade: websocket":   "another protocol (websocket): write ws://",
		"429 Too Many Requests\r\nRetry-After: 7":      "wait 7 s (Retry-After): lower --connect-rate",
		"431 Too Large":                                "shorter headers",
		"500 Oops":                                     "its log",
		"501 Not Implemented":                          "the method there",
		"502 Bad Gateway":                              "the server behind it",
		"503 Unavailable\r\nRetry-After: 9":            "overloaded or not ready, and asks to wait 9 s",
		"504 Gateway Timeout":                          "the server behind it",
	} {
		text := "HTTP/1.1 " + head + "\r\n\r\n"
		resp, _ := ReadStart([]byte(text))
		if resp == nil {
			t.Fatal(text)
		}
		if got := Advise(resp, nil, false, Streaming); !strings.Contains(got, want) {
			t.Errorf("%q: %q\nwant %q in it", head, got, want)
		}
	}
}

// TestNotHTTP1 names the protocol, or the line that is wrong.
func TestNotHTTP1(t *testing.T) {
	for start, want := range map[string]string{
		"\x15\x03\x01\x00\x02\x02\x16":                    "it speaks TLS there: write https",
		"\x00\x00\x12\x04\x00\x00\x00\x00\x00":            "it speaks HTTP/2: ",
		"SSH-2.0-OpenSSH_9.2p1\r\n":                       `"SSH-2.0-OpenSSH_9.2p1", which is not HTTP/1.1 but SSH`,
		"220 mail ESMTP\r\n":                              "a mail or FTP server",
		"-ERR unknown command 'GET'\r\n":                  "Redis",
		"INFO {\"server_id\"}":                            "NATS",
		"* OK IMAP4rev1":                                  "IMAP",
		"<!DOCTYPE html>":                                 "HTTP/0.9",
		"\x04\xff\xd8":                                    `"\x04\xff\xd8", which is not HTTP/1.1 but a binary`,
		"hello\x1b[2J\u202e":                              `"hello\x1b[2J\u202e", which is not HTTP/1.1 (odd)`,
		"HTTP/1.1 OK\r\n\r\n":                             `line 1 of its answer, "HTTP/1.1 OK"`,
		"HTTP/1.1 200 OK\r\nA: b\r\nno colon\x07\r\n\r\n": `line 3 of its answer, "no colon\a"`,
		"HTTP/1.1 200 OK\r\nA b: c\r\n\r\n":               `line 2 of its answer, "A b: c"`,
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n":   `line 2 of its answer, "Content-Length: -1"`,
		"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n":              "no NUL",
		"":                                                "right port",
	} {
		if got := NotHTTP1([]byte(start), errors.New("odd"), Streaming); !strings.Contains(got, want) {
			t.Errorf("%q: %q\nwant %q in it", start, got, want)
		}
	}
}

// TestReadStart shows what it can of an answer that is cut off anywhere.
func TestReadStart(t *testing.T) {
	for start, want := range map[string]string{
		"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc":                  "404 Not Found (abc)",
		"HTTP/1.1 500\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n": "500 Internal Server Error (abc)",
		"HTTP/1.1 500 X\nTransfer-Encoding: chunked\n\n30\nab":                    "500 X (ab)",
		"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 503 Busy\r\n\r\n":               "503 Busy",
		"HTTP/1.1 404 No\x1b[2J\r\nLoca":                                          `404 No\x1b[2J`,
		"\r\nHTTP/1.0 200 OK":                                                     "200 OK",
		"SSH-2.0":                                                                 "",
		"":                                                                        "",
	} {
		for n := range len(start) { // whatever is cut off
			ReadStart([]byte(start[:n]))
		}
		got := ""
		if resp, body := ReadStart([]byte(start)); resp != nil {
			got = Said(resp, body)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", start, got, want)
		}
	}
}
