package flood

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"

	"example.org/comet/server/wire"
)

// maxCookies is how many bytes of cookies one connection keeps.
const maxCookies = 4 << 10

// keepCookies keeps the cookies that the head of an answer sets for the next request
// of r (RFC 6265), as that writes them. All requests of r have one URL, so their
// domain and path do not matter.
func (o *observer) keepCookies(r *reading) {
	fields := wire.HeadFields(o.head)
	for name, value, ok := fields.Next(); ok; name, value, ok = fields.Next() {
		if !bytes.EqualFold(name, []byte("Set-Cookie")) {
			continue
		}
		pair, attributes, _ := bytes.Cut(value, []byte{';'})
		key, text, found := bytes.Cut(bytes.TrimSpace(pair), []byte{'='})
		if !found || len(bytes.TrimSpace(key)) == 0 {
			continue
		}
		row := o.spares.of(r)
		row.cookies = setCookie(row.cookies, bytes.TrimSpace(key), bytes.TrimSpace(text), expired(attributes))
		o.spares.tidy(r)
	}
}

// setCookie puts a cookie in the place of the one of its name, or removes that.
func setCookie(cookies, name, text []byte, remove bool) []byte {
	var kept []byte
	for pair := range bytes.SplitSeq(cookies, []byte("; ")) {
		if key, _, found := bytes.Cut(pair, []byte{'='}); found && !bytes.Equal(key, name) {
			kept = appendCookie(kept, pair)
		}
	}
	if remove || len(kept)+len(name)+len(text)+len("; =") > maxCookies {
		return kept
	}
	return appendCookie(kept, slices.Concat(name, []byte{'='}, text))
}

func appendCookie(cookies, pair []byte) []byte {
	if len(cookies) > 0 {
		cookies = append(cookies, "; "...)
	}
	return append(cookies, pair...)
}

// expired reports whether the attributes of a cookie say that it is to be removed.
// Max-Age takes precedence (RFC 6265, section 5.3).
func expired(attributes []byte) (is bool) {
	for attribute := range bytes.SplitSeq(attributes, []byte{';'}) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(attribute), []byte{'='})
		switch {
		case bytes.EqualFold(name, []byte("Max-Age")):
			seconds, err := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
			return err == nil && seconds <= 0
		case bytes.EqualFold(name, []byte("Expires")):
			at, err := http.ParseTime(string(bytes.TrimSpace(value)))
			is = err == nil && at.Unix() <= 0 // by which servers delete one
		}
	}
	return is
}

// withCookies adds cookies to the fields of a request, which are those of b from
// start on: to its Cookie field if it has one, since there may be one only (RFC
// 6265, section 5.4).
func withCookies(b []byte, start int, cookies []byte) []byte {
	if len(cookies) == 0 {
		return b
	}
	for at := start; at < len(b); {
		end := at + bytes.Index(b[at:], []byte("\r\n"))
		if name, _, _ := bytes.Cut(b[at:end], []byte{':'}); bytes.EqualFold(name, []byte("Cookie")) {
			return slices.Insert(b, end, append([]byte("; "), cookies...)...)
		}
		at = end + 2
	}
	return append(append(append(b, "Cookie: "...), cookies...), "\r\n"...)
}
