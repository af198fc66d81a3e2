package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"example.org/comet/cmd/internal/agent"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/sysctl"
)

func TestAgentsNeedAnAddress(t *testing.T) {
	agents := flags.Agents{Count: 2}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"without agents": {func(*Config) {}, ""},
		"listen alone":   {func(c *Config) { c.Listen = "10.0.0.5:8000" }, "is for the hosts of agents"},
		"neither":        {func(c *Config) { c.Agents = agents }, "give --listen ADDRESS:PORT, one of this host that they reach, or --url"},
		"ours":           {func(c *Config) { c.Agents, c.Listen = agents, "10.0.0.5:8000" }, ""},
		"any port":       {func(c *Config) { c.Agents, c.Listen = agents, "[fd00::5]:0" }, ""},
		"a port alone":   {func(c *Config) { c.Agents, c.Listen = agents, ":8000" }, `--listen ":8000" is no address that other hosts reach`},
		"every address":  {func(c *Config) { c.Agents, c.Listen = agents, "0.0.0.0:8000" }, "is no address that other hosts reach"},
		"a name":         {func(c *Config) { c.Agents, c.Listen = agents, "web1:8000" }, "is no address that other hosts reach"},
		"another's":      {func(c *Config) { c.Agents, c.Target, c.Engine = agents, &Target{URL: "http://h/{id}"}, "" }, ""},
		"both": {func(c *Config) {
			c.Agents, c.Target, c.Engine, c.Listen = agents, &Target{URL: "http://h/{id}"}, "", "10.0.0.5:80"
		}, "leave --listen or --url out"},
		"several of our own":   {func(c *Config) { c.Agents, c.Listen, c.Nodes = agents, "10.0.0.5:8000", 2 }, "leave the nodes out"},
		"a router for our own": {func(c *Config) { c.Agents, c.Listen, c.Router.URLs = agents, "10.0.0.5:8000", []string{"nats://r"} }, "without a router"},
		"events": {func(c *Config) {
			c.Agents, c.Listen, c.Graph = agents, "10.0.0.5:8000", &Graph{File: "f"}
		}, "leave out the agents, or the subscriptions"},
	} {
		cfg := config(t)
		c.change(&cfg)
		err := cfg.checkAgents()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if all := cfg.Validate(); c.want != "" && !strings.Contains(fmt.Sprint(all), c.want) {
			t.Errorf("%s: not among all that is wrong: %v", name, all)
		}
	}
}

// TestFloodsOfAgents: each has the ids behind those of the one before it.
func TestFloodsOfAgents(t *testing.T) {
	source := []netip.Addr{netip.MustParseAddr("10.0.0.7")}
	cfg := config(t)
	cfg.Connections, cfg.crew = 12, new(agent.Crew)
	cfg.shares = []agent.Share{{Host: 0, Connections: 3}, {Host: 1, Connections: 4, Sources: source}, {Host: 1, Connections: 5}}
	said := func(pairs []pair) string {
		var list []string
		for _, p := range pairs {
			list = append(list, fmt.Sprintf("host %d: %d, ids %d-%d, skip %d, from %v", p.host, p.connections, p.firstID, p.lastID(), p.skip, p.sources))
		}
		return strings.Join(list, "; ")
	}
	if got, want := said(cfg.floods(100)), "host 0: 3, ids 1-3, skip 0, from []; host 1: 4, ids 4-7, skip 0, from [10.0.0.7]; host 1: 5, ids 8-12, skip 0, from []"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	cfg.Streams.Subscribers = 4
	if got, want := said(cfg.floods(100)), "host 0: 3, ids 1-1, skip 0, from []; host 1: 4, ids 1-2, skip 3, from [10.0.0.7]; host 1: 5, ids 2-3, skip 3, from []"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}

	// One server of ours has them all.
	cfg.Streams.Subscribers, cfg.Agents, cfg.Listen = 1, flags.Agents{Count: 2}, "127.77.0.1:0"
	p := newOwn(&cfg).arrange(&cfg, sysctl.UnknownSystem())
	p.away, p.outside = true, cfg.Listen
	p.address()
	if len(p.servers()) != 1 || len(p.pairs) != 3 || p.routed || p.pairs[0].listen != cfg.Listen || strings.HasPrefix(p.pairs[0].admin, "127.77.") || p.lastID != 12 || p.need.Role != sysctl.Server || p.need.Processes != 1 {
		t.Errorf("%+v", p)
	}
	if one := p.servers(); !strings.HasPrefix(one[0].admin, "127.") {
		t.Errorf("the admin listener is on %s", one[0].admin)
	}
	// All open theirs at the same time: what is in flight is divided.
	cfg.Streams.InFlight, cfg.Streams.Ramp = 120, "6:1s,12:2s"
	p.connections = 12
	if c := floodCommand(&cfg, p, p.pairs[1], "").Config; c.InFlight != 40 || c.Ramp != "2:1s,4:2s" || !slices.Equal(c.Sources, source) {
		t.Errorf("%d in flight, ramp %s, from %v", c.InFlight, c.Ramp, c.Sources)
	}
}

