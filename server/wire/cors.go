package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Origins are the origins whose pages may read the answers (Fetch standard,
// section 3.2, "CORS protocol"). The zero value allows none, and says nothing
// of origins in any answer.
type Origins struct {
	allowed []string // as browsers write them: in lower case, without a default port
	// fields are what an answer carries for each Origin.
	fields [][]byte
}

// Origin says which origin's pages may read an answer. It is one byte so that a
// connection can keep it until its answer is due. 0 is an answer without fields
// about that.
type Origin uint8

// The first ones; those from someOrigin on are allowed, in order.
const (
	noOrigin    Origin = iota
	otherOrigin        // one that is not allowed, or none
	someOrigin
)

const maxOrigins = 200

// ParseOrigins reads origins such as https://app.example.com or
// http://localhost:3000, or "*" alone for any. "null" stands for pages that have
// none, such as files and sandboxed frames.
//
// Where origins are named, pages of these may send cookies along (an
// EventSource with withCredentials does); with "*" and "null" they may not, and
// the answer to one that does is not readable.
func ParseOrigins(list []string) (Origins, error) {
	var o Origins
	var errs []error
	if len(list) > maxOrigins {
		return o, fmt.Errorf("%d origins: at most %d can be allowed, or all of them with *", len(list), maxOrigins)
	}
	for _, text := range list {
		origin, err := parseOrigin(text)
		if err == nil && text == "*" && len(list) > 1 {
			err = errors.New(`origin "*" allows every other one: leave the others out`)
		}
		errs = append(errs, err)
		o.allowed = append(o.allowed, origin)
	}
	if err := errors.Join(errs...); err != nil || len(list) == 0 {
		return Origins{}, err
	}
	o.fields = make([][]byte, someOrigin, int(someOrigin)+len(list))
	if o.any() {
		o.fields[otherOrigin] = []byte("Access-Control-Allow-Origin: *\r\n")
		return o, nil
	}
	const vary = "Vary: Origin\r\n" // a cache must not give one origin's answer to another
	o.fields[otherOrigin] = []byte(vary)
	for _, origin := range o.allowed {
		fields := "Access-Control-Allow-Origin: " + origin + "\r\n"
		if origin != "null" {
			fields += "Access-Control-Allow-Credentials: true\r\n"
		}
		o.fields = append(o.fields, []byte(fields+vary))
	}
	return o, nil
}

func parseOrigin(text string) (string, error) {
	if text == "*" || text == "null" {
		return text, nil
	}
	bad := func(why string) (string, error) {
		return "", fmt.Errorf("origin %q %s: write it as browsers do, such as https://app.example.com or http://localhost:3000, or * for any", text, why)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme == "" || u.Host == "" || !validHost([]byte(u.Host)):
		return bad("is not SCHEME://HOST[:PORT]")
	case u.User != nil, u.Path != "" && u.Path != "/", u.RawQuery != "" || u.ForceQuery, u.Fragment != "":
		return bad("has more than a scheme, a host and a port")
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, ":"), nil
}

// any reports whether every origin is allowed.
func (o *Origins) any() bool { return len(o.allowed) == 1 && o.allowed[0] == "*" }

// find returns which of the allowed origins that is, or 0.
func (o *Origins) find(origin []byte) Origin {
	if o.any() {
		return otherOrigin
	}
	for i, allowed := range o.allowed {
		if string(origin) == allowed {
			return someOrigin + Origin(i)
		}
	}
	return 0
}

// of returns what the answer to a request says about its origin.
func (o *Origins) of(f *fields) Origin {
	switch {
	case len(o.allowed) == 0:
		return noOrigin
	case f.origins == 1:
		return max(o.find(f.origin), otherOrigin)
	}
	return otherOrigin
}

// Share returns answer with the fields that let pages of its origin read it, at
// the end of its head. It copies unless there are none. What is no answer, such
// as the last chunk of a stream, stays as it is.
func (p *Parser) Share(answer []byte, origin Origin) []byte {
	if origin == noOrigin || !bytes.HasPrefix(answer, []byte("HTTP/1.")) {
		return answer
	}
	end := bytes.Index(answer, []byte("\r\n\r\n")) + len("\r\n")
	fields := p.Origins.fields[origin]
	shared := make([]byte, 0, len(answer)+len(fields))
	shared = append(append(shared, answer[:end]...), fields...)
	return append(shared, answer[end:]...)
}

// preflight answers a browser's question whether a page may make a request
// (Fetch standard, section 4.8). Which fields it may send is not limited: none
// of them matters here.
func (p *Parser) preflight(f *fields) Request {
	origin := p.Origins.find(f.origin)
	if origin == 0 || f.origins != 1 {
		return Request{Answer: p.Share(OriginRefused.whole, otherOrigin)}
	}
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 204 No Content\r\nServer: comet\r\nConnection: close\r\nAccess-Control-Allow-Methods: GET, HEAD\r\nAccess-Control-Max-Age: 7200\r\n")
	first := true
	for name := range elements(f.requestHeaders) {
		if !isTokenText(name) {
			continue
		}
		if first {
			b.WriteString("Access-Control-Allow-Headers: ")
		} else {
			b.WriteString(", ")
		}
		b.Write(name)
		first = false
	}
	if !first {
		b.WriteString("\r\n")
	}
	b.WriteString("\r\n")
	return Request{Answer: p.Share(b.Bytes(), origin)}
}
