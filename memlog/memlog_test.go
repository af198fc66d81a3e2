package memlog

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTextFromOutside: what other programs say of themselves reaches a terminal
// without its control characters.
func TestTextFromOutside(t *testing.T) {
	for in, want := range map[string]string{
		"nginx: master": "nginx: master", "größe 大": "größe 大", "a\x1b[31mb": "a?[31mb", "a\nb\tc\x00": "a?b?c?",
		"\x9b31m": "\uFFFD31m", "\u009b\u202e\u200f": "???", "\xff": "\uFFFD",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	err := &AmbiguousError{Match: "x", Processes: []Process{{PID: 1, Command: "evil\x1b]0;title\x07"}}}
	if text := err.Error(); strings.ContainsAny(text, "\x1b\x07") {
		t.Errorf("%q", text)
	}
}

// TestStatsAnswerIsPrintable: neither a status nor a body of a server that is
// asked for its count brings control characters into an error.
func TestStatsAnswerIsPrintable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.Write([]byte("\x1b[2J{"))
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		conn.Write([]byte("HTTP/1.1 500 \x1b[2Jno\r\nContent-Length: 0\r\n\r\n"))
	}))
	defer server.Close()
	for _, path := range []string{"/status", "/body"} {
		client, err := newStatsClient(server.URL+path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.ask(t.Context())
		client.close()
		if err == nil || strings.ContainsRune(err.Error(), 0x1b) {
			t.Errorf("%s: %q", path, err)
		}
	}
}
