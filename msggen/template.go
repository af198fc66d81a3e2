package msggen

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"example.org/comet/flood/users"
	"example.org/comet/server/wire"
)

// requestTemplate makes the requests of a [PublishSender].
type requestTemplate struct {
	// address is host:port to connect to, host without the port, and tls whether
	// that speaks it.
	address, host string
	tls           bool
	method        string
	// shown is the URL for people, as it was given, without a password.
	shown string

	holes  holes
	target users.Template // the request line's
	head   users.Template // the lines behind that, up to Content-Length
	body   users.Template
	// hasBody: there is a body. headMessage: messages stand in the head.
	hasBody, headMessage bool
}

// defaultHeaders are sent unless they are given.
var defaultHeaders = []string{"User-Agent: comet", "Accept: */*", "Content-Type: text/plain; charset=utf-8"}

// reservedHeaders would contradict how the sender frames its requests.
var reservedHeaders = []string{"Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "Trailer", "Te"}

func newRequestTemplate(c PublishConfig) (*requestTemplate, error) {
	var wrong []error
	r := &requestTemplate{method: c.Method, holes: holesOf(c.Users)}
	if r.method == "" {
		r.method = http.MethodPost
	}
	if !isToken(r.method) {
		wrong = append(wrong, fmt.Errorf("method %q: write POST, PUT, GET or another in capital letters", c.Method))
	}
	if c.Users != nil && c.Users.Column(messageHole) >= 0 {
		wrong = append(wrong, fmt.Errorf("%s has a column message, and {message} stands for the text of a message: rename the column", c.Users.Name()))
	}
	r.setBody(c)
	u, err := r.parseTarget(c.URL)
	if err != nil {
		wrong = append(wrong, err)
	}
	if err := r.setHeaders(c.Header, u); err != nil {
		wrong = append(wrong, err)
	}
	used := slices.Concat(r.target.Holes(), r.head.Holes(), r.body.Holes())
	if err == nil && !slices.ContainsFunc(used, r.holes.addresses) {
		wrong = append(wrong, errors.New("the id of a message is sent nowhere: write {id} in the URL, a header or the body"))
	}
	if err == nil && !slices.Contains(used, r.holes.message()) {
		wrong = append(wrong, errors.New("the messages are sent nowhere: write {message} in the body or the URL"))
	}
	return r, errors.Join(wrong...)
}

// setBody makes the body, in the place that its type or its beginning says.
func (r *requestTemplate) setBody(c PublishConfig) {
	text, kind := c.Body, ""
	if text == "" && r.method != http.MethodGet && r.method != http.MethodHead {
		text = "{" + messageHole + "}"
	}
	for _, line := range c.Header {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Type") {
			kind = value
		}
	}
	place := users.BodyPlace(kind, text, r.holes.names)
	if place == users.JSON {
		text = quoted(text)
	}
	r.body, r.hasBody = users.Parse(text, place, r.holes.names), text != ""
}

// parseTarget splits the URL.
func (r *requestTemplate) parseTarget(text string) (*url.URL, error) {
	toWords, toHoles := r.holes.words()
	worded := toWords.Replace(text)
	u, err := url.Parse(worded)
	shown := wire.ShowURL(text)
	if err := checkURL(text, u, err, "to publish to", "http://127.0.0.1:8080/pub/{id}"); err != nil {
		return nil, err
	}
	if i := strings.IndexFunc(u.Host, func(c rune) bool { return c > '~' }); i >= 0 {
		return nil, fmt.Errorf("%q has a host that is not ASCII: write its name as DNS knows it, xn--…", shown)
	}
	if strings.Contains(u.Fragment, holeWord) {
		return nil, fmt.Errorf("%q has its placeholder behind a #, which is never sent: write that as %%23", shown)
	}
	if strings.ContainsAny(worded, "{}") {
		known := "{" + strings.Join(r.holes.names, "}, {") + "}"
		if r.holes.users == nil {
			return nil, fmt.Errorf("%q has braces that are neither {id} nor {message}: write them as %%7B and %%7D, or name a file of --users with that column", shown)
		}
		return nil, fmt.Errorf("%q has braces that name no column of %s, which gives %s: write them as %%7B and %%7D", shown, r.holes.users.Name(), known)
	}
	if strings.Contains(u.Host, holeWord) {
		return nil, fmt.Errorf("%q has its placeholder in the host: all messages go to one server", shown)
	}
	port := u.Port()
	r.tls = u.Scheme == "https"
	switch {
	case port != "":
	case r.tls:
		port = "443"
	default:
		port = "80"
	}
	r.host, r.address = u.Hostname(), net.JoinHostPort(u.Hostname(), port)
	u.Host = withoutZone(u.Host)
	r.target = users.Parse(toHoles.Replace(u.RequestURI()), users.URL, r.holes.names)
	r.shown = wire.ShowURL(toHoles.Replace(u.String()))
	return u, nil
}

