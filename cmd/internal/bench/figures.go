package bench

import (
	"maps"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// figures computes the result of a run from its record. It leaves out what only
// the caller knows: the environment and the settings.
func figures(rec *record, p *plan) *result.Result {
	r := &result.Result{Interrupted: rec.failure != nil}
	if rec.failure != nil {
		r.InterruptedBy = rec.failure.Error()
	}
	r.Connections.Asked = result.Of(p.connections)
	r.Processes.Engine, r.Processes.Target = p.engine, p.target
	processFigures(rec, r)
	if rec.connected.Taken() {
		connectFigures(rec, p, r)
	}
	memoryFigures(rec, p, r)
	a := newAccount(rec, p)
	a.write(&r.Messages, p.counted)
	r.Notes = append(r.Notes, roomNotes(a, rec, p)...)
	r.Notes = append(r.Notes, friendNotes(a, rec, p)...)
	if rec.connected.Taken() {
		streamFigures(rec, p, r)
	}
	if rec.measured() {
		messageFigures(rec, p, r)
	}
	limits(rec, p, r)
	suspended(rec, r)
	return r
}

// suspended adds when the bench itself was suspended, and takes back the rates
// that span it.
func suspended(rec *record, r *result.Result) {
	for _, s := range rec.paused {
		r.Suspended = append(r.Suspended, result.Suspension{Phase: s.phase, Seconds: result.Seconds(s.d)})
		switch s.phase {
		case "connect":
			r.Connect.Seconds, r.Connect.PerSecond = result.Figure{}, result.Figure{}
		case "messages", "drain":
			r.Messages.DeliveredPerSecond = result.Figure{}
		}
	}
}

// processFigures counts the parts, and lists what is known of each.
func processFigures(rec *record, r *result.Result) {
	servers, floods := rec.begun.Sum("server", func(u probe.Usage) result.Figure { return u.Procs }), result.Figure{}
	var started result.Figure
	toIdle, toMessages, toConnected := rec.idle, rec.ended.Sub(rec.sending), rec.connectedOrIdle().Sub(rec.beforeConnecting())
	for _, one := range rec.parts {
		switch _, known := one.pid.Value(); {
		case one.Role == "server" && known:
			started = result.Add(started, result.Of(1))
		case one.Role == "flood":
			floods = result.Add(floods, result.Of(1))
		}
		r.Processes.List = append(r.Processes.List, result.Process{
			Role: one.Role, Number: one.Number, Agent: one.agent, PID: one.pid, Connections: one.connections, Lost: one.lost,
			RSSStart: rec.begun.Usage[one.Part].RSS, RSSIdle: toIdle.Usage[one.Part].RSS, RSSEnd: rec.ended.Usage[one.Part].RSS,
			PSSIdle: toIdle.Usage[one.Part].PSS, ConnectCPU: toConnected.Usage[one.Part].CPU, MessagesCPU: toMessages.Usage[one.Part].CPU,
		})
	}
	if _, known := servers.Value(); !known {
		servers = started
	}
	r.Processes.Servers, r.Processes.Floods = servers, floods
	r.Processes.Agents = agentFigures(rec.agents, r.Processes.List)
	for _, l := range rec.losses {
		if l.ended {
			r.Processes.Lost = append(r.Processes.Lost, l.what)
		}
	}
}

// agentFigures returns the agents, each with what its floods did.
func agentFigures(agents []result.Agent, floods []result.Process) (list []result.Agent) {
	for _, a := range agents {
		a.Connections = result.Of(0)
		for _, f := range floods {
			if f.Agent == a.Name {
				a.Connections = result.Add(a.Connections, f.Connections)
				a.ConnectCPU, a.MessagesCPU = result.Add(a.ConnectCPU, f.ConnectCPU), result.Add(a.MessagesCPU, f.MessagesCPU)
			}
		}
		list = append(list, a)
	}
	return list
}

// beforeConnecting returns the snapshot before the first connect.
func (rec *record) beforeConnecting() probe.Snapshot {
	if rec.connecting.Taken() {
		return rec.connecting
	}
	return rec.begun
}

// connectedOrIdle returns the snapshot after the last connect, with servers of
// which there was no sample yet as they were when idle: at rest a server uses
// hardly any processor time.
func (rec *record) connectedOrIdle() probe.Snapshot {
	s := rec.connected
	s.Usage = make(map[probe.Part]probe.Usage)
	maps.Copy(s.Usage, rec.idle.Usage)
	maps.Copy(s.Usage, rec.connected.Usage)
	return s
}

func connectFigures(rec *record, p *plan, r *result.Result) {
	t := totals(rec.floods)
	r.Connections.Established = result.Of(t.Established())
	r.Connections.Failed = result.Of(t.Failed)
	r.Connections.Closed = result.Of(t.Closed)
	r.Connect.Seconds = rec.connectSeconds
	r.Connect.PerSecond = r.Connections.Established.Minus(result.Of(rec.held + rec.later())).Per(r.Connect.Seconds)
	firstByte := merged(rec.floods, func(f *flood.Result) *flood.Quantiles { return f.FirstByte })
	r.Connect.Latency, r.Histograms.FirstByte = quantiles(firstByte), histogram(firstByte)
	r.Histograms.Connect = histogram(merged(rec.floods, func(f *flood.Result) *flood.Quantiles { return f.Connect }))
	grown := rec.connectedOrIdle().Sub(rec.beforeConnecting())
	r.Connect.ServerCPUSeconds = grown.Sum("server", probe.CPU)
	r.Connect.FloodCPUSeconds = grown.Sum("flood", probe.CPU)
	if p.here {
		r.Connect.ListenOverflows = grown.TCP.ListenOverflows
	}
	if p.here || !p.away { // else none of their ends are here
		r.Connect.Retransmits = grown.TCP.Retransmits
	}
}

// streamFigures writes what floods timed of each stream, and what became of those
// that ended, were lost or left.
func streamFigures(rec *record, p *plan, r *result.Result) {
	of := func(which func(*flood.Result) *flood.Quantiles) result.Quantiles {
		return quantiles(merged(rec.floods, which))
	}
	r.StreamTimes.FirstMessage = of(func(f *flood.Result) *flood.Quantiles { return f.FirstMessage })
	r.StreamTimes.Gap = of(func(f *flood.Result) *flood.Quantiles { return f.Gap })
	r.StreamTimes.Duration = of(func(f *flood.Result) *flood.Quantiles { return f.Stream })
	t := totals(rec.floods)
	r.Streams = result.Streams{Completed: result.Of(t.Completed), EndedEarly: result.Of(t.Reconnect.Lost)}
	if !p.returns {
		return
	}
	away := of(func(f *flood.Result) *flood.Quantiles { return f.Offline })
	r.Reconnect = result.Reconnect{
		Dropped: result.Of(t.Reconnect.Lost + t.Reconnect.Left), Left: result.Of(t.Reconnect.Left), Attempts: result.Of(t.Reconnect.Attempts),
		Failed: result.Of(t.Reconnect.Failed), Returned: result.Of(t.Reconnect.Back),
		SecondsToP50: away.P50.Times(0.001), SecondsToP99: away.P99.Times(0.001), PeakPerSecond: result.Of(t.Reconnect.PeakPerSecond),
	}
	if missing, _ := r.Messages.Missing.Value(); missing > 0 && !p.counted {
		r.Notes = append(r.Notes, "Messages that were sent to a connection while it was away, and that none followed, count as missing.")
	}
}

// quantiles returns a distribution of milliseconds, null for nil.
func quantiles(q *flood.Quantiles) result.Quantiles {
	if q == nil {
		return result.Quantiles{}
	}
	return result.Quantiles{P50: result.Of(q.P50), P90: result.Of(q.P90), P99: result.Of(q.P99), Max: result.Of(q.Max)}
}

// histogram returns the whole of a distribution, "" if it is nil.
func histogram(q *flood.Quantiles) result.Histogram {
	if q == nil {
		return ""
	}
	return result.Histogram(q.Histogram)
}

func memoryFigures(rec *record, p *plan, r *result.Result) {
	m, established := &r.Memory, r.Connections.Established
	m.RSSStart, m.RSSIdle, m.RSSEnd = rec.begun.Sum("server", probe.RSS), rec.idle.Sum("server", probe.RSS), rec.ended.Sum("server", probe.RSS)
	m.PSSStart, m.PSSIdle = rec.begun.Sum("server", probe.PSS), rec.idle.Sum("server", probe.PSS)
	m.RSSPeak = peak(rec)
	grown := rec.idle.Sub(rec.begun)
	m.PSSPerConnection = m.PSSIdle.Per(established)
	each, reason := perConnection(rec, p, established)
	if m.BytesPerConnection = each; reason != "" {
		r.Notes = append(r.Notes, reason)
	}
	m.BytesPerConnectionAfterGC = perConnectionAfterGC(rec, established)
	r.Flood.BytesPerConnection = grown.Sum("flood", probe.RSS).Per(established)
	r.Router.BytesPerConnection = grown.Sum("router", probe.RSS).Per(established)

	// Where both ends of a connection are here they cost the kernel the same.
	ends := 1.0
	if p.here {
		if !p.away {
			ends = 0.5
		}
		full := rec.connected
		if rec.idle.Taken() {
			full = rec.idle
		}
		m.Machine = result.Most(full.Sub(rec.bare).Machine, rec.ended.Sub(rec.bare).Machine)
	}
	if p.away && (!p.here || p.neighbors) { // none of the ends are here, or it is not known how many
		return
	}
	if bytes, known := grown.Slabs.Value(); known && bytes >= 0 { // else others gave back more
		m.KernelBytesPerConnection = grown.Slabs.Per(established).Times(ends)
	}
	for name, bytes := range grown.Caches {
		each := bytes.Per(established).Times(ends)
		if n, ok := each.Value(); ok && n >= 1 {
			if m.Slabs == nil {
				m.Slabs = make(map[string]result.Figure)
			}
			m.Slabs[name] = each
		}
	}
}

// afterGC returns how much memory the servers have more than at the start, after
// a collection.
func afterGC(rec *record) (grown result.Figure) {
	for part, left := range rec.afterGC {
		grown = result.Add(grown, left.Minus(rec.begun.Usage[part].RSS))
	}
	return grown
}

// peak returns the servers' highest memory in the log or at the end of a phase.
func peak(rec *record) (highest result.Figure) {
	for _, s := range []probe.Snapshot{rec.begun, rec.connected, rec.idle, rec.sending, rec.sent, rec.ended} {
		highest = result.Most(highest, s.Sum("server", probe.RSS))
	}
	for _, s := range rec.samples {
		if s.RSSKB >= 0 {
			highest = result.Most(highest, result.Of(s.RSSKB*1024))
		}
	}
	return highest
}

func messageFigures(rec *record, p *plan, r *result.Result) {
	if p.rate > 0 { // infinite, which no figure is, without a pace
		r.Messages.AskedPerSecond = result.Of(p.rate)
	}
	latest := 0.0
	for _, f := range rec.floods {
		if f.ended != nil {
			latest = max(latest, f.ended.MessageSeconds)
		}
	}
	if latest > 0 {
		if p.rate > 0 && !p.rate.Unpaced() {
			latest += 1 / float64(p.rate) // n messages take n intervals, and there are n-1 between them
		}
		r.Messages.DeliveredPerSecond = r.Messages.Delivered.Per(result.Of(latest))
	}
	latencyFigures(rec, p, r)
	fanOutFigures(rec, p, r)
	used := rec.ended.Sub(rec.sending)
	r.CPU.Server, r.CPU.Flood, r.CPU.Router = used.Sum("server", probe.CPU), used.Sum("flood", probe.CPU), used.Sum("router", probe.CPU)
	r.CPU.Msggen = rec.generatorCPU
	r.Memlog.CPUSecondsPerSample = used.Sum("memlog", probe.CPU).Per(samplesBetween(rec))
}

// samplesBetween counts the memory samples from the first message to the end.
func samplesBetween(rec *record) result.Figure {
	witness := probe.Part{Role: "memlog", Number: 1}
	from, known1 := rec.sending.Usage[witness]
	to, known2 := rec.ended.Usage[witness]
	if !known1 || !known2 {
		return result.Figure{}
	}
	n := 0
	for _, s := range rec.samples {
		if s.Time.After(from.At) && !s.Time.After(to.At) {
			n++
		}
	}
	return result.Of(n)
}
