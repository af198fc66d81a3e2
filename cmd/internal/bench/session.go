package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/flood/pace"
	"example.org/comet/server/wire"
)

// Session is an experiment whose load its user changes: one trial after the other, on
// servers and connections that stay. Its methods are for one goroutine.
type Session struct {
	cfg    Config
	run    *run
	plan   *plan
	first  record     // what was seen before the first trial
	floods []*segment // in the order of their connections
	words  []wire.Run // of the trials to come
	hosts  []int      // of each pair, how many addresses were used
	// highest is the most connections that a trial had.
	highest float64
	anew    bool // the trial opens all its connections
}

// Trial is a load.
type Trial struct {
	// Connections is how many are open: those that are missing are added to those that
	// are there, and those that are too many are closed.
	Connections int
	// Anew opens them all in this trial, after those that are there were closed.
	Anew bool
	// Rate is messages per second, 0 none, for the time of Hold.
	Rate pace.Rate
	Hold time.Duration
}

// Tried is what came of a trial.
type Tried struct {
	// Result has the figures of the trial alone, but for the memory: that is of all its
	// connections, whenever they were opened.
	Result *result.Result
	// Timeline is of the trial, too.
	Timeline *result.Timeline
	// Failures counts the connections that failed or were cut off, by the name of a
	// [flood.Failure].
	Failures map[string]uint64
	// Seen is what the servers were seen to use.
	Seen Seen
}

// mostTrials bounds a session: floods are told in the beginning of whose messages they
// are to take account.
const mostTrials = 128

// sessionSample is how often the floods of a session report.
const sessionSample = 250 * time.Millisecond

// Explore finds the servers of cfg, or starts those of our own that a trial needs, has
// explore try loads on them, and ends everything. Connections is the most that a trial will open; 0 is the most that the
// plan for this machine holds. Duration, Rate, Steps and Repeat have no meaning here. It
// returns the folder for the results, which is "" if nothing was started.
func Explore(ctx context.Context, cfg Config, explore func(context.Context, *Session) error) (folder string, err error) {
	cfg.Duration, cfg.Rate, cfg.Steps, cfg.Repeat = time.Second, anyRate(cfg.Target), nil, 0
	most := cfg.Connections
	cfg.Connections = max(most, 1)
	if err := errors.Join(cfg.Validate(), cfg.unchanging()); err != nil {
		return "", err
	}
	site, err := cfg.Target.site(&cfg)
	if err != nil {
		return "", err
	}
	defer site.leave()
	if err := cfg.muster(ctx); err != nil {
		return "", err
	}
	defer cfg.crew.Close()
	b := &bench{site: site}
	defer b.endsAtOnce(&cfg)()
	if most == 0 {
		cfg.Connections = b.holds(cfg)
	}
	if err := b.arrange(&cfg); err != nil {
		return "", err
	}
	if folder, err = cfg.makeFolder(site.label(), time.Now()); err != nil {
		return "", err
	}
	if err := removeFiles(folder); err != nil {
		return folder, err
	}
	b.plan.address()
	s := newSession(&cfg, b.plan, newRun(&cfg, b.plan, site, folder))
	b.fleet.Store(s.run.fleet)
	return folder, cfg.withLimits(ctx, b.plan.need, folder, s.run.progress, func() error { return s.do(ctx, explore) })
}

// anyRate returns a rate that a configuration is valid with.
func anyRate(t *Target) pace.Rate {
	if t != nil && t.Publish == nil {
		return 0
	}
	return 1
}

// unchanging returns what a session cannot do, because its load changes.
func (c *Config) unchanging() error {
	switch {
	case c.Graph != nil:
		return errors.New("bench: events to followers have no capacity to search for: their number is that of the graph; measure them with comet bench --subscriptions")
	case c.Streams.Ramp != "":
		return errors.New("bench: a search says itself how many connections there are and when: leave out the ramp")
	case c.Streams.Storm.Share > 0:
		return errors.New("bench: a storm drops what a search counts: leave it out")
	case c.Target != nil && len(c.Target.URLs) > 0:
		return errors.New("bench: a search opens as many connections as it likes: give one URL, with {id} in it")
	}
	return nil
}

