package capacity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood/pace"
)

// Outcome is what a search leaves.
type Outcome struct {
	Folder   string
	Capacity *result.Capacity
}

// lab tries loads, one after the other.
type lab interface {
	Try(context.Context, bench.Trial) (*bench.Tried, error)
}

// Run searches. If it fails or ctx ends once there is a folder, the outcome holds what
// was found until then, marked as interrupted, beside the error.
func Run(ctx context.Context, cfg Config) (*Outcome, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	var s *searcher
	folder, err := bench.Explore(ctx, cfg.bench(), func(ctx context.Context, with *bench.Session) error {
		s = newSearcher(cfg, with)
		if err := s.bound(with.Most()); err != nil {
			return err
		}
		if err := s.search(ctx); err != nil {
			return err
		}
		if s.end == atTheTop && s.top.Part == "" && cfg.To == 0 {
			s.top = byMachine(with.Beyond())
		}
		return nil
	})
	if folder == "" {
		return nil, err
	}
	if s == nil {
		s = newSearcher(cfg, nil) // nothing was tried
	}
	c := s.capacity(err)
	return &Outcome{folder, c}, errors.Join(err, write(folder, c, cfg.Bench.Command))
}

// searcher runs a plan.
type searcher struct {
	cfg     Config
	plan    plan
	unit    float64 // of the plan's loads
	targets result.Targets
	lab     lab
	trials  []trial
	steps   []result.CapacityStep
	agents  []result.Agent // what they did in all trials
	// failed is the last trial that failed of each load.
	failed map[float64]sides
	last   sides // of the last trial, held or not
	// atOnce: an accept queue overflowed, so that how many connections come at once
	// decides, and each step opens all of them. holding says that this one goes on.
	atOnce, holding bool
	end             ending
	// top is where the generator came to its end: why; "" if it did not.
	top     result.StoppedBy
	started time.Time
}

func newSearcher(cfg Config, l lab) *searcher {
	return &searcher{cfg: cfg, plan: cfg.plan(), unit: cfg.unit(), targets: cfg.targets(), lab: l, failed: make(map[float64]sides), started: time.Now()}
}

// bound keeps a search for connections to as many as there may be.
func (s *searcher) bound(most int) error {
	if s.cfg.Search != result.SearchConnections {
		return nil
	}
	s.plan.To = math.Floor(float64(most) / s.unit)
	if s.plan.To < s.plan.From {
		return fmt.Errorf("capacity: the first step has %s connections, and this machine can make %s: begin lower (--from)", number(s.plan.From*s.unit), number(float64(most)))
	}
	return nil
}

// search tries loads until there is an answer.
func (s *searcher) search(ctx context.Context) error {
	for {
		m := s.plan.next(s.trials)
		if m.End != "" {
			s.end = m.End
			return nil
		}
		if s.cfg.Trying != nil {
			s.cfg.Trying(m.Load*s.unit, m.Hold)
		}
		if err := s.try(ctx, m); err != nil {
			s.end = ended
			return err
		}
		s.learn()
	}
}

// most bounds how often a step is held longer that is not steady.
const most = 2

// try tries a load, and again while it is not steady and may turn around.
func (s *searcher) try(ctx context.Context, m move) error {
	begun := time.Now()
	t := trial{Load: m.Load, Hold: m.Hold}
	var step result.CapacityStep
	for extended := 0; ; extended++ {
		s.holding = extended > 0
		tried, err := s.once(ctx, m)
		if err != nil {
			return err
		}
		t.Took = time.Since(begun)
		step = s.judge(m, t.Took, tried.Result)
		step.Extended = extended
		t.Held, t.Carried = step.OK, 0
		s.last = sides{search: s.cfg.Search, high: m.Load * s.unit, failed: tried.Result, failures: tried.Failures, seen: tried.Seen, step: step}
		if !step.OK {
			t.Carried = s.carried(tried.Result) / s.unit
			s.failed[m.Load] = s.last
		}
		going := settling(momentsOf(tried))
		if extended < most && s.affords(t.Took, m.Hold) && going.contradicts(t.Held) {
			continue
		}
		if going == worsening && t.Held && extended == most {
			s.unsteady(&step, &t)
		}
		break
	}
	s.trials = append(s.trials, t)
	s.steps = append(s.steps, step)
	if s.cfg.Step != nil {
		s.cfg.Step(step)
	}
	return nil
}

// unsteady makes a step fail that went on getting worse: it would not have held.
func (s *searcher) unsteady(step *result.CapacityStep, t *trial) {
	step.OK, t.Held = false, false
	step.Missed = append(step.Missed, fmt.Sprintf("not steady: it got worse for %d times as long as it was to hold", most+1))
	side := s.last
	side.step = *step
	s.failed[t.Load] = side
}

// momentsOf returns what was seen of a trial each second.
func momentsOf(t *bench.Tried) []result.Moment {
	if t.Timeline == nil {
		return nil
	}
	return t.Timeline.Moments
}

// affords reports whether the budget has room for holding a load once more.
func (s *searcher) affords(took, hold time.Duration) bool {
	return s.plan.Budget == 0 || spent(s.trials)+took+hold+overhead(s.trials) <= s.plan.Budget
}

