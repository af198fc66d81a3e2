package agent

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/flood"
)

// Flood is a flood on the hosts of a crew.
type Flood struct {
	// Config is all of it: its Connections are divided, its Duration begins when all
	// hosts do, and OnSample gets the sum of what they report.
	Config flood.Config
	Crew   *Crew
	// Say gets a line for each part that is lost, and what parts complain of.
	Say func(line string)
}

// Outcome is what came of a flood on several hosts.
type Outcome struct {
	flood.Result
	// Lost says of each part that was lost how. Its connections are Closed, and what
	// came to it is counted as far as it said so.
	Lost []string
	// ClockError is how far apart the clocks of the hosts and of this one may have
	// been, beyond what was taken out of the latency. ClockTrouble is why that is not
	// known.
	ClockError   time.Duration
	ClockTrouble error
}

// sharing is a flood that goes on.
type sharing struct {
	*Flood
	fleet fleet.Fleet
	parts []*sharedPart

	mu    sync.Mutex
	begun time.Time
	came  flood.Spread  // since the last sample
	told  *flood.Result // of connecting; nil once a sample has carried it
	lost  []string
}

// sharedPart is a process of it.
type sharedPart struct {
	*fleet.Process
	live             flood.Sample // guarded by the sharing's mu, like what follows
	connected, ended *flood.Result
}

// readyPatience bounds how long a flood may take until it can be let go, and
// resultPatience how long until it has said what it measured.
const (
	readyPatience  = 20 * time.Second
	resultPatience = 20 * time.Second
)

// Run runs the flood until Duration is over, or ctx ends. An error means that it could
// not begin, or that all hosts were lost.
func (f *Flood) Run(ctx context.Context) (Outcome, error) {
	s := &sharing{Flood: f}
	s.fleet.Say, s.fleet.OnLoss = f.Say, s.lose
	clocks, err := f.Crew.Measure(ctx)
	if err == nil {
		err = s.start(ctx, clocks)
	}
	if err == nil {
		err = s.letGo(ctx)
	}
	after := context.WithoutCancel(ctx)
	if err == nil {
		err = s.finish(after)
	}
	if stopErr := s.fleet.StopAll(after, fleet.Grace{Each: resultPatience}); err == nil {
		err = s.note(stopErr)
	}
	if err != nil {
		return Outcome{}, err
	}
	return s.outcome(after, clocks)
}

// start starts the parts, which wait to be let go.
func (s *sharing) start(ctx context.Context, clocks []Clock) error {
	fl, err := flood.New(s.Config)
	if err != nil {
		return err
	}
	shares, err := Divide(Load{Connections: fl.Connections(), Destinations: len(fl.Destinations()), Sources: s.Config.Sources}, s.Crew.Hosts())
	if err != nil {
		return err
	}
	configs, from := make([]flood.Config, len(shares)), 0
	for i, share := range shares {
		configs[i] = s.Config.Part(from, from+share.Connections)
		configs[i].Sources, configs[i].ClockOffset = share.Sources, clocks[share.Host].Offset
		from += share.Connections
	}
	s.parts = make([]*sharedPart, len(shares))
	return fleet.Each(len(shares), len(shares), func(i int) (err error) {
		p := new(sharedPart)
		p.Process, err = s.Crew.Hosts()[shares[i].Host].Start(ctx, &s.fleet, configs[i], func(line []byte) { s.sample(p, line) })
		if err != nil {
			return err
		}
		s.parts[i] = p
		return p.Await(ctx, "ready", readyPatience, nil)
	})
}

