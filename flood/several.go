package flood

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"example.org/comet/flood/pace"
)

// Now returns the time by the clock that a flood on this host goes by, without its
// Config.ClockOffset.
func Now() time.Time { return time.Now().Add(skew()) }

// Add adds what another flood has counted. What is the highest of something becomes
// the higher one of both, but for PeakPerSecond, which adds up as if all peaks had come
// in one second.
func (c *Counts) Add(other Counts) {
	c.Asked += other.Asked
	c.Connected += other.Connected
	c.Closed += other.Closed
	c.Failed += other.Failed
	c.InFlight += other.InFlight
	c.Chunks += other.Chunks
	c.Bytes += other.Bytes
	c.Stamped += other.Stamped
	c.Delivered += other.Delivered
	c.Duplicated += other.Duplicated
	c.Reordered += other.Reordered
	c.Missing += other.Missing
	c.UnknownTracks += other.UnknownTracks
	c.Untracked += other.Untracked
	c.Replayed += other.Replayed
	c.BeforeDue += other.BeforeDue
	c.BeforeDueMS = max(c.BeforeDueMS, other.BeforeDueMS)
	c.Completed += other.Completed
	c.CompletedMessages += other.CompletedMessages
	c.Reconnect.Lost += other.Reconnect.Lost
	c.Reconnect.Left += other.Reconnect.Left
	c.Reconnect.Attempts += other.Reconnect.Attempts
	c.Reconnect.Failed += other.Reconnect.Failed
	c.Reconnect.Back += other.Reconnect.Back
	c.Reconnect.PeakPerSecond += other.Reconnect.PeakPerSecond
	c.Reconnect.MissedOffline += other.Reconnect.MissedOffline
}

// Gone returns the counts of a flood that was lost: its connections have closed with it.
func (c Counts) Gone() Counts {
	c.Closed += uint64(c.Connected)
	c.Connected, c.InFlight = 0, 0
	return c
}

// Join returns the result of several floods that ran together. A distribution is joined
// of those that have a Histogram, or a Sample; ConnectSeconds and MessageSeconds are the
// longest.
func Join(parts ...Result) (Result, error) {
	r := Result{Failures: make(map[string]uint64), Statuses: make(map[int]uint64)}
	for _, p := range parts {
		r.Add(p.Counts)
		r.ConnectSeconds, r.MessageSeconds = max(r.ConnectSeconds, p.ConnectSeconds), max(r.MessageSeconds, p.MessageSeconds)
		for kind, n := range p.Failures {
			r.Failures[kind] += n
		}
		for status, n := range p.Statuses {
			r.Statuses[status] += n
		}
		r.Server = cmp.Or(r.Server, p.Server)
		r.Explanation, r.Bottleneck = cmp.Or(r.Explanation, p.Explanation), cmp.Or(r.Bottleneck, p.Bottleneck)
	}
	var errs []error
	for _, one := range []struct {
		of   func(*Result) *Quantiles
		into **Quantiles
	}{
		{func(p *Result) *Quantiles { return p.Connect }, &r.Connect},
		{func(p *Result) *Quantiles { return p.FirstByte }, &r.FirstByte},
		{func(p *Result) *Quantiles { return p.Latency }, &r.Latency},
		{func(p *Result) *Quantiles { return p.FirstMessage }, &r.FirstMessage},
		{func(p *Result) *Quantiles { return p.Gap }, &r.Gap},
		{func(p *Result) *Quantiles { return p.Stream }, &r.Stream},
		{func(p *Result) *Quantiles { return p.Offline }, &r.Offline},
	} {
		list := make([]*Quantiles, len(parts))
		for i := range parts {
			list[i] = one.of(&parts[i])
		}
		var err error
		*one.into, err = Merge(list...)
		errs = append(errs, err)
	}
	list := make([]*FanOut, len(parts))
	for i := range parts {
		list[i] = parts[i].FanOut
	}
	var err error
	r.FanOut, err = MergeFanOut(list...)
	return r, errors.Join(append(errs, err)...)
}

// Part returns the flood of the connections from one number, counted from 0, to another
// of those that c opens: what the parts open together is what c does. Where the ids, or
// the rows of users, come round, each part begins with the first one.
func (c Config) Part(from, to int) Config {
	c = c.withDefaults()
	all, first := c.Connections, c.Skip+from
	part := c
	part.Connections, part.Skip = to-from, first%c.Subscribers
	rooms := int64((part.Skip + part.Connections + c.Subscribers - 1) / c.Subscribers)
	if c.LastID-c.FirstID+1 >= int64(c.rooms()) {
		part.FirstID = c.FirstID + int64(first/c.Subscribers)
		part.LastID = part.FirstID + rooms - 1
	}
	if n := len(c.URLs); n > 0 {
		part.URLs = slices.Clone(c.URLs)
		for i := range part.URLs {
			part.URLs[i] = c.URLs[(first/c.Subscribers+i)%n]
		}
		part.URLs = part.URLs[:min(int64(n), rooms)]
	}
	return part.AtOnce(all)
}

// AtOnce returns c as one of several floods that open their connections at the same time,
// all in all so many: with its part of the ramp, of the rate, and of the connections
// in flight.
func (c Config) AtOnce(all int) Config {
	c = c.withDefaults()
	share := float64(c.Connections) / float64(all)
	c.Ramp = c.Ramp.Part(c.Connections, all)
	c.InFlight = max(int(float64(c.InFlight)*share), 1)
	if p, err := pace.PerSecond(c.Pace.Rate() * share); err == nil && !c.Pace.Unpaced() {
		c.Pace = p
	}
	return c
}
