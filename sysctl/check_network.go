package sysctl

import (
	"fmt"
	"math"
	"strconv"
)

// The lengths that a server's queues should have, so that clients need not send
// their SYN again a second later in a burst of connects: net.core.somaxconn's
// own default since Linux 5.4, and the least tcp_max_syn_backlog of a machine
// above 128 MB.
const (
	adviseBacklog    = 4096
	adviseSynBacklog = 1024
)

// ports judges the ports of clients. Source address, source port and destination
// identify a connection, so there are ports x sources x destinations (ip(7)).
func ports(n Need, s System) (Limit, bool) {
	if n.Role == Server {
		return Limit{}, false
	}
	each := s.ports()
	if n.PortsPerAddress > 0 {
		each = Value(n.PortsPerAddress)
	}
	if !each.Known() {
		return Limit{}, false
	}
	perSource := saturating(each, Value(n.Destinations))
	all := saturating(perSource, Value(n.SourceAddresses))
	l := limit(pick(s, "net.ipv4.ip_local_port_range", "net.inet.ip.portrange"), n, all, Value(n.Connections), all)
	l.Hard = true
	l.Why = fmt.Sprintf("%s from %s to %s make %s connections of %s",
		plural(each, "port", "ports"), plural(Value(n.SourceAddresses), "source address", "source addresses"),
		plural(Value(n.Destinations), "destination", "destinations"), all, Value(n.Connections))
	l.What = "ports that clients get x source addresses x destinations"
	widen := ""
	if low, high, wide := s.widestPorts(); n.PortsPerAddress == 0 &&
		saturating(saturating(wide, Value(n.Destinations)), Value(n.SourceAddresses)) >= Value(n.Connections) {
		l.Set = []Assignment{{l.Setting, fmt.Sprintf("%d %d", low, high)}}
		widen = fmt.Sprintf("`sudo sysctl -w net.ipv4.ip_local_port_range=\"%d %d\"`", low, high)
		if s.OS == "darwin" {
			l.Set = []Assignment{{"net.inet.ip.portrange.first", strconv.FormatInt(int64(low), 10)}}
			widen = fmt.Sprintf("`sudo sysctl -w net.inet.ip.portrange.first=%d`", low)
		}
	}
	l.Mend = mendPorts(n, perSource, widen)
	return l, true
}

func mendPorts(n Need, perSource Value, widen string) string {
	if perSource == 0 {
		if widen == "" {
			return "free some ports for clients"
		}
		return "widen the range with " + widen
	}
	sources := (Value(n.Connections) + perSource - 1) / perSource
	mend := fmt.Sprintf("use %s source addresses (--source-ip 127.0.0.2-127.0.0.%d if the server is on this machine)", sources, sources+1)
	if sources > 253 {
		mend = fmt.Sprintf("use %s source addresses (--source-ip)", sources)
	}
	if widen != "" {
		mend += ", or widen the range with " + widen
	}
	return mend
}

// conntrack judges the table of a firewall that tracks connections. It drops the
// packets of those that have no room there (the kernel's
// Documentation/networking/nf_conntrack-sysctl.rst). A module that is loaded and
// idle limits nothing.
func conntrack(n Need, s System) (Limit, bool) {
	if !s.ConntrackMax.Known() || s.ConntrackCount <= 0 {
		return Limit{}, false
	}
	needed := plus(s.ConntrackCount, Value(n.Connections))
	l := limit("net.netfilter.nf_conntrack_max", n, s.ConntrackMax, needed, s.ConntrackMax-s.ConntrackCount)
	l.Hard = true
	l.Why = fmt.Sprintf("the firewall can track %s connections, tracks %s now, and %s will be added",
		s.ConntrackMax, s.ConntrackCount, Value(n.Connections))
	l.What = "connections that the firewall can keep track of"
	l.assign(headroom(needed))
	return l, true
}

// backlog judges the queue of connections that wait to be accepted. The kernel
// drops the handshakes that find it full (listen(2)).
func backlog(n Need, s System) (Limit, bool) {
	l, ok := advise(pick(s, "net.core.somaxconn", "kern.ipc.somaxconn"), n, s.Backlog, adviseBacklog,
		"connections wait to be accepted")
	l.What = "connections that may wait to be accepted"
	return l, ok
}

// synBacklog judges the queue of handshakes under way. The kernel heeds it only
// where it sends no SYN cookies (listen(2), and tcp_conn_request of
// net/ipv4/tcp_input.c, which keeps the last quarter for known peers).
func synBacklog(n Need, s System) (Limit, bool) {
	l, ok := advise("net.ipv4.tcp_max_syn_backlog", n, s.SynBacklog, adviseSynBacklog,
		"handshakes are under way")
	l.What = "handshakes that may be under way"
	if s.SynCookies > 0 {
		l.What = "not heeded while net.ipv4.tcp_syncookies is on"
		l.Why, l.Short = l.What, false
	}
	return l, ok
}

// advise judges a queue. One that is too short delays connects by a second or
// more and loses none, so it bounds no number of connections.
func advise(setting string, n Need, now, want Value, what string) (Limit, bool) {
	if n.Role == Client || !now.Known() {
		return Limit{}, false
	}
	needed := min(want, Value(n.Connections))
	l := limit(setting, n, now, needed, math.MaxInt)
	l.Short = now < needed
	l.Why = fmt.Sprintf("while more than %s %s, a client waits a second or more for its retry", now, what)
	l.assign(needed)
	return l, true
}
