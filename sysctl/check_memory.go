package sysctl

import "fmt"

// memory judges the memory of the machine. Sockets are kernel memory, which
// cannot be swapped out.
func memory(n Need, s System) (Limit, bool) {
	now := s.MemAvailable
	if !now.Known() {
		now = s.MemFree
	}
	if !now.Known() {
		return Limit{}, false
	}
	available := size(now) + " of this machine's memory is available"
	if n.SpareBytes > 0 {
		available += fmt.Sprintf(", of which %s must stay free", size(Value(n.SpareBytes)))
		now = max(0, now-Value(n.SpareBytes))
	}
	l := memoryLimit("kernel memory", n, now)
	l.What = "sockets cannot be swapped out; this is what is available"
	l.Why = fmt.Sprintf("%s, and %s", memoryClause(n), available)
	l.Mend = fmt.Sprintf("free %s here", size(n.bytes()-now))
	return l, true
}

func memoryLimit(setting string, n Need, left Value) Limit {
	l := limit(setting, n, left, n.bytes(), left/n.each())
	l.Now, l.Needed = size(left), size(n.bytes())
	l.Hard = true
	return l
}

func memoryClause(n Need) string {
	ends := "one end"
	if n.Role == Both {
		ends = "both ends"
	}
	kind := "kernel memory"
	if n.BytesPerConnection > 0 {
		kind = "memory"
	}
	return fmt.Sprintf("%s connections with %s here take about %s of %s", Value(n.Connections), ends, size(n.bytes()), kind)
}

// tcpMem judges the pages of TCP's buffers. A socket at rest holds none, one with
// an unread message at least one. Above the limit TCP drops what arrives, and
// the peer sends it again (tcp(7), tcp_mem).
func tcpMem(n Need, s System) (Limit, bool) {
	if !s.TCPMemPages.Known() {
		return Limit{}, false
	}
	needed := saturating(n.ends(), Value(n.Connections))
	l := limit("net.ipv4.tcp_mem", n, s.TCPMemPages, needed, s.TCPMemPages/n.ends())
	l.Why = fmt.Sprintf("TCP may buffer %s pages and a message waiting on each of %s sockets takes %s",
		s.TCPMemPages, needed, needed)
	l.What = "pages that all TCP buffers may take"
	pages := fmt.Sprintf("%d %d %d", max(needed/2, s.TCPMemMin), max(needed/4*3, s.TCPMemPressure), needed)
	l.Set = []Assignment{{l.Setting, pages}}
	l.Mend = fmt.Sprintf("raise it with `sudo sysctl -w %s=%q`", l.Setting, pages)
	if left := s.bufferPages(n); left.Known() && needed > left {
		// Dropped packets are sent again; a machine out of memory stays down.
		l.Set = nil
		l.Mend = fmt.Sprintf("leave it: beside the sockets there is memory for %s pages; the limit is met only if that many sockets have unread messages at once", left)
	}
	return l, true
}

// bufferPages returns how many pages of buffers there is memory for beside the
// connections.
func (s *System) bufferPages(n Need) Value {
	if !s.MemAvailable.Known() || s.PageSize <= 0 {
		return Unknown
	}
	return max(0, s.MemAvailable-n.bytes()) / s.PageSize
}
