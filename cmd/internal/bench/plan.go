package bench

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"runtime"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/flood"
	"example.org/comet/flood/pace"
	"example.org/comet/server/natsrouter/broker"
	"example.org/comet/server/wire"
	"example.org/comet/sysctl"
)

// plan is which processes there are, and where they meet.
type plan struct {
	connections int
	subscribers int // connections of each id
	rate        pace.Rate
	pairs       []pair
	// firstID and lastID are the ids that get messages.
	firstID, lastID int64
	// routed: messages go through a router, ours on listen unless the user has one.
	routed bool
	listen string
	// returns: connections that are lost or leave come back.
	returns bool
	// polls: connections are away between an answer and the next request.
	polls bool
	// certificate is what the servers show, if they speak TLS.
	certificate certificate
	// crowded: every processor has very many pairs with as much work as they can do.
	crowded bool
	// run is the word of the stamps that the generator makes. Those of others than runs
	// are replayed, and count nowhere.
	run  wire.Run
	runs []wire.Run
	need sysctl.Need
	// warmUpSources are where the warm-up connects from; none leaves it to the
	// kernel.
	warmUpSources []netip.Addr
	// perSource is how many connections an address is good for that a run picks;
	// 0 picks none.
	perSource int
	// host returns an address of a pair from which floods may connect: any from 2 on.
	host func(pair, host int) netip.Addr
	cpus int
	// away: the floods are on other hosts, of agents, and reach our own server, which is
	// one, on outside.
	away bool
	// opening is how many connections are opened together, 0 for all.
	opening int
	// neighbors: an agent is on this host, too, as far as its name says so.
	neighbors bool
	outside   string
	// audience is whom events are for, nil where messages are none.
	audience *audience
	terms
}

// pair is a flood process and the server process of ours that it fills. Each pair
// has addresses of its own: many servers on one port would share one accept
// queue's worth of connects per second.
type pair struct {
	listen, admin string
	sources       []netip.Addr // none leaves it to the kernel
	firstID       int64
	connections   int
	ids           int64 // 0: one for each connection
	host          int   // of the agent, where the floods are on several hosts
	// skip is how many of the first id's connections another pair has.
	skip int
}

func (p pair) lastID() int64 { return p.firstID + cmp.Or(p.ids, int64(p.connections)) - 1 }

// maxPairs is how many have a network of their own in 127.x.0.0/16.
const maxPairs = 256

