package flags

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
)

// utf16Of writes text as UTF-16 in one of its two orders.
func utf16Of(text string, big bool) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return b
}

const urlsText = "# streams\r\n\r\n  http://h/1 \r\nhttp://h/é\r\nhttp://h/😀"

// TestReadURLs: the same list, whatever editor or shell has written it.
func TestReadURLs(t *testing.T) {
	for name, text := range map[string][]byte{
		"UTF-8":                    []byte(urlsText),
		"a mark":                   []byte("\ufeff" + urlsText),
		"UTF-16, little endian":    utf16Of("\ufeff"+urlsText, false),
		"UTF-16, big endian":       utf16Of("\ufeff"+urlsText, true),
		"UTF-16 without a mark":    utf16Of(urlsText, false),
		"big endian without one":   utf16Of(urlsText, true),
		"line feeds":               []byte(strings.ReplaceAll(urlsText, "\r\n", "\n")),
		"two marks, as cat leaves": []byte("\ufeff\ufeff" + urlsText),
	} {
		path := filepath.Join(t.TempDir(), "urls.txt")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadURLs(path, nil)
		if want := "http://h/1 http://h/é http://h/😀"; err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
		if got, err = ReadURLs("-", iotest.OneByteReader(bytes.NewReader(text))); err != nil || len(got) != 3 {
			t.Errorf("%s, byte by byte from standard input: %q, %v", name, got, err)
		}
	}
}

// TestReadURLsRefuses what is no list of URLs, and says where and why.
func TestReadURLsRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "urls.txt")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ name, text, says string }{
		{"empty", "", "there is no URL in"},
		{"a mark alone", "\ufeff", "there is no URL in"},
		{"half a character of UTF-16", "\xff", "no scheme"},
		{"comments", "# one\n\n", "there is no URL in"},
		{"no scheme", "http://h/1\n\nh:80/2\n", `line 3: "h:80/2" has no scheme: write http://h:80/2`},
		{"NUL", "http://h/1\nhttp://h/\x002\n", "line 2: it holds a NUL byte"},
		{"a binary file", "\x7fELF\x02\x01\x01\x00\x00", "NUL byte"},
		{"a line without end", "http://h/" + strings.Repeat("x", 1<<17), "too long"},
	} {
		if got, err := ReadURLs(file(test.text), nil); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %q, %v; want %q", test.name, got, err, test.says)
		}
	}
	if _, err := ReadURLs(dir, nil); err == nil || !strings.Contains(err.Error(), "is a directory: name a file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := ReadURLs(filepath.Join(dir, "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	broken := errors.New("the wire was cut")
	if _, err := ReadURLs("-", io.MultiReader(strings.NewReader("http://h/1\n"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a broken input: %v", err)
	}
}

// TestDecode leaves alone what has no byte order mark: a message may hold
// anything.
func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "a", "\xff": "\xff", "\xef\xbb": "\xef\xbb", "a\x00b\x00": "a\x00b\x00", "\xef\xbb\xbfhi": "hi",
		string(utf16Of("\ufeffhi", false)): "hi", string(utf16Of("\ufeffhé", true)): "hé", "\xff\xfe": "", "\xef\xbb\xbe": "\xef\xbb\xbe",
	} {
		if got, err := io.ReadAll(Decode(strings.NewReader(text))); err != nil || string(got) != want {
			t.Errorf("%q became %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\ufeffx"))
	f.Add(utf16Of("\ufeffhé😀", true))
	f.Add([]byte("a\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		whole, err := io.ReadAll(Decode(bytes.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		pieces, err := io.ReadAll(Decode(iotest.OneByteReader(bytes.NewReader(text))))
		if err != nil || !bytes.Equal(pieces, whole) {
			t.Errorf("%q is %q in one piece and %q in many (%v)", text, whole, pieces, err)
		}
	})
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string][]byte{
		"plain": []byte("user:pass word\n"), "marked": []byte("\ufeffuser:pass word\r\n"), "utf16": utf16Of("\ufeffuser:pass word\r\n", false),
		"empty": nil, "blank": []byte("\ufeff \r\n"), "nul": []byte("ab\x00c"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	getenv := func(name string) string { return map[string]string{"COMET_TEST": " fromenv\n"}[name] }
	for _, test := range []struct{ file, want, says string }{
		{"", "fromenv", ""},
		{"plain", "user:pass word", ""},
		{"marked", "user:pass word", ""},
		{"utf16", "user:pass word", ""},
		{"empty", "", "the token: the file "},
		{"blank", "", "is empty"},
		{"nul", "", "NUL"},
		{"none", "", "the token: open "},
	} {
		s := Secret{File: test.file, what: "the token", env: "COMET_TEST"}
		if s.File != "" {
			s.File = filepath.Join(dir, s.File)
		}
		got, err := s.Read(getenv)
		if got != test.want || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %q, %v; want %q, %q", test.file, got, err, test.want, test.says)
		}
	}
}
