package sockdiag

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Filter chooses sockets by their local end. The zero Filter chooses all.
type Filter struct {
	// Prefix holds the local address; the zero Prefix means any address, of
	// IPv4 and of IPv6. An IPv4 prefix also chooses the sockets of a listener
	// on [::] whose peer came by IPv4 (::ffff:127.0.0.1).
	Prefix netip.Prefix
	// Port is the local port; 0 means any.
	Port uint16
}

// ParseFilter reads a port ("8000", ":8000"), an address with a port
// ("127.0.0.1:8000", "[::1]:8000"), an address, or a prefix with or without a
// port ("127.0.0.0/8", "127.0.0.0/8:8000", "[fd00::]/64:8000"). The wildcard
// of a listener reads as what that listener gets: 0.0.0.0:8000 is any IPv4
// address, [::]:8000 any address at all.
func ParseFilter(s string) (Filter, error) {
	if port, err := parsePort(strings.TrimPrefix(s, ":")); err == nil {
		return Filter{Port: port}, nil
	}
	addr, bits, port, err := splitFilter(s)
	if err != nil {
		return Filter{}, fmt.Errorf("sockdiag: %q chooses no sockets: %w; write a port (8000), an address with a port (127.0.0.1:8000) or a prefix (10.0.0.0/8)", s, err)
	}
	return Filter{Prefix: prefixOf(addr, bits), Port: port}, nil
}

// splitFilter reads ADDR[/BITS][:PORT]; bits is -1 if there are none.
func splitFilter(s string) (addr netip.Addr, bits int, port uint16, err error) {
	if a, err := netip.ParseAddr(s); err == nil { // an IPv6 address without brackets has no port
		return a, -1, 0, nil
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Addr(), p.Bits(), 0, nil
	}
	host := s
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		if port, err = parsePort(s[i+1:]); err != nil {
			return addr, 0, 0, err
		}
		host = s[:i]
	}
	host, length, hasLength := strings.Cut(host, "/")
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if addr, err = netip.ParseAddr(host); err != nil {
		return addr, 0, 0, fmt.Errorf("%q is not an IP address", host)
	}
	bits = -1
	if hasLength {
		bits, err = strconv.Atoi(length)
		if err != nil || bits < 0 || bits > addr.BitLen() {
			return addr, 0, 0, fmt.Errorf("/%s is not a prefix length of %s", length, addr)
		}
	}
	return addr, bits, port, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port from 1 to 65535", s)
	}
	return uint16(n), nil
}

// prefixOf makes a Prefix of what was written; bits -1 means a single address,
// or what a listener on it gets if it is a wildcard.
func prefixOf(addr netip.Addr, bits int) netip.Prefix {
	addr = addr.WithZone("") // a Prefix has none, and a local address is local anyway
	if bits < 0 {
		switch addr {
		case netip.IPv6Unspecified():
			return netip.Prefix{}
		case netip.IPv4Unspecified():
			return netip.PrefixFrom(addr, 0)
		}
		bits = addr.BitLen()
	}
	return normal(netip.PrefixFrom(addr, bits))
}

// normal writes a prefix of v4-mapped addresses as the IPv4 prefix it stands
// for, and clears the bits behind its length.
func normal(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// String writes the filter as ParseFilter reads it.
func (f Filter) String() string {
	port := ""
	if f.Port != 0 {
		port = ":" + strconv.Itoa(int(f.Port))
	}
	switch {
	case !f.Prefix.IsValid():
		if port == "" {
			return "[::]"
		}
		return port
	case f.Prefix == netip.PrefixFrom(netip.IPv4Unspecified(), 0):
		return "0.0.0.0" + port
	}
	host := f.Prefix.Addr().String()
	if f.Prefix.Addr().Is6() && port != "" {
		host = "[" + host + "]"
	}
	if !f.Prefix.IsSingleIP() || f.Prefix.Addr().IsUnspecified() {
		host += "/" + strconv.Itoa(f.Prefix.Bits())
	}
	return host + port
}

// match reports whether the filter chooses a socket at this local end. The
// kernel's bytecode does the same; see appendProgram.
func (f Filter) match(local netip.AddrPort) bool {
	if f.Port != 0 && f.Port != local.Port() {
		return false
	}
	if !f.Prefix.IsValid() {
		return true
	}
	p := normal(f.Prefix)
	return p.Contains(local.Addr()) || p.Contains(local.Addr().Unmap())
}

func matchAny(filters []Filter, local netip.AddrPort) bool {
	for _, f := range filters {
		if f.match(local) {
			return true
		}
	}
	return len(filters) == 0
}
