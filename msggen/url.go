package msggen

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"example.org/comet/server/wire"
)

// parseURL checks where to post. A URL without a path means /send.
func parseURL(to string) (*url.URL, error) {
	const example = "http://127.0.0.1:8001/send"
	target, err := url.Parse(to)
	if err := checkURL(to, target, err, "to post to", example); err != nil {
		return nil, err
	}
	if target.Path = strings.TrimRight(target.Path, "/"); target.Path == "" {
		target.Path = "/send"
	}
	return target, nil
}

// checkURL reports what is wrong with text, as url.Parse read it, as a URL to do
// something at, with the cure.
func checkURL(text string, u *url.URL, err error, todo, example string) error {
	shown := wire.ShowURL(text)
	switch {
	case text == "":
		return fmt.Errorf("%q is not a URL %s: write %s", shown, todo, example)
	case !strings.Contains(text, "://") && looksLikeHost(text):
		return fmt.Errorf("%q is not a URL %s: it has no scheme; write http://%s", shown, todo, shown)
	case err == nil && u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "":
		return fmt.Errorf("%q is not a URL %s: messages are sent over http or https, not %s; write %s", shown, todo, u.Scheme, example)
	case unbracketed(text):
		return fmt.Errorf("%q is not a URL %s: an IPv6 address stands in brackets, as in http://[::1]:8001/", shown, todo)
	case err != nil || u.Scheme == "" || u.Hostname() == "":
		return fmt.Errorf("%q is not a URL %s: write %s", shown, todo, example)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%q is not a URL %s: its port is %s, and ports go from 1 to 65535", shown, todo, port)
		}
	}
	return nil
}

// looksLikeHost reports whether text begins with something that may be a host:
// a name with a point, localhost, an address, or anything before a port.
func looksLikeHost(text string) bool {
	host := text
	if i := strings.IndexAny(text, "/?#"); i >= 0 {
		host = text[:i]
	}
	_, port, hasPort := strings.Cut(host, ":")
	if strings.HasPrefix(host, "[") {
		return true
	}
	_, err := strconv.ParseUint(port, 10, 16)
	return host != "" && (hasPort && err == nil || host == "localhost" || strings.Contains(host, "."))
}

// unbracketed reports whether the host in text has several colons, and no
// brackets around them.
func unbracketed(text string) bool {
	_, rest, found := strings.Cut(text, "://")
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	rest = rest[strings.LastIndex(rest, "@")+1:]
	return found && !strings.HasPrefix(rest, "[") && strings.Count(rest, ":") > 1
}
