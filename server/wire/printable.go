package wire

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what is shown of an answer, in bytes.
const (
	maxShownStart = 64  // of one that is not HTTP/1
	maxShownText  = 200 // of a header or a body
)

// Printable returns at most limit bytes of what a peer said. Whatever a terminal
// would obey or hide is written as an escape of Go: control characters, marks of
// direction, bytes that are not UTF-8.
func Printable(s string, limit int) string {
	var b strings.Builder
	for i, r := range s {
		shown := printableRune(s[i:], r)
		if b.Len()+len(shown) > limit {
			b.WriteString("…")
			break
		}
		b.WriteString(shown)
	}
	return b.String()
}

// PrintableLines returns text of any length as Printable does, and keeps its line
// ends.
func PrintableLines(text string) string {
	var b strings.Builder
	for i, r := range text {
		if r == '\n' {
			b.WriteByte('\n')
			continue
		}
		b.WriteString(printableRune(text[i:], r))
	}
	return b.String()
}

// printableRune returns how r, with which s begins, is shown.
func printableRune(s string, r rune) string {
	switch {
	case r == utf8.RuneError && !strings.HasPrefix(s, string(utf8.RuneError)):
		return fmt.Sprintf(`\x%02x`, s[0])
	case unicode.IsPrint(r):
		return string(r)
	}
	return strings.Trim(strconv.QuoteRune(r), "'")
}

// Excerpt returns the beginning of the body of an answer, printable: its first
// line, or the title of a web page.
func Excerpt(body []byte) string {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if bytes.HasPrefix(body, []byte("<")) {
		lower := asciiLower(body) // as long as body
		start := bytes.Index(lower, []byte("<title>")) + len("<title>")
		end := bytes.Index(lower, []byte("</title>"))
		if start < len("<title>") || end < start {
			return ""
		}
		body = bytes.TrimSpace(body[start:end])
	}
	line, _, _ := bytes.Cut(body, []byte("\n"))
	if line = bytes.TrimSpace(line); len(line) < len("{}") {
		line = bytes.Join(bytes.Fields(body), []byte(" ")) // JSON over several lines
	}
	return Printable(string(line), maxShownText)
}

func asciiLower(b []byte) []byte {
	lower := bytes.Clone(b)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return lower
}
