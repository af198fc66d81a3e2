package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.org/comet/cmd/internal/agent"
	"example.org/comet/cmd/internal/flags"
	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/memlog/series"
)

// atOnce is how many processes are started, or asked, at a time: each wants a
// processor for some 50 ms.
const atOnce = 4

// run takes an experiment through its phases, which write its record.
type run struct {
	cfg      *Config
	plan     *plan
	site     site
	folder   string
	progress *progress
	fleet    *fleet.Fleet

	floods            []*floodPart
	joint             bool // flood.log is of several floods, and written by the timeline
	memlog, generator *fleet.Process
	clocks            []agent.Clock // of the agents' hosts, when the run began
	// memlogBehind is how far the clock of the memory log is behind ours; nil: it is ours.
	memlogBehind func() time.Duration
	// settled is since when nothing went on that the next measurement is not to
	// see.
	settled time.Time
	sending atomic.Bool // messages are being sent

	timeline atomic.Pointer[timeline] // nil before there is one
	// laps: what a flood tells at the end of a trial is of that trial alone.
	laps bool

	mu   sync.Mutex
	busy mean   // of the floods while messages are sent; guarded by mu, like what follows
	at   string // the phase
	// phases are those so far, and paused is when this process was suspended.
	phases []begun
	paused []suspension
	lost   []loss
	rec    record // written by phases only, one after the other
}

// begun is the start of a phase.
type begun struct {
	phase string
	at    time.Time
}

func newRun(cfg *Config, p *plan, s site, folder string) *run {
	r := &run{
		cfg: cfg, plan: p, site: s, folder: folder,
		progress: &progress{w: cfg.Progress, terminal: cfg.Terminal},
		joint:    p.several() || p.away,
		rec:      record{started: time.Now()},
	}
	r.fleet = &fleet.Fleet{
		Executable: cfg.Executable,
		Environ:    func() []string { return flags.WithoutSettings(os.Environ()) }, // parts are told by their arguments
		Say:        func(line string) { r.progress.line("%s", line) },
		OnLoss:     r.lose,
	}
	return r
}

// do takes the experiment through its phases and ends all processes. The record
// then holds what was measured, whatever the error is.
func (r *run) do(ctx context.Context) error {
	phases := []struct {
		name string
		do   func(context.Context, *run) error
	}{
		{"start", start}, {"connect", connect}, {"idle", idle}, {"messages", messages}, {"drain", drain},
	}
	r.enter(phases[0].name)
	awake := fleet.OnSuspension(r.suspended)
	var err error
	endTimeline := func() {}
	for _, phase := range phases {
		r.enter(phase.name)
		if phase.name == "connect" {
			endTimeline = r.beginTimeline()
		}
		if err = phase.do(ctx, r); err != nil {
			r.blame(err)
			salvage(ctx, r, err)
			err = fmt.Errorf("in phase %s: %w", phase.name, err)
			break
		}
	}
	endTimeline()
	if stopErr := r.stop(ctx, err != nil); err == nil && stopErr != nil {
		r.note(loss{what: stopErr.Error(), ended: true}) // the figures are there
	}
	for _, trouble := range r.site.close() {
		r.note(loss{what: trouble, ended: true})
	}
	awake()
	r.seal()
	return err
}

// enter begins a phase.
func (r *run) enter(phase string) {
	r.timeline.Load().enter(phase)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = phase
	r.phases = append(r.phases, begun{phase, time.Now()})
}

// suspended notes that this process did not run for d: in the phase of then, which
// may be over.
func (r *run) suspended(since time.Time, d time.Duration) {
	r.mu.Lock()
	phase := r.phases[0].phase
	for _, p := range r.phases {
		if p.at.Before(since) {
			phase = p.phase
		}
	}
	r.paused = append(r.paused, suspension{phase, d})
	r.mu.Unlock()
	r.progress.line("paused   this bench was suspended for %v in phase %s", d.Round(100*time.Millisecond), phase)
}

// scale returns how much longer than a few something takes with all connections.
func (r *run) scale() time.Duration { return time.Duration(r.cfg.Connections/25_000) * time.Second }

// patience returns how long a part may take for what concerns its connections.
func (r *run) patience() time.Duration { return patience + r.scale() }

// hurry returns how long the parts may take to end after an early end, and how
// long to wait for messages before that.
func (r *run) hurry() time.Duration { return 2500*time.Millisecond + r.scale() }