// once tries a load in the lab.
func (s *searcher) once(ctx context.Context, m move) (*bench.Tried, error) {
	t := bench.Trial{Connections: s.cfg.Bench.Connections, Rate: s.cfg.Bench.Rate, Hold: m.Hold, Anew: s.atOnce && !s.holding}
	if s.cfg.Search == result.SearchConnections {
		t.Connections = int(m.Load * s.unit)
	} else {
		t.Rate = pace.Rate(m.Load)
	}
	tried, err := s.lab.Try(ctx, t)
	if tried != nil && tried.Result != nil { // beside an error, too: it may be that an agent is lost
		s.agents = result.AddTrial(s.agents, tried.Result.Processes.Agents)
	}
	if err == nil && (tried == nil || tried.Result == nil) {
		err = errors.New("capacity: the trial has no result")
	}
	return tried, err
}

// judge returns the step that a result is.
func (s *searcher) judge(m move, took time.Duration, r *result.Result) result.CapacityStep {
	step := result.NewCapacityStep(m.Load*s.unit, m.Hold, took, r)
	step.Missed = missed(s.targets, r)
	if r.Interrupted {
		step.Missed = append(step.Missed, "it ended early: "+r.InterruptedBy)
	}
	if lost := lostLoad(r); lost != "" {
		step.Missed = append(step.Missed, "a part of the load was lost: "+lost)
	}
	if behind := s.behind(m, r); behind != "" {
		step.Missed = append(step.Missed, behind)
	}
	step.OK = len(step.Missed) == 0
	for _, l := range r.LimitedBy {
		if !step.OK && l.Part == "connecting" {
			step.Why = l.Evidence
		}
	}
	return step
}

// kept is the least share of the asked rate that a server which keeps up delivers: the
// first and the last second of a trial are not whole ones.
const kept = 0.97

// behind returns that messages were delivered more slowly than they came, "" if not: a
// queue that drains after the trial holds for no longer than it.
func (s *searcher) behind(m move, r *result.Result) string {
	rate := s.cfg.Bench.Rate
	if s.cfg.Search == result.SearchRate {
		rate = pace.Rate(m.Load)
	}
	asked := r.Messages.Expected.Per(r.Messages.Sent).Times(float64(rate))
	if share, known := r.Messages.DeliveredPerSecond.Per(asked).Value(); known && share < kept {
		return fmt.Sprintf("delivered %s of %s", r.Messages.DeliveredPerSecond.Text(result.UnitPerSecond), asked.Text(result.UnitPerSecond))
	}
	return ""
}

// carried returns what the server carried of a load that failed.
func (s *searcher) carried(r *result.Result) float64 {
	if s.cfg.Search == result.SearchConnections {
		return max(carriedConnections(r), 0)
	}
	each := r.Messages.Expected.Per(r.Messages.Sent)
	n, _ := r.Messages.DeliveredPerSecond.Per(each).Value()
	return n
}

// learn changes how the search goes on by what stopped the last step. The search ends
// above what holds, once a load failed because the generator cannot make it: that says
// nothing of the server.
func (s *searcher) learn() {
	b := s.plan.bounds(s.trials)
	by := s.stop(b)
	s.atOnce = s.atOnce || by.Limit == acceptBacklog
	if b.high == b.undecided || by.Part != theGenerator {
		return
	}
	s.top = by
	if b.low != nil {
		s.plan.To = b.low.at
	}
}

// stop returns what keeps the server below the lowest load that fails.
func (s *searcher) stop(b bounds) result.StoppedBy {
	if b.high == nil {
		return result.StoppedBy{}
	}
	side := s.failed[b.high.at]
	if b.low != nil {
		side.low = b.low.at * s.unit
	}
	return stoppedBy(side)
}

// capacity returns what was found, and that err ended it early if it did.
func (s *searcher) capacity(err error) *result.Capacity {
	a := s.plan.answer(s.trials)
	c := &result.Capacity{
		Search: s.cfg.Search, Server: s.cfg.Server, Steps: s.steps, Agents: s.agents,
		Environment: result.ReadEnvironment(s.started), Settings: maps.Clone(s.cfg.Bench.Settings),
	}
	for _, t := range s.targets {
		c.Targets = append(c.Targets, t.String())
	}
	if s.cfg.Search == result.SearchRate {
		c.Connections = result.Of(s.cfg.Bench.Connections)
	}
	if a.Load > 0 {
		c.Answer, c.Held, c.Repeats = result.Of(a.Load*s.unit), a.Held, a.Of
		c.Spread.Low = result.Of(a.Spread.Low * s.unit)
	}
	if a.Spread.High > 0 {
		c.Spread.High = result.Of(a.Spread.High * s.unit)
	}
	b := s.plan.bounds(s.trials)
	c.AtLeast = a.Load > 0 && b.high == nil
	c.StoppedBy = s.stop(b)
	switch {
	case err != nil:
		c.Interrupted, c.InterruptedBy = true, err.Error()
	case s.top.Part != "" && b.high == nil:
		c.StoppedBy = s.top
	case s.end == atTheTop:
		c.StoppedBy = s.asked()
	case s.end == noTime:
		c.Ended = fmt.Sprintf("The budget of %v is used up: a longer one (--budget) finds more.", s.plan.Budget)
	}
	return c
}

// byMachine returns that the plan for this machine has no more connections.
func byMachine(l result.Limit) result.StoppedBy {
	return result.StoppedBy{Part: theGenerator, Limit: l.Part, Evidence: l.Evidence}
}

// asked returns that the search was not to go higher.
func (s *searcher) asked() result.StoppedBy {
	return result.StoppedBy{
		Part: "the search", Limit: "--to",
		Evidence: fmt.Sprintf("%s held, and nothing above it was to be tried", number(s.plan.To*s.unit)),
		Raise:    "Give a higher --to.",
	}
}
