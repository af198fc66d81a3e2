package cli

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"example.org/comet/cmd/internal/live"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/server/adminhttp"
)

// leastMoment is the shortest time from one moment to the next.
const leastMoment = time.Second / 2

// floodPage shows samples of a flood on its live page. nil has none.
type floodPage struct {
	page        *live.Server
	cpu         cpuMeter
	last        flood.Sample
	came, soFar flood.Spread // latency since the last moment, and of all
	tried       bool         // every connection was
	chunks      uint64       // that had come by then
}

func newFloodPage(page *live.Server) *floodPage {
	if page == nil {
		return nil
	}
	return &floodPage{page: page}
}

// add shows a sample, unless it follows the last one closely.
func (p *floodPage) add(s flood.Sample) {
	if p == nil {
		return
	}
	if s.Spread != nil {
		p.came.Add(s.Spread)
	}
	if s.Connected != nil {
		p.tried, p.chunks = true, s.Chunks
	}
	if !p.last.Time.IsZero() && s.Time.Sub(p.last.Time) < leastMoment {
		return
	}
	p.soFar.Add(&p.came)
	p.page.Add(p.moment(s), quantilesOf(p.soFar.Quantiles()))
	p.came.Reset()
	p.last = s
}

// moment returns what is seen of a flood alone: nothing of the server's memory.
func (p *floodPage) moment(s flood.Sample) result.Moment {
	m := result.Moment{
		Seconds: s.Elapsed.Seconds(), Phase: p.phase(s),
		Connected: result.Of(s.Counts.Connected), Closed: result.Of(s.Closed), Failed: result.Of(s.Failed),
		Attempts: result.Of(s.Reconnect.Attempts), Delivered: result.Of(s.Delivered),
		Latency: quantilesOf(p.came.Quantiles()),
		CPU:     map[string]result.Figure{"flood": p.cpu.cores(s.Time)},
	}
	if s.Chunks > 0 && s.Stamped == 0 { // messages without stamps are not counted
		m.Delivered = result.Figure{}
	}
	if p.last.Time.IsZero() {
		return m
	}
	per := func(now, before uint64) result.Figure {
		return result.Of((float64(now) - float64(before)) / s.Time.Sub(p.last.Time).Seconds())
	}
	opened := func(c flood.Counts) uint64 { return uint64(c.Established()) + c.Reconnect.Back }
	m.ConnectedPerSecond = per(opened(s.Counts), opened(p.last.Counts))
	m.AttemptsPerSecond = per(s.Reconnect.Attempts, p.last.Reconnect.Attempts)
	if _, counted := m.Delivered.Value(); counted {
		m.DeliveredPerSecond = per(s.Delivered, p.last.Delivered)
	}
	return m
}

// phase returns what the flood does: it connects, waits, or receives.
func (p *floodPage) phase(s flood.Sample) string {
	switch {
	case !p.tried:
		return "connect"
	case s.Chunks > p.chunks || s.Stamped > 0:
		return "messages"
	}
	return "idle"
}

// end shows what came of the run.
func (p *floodPage) end(r flood.Result, err error) {
	if p == nil {
		return
	}
	verdict := fmt.Sprintf("%s of %s connected, %s closed since, %s failed.", count(r.Established()), count(r.Asked), count(r.Closed), count(r.Failed))
	if q := quantilesOf(r.Latency); r.Stamped > 0 {
		verdict += fmt.Sprintf(" %s messages arrived, from due to received in p50 %s, p99 %s, max %s.", count(r.Delivered), q.P50.Text(result.UnitMillis), q.P99.Text(result.UnitMillis), q.Max.Text(result.UnitMillis))
	}
	p.page.End(withReason(verdict, err))
}

func count[N ~int | ~uint64](n N) string { return result.Of(n).Text(result.UnitCount) }

func quantilesOf(q *flood.Quantiles) result.Quantiles {
	if q == nil {
		return result.Quantiles{}
	}
	return result.Quantiles{P50: result.Of(q.P50), P90: result.Of(q.P90), P99: result.Of(q.P99), Max: result.Of(q.Max)}
}

// floodTitle names the server of the streams.
func floodTitle(cfg *flood.Config) string {
	return "comet flood of " + serverOf(cmp.Or(cfg.URL, strings.Join(cfg.URLs[:min(len(cfg.URLs), 1)], "")))
}

// cpuMeter measures the processors that this process uses.
type cpuMeter struct {
	used *float64
	at   time.Time
}

// cores returns how many it used since the last call: not measured at the first.
func (c *cpuMeter) cores(now time.Time) (used result.Figure) {
	seconds := adminhttp.CPUSeconds()
	if seconds != nil && c.used != nil {
		used = result.Of((*seconds - *c.used) / now.Sub(c.at).Seconds())
	}
	c.used, c.at = seconds, now
	return used
}
