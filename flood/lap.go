package flood

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Lap makes the next sample carry the figures since the last lap, or since the run
// began, in its Lap, and begins another. Any goroutine may call it.
func (f *Flood) Lap() { f.lap.Store(true) }

// lap ends a lap. The histograms begin anew; what Result holds at the end of the run
// is then that of its last lap, but for the Counts.
func (o *observer) lap() *Result {
	r := o.end()
	r.Counts = o.counts.since(o.lapped, o.config.Returns())
	r.BeforeDueMS, r.Reconnect.PeakPerSecond = o.highest.BeforeDueMS, o.highest.Reconnect.PeakPerSecond
	o.lapped, o.highest = o.counts, Counts{}
	for _, h := range []*hdrhistogram.Histogram{o.connect, o.firstByte, o.latency, o.firstMessage, o.gap, o.stream, o.offline} {
		h.Reset()
	}
	if o.fanOut != nil {
		o.fanOut = newFanOut()
	}
	o.fail = newFailures(o.config)
	o.odd = oddities{}
	o.lastFirstByte, o.firstStamp, o.lastStamp = time.Time{}, time.Time{}, time.Time{}
	o.busiest = 0
	return &r
}

// since returns what was counted after before. How many connections there are is as
// it is now, and the highest of something as it was; where connections come back, how
// many are gone is as it is now, too.
func (c Counts) since(before Counts, returns bool) Counts {
	for _, one := range []struct {
		now    *uint64
		before uint64
	}{
		{&c.Chunks, before.Chunks},
		{&c.Bytes, before.Bytes},
		{&c.Stamped, before.Stamped},
		{&c.Delivered, before.Delivered},
		{&c.Duplicated, before.Duplicated},
		{&c.Reordered, before.Reordered},
		{&c.UnknownTracks, before.UnknownTracks},
		{&c.Untracked, before.Untracked},
		{&c.Replayed, before.Replayed},
		{&c.BeforeDue, before.BeforeDue},
		{&c.Completed, before.Completed},
		{&c.CompletedMessages, before.CompletedMessages},
		{&c.Reconnect.Lost, before.Reconnect.Lost},
		{&c.Reconnect.Left, before.Reconnect.Left},
		{&c.Reconnect.Attempts, before.Reconnect.Attempts},
		{&c.Reconnect.Failed, before.Reconnect.Failed},
		{&c.Reconnect.Back, before.Reconnect.Back},
	} {
		*one.now -= one.before
	}
	if !returns {
		c.Closed -= before.Closed
		c.Failed -= before.Failed
	}
	c.Missing -= before.Missing
	c.Reconnect.MissedOffline -= before.Reconnect.MissedOffline
	return c
}
