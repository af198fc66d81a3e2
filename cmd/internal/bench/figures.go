package bench

import (
	"bufio"
	"bytes"
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
	if e.server != nil {
		r.Processes.Servers = result.Of(1)
	}
	if e.flood != nil {
		r.Processes.Floods = result.Of(1)
	}
	if e.generated != nil {
		r.Settings["seed"] = e.generated.Seed
	}
	e.connectFigures(r)
	e.memoryFigures(r)
	if e.generated != nil && e.flooded != nil && e.statsAfter != nil {
		e.messageFigures(r)
	}
	r.LimitedBy = e.limitedBy(r)
	return r
}

func (e *experiment) connectFigures(r *result.Result) {
	if e.connect == nil {
		return
	}
	c := e.connect
	r.Connections.Established = result.Of(c.Established())
	r.Connections.Failed = result.Of(c.Failed)
	if last := e.latest(); last.Asked > 0 {
		r.Connections.Closed = result.Of(last.Closed)
	}
	r.Connect.Seconds = result.Of(c.ConnectSeconds)
	r.Connect.PerSecond = r.Connections.Established.Per(r.Connect.Seconds)
	r.Connect.Latency = quantilesOf(c.FirstByte)
	r.Connect.ServerCPUSeconds = cpuBetween(e.start.server, e.connected.server)
	r.Connect.FloodCPUSeconds = cpuBetween(e.start.flood, e.connected.flood)
	r.Connect.ListenOverflows = difference(e.tcpStart.listenOverflows, e.tcpConnected.listenOverflows)
	r.Connect.Retransmits = difference(e.tcpStart.retransmits, e.tcpConnected.retransmits)
}

// difference is to - from, where both are known.
func difference(from, to *int64) result.Figure {
	if from == nil || to == nil {
		return result.Figure{}
	}
	return result.Of(*to - *from)
}

func quantilesOf(q *flood.Quantiles) result.Quantiles {
	if q == nil {
		return result.Quantiles{}
	}
	return result.Quantiles{P50: result.Of(q.P50), P90: result.Of(q.P90), P99: result.Of(q.P99), Max: result.Of(q.Max)}
}

// cpuBetween is the CPU seconds from one moment to another.
func cpuBetween(from, to *memlog.Usage) result.Figure {
	if from == nil || to == nil || from.CPU < 0 || to.CPU < 0 {
		return result.Figure{}
	}
	return result.Seconds(to.CPU - from.CPU)
}

func (e *experiment) memoryFigures(r *result.Result) {
	m := &r.Memory
	established := r.Connections.Established
	m.RSSStart = rss(e.start.server)
	m.RSSIdle = rss(e.idle.server)
	m.RSSEnd = rss(e.end.server)
	m.RSSPeak = e.peak()
	m.BytesPerConnection = m.RSSIdle.Minus(m.RSSStart).Per(established)
	if e.afterGC != nil {
		m.BytesPerConnectionAfterGC = result.Of(*e.afterGC).Minus(m.RSSStart).Per(established)
	}
	// Both ends are on this machine, and cost the same.
	m.KernelBytesPerConnection = difference(e.slabStart, e.slabIdle).Per(established).Times(0.5)
	r.Flood.BytesPerConnection = rss(e.idle.flood).Minus(rss(e.start.flood)).Per(established)
}

func rss(u *memlog.Usage) result.Figure {
	if u == nil || u.RSSBytes < 0 {
		return result.Figure{}
	}
	return result.Of(u.RSSBytes)
}

// peak is the server's highest memory in its log or at the end of a phase.
func (e *experiment) peak() result.Figure {
	highest := series.Unknown
	for _, u := range []*memlog.Usage{e.start.server, e.connected.server, e.idle.server, e.before.server, e.after.server, e.end.server} {
		if u != nil {
			highest = max(highest, u.RSSBytes)
		}
	}
	for _, s := range e.memorySamples() {
		if s.RSSKB != series.Unknown {
			highest = max(highest, s.RSSKB*1024)
		}
	}
	if highest < 0 {
		return result.Figure{}
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
	m, g, f := &r.Messages, e.generated, e.flooded
	if rate, err := strconv.ParseFloat(fmt.Sprint(r.Settings["rate"]), 64); err == nil {
		m.AskedPerSecond = result.Of(rate)
	}
	m.Sent = result.Of(g.Sent)
	m.Unaddressed = result.Of(g.Unaddressed)
	m.Routed = result.Of(e.statsAfter.Routed - e.statsBefore.Routed)
	dropped := map[string]uint64{
		"closed": e.statsAfter.DroppedClosed - e.statsBefore.DroppedClosed,
		"slow":   e.statsAfter.DroppedSlow - e.statsBefore.DroppedSlow,
	}
	m.Dropped = result.Of(dropped["closed"] + dropped["slow"])
	m.DroppedBy = make(map[string]result.Figure)
	for reason, n := range dropped {
		if n > 0 {
			m.DroppedBy[reason] = result.Of(n)
		}
	}
	m.Delivered = result.Of(f.Delivered)
	m.Duplicated = result.Of(f.Duplicated)
	m.Reordered = result.Of(f.Reordered)
	m.Missing = m.Sent.Minus(m.Unaddressed).Minus(m.Delivered)
	if f.MessageSeconds > 0 {
		m.DeliveredPerSecond = m.Delivered.Per(result.Of(f.MessageSeconds))
	}
	if q := f.Latency; q != nil && e.cfg.Rate != "max" {
		r.Latency = result.Latency{
			P50: result.Of(q.P50), P90: result.Of(q.P90), P99: result.Of(q.P99), P999: result.Of(q.P999), Max: result.Of(q.Max),
			ClockError: result.Of(0), // one machine, one clock
		}
	} else if q != nil {
		r.Service = new(quantilesOf(q))
	}
	r.CPU.Server = cpuBetween(e.before.server, e.after.server)
	r.CPU.Flood = cpuBetween(e.before.flood, e.after.flood)
	if e.generatorCPU != nil {
		r.CPU.Msggen = result.Seconds(*e.generatorCPU)
	}
	r.Memlog.CPUSecondsPerSample = cpuBetween(e.before.memlog, e.after.memlog).Per(e.samplesBetween())
}

// samplesBetween counts the memory samples of the message phase.
func (e *experiment) samplesBetween() result.Figure {
	if e.before.memlog == nil || e.after.memlog == nil {
		return result.Figure{}
	}
	n := 0
	for _, s := range e.memorySamples() {
		if s.Time.After(e.before.memlog.Time) && !s.Time.After(e.after.memlog.Time) {
			n++
		}
	}
	return result.Of(n)
}

// slabBytes is what the kernel holds in slabs, where sockets are, or nil where
// that is not told (proc_meminfo(5)).
func slabBytes() *int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) >= 2 && string(fields[0]) == "Slab:" {
			if kb, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
				return new(kb * 1024)
			}
		}
	}
	return nil
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