// stop ends the processes, clients first, and returns what went wrong with that.
// After an early end, or once ctx has ended, it is in a hurry.
func (r *run) stop(ctx context.Context, early bool) error {
	if early {
		hurried, cancel := context.WithCancel(ctx)
		cancel()
		ctx = hurried
	}
	var floods, servers, routers []*fleet.Process
	for _, f := range r.floods {
		floods = append(floods, f.Process)
	}
	for _, m := range r.site.members(r.settled) {
		if m.Role == "router" {
			routers = append(routers, m.process)
		} else if m.process != nil {
			servers = append(servers, m.process)
		}
	}
	return r.fleet.StopAll(ctx, fleet.Grace{Each: r.patience(), Hurry: r.hurry()}, []*fleet.Process{r.generator}, floods, []*fleet.Process{r.memlog}, servers, routers)
}

// start starts a part.
func (r *run) start(ctx context.Context, spec fleet.Spec) (*fleet.Process, error) {
	open, environ := flags.Conceal(spec.Args)
	spec.Args, spec.Env = append([]string{"-q"}, open...), append(slices.Clip(spec.Env), environ...)
	return r.fleet.Start(ctx, spec)
}

// spec returns how a process of pair i is started: of many processes on few
// processors each has work for one at most.
func (r *run) spec(i int, name string, args []string) fleet.Spec {
	spec := fleet.Spec{Name: name, Args: args}
	if !r.plan.several() || r.plan.away {
		return spec
	}
	spec.Env = []string{fmt.Sprintf("GOMAXPROCS=%d", max(runtime.NumCPU()/len(r.plan.pairs), 1))}
	spec.Pin.Batch = true
	if r.plan.crowded {
		spec.Pin.Processor = i + 1
	}
	return spec
}

// logMemory starts what writes the memory log, about what the arguments say, in the
// place of one that was about less.
func (r *run) logMemory(ctx context.Context, what []string) (err error) {
	if before := r.memlog; before != nil {
		r.fleet.Retire(before)
		if err := before.Stop(r.patience()); err != nil && !before.Ended() {
			return err
		}
	}
	r.memlog, err = r.start(ctx, fleet.Spec{
		Name: "memlog", Args: memlogArgs(r.cfg, r.folder, what), Pin: fleet.Pin{Nice: true}, // what it watches comes first
	})
	return err
}

// members returns all parts that are measured.
func (r *run) members() []member {
	list := r.site.members(r.settled)
	for i, f := range r.floods {
		list = append(list, f.member(i+1))
	}
	return list
}

// take measures the machine and the parts.
func (r *run) take(deep bool) probe.Snapshot {
	list := r.members()
	if r.memlog != nil {
		list = append(list, ours("memlog", 1, r.memlog))
	}
	parts := make(map[probe.Part]probe.Reading)
	for _, m := range list {
		if m.process == nil || !r.fleet.Lost(m.process) {
			parts[m.Part] = m.read
		}
	}
	return probe.Take(deep, parts)
}

// lose notes that a process has ended, and returns an error if the others cannot
// go on without it.
func (r *run) lose(p *fleet.Process) error {
	var fatal error
	switch {
	case p == r.memlog:
		fatal = r.site.gone() // it ends with what it watches
	case !r.left():
		fatal = p.Lost()
	}
	r.note(loss{what: p.Lost().Error(), ended: fatal == nil})
	return fatal
}

// left reports whether of each kind of part that there was some are left.
func (r *run) left() bool {
	running := r.fleet.Running()
	left := make(map[string]bool)
	for _, m := range r.members() {
		if m.process != nil {
			left[m.Role] = left[m.Role] || slices.Contains(running, m.process)
		}
	}
	return !slices.Contains(slices.Collect(maps.Values(left)), false)
}

// unlessLost returns nil if err only says that p has died and others can go on;
// otherwise err.
func (r *run) unlessLost(p *fleet.Process, err error) error {
	if err == nil || !p.Ended() {
		return err
	}
	if fatal := r.fleet.Lose(p); fatal != nil {
		return fatal
	}
	if r.left() {
		return nil
	}
	return err
}

// blame notes a part that hangs.
func (r *run) blame(err error) {
	if hung, ok := errors.AsType[*fleet.HungError](err); ok {
		r.note(loss{what: hung.Error()})
	}
}

// note notes what is lost. What does not end the run is reported at once.
func (r *run) note(l loss) {
	r.mu.Lock()
	l.phase = r.at
	r.lost = append(r.lost, l)
	r.mu.Unlock()
	if l.ended {
		r.progress.line("lost     %s", l.what)
	}
}

