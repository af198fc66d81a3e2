package bench

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strconv"

	"example.org/comet/server/natsrouter"
	"example.org/comet/sysctl"
)

// plan is which processes there are, and where they meet.
type plan struct {
	pairs []pair
	// routed tells that messages go through a router, ours on listen unless the
	// user has one.
	routed bool
	listen string
	need   sysctl.Need
	// warmUpSources are where the warm-up connects from, if not where the kernel
	// chooses.
	warmUpSources []netip.Addr
}

// pair is a server process and the flood process that fills it. Each pair has
// addresses of its own: many servers on one port would share one accept queue's
// worth of connects a second.
type pair struct {
	listen, admin string
	sources       []string // for flood's --source-ip; none leaves it to the kernel
	firstID       int64
	connections   int
	ids           int64 // 0 is one for each connection
}

func (p pair) lastID() int64 { return p.firstID + cmp.Or(p.ids, int64(p.connections)) - 1 }

// processBytes is what one connection costs in process memory, at both ends,
// with each process's share of what a process costs at all.
const processBytes = 500

// maxPairs is how many have a network of their own in 127.x.0.0/16.
const maxPairs = 256

// makePlan works out processes, addresses and ids, and refuses what this machine
// cannot hold. They are as few processes as the open-file limit allows, each as
// full as the others.
func makePlan(cfg *Config) (plan, error) {
	system, err := sysctl.Read()
	if errors.Is(err, errors.ErrUnsupported) {
		system, err = sysctl.UnknownSystem(), nil
	}
	if err != nil {
		return plan{}, fmt.Errorf("bench: %w", err)
	}
	arrange := planServers
	if cfg.Target != nil {
		arrange = planTarget
	}
	p := arrange(cfg, system)
	if len(p.pairs) > maxPairs {
		return plan{}, fmt.Errorf("%d connections take %d pairs of processes and there are addresses for %d: allow each more open files (ulimit -n), or run with fewer",
			cfg.Connections, len(p.pairs), maxPairs)
	}
	return p, cfg.refusal(p.need, sysctl.Check(p.need, system))
}

// planServers is the plan with servers of ours.
func planServers(cfg *Config, system sysctl.System) plan {
	p := plan{pairs: share(cfg.Connections, cfg.Nodes, room(system))}
	p.routed = len(p.pairs) > 1 || cfg.Nodes > 0 || len(cfg.Router) > 0
	p.need = sysctl.Need{
		Connections: cfg.Connections, Role: sysctl.Both, Processes: len(p.pairs),
		SourceAddresses: len(p.pairs), BytesPerConnection: processBytes,
	}
	if p.routed {
		// Whole blocks of ids belong to one node, so that one wildcard gets it
		// all its messages.
		for i := range p.pairs {
			p.pairs[i].firstID += natsrouter.BlockSize - 1
		}
	}
	p.address(system)
	if len(cfg.Sources) > 0 {
		p.giveSources(cfg)
	}
	return p
}

// room is how many connections one process may hold, 0 where nobody tells.
func room(s sysctl.System) int {
	if !s.OpenFiles.Known() || s.OpenFiles == sysctl.Unlimited {
		return 0
	}
	files := s.OpenFiles
	if s.OpenFilesHard.Known() && s.OpenFilesHard != sysctl.Unlimited {
		files = s.OpenFilesHard
	}
	return max(int(files)-sysctl.Reserve, 1)
}

// share divides connections, and ids from 1, among as many pairs as are asked
// for or, with 0, as few as hold them. With several, all but the last have whole
// blocks.
func share(connections, nodes, room int) []pair {
	if nodes <= 1 && (room == 0 || connections <= room || room < natsrouter.BlockSize) {
		return []pair{{firstID: 1, connections: connections}}
	}
	blocks := (connections + natsrouter.BlockSize - 1) / natsrouter.BlockSize
	if room >= natsrouter.BlockSize {
		fit := room / natsrouter.BlockSize
		nodes = max(nodes, (blocks+fit-1)/fit)
	}
	nodes = min(nodes, blocks) // a node with nothing to hold measures nothing
	pairs := make([]pair, nodes)
	next := int64(1)
	for i := range pairs {
		until := int64((i+1)*blocks/nodes) * natsrouter.BlockSize
		n := min(until, int64(connections)) - next + 1
		pairs[i] = pair{firstID: next, connections: int(n)}
		next += n
	}
	return pairs
}

// address gives each pair addresses of its own.
func (p *plan) address(s sysctl.System) {
	p.listen = "127.0.0.1:0"
	if runtime.GOOS != "linux" {
		for i := range p.pairs {
			p.pairs[i].listen, p.pairs[i].admin = p.listen, p.listen
		}
		return
	}
	streams, others := randomNetworks()
	for i := range p.pairs {
		p.pairs[i].listen = netip.AddrPortFrom(streams(i, 1), 0).String()
		p.pairs[i].admin = netip.AddrPortFrom(others(i, 1), 0).String()
	}
	p.listen = netip.AddrPortFrom(others(0, 254), 0).String()
	p.pickSources(s, others)
}

