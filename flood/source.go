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
const maxSources = 1 << 16

// ParseSources reads source addresses: 127.0.0.2, 127.0.0.2-127.0.0.18, or
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
		if err != nil {
			return first, last, errors.New("write a prefix as 127.0.1.0/24")
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
	if err != nil || first.BitLen() != last.BitLen() || last.Less(first) {
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
	count  int // ports in the range
	next   int // how many were handed out
	offset int // where in the range the first one is
}

func newSources(addrs []netip.Addr) (*sources, error) {
	low, high, err := portRange()
	if err != nil {
		return nil, err
	}
	count := int(high) - int(low) + 1
	return &sources{addrs: addrs, low: low, count: count, offset: rand.IntN(count)}, nil
}

// take returns the next pair of address and port. ok is false when the kernel
// is to choose both.
func (s *sources) take() (from netip.AddrPort, ok bool) {
	if len(s.addrs) == 0 {
		return from, false
	}
	addr := s.addrs[s.next%len(s.addrs)]
	port := int(s.low) + (s.next/len(s.addrs)+s.offset)%s.count
	s.next++
	return netip.AddrPortFrom(addr, uint16(port)), true
}

// tries is how many pairs there are.
func (s *sources) tries() int { return max(1, s.count*len(s.addrs)) }

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
