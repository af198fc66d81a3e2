package memlog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"example.org/comet/server/neterr"
	"example.org/comet/server/tlsclient"
)

// unasked explains why a server did not say its count. connected reports whether
// it took the connection.
func unasked(address string, connected bool, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the method and the URL again
	}
	if fault := tlsclient.Explain(err, "https"); fault != nil {
		return fmt.Errorf("memlog: asking %s for the server's own count: %w", address, fault)
	}
	advice := adviseUnasked(connected, err)
	return fmt.Errorf("memlog: asking %s for the server's own count: %s: %w", address, advice, err)
}

// adviseUnasked returns what happened, in words, and what to do.
func adviseUnasked(connected bool, err error) string {
	name, isName := errors.AsType[*net.DNSError](err)
	late, isNet := errors.AsType[net.Error](err)
	slow := errors.Is(err, context.DeadlineExceeded) || isNet && late.Timeout() || neterr.IsTimeout(err)
	switch text := err.Error(); {
	case isName && name.IsNotFound:
		return "there is no such host: check the name"
	case neterr.IsRefused(err):
		return "nothing listens there: is the server running, and is this its admin listener?"
	case neterr.IsUnreachable(err):
		return "there is no route to that address, or its host is down"
	case neterr.IsForbidden(err):
		return "a route or a firewall rule of this machine forbids connections to that address"
	case neterr.IsTooManyFiles(err):
		return "this process may open no more files: raise the limit with `ulimit -n`"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS there: write http:// instead of https://"
	case strings.Contains(text, `malformed HTTP response "\x15\x03`): // a TLS alert, which net/http names only so
		return "it speaks TLS there: write https:// instead of http://"
	case strings.Contains(text, "malformed HTTP"):
		return "what listens there does not speak HTTP/1.1: is this the right port?"
	case slow && connected:
		return "it took the connection and the request, and did not answer in time: is it the admin listener of a comet server, and what keeps it busy?"
	case slow:
		return "the address did not respond in time: check it, and whether a firewall drops what goes there"
	}
	return "it did not answer: see that the server runs there, and speaks TLS if the URL is https://"
}

// refused explains an answer other than 200.
func refused(address string, resp *http.Response) error {
	advice := "see the log of the server"
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		advice = "give the server's admin token (--admin-token-file or COMET_ADMIN_TOKEN)"
	case code == http.StatusBadRequest && resp.Request.URL.Scheme == "http":
		advice = "it may speak TLS there: then write https:// instead of http://"
	case code < 500:
		advice = "give the URL of a comet server's /stats, on its admin listener"
	case code == http.StatusBadGateway, code == http.StatusGatewayTimeout:
		advice = "the proxy there gets no answer from the server behind it: see that that one runs"
	}
	return fmt.Errorf("memlog: %s answers %s: %s", address, printable(resp.Status), advice)
}