// holds returns how many connections there is a plan for, at least 1.
func (b *bench) holds(cfg Config) int {
	fits := func(n int) bool {
		cfg.Connections = n
		return b.arrange(&cfg) == nil
	}
	low := max(1, len(cfg.crew.Hosts())) // each has one at least
	high := 2 * low
	for fits(high) && high < math.MaxInt32/2 {
		low, high = high, 2*high
	}
	for high-low > max(low/200, 1) {
		if mid := low + (high-low)/2; fits(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

func newSession(cfg *Config, p *plan, r *run) *Session {
	r.joint, r.laps = true, true
	cfg.Streams.SampleInterval = sessionSample
	s := &Session{cfg: *cfg, run: r, plan: p, hosts: make([]int, len(p.pairs))}
	for range mostTrials {
		s.words = append(s.words, wire.Run(rand.Uint32N(math.MaxUint32)+1))
	}
	p.runs = slices.Clone(s.words)
	return s
}

// do takes the session from its start to its end.
func (s *Session) do(ctx context.Context, explore func(context.Context, *Session) error) error {
	r := s.run
	r.enter("start")
	awake := fleet.OnSuspension(r.suspended)
	err := s.open(ctx)
	if err == nil {
		err = explore(ctx, s)
	}
	stopErr := r.stop(ctx, err != nil)
	for _, trouble := range r.site.close() {
		stopErr = errors.Join(stopErr, errors.New(trouble))
	}
	awake()
	return errors.Join(err, stopErr)
}

// open finds the servers, or starts the first one, and takes the state in which the
// first trial finds them.
func (s *Session) open(ctx context.Context) error {
	r := s.run
	err := open(ctx, r, 1)
	if err == nil {
		err = s.settle(ctx)
	}
	if err != nil {
		r.blame(err)
		return fmt.Errorf("in phase start: %w", err)
	}
	r.rec.begun = r.take(true)
	s.first = r.rec
	return nil
}

// settle lets the memory of servers settle that were warmed up.
func (s *Session) settle(ctx context.Context) error {
	if err := fleet.Wait(ctx, time.Second); err != nil {
		return err
	}
	return s.run.site.await(ctx, s.run.settled)
}

// serve starts the servers that the trial needs and that are not there. They count as
// if they had been there when the session began: what they take is not charged to
// connections.
func (s *Session) serve(ctx context.Context) error {
	r := s.run
	last, _ := s.plan.pairOf(r.plan.connections - 1)
	before := r.take(false)
	started, err := r.site.serve(ctx, last+1)
	if err != nil || started == 0 {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	s.first.begun = s.first.begun.With(before, r.take(true))
	r.rec.begun = s.first.begun
	return nil
}

// Folder returns where the results go.
func (s *Session) Folder() string { return s.run.folder }

// Most returns how many connections a trial may have.
func (s *Session) Most() int { return s.plan.connections }

// pids returns the processes of the servers, of those that can be measured here.
func (s *Session) pids() (pids []int32) {
	for _, m := range s.run.site.members(s.run.settled) {
		if pid, known := m.pid.Value(); known && m.Role == "server" {
			pids = append(pids, int32(pid))
		}
	}
	return pids
}

// Try brings the session to a load and measures it. Beside an error the session cannot
// go on, and what was tried, if it is not nil, is as far as it came. That connections
// fail, or messages are refused, is no error.
func (s *Session) Try(ctx context.Context, t Trial) (*Tried, error) {
	if len(s.words) == 0 {
		return nil, fmt.Errorf("bench: a session has %d trials, and all were made: narrow the range, or ask for less precision", mostTrials)
	}
	s.prepare(t)
	r := s.run
	phases := []struct {
		name string
		do   func(context.Context) error
	}{
		{"start", s.serve},
		{"connect", s.bring},
		{"idle", s.rest},
		{"messages", func(ctx context.Context) error { return s.hold(ctx, t.Hold) }},
		{"drain", s.drain},
	}
	var err error
	endTimeline, endWatch := func() {}, func() Seen { return Seen{} }
	for _, phase := range phases {
		r.enter(phase.name)
		if err = phase.do(ctx); err != nil {
			r.blame(err)
			err = fmt.Errorf("in phase %s: %w", phase.name, err)
			break
		}
		switch phase.name {
		case "start":
			endWatch = s.watch()
		case "connect":
			endTimeline = r.beginTimeline()
		}
	}
	endTimeline()
	seen := endWatch()
	r.rec.failure = err
	if err != nil {
		s.salvage(ctx)
	}
	r.seal()
	for i, f := range r.rec.floods {
		if f.ended == nil { // what it counted is of other trials, too
			left := floodAccount{lost: true}
			if f.lost { // those that it had have closed with it
				left.live.Counts.Connected = f.live.Counts.Connected
			}
			r.rec.floods[i] = left
		}
	}
	seen.Answers = answersSay(r.rec.floods)
	res := figures(&r.rec, r.plan)
	describe(res, r.cfg, r.rec.started)
	s.used(res)
	res.Targets = result.Check(r.cfg.Targets, res)
	return &Tried{res, r.rec.timeline, failures(r.rec.floods), seen}, err
}

// used takes back what the memory says of connections where there were more in an
// earlier trial, whose memory the server may have kept.
func (s *Session) used(res *result.Result) {
	n, _ := res.Connections.Established.Value()
	fewer := n < s.highest
	s.highest = max(s.highest, n)
	m := &res.Memory
	if _, known := m.BytesPerConnection.Value(); !known || !fewer {
		return
	}
	m.BytesPerConnection, m.PSSPerConnection = result.Figure{}, result.Figure{}
	res.Notes = append(res.Notes, "Memory per connection is not known: an earlier trial had more connections, and the server may have kept their memory.")
}

// prepare begins the record of a trial, and the plan for it.
func (s *Session) prepare(t Trial) {
	cfg := s.cfg
	cfg.Connections, cfg.Rate, cfg.Duration = t.Connections-t.Connections%cfg.subscribers(), t.Rate, t.Hold
	p := *s.plan
	p.connections, p.rate = cfg.Connections, t.Rate
	p.run, s.words = s.words[0], s.words[1:]
	r := s.run
	s.anew = t.Anew
	r.site.resize(&p, &cfg)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cfg, r.plan, r.generator = &cfg, &p, nil
	r.rec = s.first
	r.rec.started = time.Now()
	r.busy, r.phases, r.paused, r.lost = mean{}, nil, nil, nil
	r.timeline.Store(nil)
	for _, f := range r.floods {
		f.ended.Store(nil)
	}
}

// rest lets the connections settle and reads what they cost.
func (s *Session) rest(ctx context.Context) error {
	r := s.run
	err := r.watch(ctx, r.after(r.cfg.Idle), func(ctx context.Context) error {
		if err := fleet.Wait(ctx, r.cfg.Idle); err != nil {
			return err
		}
		return r.site.await(ctx, r.settled)
	})
	if err == nil {
		r.rec.idle = r.take(true)
	}
	return err
}

// hold sends the messages, or waits as long where there are none.
func (s *Session) hold(ctx context.Context, d time.Duration) error {
	r := s.run
	if r.plan.rate != 0 && r.totals().Connected > 0 {
		return messages(ctx, r)
	}
	return r.watch(ctx, r.after(d), func(ctx context.Context) error { return fleet.Wait(ctx, d) })
}

// drain waits for the last messages and has the floods tell of their lap.
func (s *Session) drain(ctx context.Context) error {
	r := s.run
	return r.watch(ctx, r.after(r.patience()), func(ctx context.Context) error {
		r.settled = time.Now()
		if r.rec.generated != nil {
			if err := r.awaitLast(ctx); err != nil {
				return err
			}
		}
		if err := r.site.await(ctx, r.settled); err != nil {
			return err
		}
		if err := s.laps(ctx); err != nil {
			return err
		}
		r.measureClocks(ctx)
		r.rec.ended = r.take(false)
		if !r.rec.measured() {
			return nil
		}
		after, err := r.site.traffic(ctx)
		r.rec.after = after
		return err
	})
}

// salvage takes the figures of a trial that was cut short, as far as floods still tell
// of theirs.
func (s *Session) salvage(ctx context.Context) {
	r := s.run
	r.endSending()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.hurry())
	defer cancel()
	if r.generator != nil && r.rec.generated == nil {
		_ = r.endGenerator(ctx, r.hurry()/2)
	}
	_ = s.laps(ctx)
}

// laps reads the figures of each flood since the last trial.
func (s *Session) laps(ctx context.Context) error {
	r := s.run
	return fleet.Each(len(r.floods), max(len(r.floods), 1), func(i int) error {
		f := r.floods[i]
		if r.fleet.Lost(f.Process) {
			return nil
		}
		f.Forget("lap")
		_ = f.Tell("lap") // Await has the error of one that has ended
		lap := new(flood.Result)
		if err := f.Await(ctx, "lap", r.patience(), lap); err != nil {
			return r.unlessLost(f.Process, err)
		}
		f.ended.Store(lap)
		return nil
	})
}
