package flood

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// targets makes the request of each connection from a template, which costs no
// memory per connection.
type targets struct {
	requests []request // one, or one per URL
	hosts    []host
	header   string // every line of the head but the first and Host
	ownHost  bool   // header has a Host line
	first    int64  // the ids for {id}
	count    int64
}

// request is one URL, taken apart: its path is before + id + after.
type request struct {
	host          string
	before, after string
	hasID         bool
	at            int // index in targets.hosts
}

// parseURL takes a URL apart, without resolving its host. The host is as it goes
// into the Host header.
func parseURL(text string) (request, error) {
	// {id} is not a valid character of a URL; a number stands in for it that is
	// not in the URL. A 1 with zeros behind it does not overlap itself, so digits
	// beside {id} do not move where it is found again.
	standIn := "10000"
	for strings.Contains(text, standIn) {
		standIn += "0"
	}
	u, err := url.Parse(strings.ReplaceAll(text, idHole, standIn))
	if err != nil {
		return request{}, fmt.Errorf("URL %q: %w", text, err)
	}
	switch {
	case u.Scheme != "http":
		return request{}, fmt.Errorf("URL %q: write http://host:port/path; other schemes are not spoken", text)
	case u.Hostname() == "" || strings.Contains(u.Host, standIn):
		return request{}, fmt.Errorf("URL %q: a host must follow http://", text)
	case u.User != nil:
		return request{}, fmt.Errorf("URL %q: a name and password are not sent; give a header `Authorization: Basic …`", text)
	case strings.Count(text, idHole) > 1:
		return request{}, fmt.Errorf("URL %q: {id} may stand in it once", text)
	}
	path := u.RequestURI()
	before, after, hasID := strings.Cut(path, standIn)
	switch {
	case strings.Contains(path, " "):
		return request{}, fmt.Errorf("URL %q: write %%20 for a space", text)
	case hasID != strings.Contains(text, idHole):
		return request{}, fmt.Errorf("URL %q: {id} must stand in the path or the query", text)
	}
	return request{host: u.Host, before: before, after: after, hasID: hasID}, nil
}

func newTargets(cfg Config) (*targets, error) {
	t := &targets{first: cfg.FirstID, count: cfg.LastID - cfg.FirstID + 1}
	ownAgent := false
	for _, line := range cfg.Header {
		name, _, _ := strings.Cut(line, ":")
		t.ownHost = t.ownHost || strings.EqualFold(name, "Host")
		ownAgent = ownAgent || strings.EqualFold(name, "User-Agent")
		t.header += line + "\r\n"
	}
	if !ownAgent {
		t.header += "User-Agent: comet-flood\r\n"
	}
	known := make(map[string]int) // host -> index in hosts
	for _, text := range cfg.urls() {
		r, err := parseURL(text)
		if err != nil {
			return nil, fmt.Errorf("flood: %w", err)
		}
		index, ok := known[r.host]
		if !ok {
			addrs, err := resolve(r.host)
			if err == nil {
				addrs, err = reachable(cfg.Sources, addrs)
			}
			if err != nil {
				return nil, err
			}
			index = len(t.hosts)
			t.hosts = append(t.hosts, host{addrs: addrs})
			known[r.host] = index
		}
		r.at = index
		t.requests = append(t.requests, r)
	}
	return t, nil
}

// host is one server by its name.
type host struct {
	// addrs are its addresses, at most maxAddrs: those of IPv4 first.
	addrs []netip.AddrPort
	// first is the index of the one to try first: that which worked last.
	first uint8
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

// resolve looks a host up once. All connections go to the same of its addresses,
// the first that does not refuse them.
func resolve(host string) ([]netip.AddrPort, error) {
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
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
func (t *targets) host(i int) *host { return &t.hosts[t.requests[i%len(t.requests)].at] }

// append appends the request head of connection i (from 0).
func (t *targets) append(dst []byte, i int) []byte {
	r := &t.requests[i%len(t.requests)]
	dst = append(dst, "GET "...)
	dst = append(dst, r.before...)
	if r.hasID {
		dst = strconv.AppendInt(dst, t.first+int64(i)%t.count, 10)
		dst = append(dst, r.after...)
	}
	dst = append(dst, " HTTP/1.1\r\n"...)
	if !t.ownHost {
		dst = append(dst, "Host: "...)
		dst = append(dst, r.host...)
		dst = append(dst, "\r\n"...)
	}
	dst = append(dst, t.header...)
	return append(dst, "\r\n"...)
}
