package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/server"
	"example.org/comet/server/natsrouter"
	"example.org/comet/sysctl"
)

// own is a site of our own servers, started for each run, with a router between
// them and the messages if there are several.
type own struct {
	engine server.Engine
	client *http.Client

	// Of the run that is under way.
	run     *run
	router  *ownPart
	url     string // the router's
	servers []*ownPart
}

// ownPart is a server or router process.
type ownPart struct {
	*fleet.Process
	addr  string
	admin admin
}

func newOwn(cfg *Config) *own {
	return &own{engine: cfg.Engine, client: &http.Client{Transport: new(http.Transport)}}
}

func (o *own) label() string { return string(o.engine) }

func (o *own) arrange(cfg *Config, system sysctl.System) *plan {
	each := cfg.subscribers()
	p := &plan{pairs: share(cfg.Connections, cfg.Nodes, room(system))}
	if each > 1 { // an id may be at several nodes, and so its block
		fit := len(divide(cfg.Connections, each, room(system)))
		p.pairs = spread(cfg.Connections, each, min(max(cfg.Nodes, fit), cfg.Connections))
	}
	if cfg.crew != nil { // one server for all their floods
		p.pairs = cfg.floods(0)
	}
	p.routed = len(p.pairs) > 1 || cfg.Nodes > 0 || cfg.Router.Given()
	p.need = sysctl.Need{
		Connections: cfg.Connections, Role: sysctl.Both, Processes: len(p.pairs),
		SourceAddresses: len(p.pairs), BytesPerConnection: processBytes, SocketBytes: leastEndBytes,
	}
	if cfg.crew != nil {
		p.routed, p.need.Role, p.need.Processes = false, sysctl.Server, 1
	}
	if p.routed {
		// Whole blocks of ids belong to one node, so that one wildcard brings it
		// all its messages.
		for i := range p.pairs {
			p.pairs[i].firstID += natsrouter.BlockSize - 1
		}
	}
	p.firstID, p.lastID = p.pairs[0].firstID, p.pairs[len(p.pairs)-1].lastID()
	p.terms = terms{
		engine: string(cfg.Engine), fresh: true, here: true, counted: true, each: each,
		blocks:     p.routed && cfg.Interest == natsrouter.Block && each == 1,
		everywhere: p.routed && cfg.Interest == natsrouter.All,
	}
	if cfg.Engine == server.Epoll {
		p.loops = loops(cfg, max(p.need.Processes, 1))
	}
	// Then there is always a pair to run, and one that moves from one processor to
	// another only costs. With less to do, or fewer pairs to share out, a message
	// would wait for a busy processor beside one that is idle.
	p.crowded = cfg.Rate.Unpaced() && len(p.pairs) >= 16*runtime.NumCPU()
	p.planSources(cfg, system, true)
	return p
}

func (o *own) resize(p *plan, cfg *Config) { p.lastID = p.firstID + int64(cfg.rooms()) - 1 }

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

func (o *own) open(ctx context.Context, r *run) error {
	o.run, o.router, o.servers, o.url = r, nil, nil, ""
	if err := o.startRouter(ctx); err != nil {
		return err
	}
	return o.certify()
}

func (o *own) serve(ctx context.Context, pairs int) (int, error) {
	r, there := o.run, len(o.servers)
	started := make([]*ownPart, max(min(pairs, len(r.plan.servers()))-there, 0))
	if len(started) == 0 {
		return 0, nil
	}
	err := fleet.Each(len(started), atOnce, func(k int) (err error) {
		i := there + k
		started[k], err = o.startPart(ctx, r.spec(i, "serve", serveArgs(r.cfg, r.plan, i, o.url)))
		return err
	})
	for _, s := range started {
		if s != nil {
			o.servers = append(o.servers, s)
		}
	}
	if err != nil {
		return len(started), err
	}
	o.announce(there)
	if err := o.warmUpAll(ctx, there); err != nil {
		return len(started), err
	}
	return len(started), o.logMemory(ctx)
}

