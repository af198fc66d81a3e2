package bench

import (
	"encoding/json"
	"path/filepath"
	"sync"
	"time"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/memlog/series"
	"example.org/comet/msggen"
)

// mostMoments bounds a timeline. Beyond it every two moments of a phase become one.
const mostMoments = 2000

// leastSpan is the shortest time that says something of a rate: of a shorter one, at
// the end of a phase, only what is counted goes into the timeline.
const leastSpan = 250 * time.Millisecond

// timeline gathers what is seen of a run each second. Its methods are safe for
// concurrent use, and what nil is told it forgets.
type timeline struct {
	taking sync.Mutex // one moment after the other

	run    *run
	begun  time.Time
	before flood.Counts // what the floods had counted then, in earlier trials
	// log is flood's own log where several floods would each write one; nil where one
	// does.
	log *series.Writer

	mu      sync.Mutex
	out     result.Timeline
	spreads [][]byte // of the latency of each moment, as JSON
	phase   string
	parts   []member
	floods  map[*floodPart]*pulse
	sending *sending     // nil before there are messages
	came    flood.Spread // since the last moment
	soFar   flood.Spread
	usage   map[probe.Part]probe.Usage // at the last moment that had rates
	rated   time.Time                  // when that was
}

// pulse is what a flood last reported, and at which rates it got there.
type pulse struct {
	at                          time.Time
	counts                      flood.Counts
	delivered, attempts, opened float64 // per second
}

// sending is what the generator last reported, and at which rate it got there.
type sending struct {
	at        time.Time
	stats     msggen.Stats
	late      *msggen.Lateness // since the report before
	perSecond result.Figure
}

// written returns how many messages are on the wire.
func written(s *msggen.Stats) uint64 { return s.Sent + s.Unanswered }

// beginTimeline begins the timeline in the phase that begins, of the parts that there
// are. It takes moments until end is called.
func (r *run) beginTimeline() (end func()) {
	t := &timeline{run: r, begun: time.Now(), parts: r.members(), floods: make(map[*floodPart]*pulse), phase: r.at}
	t.out.Started = float64(t.begun.UnixMilli()) / 1000
	if r.joint {
		t.log, _ = series.OpenAppend(filepath.Join(r.folder, floodLog)) // what a folder without it lacks is told when the result is written
	}
	t.before = r.counted().Counts
	for _, f := range r.floods {
		if s := f.live.Load(); s != nil {
			t.floods[f] = &pulse{at: s.Time, counts: s.Counts}
		}
	}
	r.timeline.Store(t)
	t.moment()
	stop := every(time.Second, t.moment)
	return func() {
		stop()
		t.moment()
		if t.log != nil {
			_ = t.log.Close()
		}
	}
}

// enter ends the phase with a moment of its own, and begins the next.
func (t *timeline) enter(phase string) {
	if t == nil {
		return
	}
	t.moment()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase = phase
}

// follow adds a part that was started since.
func (t *timeline) follow(m member) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parts = append(t.parts, m)
}

// sample takes what a flood has reported.
func (t *timeline) sample(f *floodPart, s *flood.Sample) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.Spread != nil {
		t.came.Add(s.Spread)
	}
	p := t.floods[f]
	if p == nil {
		p = &pulse{at: s.Time.Add(-s.Elapsed)}
		t.floods[f] = p
	}
	span := s.Time.Sub(p.at)
	if filled := tried(s.Counts) && !tried(p.counts); span < time.Second/2 && !filled {
		return
	}
	seconds := max(span, time.Millisecond).Seconds()
	p.delivered = float64(s.Delivered-p.counts.Delivered) / seconds
	p.attempts = float64(s.Reconnect.Attempts-p.counts.Reconnect.Attempts) / seconds
	p.opened = float64(opened(s.Counts)-opened(p.counts)) / seconds
	p.at, p.counts = s.Time, s.Counts
}

// sent takes what the generator has reported.
func (t *timeline) sent(now time.Time, s msggen.Stats, late *msggen.Lateness) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next := &sending{at: now, stats: s, late: late}
	if last := t.sending; last != nil {
		// What was on the wire may have been refused since.
		more := result.Of(written(&s)).Since(result.Of(written(&last.stats)))
		next.perSecond = more.Per(result.Seconds(max(now.Sub(last.at), time.Millisecond)))
	}
	t.sending = next
}

// sendingEnded takes the generator's account. Nothing is sent after it.
func (t *timeline) sendingEnded(s msggen.Stats) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sending = &sending{stats: s}
}

// addSending puts into m what the generator has done by now.
func (t *timeline) addSending(m *result.Moment, now time.Time) {
	s := t.sending
	if s == nil {
		return
	}
	m.Sent, m.Accepted, m.Refused = result.Of(written(&s.stats)), result.Of(s.stats.Sent), result.Of(s.stats.Refused)
	if !s.at.IsZero() && now.Sub(s.at) <= staleAfter {
		m.SentPerSecond = s.perSecond
		if l := s.late; l != nil {
			m.Late = result.Quantiles{P50: result.Of(l.P50), P99: result.Of(l.P99), Max: result.Of(l.Max)}
		}
	}
}

// tried reports whether every connection has been tried.
func tried(c flood.Counts) bool {
	return c.Asked > 0 && uint64(c.Established())+c.Failed >= uint64(c.Asked)
}

// opened returns how often a connection was established, also those that came back.
func opened(c flood.Counts) uint64 { return uint64(c.Established()) + c.Reconnect.Back }

// staleAfter is how old the report of a flood may be for its rates to stand for now.
const staleAfter = 2500 * time.Millisecond

