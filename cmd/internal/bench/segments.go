package bench

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/result"
)

// segment is a flood of a session: it has the connections from one to another of all.
type segment struct {
	*floodPart
	from, to int
	host     int // of the agent, where the floods are on several hosts
}

// bring opens and closes connections.
func (s *Session) bring(ctx context.Context) error {
	r := s.run
	if err := s.keep(ctx, r.plan.connections); err != nil {
		return err
	}
	missing := s.missing()
	r.rec.held = r.totals().Connected
	if len(missing) == 0 {
		r.rec.connecting = r.take(false)
		r.rec.connected = r.rec.connecting
		return nil
	}
	return s.fill(ctx, missing)
}

// keep ends the floods with connections beyond a number, and those that have lost some;
// all of them, if the trial is to open its connections itself.
func (s *Session) keep(ctx context.Context, connections int) error {
	r := s.run
	var kept []*segment
	var ending []*fleet.Process
	for _, one := range s.floods {
		switch live := one.live.Load(); {
		case !s.anew && one.to <= connections && live != nil && live.Counts.Connected == one.to-one.from && !one.Ended():
			kept = append(kept, one)
		default:
			ending = append(ending, one.Process)
		}
	}
	s.set(kept)
	for _, p := range ending {
		r.fleet.Retire(p)
	}
	err := fleet.Each(len(ending), atOnce, func(i int) error {
		if err := ending[i].Stop(r.patience()); err != nil && !ending[i].Ended() {
			return err
		}
		return nil // what it has to complain of is in the figures of its last trial
	})
	if err == nil && len(ending) > 0 {
		err = fleet.Wait(ctx, partingTime)
	}
	return err
}

// partingTime is for the server to notice that connections have left.
const partingTime = 300 * time.Millisecond

// set makes these the floods of the session.
func (s *Session) set(floods []*segment) {
	slices.SortFunc(floods, func(a, b *segment) int { return a.from - b.from })
	s.floods = floods
	s.run.floods = parts(floods)
}

// parts returns the floods of segments.
func parts(segments []*segment) (list []*floodPart) {
	for _, one := range segments {
		list = append(list, one.floodPart)
	}
	return list
}

// missing returns segments, without floods, for the connections that none has.
func (s *Session) missing() (list []*segment) {
	for at := 0; at < s.run.plan.connections; {
		if to := s.covered(at); to > at {
			at = to
			continue
		}
		next := s.gap(at)
		list = append(list, next)
		at = next.to
	}
	return list
}

// covered returns where the flood ends that has a connection.
func (s *Session) covered(at int) int {
	for _, one := range s.floods {
		if one.from <= at && at < one.to {
			return one.to
		}
	}
	return at
}

// gap returns a segment for the connections from at on, as far as one pair has them
// and no flood does.
func (s *Session) gap(at int) *segment {
	to := s.run.plan.connections
	for _, one := range s.floods {
		if one.from > at {
			to = min(to, one.from)
			break
		}
	}
	i, start := s.plan.pairOf(at)
	return &segment{from: at, to: min(to, start+s.plan.pairs[i].connections)}
}

// pairOf returns the pair that has a connection, and the number of its first one.
func (p *plan) pairOf(at int) (i, start int) {
	for i, one := range p.pairs {
		if at < start+one.connections || i == len(p.pairs)-1 {
			return i, start
		}
		start += one.connections
	}
	return 0, 0
}

// part returns what a flood of some connections of a pair is to be told, counted from
// the pair's first.
func (p *plan) part(one pair, from, to int) pair {
	part := one
	part.connections = to - from
	switch {
	case p.subscribers > 1:
		first := one.skip + from
		part.firstID, part.skip = one.firstID+int64(first/p.subscribers), first%p.subscribers
		part.ids = int64((one.skip+to-1)/p.subscribers-first/p.subscribers) + 1
	case one.ids == 0:
		part.firstID = one.firstID + int64(from)
	}
	return part
}

// fill starts floods for segments, and lets them open their connections.
func (s *Session) fill(ctx context.Context, missing []*segment) error {
	r := s.run
	if missing = s.plan.spreadAway(missing); s.plan.away {
		r.plan.opening = 0
		for _, one := range missing {
			r.plan.opening += one.to - one.from
		}
	}
	err := fleet.Each(len(missing), atOnce, func(k int) (err error) {
		one := missing[k]
		i, start := s.plan.pairOf(one.from)
		what := s.plan.part(s.plan.pairs[i], one.from-start, one.to-start)
		if what.sources = s.sources(i, what); s.plan.away {
			what.host, what.sources = one.host, s.plan.sourcesAt(one.host)
		}
		one.floodPart, err = r.startFlood(ctx, i, what)
		return err
	})
	started := slices.DeleteFunc(missing, func(one *segment) bool { return one.floodPart == nil })
	s.set(append(slices.Clone(s.floods), started...))
	if err != nil {
		return err
	}
	r.rec.connecting = r.take(false)
	begun := time.Now()
	established := func() int { return r.totals().Established() }
	err = r.watch(ctx, r.stalled(established), func(ctx context.Context) error {
		width := rampWidth
		if !r.cfg.Streams.Pace.Unpaced() {
			width = 1 // each keeps to the rate
		}
		return r.fillAll(parts(started), width, func(f *floodPart) error { return r.fill(ctx, f) })
	}, r.untilFull)
	r.rec.connectSeconds = result.Seconds(time.Since(begun))
	r.settled = time.Now()
	r.rec.connected = r.take(false)
	return err
}

// sources returns addresses for a new flood of pair i: others than before, since the
// ports of those may be in TIME_WAIT, as long as there are any.
func (s *Session) sources(i int, what pair) []netip.Addr {
	if s.plan.perSource == 0 {
		return what.sources
	}
	var list []netip.Addr
	for range s.plan.sourcesOf(what) {
		const first, last = 2, 250
		list = append(list, s.plan.host(i, first+s.hosts[i]%(last-first)))
		s.hosts[i]++
	}
	return list
}
