package users

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Place is where a text stands, which decides how values in it are escaped.
type Place uint8

const (
	// Raw leaves values as they are.
	Raw Place = iota
	// URL is a path or a query: all but the unreserved characters become %XX
	// (RFC 3986, section 2.3).
	URL
	// Form is a body of application/x-www-form-urlencoded: as URL.
	Form
	// Header is a field of a request's head. Values stay as they are; Table.Check
	// refuses those that a field cannot have.
	Header
	// JSON escapes a value between quotes as part of that string (RFC 8259,
	// section 7). Outside quotes it stays as it is: a number, or a whole value.
	JSON
)

// BodyPlace returns the place that a body or message is: by its content type,
// or without one, JSON if it begins as an object or array does. What begins with
// one of the holes, by their names, does not.
func BodyPlace(contentType, text string, holes []string) Place {
	kind, _, _ := strings.Cut(contentType, ";")
	switch kind = strings.ToLower(strings.TrimSpace(kind)); {
	case kind == "application/x-www-form-urlencoded":
		return Form
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		return JSON
	case kind != "" && kind != "text/plain":
		return Raw
	}
	text = strings.TrimLeft(text, " \t\r\n")
	if text == "" || text[0] != '{' && text[0] != '[' {
		return Raw
	}
	if name, _, found := strings.Cut(text[1:], "}"); text[0] == '{' && found && slices.Contains(holes, name) {
		return Raw
	}
	return JSON
}

// A Template is a text with holes. The zero value is the empty text.
type Template struct {
	place Place
	parts []part
}

// part is a literal text, or a hole.
type part struct {
	text   string
	hole   int  // into the names that Parse was given, -1 for a literal
	quoted bool // the hole stands between the quotes of a JSON string
}

// Parse cuts a text at its holes, which are the names in braces. Other braces
// are part of the text.
func Parse(text string, place Place, names []string) Template {
	t := Template{place: place}
	quoted := false
	literal := func(s string) {
		if s != "" {
			t.parts = append(t.parts, part{text: s, hole: -1})
			quoted = endsQuoted(s, quoted)
		}
	}
	begun := 0
	for at := 0; at < len(text); at++ {
		if text[at] != '{' {
			continue
		}
		end := strings.IndexByte(text[at:], '}')
		if end < 0 {
			break
		}
		hole := slices.Index(names, text[at+1:at+end])
		if hole < 0 {
			continue
		}
		literal(text[begun:at])
		t.parts = append(t.parts, part{hole: hole, quoted: quoted})
		at += end
		begun = at + 1
	}
	literal(text[begun:])
	return t
}

// endsQuoted reports whether the end of a piece of JSON lies within a string.
func endsQuoted(s string, quoted bool) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		}
	}
	return quoted
}

// Holes returns the holes of t, each once, in ascending order.
func (t Template) Holes() []int {
	var holes []int
	for _, p := range t.parts {
		if p.hole >= 0 {
			holes = append(holes, p.hole)
		}
	}
	slices.Sort(holes)
	return slices.Compact(holes)
}

// Append appends the text with its holes filled. value returns what goes into a
// hole; Append has done with it before it asks for the next one.
func (t Template) Append(dst []byte, value func(hole int) []byte) []byte {
	for _, p := range t.parts {
		if p.hole < 0 {
			dst = append(dst, p.text...)
			continue
		}
		v := value(p.hole)
		switch {
		case t.place == URL || t.place == Form:
			dst = AppendURL(dst, v)
		case t.place == JSON && p.quoted:
			dst = AppendJSON(dst, v)
		default:
			dst = append(dst, v...)
		}
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

// AppendURL appends text with all but the unreserved characters of RFC 3986,
// section 2.3, as %XX, as any part of a path or a query may have it.
func AppendURL(dst, text []byte) []byte {
	for _, c := range text {
		if unreserved(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// AppendJSON appends text as it stands between the quotes of a JSON string (RFC
// 8259, section 7). Bytes that are not UTF-8 become U+FFFD.
func AppendJSON(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', upperHex[r>>4], upperHex[r&15])
		default:
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return dst
}
