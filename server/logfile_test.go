package server

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// logFolder is a folder with a log in it.
type logFolder struct {
	t    *testing.T
	path string
	log  *LogFile
}

func newLogFolder(t *testing.T) logFolder {
	t.Helper()
	path := filepath.Join(t.TempDir(), "access.log")
	log, err := OpenLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return logFolder{t, path, log}
}

func (f logFolder) write(line string) {
	f.t.Helper()
	if n, err := io.WriteString(f.log, line); n != len(line) || err != nil {
		f.t.Fatalf("wrote %d of %q, error %v", n, line, err)
	}
}

func (f logFolder) expect(path, want string) {
	f.t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		f.t.Errorf("%s holds %q, error %v; want %q", filepath.Base(path), got, err, want)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLogFileRotated: each way in which a log is rotated is noticed with the
// next line.
func TestLogFileRotated(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be renamed on Windows")
	}
	for name, c := range map[string]struct {
		rotate   func(path string) error
		old, new string
	}{
		"renamed": {func(path string) error { return os.Rename(path, path+".1") }, "one\n", "two\n"},
		"renamed, a new one": {func(path string) error {
			return errors.Join(
				os.Rename(path, path+".1"),
				os.WriteFile(path, []byte("new\n"), 0o600),
			)
		}, "one\n", "new\ntwo\n"},
		"renamed, a torn one": {func(path string) error {
			return errors.Join(
				os.Rename(path, path+".1"),
				os.WriteFile(path, []byte("torn"), 0o600),
			)
		}, "one\n", "torn\ntwo\n"},
		"removed": {func(path string) error { return os.Remove(path) }, "", "two\n"},
		"copied and truncated": {func(path string) error {
			return errors.Join(
				os.WriteFile(path+".1", []byte("one\n"), 0o600),
				os.Truncate(path, 0),
			)
		}, "one\n", "two\n"},
		"replaced by a link": {func(path string) error {
			return errors.Join(
				os.Rename(path, path+".1"),
				os.Symlink(path+".target", path),
			)
		}, "one\n", "two\n"},
		"folder moved, another made": {func(path string) error {
			return errors.Join(
				os.Rename(filepath.Dir(path), filepath.Dir(path)+".old"),
				os.Mkdir(filepath.Dir(path), 0o700),
				os.Rename(filepath.Join(filepath.Dir(path)+".old", "access.log"), path+".1"),
			)
		}, "one\n", "two\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newLogFolder(t)
			f.write("one\n")
			must(t, c.rotate(f.path))
			f.write("two\n")
			f.expect(f.path, c.new)
			if c.old != "" {
				f.expect(f.path+".1", c.old)
			}
		})
	}
}

// TestLogFileReopen: with Reopen the new file is there before the next line is.
func TestLogFileReopen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be renamed on Windows")
	}
	f := newLogFolder(t)
	f.write("one\n")
	must(t, os.Rename(f.path, f.path+".1"))
	must(t, f.log.Reopen())
	f.expect(f.path, "")
	f.write("two\n")
	f.expect(f.path, "two\n")
	must(t, f.log.Reopen()) // of the same file
	f.write("three\n")
	f.expect(f.path, "two\nthree\n")

	// While another cannot be opened, the old one is written to.
	must(t, os.RemoveAll(f.path))
	must(t, os.Mkdir(f.path, 0o700))
	if err := f.log.Reopen(); err == nil || !strings.Contains(err.Error(), "server: the access log: open ") {
		t.Errorf("Reopen of a folder: %v", err)
	}
	f.write("into the removed file\n")
	must(t, os.Remove(f.path))
	f.write("four\n")
	f.expect(f.path, "four\n")

	must(t, f.log.Close())
	must(t, f.log.Close())
	if _, err := io.WriteString(f.log, "x\n"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := f.log.Reopen(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestOpenLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	must(t, os.WriteFile(path, []byte("one\ntwo"), 0o600))
	log, err := OpenLogFile(path)
	must(t, err)
	io.WriteString(log, "three\n")
	must(t, log.Close())
	if got, err := os.ReadFile(path); err != nil || string(got) != "one\ntwo\nthree\n" {
		t.Errorf("%q, error %v", got, err)
	}
	if log, err := OpenLogFile(filepath.Join(path, "below a file")); err == nil {
		log.Close()
		t.Error("a file in a file was opened")
	}
	if _, err := OpenLogFile(filepath.Join(t.TempDir(), "no", "folder")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// TestAccessLogRotated is a server whose access log is moved while it serves.
func TestAccessLogRotated(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be renamed on Windows")
	}
	bothEngines(t, func(t engineT) {
		f := newLogFolder(t.T)
		r := start(t, Config{Engine: t.engine, AccessLog: f.log, AccessLogSample: 1})
		lines := func(path string) (n int) {
			text, _ := os.ReadFile(path)
			return strings.Count(string(text), "\n")
		}
		visit := func() { r.connect("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").rest() }
		visit()
		r.waitFor("the first line", func(Stats) bool { return lines(f.path) == 1 })
		must(t.T, os.Rename(f.path, f.path+".1"))
		visit()
		r.waitFor("a line in the new file", func(Stats) bool { return lines(f.path) == 1 })
		r.stop()
		if n := lines(f.path + ".1"); n != 1 {
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
		f := newLogFolder(t.T)
		r := start(t, Config{Engine: t.engine, AccessLog: f.log, AccessLogSample: 1})
		r.connect("GET /\x1b[31m\x07\b\x9b HTTP/1.1\r\n\r\n").rest()
		r.stop()
		text, err := os.ReadFile(f.path)
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
