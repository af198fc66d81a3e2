package agent

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"example.org/comet/sysctl"
)

// Load is what hosts share.
type Load struct {
	Connections int
	// Destinations counts the distinct addresses of the server, 0 means 1.
	Destinations int
	// Sources are the addresses to connect from; none leaves it to each host's kernel.
	Sources []netip.Addr
}

// Share is what one process of a host opens.
type Share struct {
	Host        int // its number, from 0
	Connections int
	Sources     []netip.Addr
}

// A Refusal is the error that hosts cannot do what they are to do: nothing was started.
type Refusal struct{ error }

// Unwrap returns the error itself.
func (r Refusal) Unwrap() error { return r.error }

func refuse(format string, args ...any) error {
	return Refusal{fmt.Errorf("agent: "+format, args...)}
}

// Divide shares connections among hosts: equally many for each, unless one cannot hold
// that many and the others can. Each host uses those of the source addresses that are
// its own, and has as many processes as its limit on open files takes. The shares are in
// the order of the hosts, and each has a connection at least. An error is a [Refusal].
func Divide(load Load, hosts []*Host) ([]Share, error) {
	if load.Connections < len(hosts) {
		return nil, refuse("%d connections cannot be divided among %d agents: open more, or ask for fewer", load.Connections, len(hosts))
	}
	sources, err := divideSources(load.Sources, hosts)
	if err != nil {
		return nil, err
	}
	holds := make([]int, len(hosts))
	for i, h := range hosts {
		holds[i] = h.holds(load, len(sources[i]))
	}
	counts := level(load.Connections, holds)
	if counts == nil {
		return nil, tooMany(load.Connections, hosts, holds)
	}
	var shares []Share
	for i, n := range counts {
		if n == 0 {
			continue
		}
		processes := hosts[i].processes(n)
		for k := range processes {
			shares = append(shares, Share{Host: i, Connections: n*(k+1)/processes - n*k/processes, Sources: part(sources[i], k, processes)})
		}
	}
	return shares, nil
}

// level returns as equal counts as there can be, of which none is more than its bound;
// nil if there are none.
func level(all int, bounds []int) []int {
	counts := make([]int, len(bounds))
	order := make([]int, len(bounds)) // those with the lowest bound first
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return bounds[a] - bounds[b] })
	left := all
	for k, i := range order {
		rest := len(order) - k
		counts[i] = min(left/rest, bounds[i])
		left -= counts[i]
	}
	if left > 0 {
		return nil
	}
	return counts
}

// tooMany returns the error that the hosts cannot hold the connections, with what each
// can.
func tooMany(connections int, hosts []*Host, holds []int) error {
	var each []string
	sum := 0
	for i, h := range hosts {
		sum += holds[i]
		each = append(each, fmt.Sprintf("%s %s", h.Name, sysctl.Value(holds[i])))
	}
	return refuse("%s connections are more than the %s that the agents can open (%s): ask for more agents, or see what stops each with `comet sysctl -c N --role client` there",
		sysctl.Value(connections), sysctl.Value(sum), strings.Join(each, ", "))
}

// holds returns how many connections the host can open, from so many source addresses.
func (a *Announcement) holds(load Load, sources int) int {
	most := math.MaxInt32
	need := sysctl.Need{
		Connections: load.Connections, Role: sysctl.Client, SourceAddresses: sources, Destinations: load.Destinations,
		Processes: a.processes(load.Connections),
	}
	for _, l := range sysctl.Check(need, a.System) {
		if l.Hard && l.Short {
			most = min(most, l.MaxConnections)
		}
	}
	return most
}

// processes returns how many processes it takes for connections, by the limit on the
// open files of one.
func (a *Announcement) processes(connections int) int {
	files := a.System.OpenFiles
	if hard := a.System.OpenFilesHard; hard.Known() && hard > files {
		files = hard
	}
	if !files.Known() || files == sysctl.Unlimited {
		return 1
	}
	room := max(int(files)-sysctl.Reserve, 1)
	return max((connections+room-1)/room, 1)
}

// divideSources gives each address to the host whose own it is. Of several, as where
// agents share a host or the address is a loopback one, it goes to the one that has
// fewest.
func divideSources(sources []netip.Addr, hosts []*Host) ([][]netip.Addr, error) {
	shares := make([][]netip.Addr, len(hosts))
	if len(sources) == 0 {
		return shares, nil
	}
	for _, addr := range sources {
		to := -1
		for i, h := range hosts {
			if h.owns(addr) && (to < 0 || len(shares[i]) < len(shares[to])) {
				to = i
			}
		}
		if to >= 0 {
			shares[to] = append(shares[to], addr)
		}
	}
	for i, h := range hosts {
		if len(shares[i]) > 0 {
			continue
		}
		// There may be fewer than agents on one host, which then share them.
		shares[i] = slices.DeleteFunc(slices.Clone(sources), func(addr netip.Addr) bool { return !h.owns(addr) })
		if len(shares[i]) == 0 {
			return nil, refuse("none of the source addresses is one of %v, which has %s: name one of its own too, or leave the source addresses out", h, addresses(h.Addresses))
		}
	}
	return shares, nil
}

// owns reports whether a process of the host can connect from an address.
func (a *Announcement) owns(addr netip.Addr) bool {
	if addr.Is4() && addr.IsLoopback() && a.System.OS == "linux" { // all of 127.0.0.0/8
		return true
	}
	return slices.Contains(a.Addresses, addr.Unmap())
}

// addresses lists some addresses for a person.
func addresses(all []netip.Addr) string {
	const most = 6
	var texts []string
	for _, addr := range all {
		if !addr.IsLoopback() && !addr.IsLinkLocalUnicast() && len(texts) < most {
			texts = append(texts, addr.String())
		}
	}
	if len(texts) == 0 {
		return "none but loopback ones"
	}
	return strings.Join(texts, ", ")
}

// part returns part k of n of some addresses, all of them where there are fewer.
func part(all []netip.Addr, k, n int) []netip.Addr {
	if len(all) < n {
		return all
	}
	return all[len(all)*k/n : len(all)*(k+1)/n]
}
