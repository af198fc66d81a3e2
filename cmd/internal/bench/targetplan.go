package bench

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"example.org/comet/flood"
	"example.org/comet/sysctl"
)

// planTarget works out the floods for a server that is not ours: as few as the
// open-file limit allows, each as full as the others.
func planTarget(cfg *Config, system sysctl.System) plan {
	t := cfg.Target
	p := plan{pairs: divide(cfg.Connections, room(system))}
	for i := range p.pairs {
		pair := &p.pairs[i]
		if t.ids(cfg.Connections) < int64(cfg.Connections) {
			pair.firstID, pair.ids = t.firstID(), t.ids(cfg.Connections)
			continue
		}
		pair.firstID += t.firstID() - 1
	}
	p.need = sysctl.Need{
		Connections: cfg.Connections, Role: sysctl.Client, Processes: len(p.pairs), Destinations: len(t.addrs), BytesPerConnection: processBytes,
	}
	if t.here {
		p.need.Role = sysctl.Both
	}
	switch {
	case len(cfg.Sources) > 0:
		p.giveSources(cfg)
	case runtime.GOOS == "linux" && t.loopback4():
		_, others := randomNetworks()
		p.pickSources(system, others)
	default:
		p.need.SourceAddresses = 1 // the kernel chooses
	}
	return p
}

// loopback4 tells whether the target is in 127.0.0.0/8, all of which is this
// machine.
func (t *Target) loopback4() bool {
	for _, addr := range t.addrs {
		if !addr.Addr().Is4() || !addr.Addr().IsLoopback() {
			return false
		}
	}
	return true
}

// divide shares connections, and ids from 1, evenly among as few floods as hold
// them. Without a limit room is 0.
func divide(connections, room int) []pair {
	floods := 1
	if room > 0 {
		floods = (connections + room - 1) / room
	}
	pairs := make([]pair, floods)
	for i := range pairs {
		before := connections * i / floods
		pairs[i] = pair{firstID: int64(before) + 1, connections: connections*(i+1)/floods - before}
	}
	return pairs
}

// giveSources divides the addresses that the user gave among the floods. With
// fewer addresses than floods, some have the same.
func (p *plan) giveSources(cfg *Config) {
	addrs, _ := flood.ParseSources(cfg.Sources) // Config.Validate has seen its error
	n := len(p.pairs)
	for i := range p.pairs {
		from, to := len(addrs)*i/n, len(addrs)*(i+1)/n
		if from == to {
			from, to = i%len(addrs), i%len(addrs)+1
		}
		p.pairs[i].sources = ranges(addrs[from:to])
	}
	p.need.SourceAddresses = len(addrs)
	p.warmUpSources = addrs
}

// ranges writes addresses as --source-ip takes them, neighbours together.
func ranges(addrs []netip.Addr) []string {
	var list []string
	for i := 0; i < len(addrs); {
		last := i
		for last+1 < len(addrs) && addrs[last].Next() == addrs[last+1] {
			last++
		}
		list = append(list, addrs[i].String()+"-"+addrs[last].String())
		i = last + 1
	}
	return list
}

// writeURLs writes the URLs of flood i into the folder, and returns the file's
// name: a command line would not hold them.
func (t *Target) writeURLs(folder string, p *plan, i int) (string, error) {
	before := 0
	for _, earlier := range p.pairs[:i] {
		before += earlier.connections
	}
	var b strings.Builder
	for n := range min(p.pairs[i].connections, len(t.URLs)) {
		b.WriteString(t.URLs[(before+n)%len(t.URLs)] + "\n")
	}
	path := filepath.Join(folder, fmt.Sprintf("urls-%d.txt", i+1))
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return "", fmt.Errorf("bench: the URLs of a flood cannot be written: %w", err)
	}
	return path, nil
}
