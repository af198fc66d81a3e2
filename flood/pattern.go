package flood

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// pattern matches a message, or a line of one: texts with anything between
// them. One of a single text matches that text alone.
type pattern []string

// matches reports whether b is what the pattern describes.
func (p pattern) matches(b []byte) bool {
	if len(p) == 1 {
		return string(b) == p[0]
	}
	first, last := p[0], p[len(p)-1]
	if len(b) < len(first)+len(last) || string(b[:len(first)]) != first || string(b[len(b)-len(last):]) != last {
		return false
	}
	b = b[len(first) : len(b)-len(last)]
	for _, text := range p[1 : len(p)-1] {
		i := bytes.Index(b, []byte(text))
		if i < 0 {
			return false
		}
		b = b[i+len(text):]
	}
	return true
}

// count returns how many lines of a message match, and 1 if only all of it does.
func (p pattern) count(message []byte) (n int) {
	for line := range lines(message) {
		if p.matches(line) {
			n++
		}
	}
	if n == 0 && p.matches(message) {
		n = 1
	}
	return n
}

// matchesAny reports whether a whole message matches, or one of its lines.
func (p pattern) matchesAny(message []byte) bool { return p.count(message) > 0 }

// lines yields the lines of a message without their ends: a line feed, or the
// record separator of SignalR.
func lines(message []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(message) > 0 {
			line := message
			i := bytes.IndexAny(message, "\n\x1e")
			if i < 0 {
				message = nil
			} else {
				line, message = message[:i], message[i+1:]
			}
			if !yield(line) {
				return
			}
		}
	}
}

// parsePattern reads a pattern: * stands for anything, escapes are those of Go,
// and \* is a star.
func parsePattern(text string) (pattern, error) {
	if text == "" {
		return nil, errors.New("the text to wait for is empty")
	}
	var p pattern
	var b strings.Builder
	for text != "" {
		if text[0] == '*' {
			p = append(p, b.String())
			b.Reset()
			text = text[1:]
			continue
		}
		rest, err := unescape(&b, text)
		if err != nil {
			return nil, err
		}
		text = rest
	}
	return append(p, b.String()), nil
}

// parseText reads a text that is sent, with the escapes of Go.
func parseText(text string) (string, error) {
	var b strings.Builder
	for text != "" {
		rest, err := unescape(&b, text)
		if err != nil {
			return "", err
		}
		text = rest
	}
	return b.String(), nil
}

// unescape writes the character that text begins with, and returns the rest.
func unescape(b *strings.Builder, text string) (rest string, err error) {
	if text[0] != '\\' {
		b.WriteByte(text[0])
		return text[1:], nil
	}
	if len(text) > 1 && strings.IndexByte(`*"'{}`, text[1]) >= 0 {
		b.WriteByte(text[1])
		return text[2:], nil
	}
	r, isRune, rest, err := strconv.UnquoteChar(text, 0)
	if err != nil {
		return "", fmt.Errorf(`%q begins with no escape of Go: write \\ for a backslash`, text)
	}
	if isRune {
		b.WriteRune(r)
	} else {
		b.WriteByte(byte(r))
	}
	return rest, nil
}
