package bench

import (
	"slices"
	"time"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/memlog/series"
	"example.org/comet/msggen"
)

// record is what was seen of a run, in the order of its phases. Only phases write
// it. What a phase did not come to is the zero value.
type record struct {
	started time.Time

	// bare is before the first part was started. Of servers that run already cold
	// is before the warm-up and warm while its connections, of which there were
	// warmed, are open. begun is when all were warm, connecting
	// before the first connect if that was not then, and idle some seconds after the
	// last one. sending and sent are the start and the
	// end of the generator, ended is after the last arrival.
	bare, cold, warm, begun, connecting, connected, idle, sending, sent, ended probe.Snapshot
	warmed                                                                     int

	connectSeconds result.Figure
	held           int                          // connections that were there before
	afterGC        map[probe.Part]result.Figure // the servers' memory after a collection
	before, after  *traffic                     // at the ends of the messages
	generated      *msggen.Result
	generatorCPU   result.Figure // seconds
	busy           result.Figure // share of the floods' time while messages were sent
	floods         []floodAccount
	parts          []part
	agents         []result.Agent // without what their floods did
	losses         []loss
	paused         []suspension
	samples        []series.Sample // of the memory log
	timeline       *result.Timeline
	// clockError is how far the agents' clocks may be off, in milliseconds; clockTrouble
	// is why that is not known.
	clockError   result.Figure
	clockTrouble error
	failure      error // what ended the run early
}

// part is a process, or a server that is not ours.
type part struct {
	probe.Part
	pid, connections result.Figure
	lost             bool
	agent            string // "": it is here
}

// loss is a part that is not there any more, or hangs.
type loss struct {
	what  string // a sentence
	phase string // when it was noticed
	ended bool   // the others went on
}

// suspension is a time in which the bench itself did not run.
type suspension struct {
	phase string
	d     time.Duration
}

// floodAccount is what a flood has reported.
type floodAccount struct {
	live             flood.Sample  // its newest sample
	connected, ended *flood.Result // its accounts of connecting, and of everything
	lost             bool
}

// counts are sums over floods.
type counts struct {
	flood.Counts
	// final: each flood has given its last account. all: and none was lost.
	final, all bool
}

// ends returns how often a connection ended, also of those that came back.
func (c counts) ends() uint64 { return c.Closed + c.Reconnect.Back }

// now returns the newest counts of a flood. The connections of one that is lost
// have closed with its process.
func (f floodAccount) now() flood.Counts {
	c := f.live.Counts
	if f.ended != nil {
		c = f.ended.Counts
	}
	if f.lost {
		return c.Gone()
	}
	return c
}

// totals sums what floods have counted.
func totals(floods []floodAccount) counts {
	t := counts{final: true, all: true}
	for _, f := range floods {
		c := f.now()
		t.Add(c)
		t.final = t.final && (f.ended != nil || f.lost)
		t.all = t.all && f.ended != nil && !f.lost
	}
	return t
}

// later returns how many connections failed in the phase that opens them and were
// established after it, by --reconnect: of floods that began in it.
func (rec *record) later() (n int) {
	if rec.held > 0 {
		return 0
	}
	for _, f := range rec.floods {
		if c := f.connected; c != nil {
			n += int(c.Failed - min(c.Failed, f.now().Failed))
		}
	}
	return n
}

// explanation returns why connections failed, of the first flood where some did.
func explanation(floods []floodAccount) string {
	for _, f := range floods {
		if f.connected != nil && f.connected.Explanation != "" {
			return f.connected.Explanation
		}
	}
	return ""
}

// failures returns the connections that failed, by kind, of all floods.
func failures(floods []floodAccount) map[string]uint64 {
	sum := make(map[string]uint64)
	for _, f := range floods {
		r := f.ended
		if r == nil {
			r = f.connected
		}
		if r == nil {
			continue
		}
		for kind, n := range r.Failures {
			sum[kind] += n
		}
	}
	return sum
}

// answersSay returns what answers say of the server's program: of floods of which some
// were refused, if there are any.
func answersSay(floods []floodAccount) (says string) {
	for _, f := range floods {
		r := f.ended
		if r == nil {
			r = f.connected
		}
		switch {
		case r == nil || r.Server == "":
		case len(r.Statuses) > 0:
			return r.Server
		case says == "":
			says = r.Server
		}
	}
	return says
}

// merged returns one distribution of those of several floods, nil if there is
// none.
func merged(floods []floodAccount, of func(*flood.Result) *flood.Quantiles) *flood.Quantiles {
	var parts []*flood.Quantiles
	for _, f := range floods {
		r := f.ended
		if r == nil && len(floods) == 1 {
			r = f.connected
		}
		if r == nil {
			continue
		}
		if q := of(r); q != nil {
			parts = append(parts, q)
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	q, err := flood.Merge(parts...)
	if err != nil {
		return nil
	}
	return q
}

// lostIn reports whether a part was lost in one of the phases.
func (rec *record) lostIn(phases ...string) bool {
	return slices.ContainsFunc(rec.losses, func(l loss) bool { return slices.Contains(phases, l.phase) })
}

// pausedIn reports whether the bench was suspended in one of the phases.
func (rec *record) pausedIn(phases ...string) bool {
	return slices.ContainsFunc(rec.paused, func(s suspension) bool { return slices.Contains(phases, s.phase) })
}

// measured reports whether messages were sent, or were about to be.
func (rec *record) measured() bool { return rec.sending.Taken() }