// sample takes a line from a part.
func (s *sharing) sample(p *sharedPart, line []byte) {
	var one flood.Sample
	if json.Unmarshal(line, &one) != nil {
		return // a line that was cut off with its process
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.live = one
	if one.Spread != nil {
		s.came.Add(one.Spread)
	}
}

// letGo lets all parts go at the same time, and returns when the flood is to end.
func (s *sharing) letGo(ctx context.Context) error {
	s.begun = time.Now()
	if s.Config.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, s.begun.Add(s.Config.Duration))
		defer cancel()
	}
	stop := s.report()
	defer stop()
	err := s.fleet.Watch(ctx, func(ctx context.Context) error {
		for _, p := range s.parts {
			_ = p.Tell("go") // Await has the error of one that has ended
		}
		err := fleet.Each(len(s.parts), len(s.parts), func(i int) error {
			account := new(flood.Result)
			if err := s.parts[i].Await(ctx, "connected", 0, account); err != nil {
				return s.unlessLost(s.parts[i], err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.parts[i].connected = account
			return nil
		})
		if err != nil {
			return err
		}
		s.allTried()
		<-ctx.Done()
		return context.Cause(ctx)
	})
	if ctx.Err() != nil {
		return nil // as it should
	}
	return err
}

// allTried notes the figures of connecting, for the next sample, and lets a storm come.
func (s *sharing) allTried() {
	var all []flood.Result
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts {
		if p.connected != nil {
			all = append(all, *p.connected)
		}
		if s.Config.Storm.Share > 0 {
			_ = p.Tell("messages") // the end of one is noticed elsewhere
		}
	}
	sum, _ := flood.Join(all...) // they have no histograms
	sum.Counts = s.counts()
	s.told = &sum
}

// report passes on what the parts report, until stop is called.
func (s *sharing) report() (stop func()) {
	if s.Config.OnSample == nil {
		return func() {}
	}
	interval := s.Config.SampleInterval
	if interval == 0 {
		interval = time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	var reporter sync.WaitGroup
	reporter.Go(func() {
		for fleet.Wait(ctx, interval) == nil {
			s.Config.OnSample(s.sum())
		}
	})
	return func() {
		cancel()
		reporter.Wait()
		s.Config.OnSample(s.sum())
	}
}

// sum returns what the parts have reported, as one sample.
func (s *sharing) sum() flood.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	sum := flood.Sample{Time: now, Elapsed: now.Sub(s.begun), Counts: s.counts(), Connected: s.told, Returns: s.Config.Returns()}
	s.told = nil
	if sum.Latency = s.came.Quantiles(); sum.Latency != nil {
		sum.Spread, s.came = new(s.came), flood.Spread{}
	}
	for _, p := range s.parts {
		if b := p.live.Busy; b != nil && !s.fleet.Lost(p.Process) && (sum.Busy == nil || *b > *sum.Busy) {
			sum.Busy = b
		}
	}
	return sum
}

// counts sums what the parts have counted. s.mu must be held.
func (s *sharing) counts() (sum flood.Counts) {
	for _, p := range s.parts {
		one := p.live.Counts
		if p.ended != nil {
			one = p.ended.Counts
		}
		if s.fleet.Lost(p.Process) {
			one = one.Gone()
		}
		sum.Add(one)
	}
	return sum
}

// finish ends the parts and takes their results.
func (s *sharing) finish(ctx context.Context) error {
	for _, p := range s.parts {
		s.fleet.Retire(p.Process)
		p.End()
	}
	return fleet.Each(len(s.parts), len(s.parts), func(i int) error {
		p, account := s.parts[i], new(flood.Result)
		if s.fleet.Lost(p.Process) {
			return nil
		}
		if err := p.Await(ctx, "result", resultPatience, account); err != nil {
			return s.note(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		p.ended = account
		_ = p.Stop(resultPatience) // what it has to complain of is in its result
		return nil
	})
}

// lose notes a part that is lost. The others go on, if there are any.
func (s *sharing) lose(p *fleet.Process) error {
	lost := p.Lost()
	if len(s.fleet.Running()) == 0 {
		return lost
	}
	return s.note(lost)
}

// unlessLost returns nil if err only says that p was lost and others can go on;
// otherwise err.
func (s *sharing) unlessLost(p *sharedPart, err error) error {
	if !p.Ended() {
		return err
	}
	return s.fleet.Lose(p.Process)
}

// note notes what is lost, and says so.
func (s *sharing) note(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	s.lost = append(s.lost, err.Error())
	s.mu.Unlock()
	s.Say("lost: " + err.Error())
	return nil
}

// outcome joins the results of the parts. Of one without a result it has the counts that
// it reported.
func (s *sharing) outcome(ctx context.Context, clocks []Clock) (o Outcome, err error) {
	o.ClockError, o.ClockTrouble = s.Crew.ClockError(ctx, clocks)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]flood.Result, len(s.parts))
	for i, p := range s.parts {
		if all[i] = (flood.Result{Counts: p.live.Gone()}); p.ended != nil {
			all[i] = *p.ended
		}
	}
	o.Lost = s.lost
	o.Result, err = flood.Join(all...)
	return o, err
}