// randomNetworks have an address for each number of a pair and of a host, those
// of streams apart, so that they can be counted. The whole of 127.0.0.0/8 is
// this machine. An address that nothing used lately has all its ports free, of
// TIME_WAIT as well.
func randomNetworks() (streams, others func(pair, host int) netip.Addr) {
	second, third := byte(16+rand.IntN(100)), byte(rand.IntN(256))
	network := func(second byte) func(pair, host int) netip.Addr {
		return func(pair, host int) netip.Addr {
			return netip.AddrFrom4([4]byte{127, second, third + byte(pair), byte(host)})
		}
	}
	return network(second), network(second + 100)
}

// pickSources gives each flood as many addresses to connect from as it needs.
func (p *plan) pickSources(s sysctl.System, network func(pair, host int) netip.Addr) {
	// Not quite all ports of an address: some are taken.
	perSource := 25_000
	if s.PortLow.Known() && s.PortHigh.Known() {
		perSource = max(int(s.PortHigh-s.PortLow+1)*9/10, 1)
	}
	p.need.SourceAddresses = 0
	for i := range p.pairs {
		n := (p.pairs[i].connections + perSource - 1) / perSource
		p.pairs[i].sources = []string{network(i, 2).String() + "-" + network(i, 1+n).String()}
		p.need.SourceAddresses += n
	}
	p.warmUpSources = []netip.Addr{network(0, 253)}
}

// memlogListen is what memlog counts connections at.
func (p *plan) memlogListen(addrs []string) string {
	if len(addrs) == 1 {
		return addrs[0]
	}
	if first, err := netip.ParseAddrPort(addrs[0]); err == nil && runtime.GOOS == "linux" {
		if network, err := first.Addr().Prefix(16); err == nil {
			return network.String()
		}
	}
	return ""
}

// loops is how many event loops each server is given, 0 if that is its own choice.
func (c *Config) loops(p *plan) int {
	if c.Loops == 0 && len(p.pairs) > 1 {
		return max(runtime.NumCPU()/len(p.pairs), 1)
	}
	return c.Loops
}

func (c *Config) serveArgs(p *plan, i int, router string) []string {
	args := []string{"--listen", p.pairs[i].listen, "--admin", p.pairs[i].admin, "--engine", c.Engine, "--json", "--end-with-stdin"}
	if loops := c.loops(p); loops > 0 {
		args = append(args, "--loops", strconv.Itoa(loops))
	}
	if p.routed {
		args = append(args, "--interest", c.Interest, "--name", fmt.Sprintf("node-%d", i+1))
		args = append(args, c.routerArgs(router)...)
	}
	return args
}

// routerArgs lead a part to the router: the user's own, or ours at url.
func (c *Config) routerArgs(url string) []string {
	if len(c.Router) > 0 {
		return c.Router
	}
	return []string{"--router", url}
}

// floodArgs are those of flood i, which finds its server by the arguments in to.
func (c *Config) floodArgs(p *plan, i int, to []string, log string) []string {
	pair := p.pairs[i]
	args := append(slices.Clone(to),
		"--connections", strconv.Itoa(pair.connections), "--connect-rate", c.ConnectRate, "--in-flight", strconv.Itoa(c.InFlight),
		"--ids", fmt.Sprintf("%d-%d", pair.firstID, pair.lastID()),
		"--json", "--attended",
	)
	if c.ConnectTimeout > 0 {
		args = append(args, "--connect-timeout", c.ConnectTimeout.String())
	}
	for _, line := range c.Header {
		args = append(args, "--header", line)
	}
	if log != "" {
		args = append(args, "--log", log)
	}
	for _, addrs := range pair.sources {
		args = append(args, "--source-ip", addrs)
	}
	if c.Rate == "max" {
		// The window can be no finer than the news of what was delivered.
		args = append(args, "--sample-interval", newsInterval(len(p.pairs)).String())
	}
	return args
}

func (c *Config) msggenArgs(p *plan, a admin, router string) []string {
	first, last := p.pairs[0].firstID, p.pairs[len(p.pairs)-1].lastID()
	if c.Target != nil {
		first, last = c.Target.MessageIDs(c.Connections)
	}
	args := []string{
		"--rate", c.Rate, "--senders", strconv.Itoa(c.Senders),
		"--first-id", strconv.FormatInt(first, 10), "--max-id", strconv.FormatInt(last, 10), "--duration", c.Duration.String(), "--size", c.Size,
		"--distribution", c.Distribution, "--arrivals", c.Arrivals,
		"--seed", strconv.FormatUint(c.Seed, 10), "--window", strconv.Itoa(c.Window), "--json", "--feedback",
	}
	switch {
	case c.Target != nil:
		return append(args, c.Target.publishArgs()...)
	case p.routed:
		return append(args, c.routerArgs(router)...)
	}
	return append(args, "--to", a.url+"/send")
}
