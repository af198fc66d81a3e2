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
)

// The placeholders of a template.
const (
	idPlaceholder      = "{id}"
	messagePlaceholder = "{message}"
)

// pieceKind is what a piece of a template stands for.
type pieceKind uint8

const (
	literalPiece pieceKind = iota
	idPiece
	messagePiece
)

type piece struct {
	kind pieceKind
	text string // of a literal
}

// template is text with placeholders, cut at those.
type template []piece

func parseTemplate(text string) template {
	var t template
	for text != "" {
		at, kind, length := len(text), literalPiece, 0
		if i := strings.Index(text, idPlaceholder); i >= 0 {
			at, kind, length = i, idPiece, len(idPlaceholder)
		}
		if i := strings.Index(text, messagePlaceholder); i >= 0 && i < at {
			at, kind, length = i, messagePiece, len(messagePlaceholder)
		}
		if at > 0 {
			t = append(t, piece{text: text[:at]})
		}
		if kind != literalPiece {
			t = append(t, piece{kind: kind})
		}
		text = text[at+length:]
	}
	return t
}

// append fills the template in. escaped has messages stand in a URL or a form.
func (t template) append(dst []byte, id int64, message []byte, escaped bool) []byte {
	for _, p := range t {
		switch {
		case p.kind == idPiece:
			dst = strconv.AppendInt(dst, id, 10)
		case p.kind == literalPiece:
			dst = append(dst, p.text...)
		case escaped:
			dst = appendURLEscaped(dst, message)
		default:
			dst = append(dst, message...)
		}
	}
	return dst
}

func (t template) has(kind pieceKind) bool {
	return slices.ContainsFunc(t, func(p piece) bool { return p.kind == kind })
}

// appendURLEscaped writes text as any part of a path, a query or a form may have
// it: all but the unreserved characters of RFC 3986, section 2.3, as %XX.
func appendURLEscaped(dst, text []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, c := range text {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

// requestTemplate makes the requests of a [PublishSender].
type requestTemplate struct {
	// address is host:port to connect to, host without the port, and tls whether
	// that speaks it.
	address, host string
	tls           bool
	method        string
	// shown is the URL for people, as it was given, without a password.
	shown string

	target template // the request line's
	head   template // the lines behind that, up to Content-Length
	body   template
	form   bool // the body is a form, in which messages are escaped
}

// defaultHeaders are sent unless they are given.
var defaultHeaders = []string{"User-Agent: comet", "Accept: */*", "Content-Type: text/plain; charset=utf-8"}

// reservedHeaders would contradict how the sender frames its requests.
var reservedHeaders = []string{"Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "Trailer", "Te"}

func newRequestTemplate(c PublishConfig) (*requestTemplate, error) {
	var wrong []error
	r := &requestTemplate{method: c.Method, body: parseTemplate(c.Body)}
	if r.method == "" {
		r.method = http.MethodPost
	}
	if !isToken(r.method) {
		wrong = append(wrong, fmt.Errorf("method %q: write POST, PUT, GET or another in capital letters", c.Method))
	}
	if c.Body == "" && r.method != http.MethodGet && r.method != http.MethodHead {
		r.body = parseTemplate(messagePlaceholder)
	}
	u, err := r.parseTarget(c.URL)
	if err != nil {
		wrong = append(wrong, err)
	}
	if err := r.setHeaders(c.Header, u); err != nil {
		wrong = append(wrong, err)
	}
	if err == nil && !r.mentions(idPiece) {
		wrong = append(wrong, errors.New("the id of a message is sent nowhere: write {id} in the URL, a header or the body"))
	}
	if err == nil && !r.mentions(messagePiece) {
		wrong = append(wrong, errors.New("the messages are sent nowhere: write {message} in the body or the URL"))
	}
	return r, errors.Join(wrong...)
}

func (r *requestTemplate) mentions(kind pieceKind) bool {
	return r.target.has(kind) || r.head.has(kind) || r.body.has(kind)
}

// parseTarget splits the URL. url.Parse refuses braces in some places and
// escapes them in others, so the placeholders go through it as words.
func (r *requestTemplate) parseTarget(text string) (*url.URL, error) {
	const idWord, messageWord = "comet-placeholder-id", "comet-placeholder-message"
	worded := strings.NewReplacer(idPlaceholder, idWord, messagePlaceholder, messageWord).Replace(text)
	u, err := url.Parse(worded)
	if err := checkURL(text, u, err, "to publish to", "http://127.0.0.1:8080/pub/{id}"); err != nil {
		return nil, err
	}
	if i := strings.IndexFunc(u.Host, func(c rune) bool { return c > '~' }); i >= 0 {
		return nil, fmt.Errorf("%q has a host that is not ASCII: write its name as DNS knows it, xn--…", text)
	}
	if strings.Contains(u.Fragment, idWord) || strings.Contains(u.Fragment, messageWord) {
		return nil, fmt.Errorf("%q has its placeholder behind a #, which is never sent: write that as %%23", text)
	}
	if strings.ContainsAny(worded, "{}") {
		return nil, fmt.Errorf("%q has braces that are neither {id} nor {message}: write them as %%7B and %%7D", text)
	}
	if strings.Contains(u.Host, idWord) || strings.Contains(u.Host, messageWord) {
		return nil, fmt.Errorf("%q has its placeholder in the host: all messages go to one server", text)
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
	unworded := strings.NewReplacer(idWord, idPlaceholder, messageWord, messagePlaceholder)
	r.target = parseTemplate(unworded.Replace(u.RequestURI()))
	r.shown = unworded.Replace(u.Redacted())
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
		if key == "Content-Type" {
			kind, _, _ := strings.Cut(value, ";")
			r.form = strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
		}
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
		if !given[name] && (name != "Content-Type" || len(r.body) > 0) {
			head.WriteString(line + "\r\n")
		}
	}
	r.head = parseTemplate(head.String())
	return errors.Join(wrong...)
}

// append writes the request for a message.
func (r *requestTemplate) append(dst []byte, id int64, message []byte) []byte {
	dst = append(append(dst, r.method...), ' ')
	dst = r.target.append(dst, id, message, true)
	dst = append(dst, " HTTP/1.1\r\n"...)
	dst = r.head.append(dst, id, message, true)
	if len(r.body) == 0 {
		return append(dst, "\r\n"...)
	}
	// The length comes before the body, so that is written twice as far behind as
	// any length is long, and then moved up.
	const room = len("Content-Length: ") + 20 + len("\r\n\r\n")
	at := len(dst)
	dst = append(dst, make([]byte, room)...)
	dst = r.body.append(dst, id, message, r.form)
	body := dst[at+room:]
	dst = append(dst[:at], "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}

// line returns the request line for a message of id, for people.
func (r *requestTemplate) line(id int64) string {
	return r.method + " " + strings.ReplaceAll(r.shown, idPlaceholder, strconv.FormatInt(id, 10))
}

// isToken reports whether s can be a method or the name of a header (RFC 9110,
// section 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }
