package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.org/comet/flood"
)

// atOnce is how many processes are started at a time: each wants a processor for
// some 50 ms.
const atOnce = 4

// startAll brings up all parts but the generator, and warms the servers up.
func (e *experiment) startAll(ctx context.Context) error {
	e.machineStart = memoryInUse()
	find := e.startServers
	if e.cfg.Target != nil {
		find = e.meetTarget
	}
	if err := find(ctx); err != nil {
		return err
	}
	e.settled = time.Now()
	n := len(e.plan.pairs)
	floods := make([]*floodProcess, n)
	err := each(n, atOnce, func(i int) (err error) {
		floods[i], err = e.startFlood(ctx, i)
		return err
	})
	for _, f := range floods {
		if f != nil {
			e.floods = append(e.floods, f)
		}
	}
	if err != nil {
		return err
	}
	if err := wait(ctx, time.Second); err != nil { // for the memory to settle
		return err
	}
	if err := e.awaitServerLog(ctx); err != nil {
		return err
	}
	e.start = e.measure(withPSS)
	e.slabsStart = readSlabs()
	e.tcpStart = readTCPCounters()
	return nil
}

// startServers brings up our servers, warm, and what watches them.
func (e *experiment) startServers(ctx context.Context) error {
	if err := e.startRouter(ctx); err != nil {
		return err
	}
	n := len(e.plan.pairs)
	started := make([]*server, n)
	err := each(n, atOnce, func(i int) (err error) {
		started[i], err = e.startServer(ctx, i)
		return err
	})
	for _, s := range started {
		if s != nil {
			e.servers = append(e.servers, s)
		}
	}
	if err != nil {
		return err
	}
	e.announce()
	if err := e.warmUpAll(ctx); err != nil {
		return err
	}
	return e.startMemlog()
}

func (e *experiment) announce() {
	first := e.servers[0]
	if !e.plan.routed {
		e.progress.line("server   pid %d on %s (%s), admin listener %s, %d connections to come; results in %s",
			first.pid(), first.addr, e.cfg.Engine, first.admin.url, e.cfg.Connections, e.folder)
		return
	}
	if e.router != nil {
		e.progress.line("router   pid %d on %s", e.router.pid(), e.routerURL)
	}
	e.progress.line("servers  %d (%s, interest %s), the first with pid %d on %s, admin listener %s; %d connections to come; results in %s",
		len(e.servers), e.cfg.Engine, e.cfg.Interest, first.pid(), first.addr, first.admin.url, e.cfg.Connections, e.folder)
}

func (e *experiment) startRouter(ctx context.Context) error {
	if !e.plan.routed || len(e.cfg.Router) > 0 {
		return nil
	}
	var err error
	if e.router, err = e.spawn(alone, nil, "router", "--listen", e.plan.listen, "--admin", e.plan.listen, "--json", "--end-with-stdin"); err != nil {
		return err
	}
	var listening struct{ URL, Admin string }
	if err := e.router.await(ctx, "listening", patience, &listening); err != nil {
		return err
	}
	e.routerURL = listening.URL
	// As of the servers: what its first collection needs is no connection's.
	_, err = admin{"http://" + listening.Admin}.collect(ctx)
	return err
}

func (e *experiment) startServer(ctx context.Context, i int) (*server, error) {
	c, err := e.spawn(i, nil, "serve", e.cfg.serveArgs(&e.plan, i, e.routerURL)...)
	if err != nil {
		return nil, err
	}
	s := &server{child: c}
	var listening struct{ Addr, Admin string }
	err = c.await(ctx, "listening", patience, &listening)
	s.addr, s.admin = listening.Addr, admin{"http://" + listening.Admin}
	return s, err
}

// warmUpAll warms up each server through its neighbour, so that a router has
// been in use too.
func (e *experiment) warmUpAll(ctx context.Context) error {
	ended := e.show("start", func() (float64, float64, string) { return 0, uncounted, "warming up" })
	defer ended()
	for _, s := range e.servers {
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	return each(len(e.servers), 2, func(i int) error {
		s := e.servers[i]
		return warmUp(ctx, s.addr, e.plan.pairs[i].firstID, s.admin, e.servers[(i+1)%len(e.servers)].admin)
	})
}

func (e *experiment) startMemlog() error {
	addrs := make([]string, len(e.servers))
	pids := make([]string, len(e.servers))
	for i, s := range e.servers {
		addrs[i], pids[i] = s.addr, fmt.Sprint(s.pid())
	}
	args := []string{"--pid", strings.Join(pids, ","), "--no-children"}
	if listen := e.plan.memlogListen(addrs); listen != "" {
		args = append(args, "--listen", listen)
	}
	if len(e.servers) == 1 {
		args = append(args, "--stats", e.servers[0].admin.url+"/stats")
	}
	return e.logMemory(args...)
}

// logMemory starts what writes the memory log, about what the arguments say.
func (e *experiment) logMemory(what ...string) (err error) {
	interval := e.cfg.Interval
	if interval == 0 {
		interval = sampleInterval(e.cfg.Connections)
	}
	args := append(slices.Clone(what), "--interval", interval.String(), "--out", filepath.Join(e.folder, memLog), "--end-with-stdin")
	if e.memlog, err = e.spawn(alone, nil, "memlog", args...); err != nil {
		return err
	}
	giveWay(e.memlog.cmd.Process.Pid) // to what it watches
	return nil
}

// sampleInterval keeps the witness from disturbing: to count a million sockets
// takes the kernel 0.7 s.
func sampleInterval(connections int) time.Duration {
	return max(time.Second, (time.Duration(connections) * 60 * time.Microsecond).Round(time.Second))
}

// newsInterval is how often a flood tells what was delivered, where a window
// waits for it: so that all together tell it some hundred times a second.
func newsInterval(floods int) time.Duration {
	return min(max(20*time.Millisecond, time.Duration(floods)*5*time.Millisecond), 250*time.Millisecond)
}

func (e *experiment) startFlood(ctx context.Context, i int) (*floodProcess, error) {
	f := new(floodProcess)
	log := ""
	if !e.several() {
		log = filepath.Join(e.folder, floodLog)
	}
	to, err := e.streams(i)
	if err != nil {
		return nil, err
	}
	f.child, err = e.spawn(i, func(line []byte) { e.floodSample(f, line) }, "flood", e.cfg.floodArgs(&e.plan, i, to, log)...)
	if err != nil {
		return nil, err
	}
	return f, f.await(ctx, "ready", patience, nil)
}

// streams are the arguments by which flood i finds its server.
func (e *experiment) streams(i int) ([]string, error) {
	t := e.cfg.Target
	switch {
	case t == nil:
		return []string{"http://" + e.servers[i].addr + "/test/{id}"}, nil
	case len(t.URLs) == 0:
		return []string{t.URL}, nil
	}
	file, err := t.writeURLs(e.folder, &e.plan, i)
	return []string{"--urls", file}, err
}

// floodSample takes a line from a flood as it comes.
func (e *experiment) floodSample(f *floodProcess, line []byte) {
	var s flood.Sample
	if json.Unmarshal(line, &s) != nil {
		return // a line that was cut off with its process
	}
	f.live.Store(&s)
	if s.Busy != nil && e.msggen.Load() != nil {
		e.busy.add(*s.Busy)
	}
}