// withoutZone returns host, which may have a port, without the zone of an IPv6
// address: it means something on this machine alone (RFC 6874, section 1).
func withoutZone(host string) string {
	address, port, _ := strings.Cut(host, "]")
	address, _, found := strings.Cut(address, "%")
	if !found {
		return host
	}
	return address + "]" + port
}

// setHeaders makes the head of the lines that are given and those that are
// needed. u may be nil.
func (r *requestTemplate) setHeaders(lines []string, u *url.URL) error {
	var wrong []error
	given := map[string]bool{}
	var head strings.Builder
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		key := http.CanonicalHeaderKey(name)
		switch {
		case !found || !isToken(name) || strings.ContainsFunc(value, isControl):
			wrong = append(wrong, fmt.Errorf("header %q: write it as `Name: value`", line))
			continue
		case slices.Contains(reservedHeaders, key):
			wrong = append(wrong, fmt.Errorf("header %q: comet sets %s itself", line, key))
			continue
		}
		given[key] = true
		fmt.Fprintf(&head, "%s: %s\r\n", name, value)
	}
	var needed []string
	if u != nil {
		needed = append(needed, "Host: "+u.Host)
		if u.User != nil {
			password, _ := u.User.Password()
			basic := http.Request{Header: http.Header{}}
			basic.SetBasicAuth(u.User.Username(), password)
			needed = append(needed, "Authorization: "+basic.Header.Get("Authorization"))
		}
	}
	for _, line := range append(needed, defaultHeaders...) {
		name, _, _ := strings.Cut(line, ":")
		if !given[name] && (name != "Content-Type" || r.hasBody) {
			head.WriteString(line + "\r\n")
		}
	}
	r.head = users.Parse(head.String(), users.Header, r.holes.names)
	r.headMessage = slices.Contains(r.head.Holes(), r.holes.message())
	if r.holes.users != nil {
		if err := r.holes.users.Check(r.head, r.holes.columns); err != nil {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

// append writes the request for a message.
func (r *requestTemplate) append(dst []byte, id int64, message []byte) []byte {
	dst = append(append(dst, r.method...), ' ')
	dst = r.holes.fill(dst, r.target, id, message)
	dst = append(dst, " HTTP/1.1\r\n"...)
	inHead := message
	if r.headMessage {
		inHead = users.AppendURL(nil, message)
	}
	dst = r.holes.fill(dst, r.head, id, inHead)
	if !r.hasBody {
		return append(dst, "\r\n"...)
	}
	// The length comes before the body, so that is written twice as far behind as
	// any length is long, and then moved up.
	const room = len("Content-Length: ") + 20 + len("\r\n\r\n")
	at := len(dst)
	dst = append(dst, make([]byte, room)...)
	dst = r.holes.fill(dst, r.body, id, message)
	body := dst[at+room:]
	dst = append(dst[:at], "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}

// line returns the request line for a message of id, for people: other columns of
// the users stay unsaid.
func (r *requestTemplate) line(id int64) string {
	return r.method + " " + strings.ReplaceAll(r.shown, "{id}", r.holes.idText(id))
}

// isToken reports whether s can be a method or the name of a header (RFC 9110,
// section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }
