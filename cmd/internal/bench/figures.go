package bench

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/memlog"
	"example.org/comet/memlog/series"
)

// result makes the result of what was measured; the rest stays null.
func (e *experiment) result(failure error) *result.Result {
	r := &result.Result{Interrupted: failure != nil, Environment: result.ReadEnvironment(e.started), Settings: maps.Clone(e.cfg.Settings)}
	if r.Settings == nil {
		r.Settings = make(map[string]any)
	}
	if failure != nil {
		r.InterruptedBy = failure.Error()
	}
	r.Connections.Asked = result.Of(e.cfg.Connections)
	if e.servers != nil {
		r.Processes.Servers = result.Of(len(e.servers))
	} else if s := e.start.servers; len(s) > 0 && s[0] != nil && s[0].Procs > 0 {
		r.Processes.Servers = result.Of(s[0].Procs)
	}
	if e.floods != nil {
		r.Processes.Floods = result.Of(len(e.floods))
	}
	r.Processes.Lost = e.lost
	if e.cfg.Target != nil {
		r.Processes.Target = e.cfg.Target.label()
	} else {
		r.Processes.Engine = e.cfg.Engine
	}
	if e.generated != nil {
		r.Settings["seed"] = e.generated.Seed
	}
	e.connectFigures(r)
	e.memoryFigures(r)
	if e.generated != nil && e.drained && (e.statsAfter != nil || e.cfg.Target != nil) {
		e.messageFigures(r)
	}
	r.Processes.List = e.processes()
	r.LimitedBy = e.limitedBy(r, failure)
	return r
}

func (e *experiment) connectFigures(r *result.Result) {
	if !e.connected.taken {
		return
	}
	t := e.totals()
	r.Connections.Established = result.Of(t.Established())
	r.Connections.Failed = result.Of(t.Failed)
	r.Connections.Closed = result.Of(t.Closed)
	r.Connect.Seconds = result.Of(e.connectSeconds)
	r.Connect.PerSecond = r.Connections.Established.Per(r.Connect.Seconds)
	r.Connect.Latency = quantilesOf(e.merged(func(f *floodProcess) *flood.Quantiles {
		if f.ended != nil {
			return f.ended.FirstByte
		}
		if f.connected != nil && !e.several() {
			return f.connected.FirstByte
		}
		return nil
	}))
	r.Connect.ServerCPUSeconds = cpuBetween(e.start.servers, e.connected.servers)
	r.Connect.FloodCPUSeconds = cpuBetween(e.start.floods, e.connected.floods)
	if e.serverHere() {
		r.Connect.ListenOverflows = difference(e.tcpStart.listenOverflows, e.tcpConnected.listenOverflows)
	}
	r.Connect.Retransmits = difference(e.tcpStart.retransmits, e.tcpConnected.retransmits)
}

