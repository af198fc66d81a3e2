package flood

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"example.org/comet/server/wire"
)

const (
	cookieField = "Cookie: "
	// maxCookies is how many bytes of cookies a connection keeps.
	maxCookies = 8 << 10
)

// keepCookies keeps the cookies that the head of an answer sets, for the next
// request of its connection: their names and values, of each name the last one
// (RFC 6265, sections 4.2 and 5.2). That goes to the host that set them, over and
// over with the same URL, so Path, Domain and Secure decide nothing. A cookie
// that expires later is kept to the end. Connections whose answers set none have
// nothing to keep.
func (o *observer) keepCookies(r *reading) {
	fields := wire.HeadFields(o.head)
	for name, value, ok := fields.Next(); ok; name, value, ok = fields.Next() {
		if !bytes.EqualFold(name, []byte("Set-Cookie")) {
			continue
		}
		set, ok := parseSetCookie(value, time.Now())
		if !ok {
			continue
		}
		row := o.spares.of(r)
		cookies, rest := cutCookies(row.carry)
		row.carry = append(cookieLine(withCookie(cookies, set)), rest...)
		o.spares.tidy(r)
	}
}

// setCookie is one cookie that an answer sets. pair is `name=value`.
type setCookie struct {
	pair []byte
	gone bool // it is to be forgotten
}

// parseSetCookie reads the value of a Set-Cookie field. What has no name or a
// control character is none.
func parseSetCookie(value []byte, now time.Time) (c setCookie, ok bool) {
	pair, attributes, _ := bytes.Cut(value, []byte{';'})
	name, text, found := bytes.Cut(pair, []byte{'='})
	name, text = bytes.TrimSpace(name), bytes.TrimSpace(text)
	if !found || len(name) == 0 || bytes.ContainsFunc(pair, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
		return c, false
	}
	c.pair = append(append(append(c.pair, name...), '='), text...)
	// Only these two decide something, and net/http need not like the value.
	if a, err := http.ParseSetCookie("c=v;" + string(attributes)); err == nil {
		if a.Expires.IsZero() { // the older ways to write it
			a.Expires, _ = http.ParseTime(a.RawExpires)
		}
		c.gone = a.MaxAge < 0 || a.MaxAge == 0 && !a.Expires.IsZero() && !a.Expires.After(now)
	}
	return c, true
}

// cutCookies cuts what a request carries on into its cookies, such as "a=1; b=2",
// and the other lines. The line of cookies is the first one.
func cutCookies(carried []byte) (cookies, rest []byte) {
	behind, found := bytes.CutPrefix(carried, []byte(cookieField))
	if !found {
		return nil, carried
	}
	cookies, rest, _ = bytes.Cut(behind, []byte("\r\n"))
	return cookies, rest
}

// cookieLine returns a new line of cookies, empty for none.
func cookieLine(cookies []byte) []byte {
	if len(cookies) == 0 {
		return nil
	}
	return append(append([]byte(cookieField), cookies...), "\r\n"...)
}

// withCookie returns a new list of cookies with one set or forgotten. One for
// which there is no room is not set.
func withCookie(cookies []byte, set setCookie) (list []byte) {
	for pair := range pairs(cookies) {
		if !sameName(pair, set.pair) {
			list = appendPair(list, pair)
		}
	}
	if !set.gone && len(list)+len(set.pair) < maxCookies {
		list = appendPair(list, set.pair)
	}
	return list
}

// appendPair appends a cookie to a list of them.
func appendPair(list, pair []byte) []byte {
	if len(list) > 0 {
		list = append(list, "; "...)
	}
	return append(list, pair...)
}

// pairs yields the cookies of a list.
func pairs(cookies []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for pair := range bytes.SplitSeq(cookies, []byte{';'}) {
			if pair = bytes.TrimSpace(pair); len(pair) > 0 && !yield(pair) {
				return
			}
		}
	}
}

// sameName reports whether two cookies have one name, whose case counts.
func sameName(a, b []byte) bool {
	nameA, _, _ := bytes.Cut(a, []byte{'='})
	nameB, _, _ := bytes.Cut(b, []byte{'='})
	return bytes.Equal(bytes.TrimSpace(nameA), bytes.TrimSpace(nameB))
}

// joinCookies appends the cookies that a request carries on to the user's own,
// which are the last line of dst: a request has one line of them (RFC 6265,
// section 5.4). One that the server has set takes the place of the user's. from is
// where that line may begin in dst.
func joinCookies(dst []byte, from int, carried []byte) []byte {
	cookies, rest := cutCookies(carried)
	if len(cookies) == 0 {
		return append(dst, carried...)
	}
	at := from + bytes.LastIndex(dst[from:len(dst)-len("\r\n")], []byte("\n")) + 1
	_, own, _ := bytes.Cut(dst[at:len(dst)-len("\r\n")], []byte{':'})
	var list []byte
	for pair := range pairs(own) {
		replaced := false
		for set := range pairs(cookies) {
			replaced = replaced || sameName(pair, set)
		}
		if !replaced {
			list = appendPair(list, pair)
		}
	}
	for set := range pairs(cookies) {
		list = appendPair(list, set)
	}
	return append(append(dst[:at], cookieLine(list)...), rest...)
}

// cookiesLast returns the lines of a head with those of cookies as one, the last.
// It reports whether there is one.
func cookiesLast(lines []string) (all []string, own bool) {
	var cookies []string
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "Cookie") {
			all = append(all, line)
			continue
		}
		if value = strings.Trim(value, "; \t"); value != "" {
			cookies = append(cookies, value)
		}
	}
	if len(cookies) == 0 {
		return all, false
	}
	return append(all, cookieField+strings.Join(cookies, "; ")), true
}