// watch runs do while the parts are watched. It fails once the site is gone, once
// overdue reports true and a part turns out to hang, or once one of more fails.
func (r *run) watch(ctx context.Context, overdue func() bool, do func(context.Context) error, more ...func(context.Context) error) error {
	gone := func(ctx context.Context) error {
		for fleet.Wait(ctx, 250*time.Millisecond) == nil {
			if err := r.site.gone(); err != nil {
				return err
			}
		}
		return nil
	}
	hung := func(ctx context.Context) error {
		// After a suspension of this process, what the others said meanwhile is read
		// before they are judged by it.
		awake, last := time.Now(), time.Now()
		for fleet.Wait(ctx, time.Second) == nil {
			now := time.Now()
			if now.Sub(last) > 3*time.Second {
				awake = now
			}
			if last = now; now.Sub(awake) < askPatience || !overdue() {
				continue
			}
			if err := r.hung(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	return r.fleet.Watch(ctx, do, append(more, gone, hung)...)
}

// hung returns an error that names a part that hangs, nil if none is found.
func (r *run) hung(ctx context.Context) error {
	if err := r.fleet.Hung(askPatience); err != nil {
		return err
	}
	return r.site.hung(ctx)
}

// after returns whether a phase that was to end within d is overdue: by so much
// less than the patience with it as it takes to ask all parts.
func (r *run) after(d time.Duration) (overdue func() bool) {
	end := time.Now().Add(d + r.patience() - askPatience - 2*time.Second)
	return func() bool { return time.Now().After(end) }
}

// stalled returns whether a number has not changed for as long.
func (r *run) stalled(number func() int) (overdue func() bool) {
	last, since := number(), r.after(0)
	return func() bool {
		if now := number(); now != last {
			last, since = now, r.after(0)
		}
		return since()
	}
}

// show keeps the progress up to date until the returned function is called.
// figures returns what share of the phase is over, what it has counted, of which
// a rate is shown, and a text.
func (r *run) show(phase string, figures func() (fraction, count float64, text string)) (ended func()) {
	return every(200*time.Millisecond, func() {
		fraction, count, text := figures()
		r.progress.counted(phase, fraction, count, "%s", text)
	})
}

// every calls do at an interval until stop is called, which waits for the last
// call.
func every(interval time.Duration, do func()) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var caller sync.WaitGroup
	caller.Go(func() {
		for fleet.Wait(ctx, interval) == nil {
			do()
		}
	})
	return func() {
		cancel()
		caller.Wait()
	}
}

// totals returns the floods' counts so far, summed.
func (r *run) totals() counts { return totals(r.accounts()) }

// counted returns what the floods have counted since they were started.
func (r *run) counted() counts {
	list := r.accounts()
	if r.laps {
		for i := range list {
			list[i].ended = nil
		}
	}
	return totals(list)
}

// accounts returns what each flood has reported so far.
func (r *run) accounts() []floodAccount {
	list := make([]floodAccount, len(r.floods))
	for i, f := range r.floods {
		list[i] = floodAccount{connected: f.connected.Load(), ended: f.ended.Load(), lost: r.fleet.Lost(f.Process)}
		if s := f.live.Load(); s != nil {
			list[i].live = *s
		}
	}
	return list
}

// seal completes the record with what only the end of the run shows.
func (r *run) seal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rec.losses, r.rec.paused, r.rec.busy = r.lost, r.paused, r.busy.figure()
	r.rec.floods = r.accounts()
	established := make(map[int]result.Figure)
	all := result.Of(0)
	for i, f := range r.rec.floods {
		established[i+1] = result.Of(f.live.Established())
		all = all.Plus(established[i+1])
	}
	for _, m := range r.members() {
		p := part{Part: m.Part, pid: m.pid, lost: m.process != nil && r.fleet.Lost(m.process)}
		switch {
		case m.Role == "flood", m.Role == "server" && m.process != nil && !r.plan.away:
			p.connections = established[m.Number]
		case m.Role == "server" && m.process != nil:
			p.connections = all
		}
		if m.process != nil {
			p.agent = m.process.Host
		}
		r.rec.parts = append(r.rec.parts, p)
	}
	r.rec.agents = r.seeAgents()
	if t := r.timeline.Load(); t != nil {
		r.rec.timeline = &t.out
	}
	r.rec.samples = readSamples(filepath.Join(r.folder, memLog))
	if r.memlogBehind != nil {
		behind := r.memlogBehind()
		for i := range r.rec.samples {
			r.rec.samples[i].Time = r.rec.samples[i].Time.Add(behind)
		}
	}
	r.rec.samples = slices.DeleteFunc(r.rec.samples, func(s series.Sample) bool { return s.Time.Before(r.rec.started) })
}

// mean is the mean of numbers. The zero value has none.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(x float64) { m.sum, m.n = m.sum+x, m.n+1 }

func (m *mean) figure() result.Figure { return result.Of(m.sum / float64(m.n)) }