// logMemory starts the memory log of all servers.
func (o *own) logMemory(ctx context.Context) error {
	var pids []int32
	var addrs, admins []string
	for _, s := range o.servers {
		pids, addrs, admins = append(pids, s.PID), append(addrs, s.addr), append(admins, s.admin.url)
	}
	return o.run.logMemory(ctx, serverArgs(pids, addrs, admins))
}

// certify makes the certificate of the run, if it is over TLS.
func (o *own) certify() (err error) {
	if !o.run.cfg.TLS {
		return nil
	}
	var listen []string
	for _, one := range o.run.plan.servers() {
		listen = append(listen, one.listen)
	}
	o.run.plan.certificate, err = newCertificate(listen)
	return err
}

// startRouter starts our router, if one is needed and the user has none.
func (o *own) startRouter(ctx context.Context) (err error) {
	if !o.run.plan.routed || o.run.cfg.Router.Given() {
		return nil
	}
	o.router, err = o.startPart(ctx, fleet.Spec{Name: "router", Args: routeArgs(o.run.plan)})
	if err != nil {
		return err
	}
	var listening struct{ URL string }
	if err := o.router.Await(ctx, "listening", patience, &listening); err != nil {
		return err
	}
	o.url = listening.URL
	// What its first collection needs is not charged to connections.
	_, err = o.router.admin.collect(ctx)
	return o.named(o.router, err)
}

// startPart starts a server or a router, and returns it once it listens.
func (o *own) startPart(ctx context.Context, spec fleet.Spec) (*ownPart, error) {
	p, err := o.run.start(ctx, spec)
	if err != nil {
		return nil, err
	}
	var listening struct{ Addr, Admin string }
	err = p.Await(ctx, "listening", patience, &listening)
	return &ownPart{Process: p, addr: listening.Addr, admin: admin{"http://" + listening.Admin, o.client}}, err
}

// announce prints which servers were started, beside those that were there.
func (o *own) announce(there int) {
	first, r := o.servers[0], o.run
	if there > 0 {
		r.progress.line("servers  %d now, %d of them new", len(o.servers), len(o.servers)-there)
		return
	}
	if !r.plan.routed {
		r.progress.line("server   pid %d on %s (%s), admin listener %s, for %d connections; results in %s",
			first.PID, first.addr, o.run.cfg.Engine, first.admin.url, o.run.cfg.Connections, r.folder)
		return
	}
	if o.router != nil {
		r.progress.line("router   pid %d on %s", o.router.PID, o.url)
	}
	r.progress.line("servers  %d (%s, interest %s), the first with pid %d on %s, admin listener %s; for %d connections; results in %s",
		len(o.servers), o.run.cfg.Engine, o.run.cfg.Interest, first.PID, first.addr, first.admin.url, o.run.cfg.Connections, r.folder)
}

// warmUpAll warms up each server from a number on through its neighbor, so that a
// router has been in use too.
func (o *own) warmUpAll(ctx context.Context, from int) error {
	ended := o.run.show("start", func() (float64, float64, string) { return 0, uncounted, "warming up" })
	defer ended()
	cold := o.servers[from:]
	for _, s := range cold {
		if err := s.admin.ready(ctx); err != nil {
			return o.named(s, err)
		}
	}
	return fleet.Each(len(cold), 2, func(k int) error { return o.named(cold[k], o.warmUp(ctx, from+k)) })
}

