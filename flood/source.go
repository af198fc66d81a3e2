package flood

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
)

// maxSources bounds what a range of source addresses may be.
const (
	maxSourceBits = 16
	maxSources    = 1 << maxSourceBits
)

// ParseSources reads source addresses such as 127.0.0.2, 127.0.0.2-127.0.0.18, or
// 127.0.1.0/24.
func ParseSources(texts []string) ([]netip.Addr, error) {
	var addrs []netip.Addr
	for _, text := range texts {
		first, last, err := parseRange(text)
		if err != nil {
			return nil, fmt.Errorf("flood: source address %q: %w", text, err)
		}
		for a := first; ; a = a.Next() {
			if len(addrs) == maxSources {
				return nil, fmt.Errorf("flood: source address %q: more than %d addresses", text, maxSources)
			}
			addrs = append(addrs, a)
			if a == last {
				break
			}
		}
	}
	return addrs, nil
}

func parseRange(text string) (first, last netip.Addr, err error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Addr().Is4In6() {
			return first, last, errors.New("write a prefix as 127.0.1.0/24")
		}
		if p.Addr().BitLen()-p.Bits() > maxSourceBits {
			return first, last, fmt.Errorf("more than %d addresses", maxSources)
		}
		first, last = p.Masked().Addr(), p.Masked().Addr()
		for p.Contains(last.Next()) {
			last = last.Next()
		}
		return first, last, nil
	}
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		to = from
	}
	first, err = netip.ParseAddr(from)
	if err == nil {
		last, err = netip.ParseAddr(to)
	}
	first, last = first.Unmap(), last.Unmap()
	if err != nil || first.BitLen() != last.BitLen() || last.Less(first) || first.Zone() != "" || last.Zone() != "" {
		return first, last, errors.New("write 127.0.0.2, 127.0.0.2-127.0.0.18 or 127.0.1.0/24")
	}
	return first, last, nil
}

// sources hands out the addresses and ports to connect from. Ports are chosen
// here and not by the kernel, whose search collapses once half of its range is
// taken.
type sources struct {
	addrs  []netip.Addr
	low    uint16
	count  int    // ports in the range
	next   uint64 // how many were handed out
	offset int    // where in the range the first one is
	inUse  int    // how many in a row, up to the last one, were taken
}

func newSources(addrs []netip.Addr) (*sources, error) {
	if len(addrs) == 0 {
		return &sources{}, nil
	}
	low, high, err := portRange()
	if err != nil {
		return nil, err
	}
	count := int(high) - int(low) + 1
	return &sources{addrs: addrs, low: low, count: count, offset: rand.IntN(count)}, nil
}

// take returns the next pair of address and port. ok is false when the kernel
// chooses both.
func (s *sources) take() (from netip.AddrPort, ok bool) {
	if len(s.addrs) == 0 {
		return from, false
	}
	addrs := uint64(len(s.addrs))
	addr := s.addrs[s.next%addrs]
	port := uint64(s.low) + (s.next/addrs+uint64(s.offset))%uint64(s.count)
	s.next++
	return netip.AddrPortFrom(addr, uint16(port)), true
}

// works notes that the last pair was usable.
func (s *sources) works() { s.inUse = 0 }

// taken notes that the last pair was in use, and reports whether to try another.
// Once all of them were in use, each connection tries only one: that finds a port
// that becomes free without searching them all every time.
func (s *sources) taken() (more bool) {
	s.inUse++
	return s.inUse < s.count*len(s.addrs)
}

// parsePortRange reads net.ipv4.ip_local_port_range.
func parsePortRange(text string) (low, high uint16, err error) {
	fields := strings.Fields(text)
	if len(fields) == 2 {
		l, errLow := strconv.ParseUint(fields[0], 10, 16)
		h, errHigh := strconv.ParseUint(fields[1], 10, 16)
		if errLow == nil && errHigh == nil && l <= h {
			return uint16(l), uint16(h), nil
		}
	}
	return 0, 0, fmt.Errorf("flood: the port range %q is not two numbers", text)
}