// rates adds up those of the floods. A flood that has not reported lately has none.
func (t *timeline) rates(now time.Time) (delivered, attempts, opened float64) {
	for _, p := range t.floods {
		if now.Sub(p.at) > staleAfter {
			continue
		}
		delivered, attempts, opened = delivered+p.delivered, attempts+p.attempts, opened+p.opened
	}
	return delivered, attempts, opened
}

// moment takes one, and passes it on.
func (t *timeline) moment() {
	t.taking.Lock()
	defer t.taking.Unlock()
	now := time.Now()
	usage := t.measure()
	c := t.run.counted()
	t.mu.Lock()
	defer t.mu.Unlock()
	m := result.Moment{
		Seconds: now.Sub(t.begun).Seconds(), Phase: t.phase,
		Connected: result.Of(c.Connected), Closed: result.Of(c.Closed), Failed: result.Of(c.Failed),
		Attempts:  result.Of(c.Reconnect.Attempts - min(t.before.Reconnect.Attempts, c.Reconnect.Attempts)),
		Delivered: result.Of(c.Delivered - min(t.before.Delivered, c.Delivered)),
		Memory:    probe.Snapshot{Usage: usage}.Sum("server", probe.RSS), Machine: probe.Memory().InUse,
		Latency: quantiles(t.came.Quantiles()),
	}
	if span := now.Sub(t.rated); span >= leastSpan {
		delivered, attempts, opened := t.rates(now)
		m.DeliveredPerSecond, m.AttemptsPerSecond, m.ConnectedPerSecond = result.Of(delivered), result.Of(attempts), result.Of(opened)
		if !t.rated.IsZero() {
			m.CPU = cores(usage, t.usage)
		}
		t.usage, t.rated = usage, now
	}
	t.addSending(&m, now)
	t.keep(m)
	if t.log != nil {
		line := flood.Sample{Time: now, Counts: c.Counts, Latency: t.came.Quantiles(), Returns: t.run.plan.returns}
		_ = t.log.Write(line.LogLine())
	}
	t.soFar.Add(&t.came)
	t.came.Reset()
	if on := t.run.cfg.OnMoment; on != nil {
		on(m, quantiles(t.soFar.Quantiles()))
	}
}

// measure returns what the parts use that can be measured.
func (t *timeline) measure() map[probe.Part]probe.Usage {
	t.mu.Lock()
	parts := t.parts
	t.mu.Unlock()
	usage := make(map[probe.Part]probe.Usage, len(parts))
	for _, m := range parts {
		if m.process != nil && m.process.Ended() {
			continue
		}
		if u, ok := m.read(false); ok {
			usage[m.Part] = u
		}
	}
	return usage
}

// cores returns how many processors the parts of each role used, of those that were
// measured both times.
func cores(now, before map[probe.Part]probe.Usage) map[string]result.Figure {
	used := make(map[string]result.Figure)
	for part, u := range now {
		then, known := before[part]
		if seconds := u.At.Sub(then.At).Seconds(); known && seconds > 0 {
			used[part.Role] = result.Add(used[part.Role], u.CPU.Since(then.CPU).Times(1/seconds))
		}
	}
	return used
}

// keep adds m to the timeline.
func (t *timeline) keep(m result.Moment) {
	text, _ := json.Marshal(&t.came) // it always can be
	t.out.Moments, t.spreads = append(t.out.Moments, m), append(t.spreads, text)
	if len(t.out.Moments) > mostMoments {
		t.thin()
	}
}

// thin makes one of every two moments of a phase.
func (t *timeline) thin() {
	moments, spreads := t.out.Moments[:0], t.spreads[:0]
	for i := 0; i < len(t.out.Moments); i++ {
		m, text := t.out.Moments[i], t.spreads[i]
		if i+1 < len(t.out.Moments) && t.out.Moments[i+1].Phase == m.Phase {
			i++
			m, text = twoMoments(m, t.out.Moments[i], text, t.spreads[i])
		}
		moments, spreads = append(moments, m), append(spreads, text)
	}
	t.out.Moments, t.spreads = moments, spreads
}

// twoMoments returns the moment that stands for two: at the time of the second.
func twoMoments(a, b result.Moment, first, second []byte) (result.Moment, []byte) {
	mean := func(x, y result.Figure) result.Figure {
		switch sum := x.Plus(y).Times(0.5); {
		case sum != (result.Figure{}):
			return sum
		case x != (result.Figure{}):
			return x
		}
		return y
	}
	m := b
	m.DeliveredPerSecond, m.SentPerSecond = mean(a.DeliveredPerSecond, b.DeliveredPerSecond), mean(a.SentPerSecond, b.SentPerSecond)
	m.AttemptsPerSecond, m.ConnectedPerSecond = mean(a.AttemptsPerSecond, b.AttemptsPerSecond), mean(a.ConnectedPerSecond, b.ConnectedPerSecond)
	m.Late = result.Quantiles{P50: result.Most(a.Late.P50, b.Late.P50), P99: result.Most(a.Late.P99, b.Late.P99), Max: result.Most(a.Late.Max, b.Late.Max)}
	m.Memory, m.Machine = result.Most(a.Memory, b.Memory), result.Most(a.Machine, b.Machine)
	m.CPU = make(map[string]result.Figure)
	for role, used := range b.CPU {
		m.CPU[role] = mean(a.CPU[role], used)
	}
	var sum, other flood.Spread
	if json.Unmarshal(first, &sum) == nil && json.Unmarshal(second, &other) == nil {
		sum.Add(&other)
		m.Latency = quantiles(sum.Quantiles())
		first, _ = json.Marshal(&sum)
	}
	return m, first
}