func (o *own) warmUp(ctx context.Context, i int) error {
	ctx, cancel := fleet.WithPatience(ctx, patience, fmt.Errorf("bench: the warm-up took more than %v", patience))
	defer cancel()
	s, other, first := o.servers[i], o.servers[(i+1)%len(o.servers)], o.run.plan.pairs[i].firstID
	// The first collection brings code and tables of the runtime into memory,
	// which are not charged to connections.
	if _, err := s.admin.collect(ctx); err != nil {
		return err
	}
	streams := o.run.cfg.Streams
	streams.Subscribers, streams.Users = 1, nil
	streams.URL, streams.Connections, streams.FirstID, streams.Sources = ownURL(o.run.cfg, s.addr), warmUps, first, nil
	if o.run.cfg.TLS {
		streams.TLS.CAFile = o.run.plan.certificate.certFile
	}
	_, err := warmUp{streams: streams, arrival: patience, must: true, publish: func(ctx context.Context, _ int) error {
		// A long poll is asked for before the server knows of it.
		if err := s.await(ctx, func(connections int64) bool { return connections >= warmUps }); err != nil {
			return err
		}
		var messages bytes.Buffer
		for id := first; id < first+warmUps; id++ {
			fmt.Fprintf(&messages, "%d warm-up\n", id)
		}
		return other.admin.call(ctx, http.MethodPost, "/send", &messages, nil)
	}}.run(ctx)
	if err == nil {
		err = s.await(ctx, func(connections int64) bool { return connections == 0 })
	}
	if err != nil {
		return err
	}
	return s.admin.call(ctx, http.MethodGet, "/metrics", nil, nil)
}

// await waits until the server's number of connections is as wanted.
func (s *ownPart) await(ctx context.Context, wanted func(connections int64) bool) error {
	for {
		t, err := s.admin.traffic(ctx)
		if err != nil {
			return err
		}
		if wanted(t.connections) {
			return nil
		}
		if err := fleet.Wait(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// named returns err with the name of the part that it is about.
func (o *own) named(p *ownPart, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoAnswer):
		return fleet.Hung(p.Process, "does not answer: "+err.Error())
	}
	return fmt.Errorf("%v: %w", p.Process, err)
}

func (o *own) streams(i int) (string, []string) {
	return ownURL(o.run.cfg, o.servers[min(i, len(o.servers)-1)].addr), nil
}

func (o *own) publisher() []string {
	if o.run.plan.routed {
		return routerArgs(o.run.cfg, o.url)
	}
	return intakeArgs(o.servers[0].admin.url)
}

func (o *own) members(time.Time) (list []member) {
	if o.router != nil {
		list = append(list, ours("router", 1, o.router.Process))
	}
	for i, s := range o.servers {
		list = append(list, ours("server", i+1, s.Process))
	}
	return list
}

func (o *own) await(context.Context, time.Time) error { return nil }

func (o *own) traffic(ctx context.Context) (*traffic, error) {
	var mu sync.Mutex
	sum := &traffic{dropped: make(map[string]uint64)}
	err := o.each(func(_ int, s *ownPart) error {
		one, err := s.admin.traffic(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		sum.add(one)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sum, nil
}

func (o *own) collect(ctx context.Context) (map[probe.Part]result.Figure, error) {
	var mu sync.Mutex
	left := make(map[probe.Part]result.Figure)
	err := o.each(func(i int, s *ownPart) error {
		bytes, err := s.admin.collect(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		left[probe.Part{Role: "server", Number: i + 1}] = bytes
		return nil
	})
	return left, err
}

// each calls do for every server that is not lost, some at a time. The end of one
// that others stand in for is not an error.
func (o *own) each(do func(i int, s *ownPart) error) error {
	return fleet.Each(len(o.servers), atOnce, func(i int) error {
		s := o.servers[i]
		if o.run.fleet.Lost(s.Process) {
			return nil
		}
		return o.named(s, o.run.unlessLost(s.Process, do(i, s)))
	})
}

func (o *own) gone() error { return nil }

func (o *own) hung(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	parts := o.servers
	if o.router != nil {
		parts = append([]*ownPart{o.router}, parts...)
	}
	return fleet.Each(len(parts), len(parts), func(i int) error {
		err := parts[i].admin.call(ctx, http.MethodGet, "/healthz", nil, nil)
		if err == nil || parts[i].Ended() || context.Cause(ctx) != context.DeadlineExceeded { //nolint:errorlint // as WithTimeout sets it
			return nil
		}
		return fleet.Hung(parts[i].Process, fmt.Sprintf("does not answer its admin listener within %v: is it stopped, or swapped out?", askPatience))
	})
}

// askPatience is how long a server may take to say that it is alive.
const askPatience = 5 * time.Second

func (o *own) close() []string {
	o.client.CloseIdleConnections()
	o.run.plan.certificate.remove()
	return nil
}

func (o *own) leave() {}