// TestFillAll: all hosts fill at the same time, each a few floods at a time.
func TestFillAll(t *testing.T) {
	r, _ := onStage(t, new(stage))
	one, two := new(agent.Host), new(agent.Host)
	floods := []*floodPart{{agent: one}, {agent: one}, {agent: one}, {agent: two}}
	var mu sync.Mutex
	filled := make(map[*agent.Host]int)
	var both sync.WaitGroup
	both.Add(2)
	err := r.fillAll(floods, 1, func(f *floodPart) error {
		mu.Lock()
		filled[f.agent]++
		first := filled[f.agent] == 1
		mu.Unlock()
		if first { // waits for the first one of the other host
			both.Done()
			both.Wait()
		}
		return nil
	})
	if err != nil || filled[one] != 3 || filled[two] != 1 {
		t.Errorf("%v, %v", filled, err)
	}
	failure := errors.New("no")
	if err := r.fillAll(floods, 1, func(*floodPart) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
}

// TestClockErrorOfAgents: what was measured counts as what messages show does.
func TestClockErrorOfAgents(t *testing.T) {
	for name, c := range map[string]struct {
		off, lead float64
		early     uint64
		want      string // p50, p90, clock_error_ms
		notes     []string
	}{
		"little":                {0.1, 0, 0, "1.5 2 0.1", nil},
		"over a tenth":          {0.25, 0, 0, "1.5 2 0.25", []string{"more than a tenth of p50 (17 %), p90 (12 %)."}},
		"above some":            {1.75, 0, 0, "null 2 1.75", []string{"The clocks of the agents are known to 1.75 ms, so p50 is not known."}},
		"messages show more":    {0.1, 2.5, 3, "null null 2.5", []string{"3 messages came up to 2.50 ms before they were due"}},
		"messages show as much": {2.5, 0.1, 3, "null null 2.5", []string{"so p50, p90 are not known."}},
	} {
		rec, p := made(whole, func(rec *record, _ *plan) {
			rec.clockError = result.Of(c.off)
			counted(rec, func(r *flood.Result) { r.BeforeDue, r.BeforeDueMS = c.early, c.lead })
		})
		r := figures(rec, p)
		if got := strings.Join([]string{show(r.Latency.P50), show(r.Latency.P90), show(r.Latency.ClockError)}, " "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		notes := strings.Join(r.Notes, " ")
		if c.notes == nil && notes != "" {
			t.Errorf("%s: notes %q", name, notes)
		}
		for _, want := range c.notes {
			if !strings.Contains(notes, want) {
				t.Errorf("%s: %q is not in %q", name, want, notes)
			}
		}
	}
	rec, p := made(whole, func(rec *record, _ *plan) { rec.clockTrouble = errors.New("nobody answers") })
	if r := figures(rec, p); show(r.Latency.P50) != "null" || show(r.Latency.ClockError) != "null" || r.Histograms.Latency != "" || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "nobody answers") {
		t.Errorf("%+v, %q", r.Latency, r.Notes)
	}
}

// TestFiguresOfAgents: each has what all its floods did, and one without a flood nothing.
func TestFiguresOfAgents(t *testing.T) {
	rec, p := made(whole, func(rec *record, _ *plan) {
		rec.agents = []result.Agent{{Name: "web2", Host: "h2", Cores: 4, ClockOffset: result.Of(-3)}, {Name: "web3", Lost: "silent"}}
		for i, connections := range []int{10, 20} {
			one := probe.Part{Role: "flood", Number: 7 + i}
			for s, cpu := range map[*probe.Snapshot]int{&rec.begun: 1, &rec.connected: 3, &rec.sending: 4, &rec.ended: 9} {
				s.Usage[one] = probe.Usage{CPU: result.Of(cpu)}
			}
			rec.parts = append(rec.parts, part{Part: one, agent: "web2", connections: result.Of(connections)})
		}
	})
	want := []result.Agent{
		{Name: "web2", Host: "h2", Cores: 4, ClockOffset: result.Of(-3), Connections: result.Of(30), ConnectCPU: result.Of(4), MessagesCPU: result.Of(10)},
		{Name: "web3", Lost: "silent", Connections: result.Of(0)},
	}
	if got := figures(rec, p).Processes.Agents; !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}

// TestSpreadAway: a trial of few connections has some on each host.
func TestSpreadAway(t *testing.T) {
	p := &plan{pairs: []pair{{connections: 30}, {host: 1, connections: 30}, {host: 2, connections: 30, sources: []netip.Addr{netip.MustParseAddr("10.0.0.2")}}, {host: 2, connections: 30, sources: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}}}
	said := func(list []*segment) string {
		var texts []string
		for _, one := range list {
			texts = append(texts, fmt.Sprintf("%d:%d-%d", one.host, one.from, one.to))
		}
		return strings.Join(texts, " ")
	}
	missing := []*segment{{from: 0, to: 20}, {from: 40, to: 41}, {from: 50, to: 54}}
	if got := said(p.spreadAway(missing)); got != "0:0-20 0:40-41 0:50-54" {
		t.Errorf("without agents: %s", got)
	}
	p.away = true
	if got, want := said(p.spreadAway(missing)), "0:0-5 1:5-10 2:10-20 2:40-41 0:50-51 1:51-52 2:52-54"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := fmt.Sprint(p.sourcesAt(2), p.sourcesAt(0)); got != "[10.0.0.1 10.0.0.2] []" {
		t.Errorf("%s", got)
	}
}
