package cli

import (
	"time"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/live"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/msggen"
)

// msggenPage shows figures of a generator on its live page. nil has none.
type msggenPage struct {
	page  *live.Server
	cpu   cpuMeter
	begun time.Time
	last  result.Moment
}

func newMsggenPage(page *live.Server) *msggenPage {
	if page == nil {
		return nil
	}
	return &msggenPage{page: page, begun: time.Now()}
}

// add shows what the generator has done by now. recent is the lateness since the
// last call.
func (p *msggenPage) add(now time.Time, s msggen.Stats, recent *msggen.Lateness) {
	if p == nil {
		return
	}
	p.page.Add(p.moment(now, s, recent), result.Quantiles{})
}

// moment returns what is seen of a generator alone.
func (p *msggenPage) moment(now time.Time, s msggen.Stats, recent *msggen.Lateness) result.Moment {
	m := result.Moment{
		Seconds: now.Sub(p.begun).Seconds(), Phase: "messages",
		Sent: result.Of(s.Sent + s.Unanswered), Accepted: result.Of(s.Sent), Refused: result.Of(s.Refused), Late: latenessOf(recent),
		CPU: map[string]result.Figure{"msggen": p.cpu.cores(now)},
	}
	m.SentPerSecond = m.Sent.Since(p.last.Sent).Per(result.Of(m.Seconds - p.last.Seconds))
	p.last = m
	return m
}

// end shows what came of the run.
func (p *msggenPage) end(r msggen.Result, err error) {
	if p == nil {
		return
	}
	verdict := count(r.Sent) + " of " + count(r.Asked) + " messages were sent."
	if late := latenessOf(r.Late); r.Late != nil {
		verdict += " They were late by p50 " + late.P50.Text(result.UnitMillis) + ", p99 " + late.P99.Text(result.UnitMillis) + ", max " + late.Max.Text(result.UnitMillis) + "."
	}
	p.page.End(withReason(verdict, err))
}

func latenessOf(l *msggen.Lateness) result.Quantiles {
	if l == nil {
		return result.Quantiles{}
	}
	return result.Quantiles{P50: result.Of(l.P50), P99: result.Of(l.P99), Max: result.Of(l.Max)}
}

// msggenTitle returns where messages go.
func msggenTitle(o *flags.MsggenCommand) string {
	switch {
	case o.Router.Given():
		return "comet msggen to the router"
	case o.Publish.URL != "":
		return "comet msggen to " + serverOf(o.Publish.URL)
	}
	return "comet msggen to " + serverOf(o.Config.To)
}