// makePlan works out processes and ids, and refuses what this machine cannot
// hold. It takes as few processes as the open-file limit allows, each as full as
// the others.
func makePlan(cfg *Config, s site) (*plan, error) {
	system, err := sysctl.Read()
	if errors.Is(err, errors.ErrUnsupported) {
		system, err = sysctl.UnknownSystem(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := cfg.divideLoad(s); err != nil {
		return nil, err
	}
	p := s.arrange(cfg, system)
	p.away, p.outside, p.neighbors = cfg.crew != nil, cfg.Listen, cfg.neighbors()
	p.connections, p.subscribers, p.cpus = cfg.Connections, cfg.subscribers(), runtime.NumCPU()
	if total, known := probe.Memory().Total.Value(); known {
		p.need.SpareBytes = spare(p.need, total)
	}
	p.rate, p.returns, p.polls = cfg.Rate, cfg.Streams.Returns(), cfg.Streams.Protocol == flood.Poll
	if len(p.pairs) > maxPairs && !p.away {
		return nil, fmt.Errorf("%d connections take %d pairs of processes and there are addresses for %d: allow each more open files (ulimit -n), or run with fewer",
			cfg.Connections, len(p.pairs), maxPairs)
	}
	if cfg.Graph != nil && p.several() {
		return nil, fmt.Errorf("%d connections take %d servers, and events to followers are measured with one: allow a process more open files (ulimit -n), or open fewer", cfg.Connections, len(p.pairs))
	}
	if p.routed && !cfg.Router.Given() {
		if err := (broker.Config{}).Validate(); err != nil { // a comet that was built without it
			return nil, fmt.Errorf("a router must stand between the messages and the servers of this run: %w", err)
		}
	}
	return p, cfg.refusal(p.need, sysctl.Check(p.need, system))
}

// servers returns the pairs that have a server of ours.
func (p *plan) servers() []pair {
	if p.away {
		return p.pairs[:1]
	}
	return p.pairs
}

// several reports whether the end of one server or flood leaves others to go on.
func (p *plan) several() bool { return len(p.pairs) > 1 }

// room returns how many connections one process may hold, 0 if that is unknown.
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

// divide shares connections, and ids from 1 of which each has so many subscribers,
// evenly among as few floods as hold them. A room of 0 is unlimited.
func divide(connections, subscribers, room int) []pair {
	floods := 1
	if room > 0 {
		floods = (connections + room - 1) / room
	}
	return spread(connections, subscribers, floods)
}

// spread shares connections, and ids from 1, evenly among floods. The connections of an
// id follow each other, so that few floods share one.
func spread(connections, subscribers, floods int) []pair {
	sizes := make([]int, floods)
	for i := range sizes {
		sizes[i] = connections*(i+1)/floods - connections*i/floods
	}
	return spreadSizes(sizes, subscribers)
}

// spreadSizes gives floods of so many connections their ids, from 1.
func spreadSizes(sizes []int, subscribers int) []pair {
	pairs := make([]pair, len(sizes))
	before := 0
	for i, n := range sizes {
		end := before + n
		pairs[i] = pair{firstID: int64(before/subscribers) + 1, connections: end - before}
		if subscribers > 1 {
			pairs[i].skip = before % subscribers
			pairs[i].ids = int64((end-1)/subscribers - before/subscribers + 1)
		}
		before = end
	}
	return pairs
}

// planSources decides where the floods connect from: the addresses that the user
// gave, or, where pick is set, addresses that each run picks.
func (p *plan) planSources(cfg *Config, system sysctl.System, pick bool) {
	switch {
	case cfg.crew != nil: // each has its host's
	case len(cfg.Streams.Sources) > 0:
		p.giveSources(cfg)
	case pick && runtime.GOOS == "linux":
		p.perSource = 25_000
		if system.PortLow.Known() && system.PortHigh.Known() {
			// Not quite all ports of an address: some are taken.
			p.perSource = max(int(system.PortHigh-system.PortLow+1)*9/10, 1)
		}
		p.need.SourceAddresses = 0
		for _, one := range p.pairs {
			p.need.SourceAddresses += p.sourcesOf(one)
		}
	}
}

// sourcesOf returns how many addresses a flood needs.
func (p *plan) sourcesOf(one pair) int { return (one.connections + p.perSource - 1) / p.perSource }

// giveSources divides the addresses that the user gave among the floods. With
// fewer addresses than floods, some share one.
func (p *plan) giveSources(cfg *Config) {
	addrs := cfg.Streams.Sources
	n := len(p.pairs)
	for i := range p.pairs {
		from, to := len(addrs)*i/n, len(addrs)*(i+1)/n
		if from == to {
			from, to = i%len(addrs), i%len(addrs)+1
		}
		p.pairs[i].sources = addrs[from:to]
	}
	p.need.SourceAddresses = len(addrs)
	p.warmUpSources = addrs
}

// address gives the next run a word of its own, and each pair new addresses: the
// ports of the last run's are in TIME_WAIT.
func (p *plan) address() {
	p.run = wire.Run(rand.Uint32N(math.MaxUint32) + 1) // 0 lets a generator pick one
	p.runs = []wire.Run{p.run}
	p.listen = "127.0.0.1:0"
	if runtime.GOOS != "linux" {
		for i := range p.pairs {
			p.pairs[i].listen, p.pairs[i].admin = p.listen, p.listen
		}
		if p.outside != "" {
			p.pairs[0].listen = p.outside
		}
		return
	}
	streams, others := randomNetworks()
	for i := range p.pairs {
		one := &p.pairs[i]
		one.listen = netip.AddrPortFrom(streams(i, 1), 0).String()
		one.admin = netip.AddrPortFrom(others(i, 1), 0).String()
		if p.perSource > 0 {
			one.sources = nil
			for host := range p.sourcesOf(*one) {
				one.sources = append(one.sources, others(i, 2+host))
			}
		}
	}
	if p.perSource > 0 {
		p.warmUpSources = []netip.Addr{others(0, 253)}
	}
	if p.outside != "" {
		p.pairs[0].listen = p.outside
	}
	p.listen = netip.AddrPortFrom(others(0, 254), 0).String()
	p.host = others
}

// randomNetworks return an address for each number of a pair and of a host,
// those of streams apart from the others, so that they can be counted. The whole
// of 127.0.0.0/8 is this machine, and an address that nothing used lately has all
// its ports free.
func randomNetworks() (streams, others func(pair, host int) netip.Addr) {
	second, third := byte(16+rand.IntN(100)), byte(rand.IntN(256))
	network := func(second byte) func(pair, host int) netip.Addr {
		return func(pair, host int) netip.Addr {
			return netip.AddrFrom4([4]byte{127, second, third + byte(pair), byte(host)})
		}
	}
	return network(second), network(second + 100)
}