// merged is one distribution of those of all floods, nil if there is none.
func (e *experiment) merged(of func(*floodProcess) *flood.Quantiles) *flood.Quantiles {
	var parts []*flood.Quantiles
	for _, f := range e.floods {
		if q := of(f); q != nil {
			parts = append(parts, q)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	q, err := flood.Merge(parts...)
	if err != nil {
		return nil
	}
	return q
}

// difference is to - from, where both are known.
func difference(from, to *int64) result.Figure {
	if from == nil || to == nil {
		return noFigure
	}
	return result.Of(*to - *from)
}

func quantilesOf(q *flood.Quantiles) result.Quantiles {
	if q == nil {
		return result.Quantiles{}
	}
	return result.Quantiles{P50: result.Of(q.P50), P90: result.Of(q.P90), P99: result.Of(q.P99), Max: result.Of(q.Max)}
}

func (e *experiment) memoryFigures(r *result.Result) {
	m := &r.Memory
	established := r.Connections.Established
	m.RSSStart = sum(e.start.servers, rssOf)
	m.RSSIdle = sum(e.idle.servers, rssOf)
	m.RSSEnd = sum(e.end.servers, rssOf)
	m.RSSPeak = e.peak()
	m.PSSStart = sum(e.start.servers, pssOf)
	m.PSSIdle = sum(e.idle.servers, pssOf)
	m.PSSPerConnection = m.PSSIdle.Per(established)
	before, after := sumBoth(e.start.servers, e.idle.servers, rssOf)
	m.BytesPerConnection = after.Minus(before).Per(established)
	if e.afterGC != nil {
		m.BytesPerConnectionAfterGC = result.Of(*e.afterGC).Minus(before).Per(established)
	}
	m.KernelBytesPerConnection = difference(e.slabsStart.total, e.slabsIdle.total).Per(established).Times(e.endsShare())
	m.Slabs = e.slabFigures(established)
	if e.serverHere() {
		m.Machine = difference(e.machineStart, e.machineIdle)
	}
	if end := difference(e.machineStart, e.machineEnd); end != noFigure && m.Machine != noFigure {
		a, _ := m.Machine.Value()
		b, _ := end.Value()
		m.Machine = result.Of(max(a, b))
	}
	before, after = sumBoth(e.start.floods, e.idle.floods, rssOf)
	r.Flood.BytesPerConnection = after.Minus(before).Per(established)
	if e.router != nil {
		before, after = sumBoth([]*memlog.Usage{e.start.router}, []*memlog.Usage{e.idle.router}, rssOf)
		r.Router.BytesPerConnection = after.Minus(before).Per(established)
	}
}

// serverHere tells whether the server shares this machine's kernel.
func (e *experiment) serverHere() bool { return e.cfg.Target == nil || e.cfg.Target.here }

// endsShare is one end's share of what the kernel takes here for a connection:
// where both ends are here they cost the same.
func (e *experiment) endsShare() float64 {
	if e.serverHere() {
		return 0.5
	}
	return 1
}

// slabFigures are the kernel's caches that grew by a byte a connection or more,
// for one end of it.
func (e *experiment) slabFigures(established result.Figure) map[string]result.Figure {
	figures := make(map[string]result.Figure)
	for name, after := range e.slabsIdle.caches {
		f := result.Of(after - e.slabsStart.caches[name]).Per(established).Times(e.endsShare())
		if n, ok := f.Value(); ok && n >= 1 {
			figures[name] = f
		}
	}
	if len(figures) == 0 {
		return nil
	}
	return figures
}

// processes are the parts one by one.
func (e *experiment) processes() []result.Process {
	var list []result.Process
	row := func(role string, i int, at func(*usages) *memlog.Usage) result.Process {
		p := result.Process{Role: role, Number: i + 1}
		figure := func(u *usages, of func(*memlog.Usage) result.Figure) result.Figure {
			usage := at(u)
			if usage == nil {
				return noFigure
			}
			return of(usage)
		}
		p.RSSStart, p.RSSIdle, p.RSSEnd = figure(&e.start, rssOf), figure(&e.idle, rssOf), figure(&e.end, rssOf)
		p.PSSIdle = figure(&e.idle, pssOf)
		p.ConnectCPU = figure(&e.connected, cpuOf).Minus(figure(&e.start, cpuOf))
		p.MessagesCPU = figure(&e.after, cpuOf).Minus(figure(&e.before, cpuOf))
		return p
	}
	add := func(role string, i int, c *child, connections int, at func(*usages) *memlog.Usage) {
		p := row(role, i, at)
		p.PID, p.Lost = result.Of(c.pid()), e.isLost(c)
		if connections >= 0 {
			p.Connections = result.Of(connections)
		}
		list = append(list, p)
	}
	nth := func(all []*memlog.Usage, i int) *memlog.Usage {
		if i < len(all) {
			return all[i]
		}
		return nil
	}
	if e.router != nil {
		add("router", 0, e.router, -1, func(u *usages) *memlog.Usage { return u.router })
	}
	if t := e.cfg.Target; t != nil && t.measured() {
		p := row("server", 0, func(u *usages) *memlog.Usage { return nth(u.servers, 0) })
		if len(t.pids) == 1 {
			p.PID = result.Of(t.pids[0])
		}
		list = append(list, p)
	}
	for i, s := range e.servers {
		connections := -1
		if i < len(e.floods) {
			connections = e.floods[i].latest().Established()
		}
		add("server", i, s.child, connections, func(u *usages) *memlog.Usage { return nth(u.servers, i) })
	}
	for i, f := range e.floods {
		add("flood", i, f.child, f.latest().Established(), func(u *usages) *memlog.Usage { return nth(u.floods, i) })
	}
	return list
}

// peak is the server's highest memory in its log or at the end of a phase.
func (e *experiment) peak() result.Figure {
	highest := series.Unknown
	for _, u := range []usages{e.start, e.connected, e.idle, e.before, e.after, e.end} {
		if n, ok := sum(u.servers, rssOf).Value(); ok {
			highest = max(highest, int64(n))
		}
	}
	for _, s := range e.memorySamples() {
		if s.RSSKB != series.Unknown {
			highest = max(highest, s.RSSKB*1024)
		}
	}
	if highest < 0 {
		return noFigure
	}
	return result.Of(highest)
}

// memorySamples reads the memory log.
func (e *experiment) memorySamples() []series.Sample {
	file, err := os.Open(filepath.Join(e.folder, memLog))
	if err != nil {
		return nil
	}
	defer file.Close()
	samples, _, _ := series.ReadAll(file, memLog) // what can be read is what there is
	return samples
}

func (e *experiment) messageFigures(r *result.Result) {
	m, g, f := &r.Messages, e.generated, e.totals()
	if rate, err := strconv.ParseFloat(fmt.Sprint(r.Settings["rate"]), 64); err == nil {
		m.AskedPerSecond = result.Of(rate)
	}
	m.Sent = result.Of(g.Sent)
	m.Unaddressed = e.unaddressed(r)
	if e.statsAfter != nil {
		e.serverFigures(m)
	}
	m.Delivered = result.Of(f.Delivered)
	m.Duplicated = result.Of(f.Duplicated)
	m.Reordered = result.Of(f.Reordered)
	m.Missing = m.Sent.Minus(m.Unaddressed).Minus(m.Delivered)
	if e.cfg.Target != nil {
		// Nobody tells what was unaddressed; where every message was for one of the
		// connections, and all stand, nothing was.
		m.Missing, m.Unaddressed = noFigure, noFigure
		if e.cfg.Target.oneForEach(e.cfg.Connections) && e.allStand(r) {
			m.Missing = m.Sent.Minus(m.Delivered)
		}
	}
	latest := 0.0
	for _, one := range e.floods {
		if one.ended != nil {
			latest = max(latest, one.ended.MessageSeconds)
		}
	}
	if latest > 0 {
		m.DeliveredPerSecond = m.Delivered.Per(result.Of(latest))
	}
	e.latencyFigures(r)
	e.cpuFigures(r)
}

// serverFigures are what our servers say of the messages.
func (e *experiment) serverFigures(m *result.Messages) {
	m.Routed = result.Of(e.statsAfter.Routed - e.statsBefore.Routed)
	dropped := map[string]uint64{
		"closed": e.statsAfter.DroppedClosed - e.statsBefore.DroppedClosed,
		"slow":   e.statsAfter.DroppedSlow - e.statsBefore.DroppedSlow,
		// Of a node that could not keep up with the router.
		"overrun": e.statsAfter.DroppedOverrun - e.statsBefore.DroppedOverrun,
	}
	m.DroppedBy = make(map[string]result.Figure)
	m.Dropped = result.Of(0)
	for reason, n := range dropped {
		m.Dropped = plus(m.Dropped, result.Of(n))
		if n > 0 {
			m.DroppedBy[reason] = result.Of(n)
		}
	}
}

func (e *experiment) latencyFigures(r *result.Result) {
	q := e.merged(func(f *floodProcess) *flood.Quantiles {
		if f.ended == nil {
			return nil
		}
		return f.ended.Latency
	})
	if q != nil && e.cfg.Rate != "max" {
		r.Latency = result.Latency{
			P50: result.Of(q.P50), P90: result.Of(q.P90), P99: result.Of(q.P99), P999: result.Of(q.P999), Max: result.Of(q.Max),
			ClockError: result.Of(0), // one machine, one clock
		}
	} else if q != nil {
		r.Service = new(quantilesOf(q))
	}
}

func (e *experiment) cpuFigures(r *result.Result) {
	r.CPU.Server = cpuBetween(e.before.servers, e.after.servers)
	r.CPU.Flood = cpuBetween(e.before.floods, e.after.floods)
	if e.router != nil {
		r.CPU.Router = cpuBetween([]*memlog.Usage{e.before.router}, []*memlog.Usage{e.after.router})
	}
	if e.generatorCPU != nil {
		r.CPU.Msggen = result.Seconds(*e.generatorCPU)
	}
	r.Memlog.CPUSecondsPerSample = cpuBetween([]*memlog.Usage{e.before.memlog}, []*memlog.Usage{e.after.memlog}).Per(e.samplesBetween())
}

// unaddressed is how many messages were to ids with nobody there. A router does
// not tell; the servers do of the ids that they get, all of them with interest
// in whole blocks. Where every connection stands there are none.
func (e *experiment) unaddressed(r *result.Result) result.Figure {
	if !e.generated.ReachUnknown {
		return result.Of(e.generated.Unaddressed)
	}
	if e.allStand(r) {
		return result.Of(0)
	}
	if e.cfg.Interest == "block" && len(e.lost) == 0 && e.statsAfter != nil {
		return result.Of(e.statsAfter.Unaddressed - e.statsBefore.Unaddressed)
	}
	return noFigure
}

// allStand tells whether every connection was established and still is.
func (e *experiment) allStand(r *result.Result) bool {
	closed, known := r.Connections.Closed.Value()
	return known && closed == 0 && r.Connections.Established == r.Connections.Asked
}

// samplesBetween counts the memory samples of the message phase.
func (e *experiment) samplesBetween() result.Figure {
	if e.before.memlog == nil || e.after.memlog == nil {
		return noFigure
	}
	n := 0
	for _, s := range e.memorySamples() {
		if s.Time.After(e.before.memlog.Time) && !s.Time.After(e.after.memlog.Time) {
			n++
		}
	}
	return result.Of(n)
}

// mean is the mean of numbers that several goroutines add. The zero value has
// none.
type mean struct {
	mu  sync.Mutex
	sum float64
	n   int
}

func (m *mean) add(x float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sum += x
	m.n++
}

func (m *mean) mean() *float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n == 0 {
		return nil
	}
	return new(m.sum / float64(m.n))
}
