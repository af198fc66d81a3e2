package flood

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// targets makes the request of each connection. With a template that costs no
// memory per connection.
type targets struct {
	requests []request // one, or one per URL
	addrs    []netip.AddrPort
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
	addr          int // index in targets.addrs
}

// parseURL takes a URL apart, without resolving its host. The host is written
// as it goes into the Host header.
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
	known := make(map[string]int) // host -> index in addrs
	for _, text := range cfg.urls() {
		r, err := parseURL(text)
		if err != nil {
			return nil, fmt.Errorf("flood: %w", err)
		}
		index, ok := known[r.host]
		if !ok {
			addr, err := resolve(r.host)
			if err != nil {
				return nil, err
			}
			index = len(t.addrs)
			t.addrs = append(t.addrs, addr)
			known[r.host] = index
		}
		r.addr = index
		t.requests = append(t.requests, r)
	}
	return t, nil
}

// resolve looks a host up once; all connections then go to the same address.
func resolve(host string) (netip.AddrPort, error) {
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("flood: host %q: %w", host, err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return netip.AddrPort{}, fmt.Errorf("flood: host %q: the port is not a number from 1 to 65535", host)
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		if ip.Zone() != "" {
			return netip.AddrPort{}, fmt.Errorf("flood: host %q: addresses with a zone are not supported", host)
		}
		return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip", name)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("flood: host %q cannot be found: %w", name, err)
	}
	for _, ip := range ips {
		if ip = ip.Unmap(); ip.Is4() {
			return netip.AddrPortFrom(ip, uint16(number)), nil
		}
	}
	return netip.AddrPortFrom(ips[0], uint16(number)), nil
}

// append appends the request head of connection i (from 0) and returns the
// address that it goes to.
func (t *targets) append(dst []byte, i int) ([]byte, netip.AddrPort) {
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
	return append(dst, "\r\n"...), t.addrs[r.addr]
}
