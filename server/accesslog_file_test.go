package server

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.org/comet/memlog/series"
)

// TestAccessLogRotated is a server whose access log is moved while it serves.
func TestAccessLogRotated(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be renamed on Windows")
	}
	bothEngines(t, func(t engineT) {
		path := filepath.Join(t.TempDir(), "access.log")
		log, err := series.OpenFile(path, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		r := start(t, Config{Engine: t.engine, AccessLog: log, AccessLogSample: 1})
		lines := func(path string) (n int) {
			text, _ := os.ReadFile(path)
			return strings.Count(string(text), "\n")
		}
		visit := func() { r.connect("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").rest() }
		visit()
		r.waitFor("the first line", func(Stats) bool { return lines(path) == 1 })
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		visit()
		r.waitFor("a line in the new file", func(Stats) bool { return lines(path) == 1 })
		r.stop()
		if n := lines(path + ".1"); n != 1 {
			t.Errorf("%d lines in the old file", n)
		}
		if n := r.Stats().AccessLogDropped; n != 0 {
			t.Errorf("%d lines dropped", n)
		}
	})
}

// TestRequestLineIsHarmless: nothing that a client writes can drive a terminal
// that shows the log.
func TestRequestLineIsHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"GET /x HTTP/1.1\r\nHost: h":     "GET /x HTTP/1.1",
		"GET /gr\u00fc\u00df":            "GET /grüß",
		"GET /\x7f":                      "GET /\ufffd",
		"GET /\u009b31m":                 "GET /\ufffd31m", // CSI in C1
		"GET /\u202egnp.exe":             "GET /\ufffdgnp.exe",
		"GET /\u2066x\u2069\u200f\u00ad": "GET /\ufffdx\ufffd\ufffd\ufffd",
	} {
		if got := requestLine([]byte(in)); got != want {
			t.Errorf("%q is logged as %q, want %q", in, got, want)
		}
	}
	// What ASCII has is escaped by JSON.
	bothEngines(t, func(t engineT) {
		path := filepath.Join(t.TempDir(), "access.log")
		log, err := series.OpenFile(path, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		r := start(t, Config{Engine: t.engine, AccessLog: log, AccessLogSample: 1})
		r.connect("GET /\x1b[31m\x07\b\x9b HTTP/1.1\r\n\r\n").rest()
		r.stop()
		text, err := os.ReadFile(path)
		if err != nil || len(text) == 0 {
			t.Fatalf("%q, error %v", text, err)
		}
		for _, c := range string(text[:len(text)-1]) {
			if c < ' ' || c >= 0x7f && c <= 0x9f {
				t.Errorf("%q holds %q", text, c)
			}
		}
	})
}
