package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"example.org/comet/cmd/internal/agent"
	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/result"
)

// checkAgents returns what cannot be with agents, or without them.
func (c *Config) checkAgents() error {
	if !c.Agents.Given() {
		if c.Listen != "" {
			return errors.New("bench: an address to listen on is for the hosts of agents: without them our own server takes one that only this machine reaches")
		}
		return nil
	}
	switch {
	case c.Target == nil && c.Listen == "":
		return errors.New("bench: the agents are on other hosts, which do not reach a server of our own on a loopback address: give --listen ADDRESS:PORT, one of this host that they reach, or --url for a server that is there already")
	case c.Target != nil && c.Listen != "":
		return errors.New("bench: an address to listen on is for our own server, and another one is to be measured: leave --listen or --url out")
	case c.Nodes > 0 || c.Router.Given():
		return errors.New("bench: with agents our own server is one, without a router between it and the messages: leave the nodes out")
	case c.Graph != nil:
		return errors.New("bench: events to followers are measured from one host: leave out the agents, or the subscriptions")
	}
	if addr, err := netip.ParseAddrPort(c.Listen); c.Listen != "" && (err != nil || addr.Addr().IsUnspecified()) {
		return fmt.Errorf("bench: --listen %q is no address that other hosts reach: write one of this host's, and a port or 0, such as 10.0.0.5:8000", c.Listen)
	}
	return nil
}

// muster calls the agents together, if any are wanted.
func (c *Config) muster(ctx context.Context) (err error) {
	if c.Agents.Given() {
		c.crew, err = agent.Muster(ctx, agent.Call{Servers: c.Rendezvous, Agents: c.Agents})
	}
	return err
}

// divideLoad shares the connections to a site among the agents.
func (c *Config) divideLoad(s site) (err error) {
	if c.crew == nil {
		return nil
	}
	load := agent.Load{Connections: c.Connections, Sources: c.Streams.Sources}
	if f, ok := s.(*foreign); ok {
		load.Destinations = len(f.addrs)
	}
	c.shares, err = agent.Divide(load, c.crew.Hosts())
	return err
}

// floods shares the connections among floods: those of the agents, or as few as hold
// them here, where each has room for so many.
func (c *Config) floods(room int) []pair {
	if c.crew == nil {
		return divide(c.Connections, c.subscribers(), room)
	}
	sizes := make([]int, len(c.shares))
	for i, share := range c.shares {
		sizes[i] = share.Connections
	}
	pairs := spreadSizes(sizes, c.subscribers())
	for i, share := range c.shares {
		pairs[i].sources, pairs[i].host = share.Sources, share.Host
	}
	return pairs
}

// neighbors reports whether an agent is on a host of the name of this one.
func (c *Config) neighbors() bool {
	host, err := os.Hostname()
	return slices.ContainsFunc(c.crew.Hosts(), func(h *agent.Host) bool { return err != nil || h.Host == host })
}

// startAway starts a flood on the host of an agent.
func (r *run) startAway(ctx context.Context, f *floodPart, what pair, url string, urls []string) (err error) {
	f.agent = r.cfg.crew.Hosts()[what.host]
	cfg := floodCommand(r.cfg, r.plan, what, "").Config
	cfg.URL, cfg.URLs, cfg.ClockOffset = url, urls, r.clocks[what.host].Offset
	f.Process, err = f.agent.Start(ctx, r.fleet, cfg, func(line []byte) { r.sample(f, line) })
	return err
}

// announceAgents prints who opens the connections.
func (r *run) announceAgents() {
	per := make(map[int]int)
	for _, one := range r.plan.pairs {
		per[one.host] += one.connections
	}
	for i, h := range r.cfg.crew.Hosts() {
		r.progress.line("agent    %s, %d cores, for %d connections; its clock is %v off, give or take %v", h, h.Cores, per[i],
			(-r.clocks[i].Offset).Round(time.Microsecond), r.clocks[i].Error.Round(time.Microsecond))
	}
}

// measureClocks measures the clocks of the agents again, and enters how far they may be
// off.
func (r *run) measureClocks(ctx context.Context) {
	if r.cfg.crew == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
	defer cancel()
	off, err := r.cfg.crew.ClockError(ctx, r.clocks)
	if r.rec.clockTrouble = err; err == nil {
		r.rec.clockError = result.Seconds(off).Times(1000)
	}
}

// seeAgents returns who the agents are, how their clocks are set, and which are lost.
func (r *run) seeAgents() (list []result.Agent) {
	millis := func(d time.Duration) result.Figure { return result.Seconds(d).Times(1000) }
	for i, h := range r.cfg.crew.Hosts() {
		one := result.Agent{Name: h.Name, Host: h.Host, Cores: h.Cores}
		if i < len(r.clocks) {
			one.ClockOffset, one.ClockError = millis(-r.clocks[i].Offset), millis(r.clocks[i].Between(h.Clock()))
		}
		if err := h.Lost(); err != nil {
			one.Lost = err.Error()
		}
		list = append(list, one)
	}
	return list
}

// fillAll lets floods go: those of each host a few at a time, those of all hosts
// together.
func (r *run) fillAll(floods []*floodPart, width int, fill func(f *floodPart) error) error {
	hosts := make(map[*agent.Host][]*floodPart)
	var order []*agent.Host
	for _, f := range floods {
		if hosts[f.agent] == nil {
			order = append(order, f.agent)
		}
		hosts[f.agent] = append(hosts[f.agent], f)
	}
	return fleet.Each(len(order), len(order), func(i int) error {
		list := hosts[order[i]]
		return fleet.Each(len(list), width, func(k int) error { return fill(list[k]) })
	})
}

// spreadAway shares the connections of segments among the hosts, as the plan does with
// all, so that a trial with few has some at each. Without agents it returns the segments.
func (p *plan) spreadAway(missing []*segment) (list []*segment) {
	if !p.away {
		return missing
	}
	var hosts []int
	all := 0
	for _, one := range p.pairs {
		for len(hosts) <= one.host {
			hosts = append(hosts, 0)
		}
		hosts[one.host] += one.connections
		all += one.connections
	}
	for _, one := range missing {
		at, before := one.from, 0
		for host, n := range hosts {
			before += n
			if to := one.from + (one.to-one.from)*before/all; to > at {
				list = append(list, &segment{from: at, to: to, host: host})
				at = to
			}
		}
	}
	return list
}

// sourcesAt returns the addresses that the floods of a host connect from.
func (p *plan) sourcesAt(host int) (list []netip.Addr) {
	for _, one := range p.pairs {
		if one.host == host {
			list = append(list, one.sources...)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}
