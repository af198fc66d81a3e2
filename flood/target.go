package flood

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// targets are where connections go, and what they ask for there.
type targets struct {
	*asking
	hosts []host
}

// newTargets resolves the names in the URLs of cfg.
func newTargets(cfg *Config) (*targets, error) {
	holes, _ := cfg.Users.Holes()
	ask, err := newAsking(cfg)
	if err != nil {
		return nil, err
	}
	t := &targets{asking: ask}
	known := make(map[string]int) // host and port -> index in hosts
	for _, text := range cfg.urls() {
		r, err := parseURL(text, cfg.Protocol, holes)
		if err != nil {
			return nil, fmt.Errorf("flood: %w", err)
		}
		at := withPort(r.host, r.secure)
		key := fmt.Sprint(at, r.secure)
		index, ok := known[key]
		if !ok {
			addrs, err := cfg.addresses(at)
			if err == nil {
				addrs, err = reachable(cfg.Sources, addrs)
			}
			if err != nil {
				return nil, err
			}
			index = len(t.hosts)
			h := host{addrs: addrs}
			if r.secure {
				if h.tls, err = cfg.tlsFor(at); err != nil {
					return nil, err
				}
			}
			t.hosts = append(t.hosts, h)
			known[key] = index
		}
		r.at = index
		t.requests = append(t.requests, r)
	}
	return t, nil
}

// addresses returns those of a host and port.
func (c *Config) addresses(at string) ([]netip.AddrPort, error) {
	addr, given := c.Resolve[strings.ToLower(at)]
	if !given {
		return resolve(at)
	}
	_, port, _ := strings.Cut(at[strings.LastIndexByte(at, ':'):], ":")
	number, err := strconv.ParseUint(port, 10, 16)
	return []netip.AddrPort{netip.AddrPortFrom(addr, uint16(number))}, err
}

// tlsFor returns the settings of TLS for a host and port.
func (c *Config) tlsFor(at string) (*tls.Config, error) {
	cfg, err := c.TLS.Config()
	if err != nil {
		return nil, fmt.Errorf("flood: %w", err)
	}
	cfg.ServerName, _, _ = net.SplitHostPort(at)
	if c.TLSResume {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	return cfg, nil
}

// withPort returns the host of a URL with the port that it has or that goes with
// its scheme.
func withPort(host string, secure bool) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	port := "80"
	if secure {
		port = "443"
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// host is one server by its name.
type host struct {
	// addrs are its addresses, at most maxAddrs: those of IPv4 first.
	addrs []netip.AddrPort
	// first is the index of the one to try first: that which worked last.
	first uint8
	tls   *tls.Config // nil without
}

// maxAddrs is how many addresses of a name are tried.
const maxAddrs = 8

// tried are the addresses of a host that one connection has tried, a bit each.
type tried uint8

// next returns the index of the address that is to be tried next. ok is false
// when all were.
func (h *host) next(t tried) (index uint8, ok bool) {
	n := uint8(len(h.addrs))
	for i := range n {
		if index = (h.first + i) % n; t>>index&1 == 0 {
			return index, true
		}
	}
	return 0, false
}

// passes reports whether a connect that failed so leaves the other addresses of
// its host worth a try: nobody listens at this one, or there is no way to it.
func passes(f Failure) bool { return f == Refused || f == Unreachable }

// tryFor is how long a connect to an address may take while its host has another
// one: longer than it takes the kernel to send a lost SYN again (RFC 6298, section 2).
const tryFor = 1500 * time.Millisecond

// errSilent is an address that did not answer a connect in that time.
var errSilent = errors.New("the address does not answer")

// resolve looks a host up once. All connections go to the same of its addresses,
// the first that does not refuse them.
func resolve(host string) ([]netip.AddrPort, error) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return nil, fmt.Errorf("flood: host %q: %w", host, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return nil, fmt.Errorf("flood: host %q: the port is not a number from 1 to 65535", host)
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip.Zone() != "" {
			return nil, fmt.Errorf("flood: host %q: addresses with a zone are not supported", host)
		}
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), uint16(number))}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip", name)
	if err != nil {
		return nil, fmt.Errorf("flood: host %q cannot be found: %w: check its name", name, err)
	}
	return inOrder(ips, uint16(number)), nil
}

// inOrder returns the addresses to try, those of IPv4 first and each once.
func inOrder(ips []netip.Addr, port uint16) []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, four := range []bool{true, false} {
		for _, ip := range ips {
			addr := netip.AddrPortFrom(ip.Unmap(), port)
			if addr.Addr().Is4() == four && !slices.Contains(addrs, addr) {
				addrs = append(addrs, addr)
			}
		}
	}
	return addrs[:min(len(addrs), maxAddrs)]
}

// reachable returns those addresses of a server that every source address can
// reach: both are IPv4, or both IPv6.
func reachable(sources []netip.Addr, servers []netip.AddrPort) ([]netip.AddrPort, error) {
	var all []netip.AddrPort
	var why error
	for _, to := range servers {
		i := slices.IndexFunc(sources, func(from netip.Addr) bool { return from.Is4() != to.Addr().Is4() })
		if i < 0 {
			all = append(all, to)
		} else if why == nil {
			why = fmt.Errorf("flood: source address %v cannot reach %v: give source addresses of the server's kind (IPv4 or IPv6)", sources[i], to)
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	return nil, why
}

// host returns the server of connection i (from 0).
func (t *targets) host(i int) *host { return &t.hosts[t.request(i).at] }
