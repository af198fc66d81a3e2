package msggen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"example.org/comet/server/tlsclient"
	"example.org/comet/server/wire"
)

// lostError is a server that went in the middle of a request.
type lostError struct {
	url     string
	unknown uint64
	cause   error
}

func (e *lostError) Error() string {
	unknown := fmt.Sprintf("what became of %d messages is unknown, each may or may not have been delivered", e.unknown)
	if late, ok := errors.AsType[lateError](e.cause); ok {
		return fmt.Sprintf("msggen: %s let a request hang (%v): %s; it takes fewer messages than it was sent: see what keeps it busy, or send fewer (--rate, or with --rate max a --window)", e.url, late, unknown)
	}
	return fmt.Sprintf("msggen: lost %s in the middle of a request (%v): %s; see that the server runs, its log should say why it went", e.url, e.cause, unknown)
}

func (e *lostError) Unwrap() []error { return []error{ErrAway, e.cause} }

// lateError is a server that was waited for long enough.
type lateError string

func (e lateError) Error() string { return string(e) }

// unreachableError is a request that got no answer.
type unreachableError struct {
	url   string
	cause error
}

func (e *unreachableError) Error() string {
	advice := "see that the server runs there"
	if strings.HasPrefix(e.url, "https:") {
		advice = "see that the server runs and speaks TLS there"
	}
	if known := adviseDial(e.cause); known != "" {
		advice = known + "; a comet server is started with `comet serve`, and its admin address is meant"
	}
	if errors.Is(e.cause, context.DeadlineExceeded) && !isDial(e.cause) {
		advice = "it took the connection and the request, and did not answer in time: a comet server's admin listener answers at once, so see that this is one, and what keeps it or a proxy before it busy"
	}
	return fmt.Sprintf("msggen: cannot post to %s: %v; %s", e.url, e.cause, advice)
}

// isDial reports whether err is of a connection that did not come about.
func isDial(err error) bool {
	call, ok := errors.AsType[*net.OpError](err)
	return ok && call.Op == "dial"
}

func (e *unreachableError) Unwrap() []error { return []error{ErrAway, e.cause} }

// unreachable explains why req got no answer. It wraps [ErrAway] unless trying
// again would not change that.
func unreachable(req *http.Request, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the method and the URL again
	}
	shown := wire.ShowURL(req.URL.String())
	if fault := tlsclient.Explain(err, req.URL.Scheme); fault != nil {
		return fmt.Errorf("msggen: cannot post to %s: %w", shown, fault)
	}
	why := ""
	strange, isStrange := errors.AsType[*notHTTPError](err)
	switch {
	case isStrange:
		return fmt.Errorf("msggen: cannot post to %s: %w", shown, strange)
	case errors.Is(err, http.ErrSchemeMismatch):
		why = "it does not speak TLS there: write http:// instead of https://"
	case strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`): // a TLS alert, which net/http names only so
		why = "it speaks TLS there: write https:// instead of http://"
	case strings.Contains(err.Error(), "malformed HTTP"):
		why = "what listens there does not speak HTTP/1.1"
	}
	if why != "" {
		return fmt.Errorf("msggen: cannot post to %s: %w; %s", shown, err, why)
	}
	return &unreachableError{url: shown, cause: err}
}

// refused explains an answer other than 200. It wraps [ErrAway] if another time
// may be better.
func refused(req *http.Request, resp *http.Response, text []byte) error {
	var reply struct {
		Error string `json:"error"`
	}
	ours := json.Unmarshal(text, &reply) == nil && reply.Error != ""
	if ours {
		text = []byte(reply.Error)
	}
	err := fmt.Errorf("msggen: POST %s was answered %s", wire.ShowURL(req.URL.String()), wire.Said(resp, text))
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%w: give the server's admin token, by --admin-token-file or in COMET_ADMIN_TOKEN", err)
	case code == http.StatusNotFound && ours && strings.HasPrefix(req.URL.Path, "/event/"): // without a file of subscriptions
		return err
	case code == http.StatusNotFound, code == http.StatusMethodNotAllowed, code == http.StatusNotImplemented:
		return fmt.Errorf("%w: that is not the admin listener of a comet server, which is on port 8001 unless told otherwise", err)
	case code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests:
		if advice := wire.Advise(resp, text, req.URL.Scheme == "https", wire.Publishing); advice != "" {
			return fmt.Errorf("%w: %s", err, advice)
		}
		return err
	}
	if after := wire.RetryAfter(resp); after != "" {
		return &awayError{fmt.Errorf("%w%s", err, after)}
	}
	return &awayError{err}
}

func notComet(req *http.Request, why string) error {
	return fmt.Errorf("msggen: what answers POST %s is not a comet server: %s", wire.ShowURL(req.URL.String()), why)
}
