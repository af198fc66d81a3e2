package adminhttp

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// splitTarget returns the authority and the path of a request target. The
// authority is nil for the forms that have none, /path and *.
func splitTarget(target string) (authority *string, path string) {
	if target == "*" {
		return nil, target
	}
	if !strings.HasPrefix(target, "/") {
		rest := target
		if scheme, after, ok := strings.Cut(target, "://"); ok && !strings.ContainsAny(scheme, "/?#") {
			rest = after
		}
		end := strings.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		host := rest[:end]
		authority, target = &host, rest[end:]
	}
	path, _, _ = strings.Cut(target, "?")
	if path == "" {
		path = "/"
	}
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	return authority, path
}

// isThisMachine reports whether host, with or without a port, is an IP address
// or one of the names of this machine. A browser asks the name server for any
// other name, and whoever owns the name may answer 127.0.0.1.
func (g *Guard) isThisMachine(host string) bool {
	name, ok := hostName(host)
	return ok && (g.hosts[name] || isAddress(name))
}

// hostName returns the host of "host", "host:port" or "[host]:port" as a key:
// lower case, without brackets and without the dot that ends a full name.
func hostName(host string) (name string, ok bool) {
	if inner, found := strings.CutPrefix(host, "["); found {
		inner, port, closed := strings.Cut(inner, "]")
		return inner, closed && isAddress6(inner) && isPort(port)
	}
	if isAddress6(host) {
		return host, true // no name has a colon
	}
	name, port, found := strings.Cut(host, ":")
	if found {
		port = ":" + port
	}
	return hostKey(name), isPort(port)
}

// hostKey returns name as names are compared: without regard to the case of
// ASCII letters, and to the dot of a full name.
func hostKey(name string) string {
	lower := func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	return strings.TrimSuffix(strings.Map(lower, name), ".")
}

// isPort reports whether text is ":" and digits, or nothing. There may be no
// digits (RFC 3986 section 3.2.3).
func isPort(text string) bool {
	digits, found := strings.CutPrefix(text, ":")
	return text == "" || found && strings.Trim(digits, "0123456789") == ""
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil || isAddress6(name)
}

// isAddress6 reports whether text is an IPv6 address. In a URL the % before its
// zone is written %25 (RFC 6874).
func isAddress6(text string) bool {
	address, err := netip.ParseAddr(strings.Replace(text, "%25", "%", 1))
	return err == nil && address.Is6()
}

// checkHost refuses what no Host field can be compared with.
func checkHost(name string) error {
	key := hostKey(name)
	if key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || strings.HasPrefix(key, ".") || strings.HasSuffix(key, ".") {
		return fmt.Errorf("the admin host %q: write a name alone, such as comet.internal, without scheme, port or *", name)
	}
	return nil
}

// OnLoopback reports whether address can be reached from this machine only. A
// name that is not an address counts only as localhost; so does what is no
// address at all, which is reported elsewhere.
func OnLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
