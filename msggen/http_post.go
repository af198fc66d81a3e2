package msggen

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.org/comet/server/wire"
)

// connectTimeout bounds how long a connection may take to come about, and TLS on
// it.
const connectTimeout = 5 * time.Second

// poster makes the connections and the heads of an [HTTPSender], and reads what it
// is answered.
type poster struct {
	config HTTPConfig
	// request is what is posted, for what explains answers.
	request *http.Request
	// address is host:port, and host without the port.
	address, host string
	// head begins a request of chunks, and empty is one without a body.
	head, empty []byte
}

// answer is how a request ended: what the server said, or err.
type answer struct {
	sent, reached, unaddressed uint64
	err                        error
}

func newPoster(target *url.URL, config HTTPConfig) (*poster, error) {
	p := &poster{config: config}
	contentType := "text/plain; charset=utf-8"
	if config.NDJSON || config.Events {
		contentType = "application/x-ndjson"
	}
	var err error
	if p.empty, err = p.write(target, http.NoBody, contentType); err != nil {
		return nil, err
	}
	// A body of unknown length is written in chunks, and one without bytes as the
	// end of them alone.
	text, err := p.write(target, io.MultiReader(), contentType)
	if err != nil {
		return nil, err
	}
	p.head = bytes.TrimSuffix(text, []byte("0\r\n\r\n"))
	return p, p.setAddress(target)
}

// setAddress takes the address from target, and a name that is not ASCII from the
// head, where it is as DNS knows it.
func (p *poster) setAddress(target *url.URL) error {
	if strings.ContainsFunc(target.Host, func(c rune) bool { return c > '~' }) {
		read, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p.empty)))
		if err != nil {
			return fmt.Errorf("msggen: cannot post to %s: %w", wire.ShowURL(target.String()), err)
		}
		target = &url.URL{Scheme: target.Scheme, Host: read.Host}
	}
	port := target.Port()
	switch {
	case port != "":
	case target.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	p.host = target.Hostname()
	p.address = net.JoinHostPort(p.host, port)
	return nil
}

// write returns a request as net/http writes it.
func (p *poster) write(target *url.URL, body io.Reader, contentType string) ([]byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("msggen: cannot post to %s: %w", wire.ShowURL(target.String()), err)
	}
	setHeader(req, contentType, p.config.Token)
	if user := target.User; user != nil && p.config.Token == "" {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	var text bytes.Buffer
	if err := req.Write(&text); err != nil {
		return nil, fmt.Errorf("msggen: cannot post to %s: %w", wire.ShowURL(target.String()), err)
	}
	p.request = req
	return text.Bytes(), nil
}

// connect returns a new connection.
func (p *poster) connect(ctx context.Context) (*httpConn, error) {
	dialer := net.Dialer{Timeout: connectTimeout}
	socket, err := dialer.DialContext(ctx, "tcp", p.address)
	if err != nil {
		return nil, unreachable(p.request, err)
	}
	out := &outlet{Conn: socket}
	if p.request.URL.Scheme != "https" {
		return newHTTPConn(out, out), nil
	}
	bounded, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	secure, err := handshake(bounded, out, p.config.TLS, p.host)
	if err != nil {
		if bounded.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("no TLS handshake within %v", connectTimeout)
		}
		return nil, unreachable(p.request, err)
	}
	return newHTTPConn(secure, out), nil
}

// answer reads what r says.
func (p *poster) answer(r reply) answer {
	if r.resp == nil {
		switch {
		case isEOF(r.err) && r.heard:
			r.err = errors.New("it closed the connection in the middle of its answer")
		case isEOF(r.err):
			r.err = errors.New("it closed the connection")
		}
		return answer{err: unreachable(p.request, r.err)}
	}
	if r.err != nil {
		return answer{err: unreachable(p.request, r.err)}
	}
	var counts struct {
		Sent        *uint64 `json:"sent"`
		Reached     uint64  `json:"reached"`
		Unaddressed uint64  `json:"unaddressed"`
	}
	err := decode(p.request, r.resp, r.text, &counts)
	switch {
	case err != nil && counts.Sent == nil:
		return answer{err: err}
	case counts.Sent == nil:
		return answer{err: notComet(p.request, `its answer has no "sent"`)}
	}
	// A server that stops at a line it cannot read counts those before it.
	return answer{sent: *counts.Sent, reached: counts.Reached, unaddressed: counts.Unaddressed, err: err}
}

// check holds what a server says of taken messages against that. Of what it says
// otherwise nothing can be believed.
func (a answer) check(url string, taken uint64) error {
	// A message may reach any number of connections; this keeps sums from
	// overflowing.
	const maxReached = 1 << 48
	what := ""
	switch {
	case a.sent > taken:
		what = fmt.Sprintf("accepted %d messages", a.sent)
	case a.unaddressed > a.sent:
		what = fmt.Sprintf("accepted %d messages, %d of them to nobody", a.sent, a.unaddressed)
	case a.reached > maxReached, a.reached > 0 && a.sent == 0:
		what = fmt.Sprintf("accepted %d messages, and reached %d connections with them", a.sent, a.reached)
	default:
		return nil
	}
	return fmt.Errorf("msggen: %s claims what cannot be: given %d messages, it says that it %s; what became of them is unknown, and no count of this server can be believed", url, taken, what)
}

// setHeader sets what each request to a comet server says.
func setHeader(req *http.Request, contentType, token string) {
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "comet")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
}

// decode decodes the answer to req into counts. Its errors are addressed to a
// person; they wrap [ErrAway] if it may help to try again.
func decode(req *http.Request, resp *http.Response, text []byte, counts any) error {
	if resp.StatusCode != http.StatusOK {
		_ = json.Unmarshal(text, counts) // as far as it has some
		return refused(req, resp, text)
	}
	if err := json.Unmarshal(text, counts); err != nil {
		return notComet(req, "its answer is not JSON")
	}
	return nil
}
