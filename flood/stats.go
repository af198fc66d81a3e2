package flood

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example.org/comet/server/wire"
)

// Counts holds what a flood has seen so far.
type Counts struct {
	Asked     int    `json:"asked"`     // connections to open
	Connected int    `json:"connected"` // open now
	Closed    uint64 `json:"closed"`    // were established and ended since
	Failed    uint64 `json:"failed"`    // were never established
	InFlight  int    `json:"in_flight"` // wait for their first byte
	// Chunks counts the chunks that the last hop framed, or the reads of a stream
	// without chunks: how the messages were packed, not how many there were.
	Chunks uint64 `json:"chunks"`
	Bytes  uint64 `json:"bytes"`

	// Stamps of the runs that are counted, however they were framed. Each is told
	// by its run, its sequence and its number on its connection.
	Stamped    uint64 `json:"stamped"`    // that came: delivered, duplicated or unknown
	Delivered  uint64 `json:"delivered"`  // distinct ones
	Duplicated uint64 `json:"duplicated"` // came again
	Reordered  uint64 `json:"reordered"`  // distinct ones that came after a later one
	// Missing counts the numbers between the first and the last of a sequence that
	// have not come. It is not what was lost on the way: a number that the
	// generator gave and the server refused is among them, and a loss at either
	// end is not. Who knows what was sent takes Delivered from that.
	Missing int64 `json:"missing"`
	// UnknownTracks counts the sequences of which it is no longer known what came
	// for the first time, because more was out of order than there is room for.
	// Above 0, Missing is the most that it may be, and Delivered the least.
	UnknownTracks uint64 `json:"unknown_tracks"`
	// Untracked are those of Delivered whose sequences Config.TrackOneIn leaves out:
	// some of them may be duplicates, or out of order.
	Untracked uint64 `json:"untracked,omitempty"`
	// Replayed counts stamps of runs that are not counted (Config.Run). They are in
	// no other figure but Chunks and Bytes.
	Replayed uint64 `json:"replayed"`
	// BeforeDue counts distinct stamps that came before they were due, by up to
	// BeforeDueMS milliseconds: the clocks of here and of the generator differ. They
	// are in no latency.
	BeforeDue   uint64  `json:"before_due"`
	BeforeDueMS float64 `json:"before_due_ms"`

	// Completed counts the streams that the server ended in order; they are among
	// Closed until they come back. CompletedMessages are those that came on them, of
	// each at most 65,535.
	Completed         uint64 `json:"completed"`
	CompletedMessages uint64 `json:"completed_messages"`

	Reconnect Reconnects `json:"reconnect"`
}

// Reconnects counts what became of connections that were lost or left, while
// Connected and Closed say where they are now.
type Reconnects struct {
	Lost     uint64 `json:"lost"`     // ended otherwise than by themselves
	Left     uint64 `json:"left"`     // by churn and storm
	Attempts uint64 `json:"attempts"` // to open one again
	Failed   uint64 `json:"failed"`   // of these
	Back     uint64 `json:"back"`     // that are established again
	// PeakPerSecond is the most attempts in a second.
	PeakPerSecond uint64 `json:"peak_per_second"`
	// MissedOffline are the numbers that connections jumped over as they came back:
	// messages that were sent while they were away. They are among Missing.
	MissedOffline int64 `json:"missed_offline"`
}

// Established returns how many connections were answered with a stream, whatever
// became of them.
func (c Counts) Established() int { return c.Connected + int(c.Closed) }

// Quantiles of a distribution, in milliseconds.
type Quantiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
	// Histogram is the whole distribution, in microseconds, in the encoding V2
	// of HdrHistogram: only a result at the end of a run has it. Merge adds those
	// of several floods.
	Histogram string `json:"histogram,omitempty"`
}

// Merge returns the distribution of several that have a Histogram, with its own;
// nil if none has.
func Merge(parts ...*Quantiles) (*Quantiles, error) {
	sum := newHistogram()
	for _, q := range parts {
		if q == nil || q.Histogram == "" {
			continue
		}
		h, err := readHistogram(q.Histogram)
		if err != nil {
			return nil, fmt.Errorf("flood: a histogram cannot be read: %w", err)
		}
		sum.Merge(h)
	}
	return whole(sum), nil
}

// readHistogram reads what whole has written. In one of another shape some times could
// get lost, and one of too many would let the sum overflow.
func readHistogram(text string) (*hdrhistogram.Histogram, error) {
	h, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	own := newHistogram()
	switch {
	case h.LowestTrackableValue() != own.LowestTrackableValue(), h.HighestTrackableValue() != own.HighestTrackableValue(), h.SignificantFigures() != own.SignificantFigures():
		return nil, fmt.Errorf("it has times from %d to %d µs and %d digits, which no flood writes", h.LowestTrackableValue(), h.HighestTrackableValue(), h.SignificantFigures())
	case h.TotalCount() > mostTimes:
		return nil, fmt.Errorf("it has %d times, which nobody has seen", h.TotalCount())
	}
	return h, nil
}

// Sample holds a flood's figures at one moment.
type Sample struct {
	Time    time.Time     `json:"time"`
	Elapsed time.Duration `json:"elapsed_ns"`
	Counts
	// Latency is from when a message was due to when its stamp came, over the
	// time since the last sample that has one, at most one per second; nil where no stamp
	// came. Spread is the distribution that it is of.
	Latency *Quantiles `json:"latency_ms,omitempty"`
	Spread  *Spread    `json:"latency_spread,omitempty"`
	// Busy is the share of the time since the last sample that the client did
	// not wait for the network. Near 1 the client is the bottleneck, and its
	// figures are its own limit. It is nil where it is not measured.
	Busy *float64 `json:"busy,omitempty"`
	// Connected is set once, in the first sample after every connection has
	// been tried: the figures of connecting.
	Connected *Result `json:"-"`
	// Lap is set in the first sample after each call of [Flood.Lap].
	Lap *Result `json:"-"`

	// Returns says that connections come back.
	Returns bool `json:"returns,omitempty"`
}

// Result holds a flood's figures for a whole run.
type Result struct {
	Counts
	// ConnectSeconds is from the first connect to the last first byte; 0 while
	// there was none.
	ConnectSeconds float64 `json:"connect_seconds"`
	// Connect is from when a connect began, or was due, to the established
	// connection; FirstByte, to the first byte of the answer.
	Connect   *Quantiles `json:"connect_ms,omitempty"`
	FirstByte *Quantiles `json:"first_byte_ms,omitempty"`
	// Latency is from when a message was due to when its stamp came: when the kernel
	// had it, where that says so (Linux), else when it was read. Of messages that are
	// read at once the last one's time counts.
	Latency *Quantiles `json:"latency_ms,omitempty"`
	// FirstMessage is from the request of a stream to its first message, Gap from a
	// message to the next, and Stream from the request to the end of those that are
	// Completed. A message is one of the protocol: an event, a message of a
	// WebSocket, the answer to a poll, or else a chunk.
	FirstMessage *Quantiles `json:"first_message_ms,omitempty"`
	Gap          *Quantiles `json:"gap_ms,omitempty"`
	Stream       *Quantiles `json:"stream_ms,omitempty"`
	// Offline is from when a connection was lost or left to when it was established
	// again.
	Offline *Quantiles `json:"offline_ms,omitempty"`
	// FanOut is nil unless several connections have an id, by Config.Subscribers, or
	// Config.FanOut is set.
	FanOut *FanOut `json:"fanout_ms,omitempty"`
	// MessageSeconds is from the first stamp to the last.
	MessageSeconds float64 `json:"message_seconds"`
	// Failures counts the connections that failed or were cut off, by Failure: one that
	// comes back each time.
	Failures map[string]uint64 `json:"failures,omitempty"`
	Statuses map[int]uint64    `json:"statuses,omitempty"`
	// Explanation says what the commonest failure means and what to do, and why
	// streams that were established cannot be read.
	Explanation string `json:"explanation,omitempty"`
	// Server is what answers say of the server's program, in their fields Server (RFC 9110,
	// section 10.2.4) and X-Powered-By: those that are no stream, or else those that are. A
	// proxy may have written it.
	Server string `json:"server,omitempty"`
	// Bottleneck says so when the client itself was the bottleneck.
	Bottleneck string `json:"bottleneck,omitempty"`
}

// The histograms reach from a microsecond to ten minutes, in microseconds, with
// three digits: 170 KB each, of which only the pages in use cost memory.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, (10 * time.Minute).Microseconds(), 3)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	us := min(max(d.Microseconds(), 1), h.HighestTrackableValue())
	_ = h.RecordValue(us) // in range by now
}

func quantiles(h *hdrhistogram.Histogram) *Quantiles {
	if h.TotalCount() == 0 {
		return nil
	}
	at := h.ValueAtPercentiles([]float64{50, 90, 99, 99.9})
	ms := func(us int64) float64 { return float64(us) / 1000 }
	return &Quantiles{Count: h.TotalCount(), P50: ms(at[50]), P90: ms(at[90]), P99: ms(at[99]), P999: ms(at[99.9]), Max: ms(h.Max())}
}

// whole returns the quantiles with the histogram. Encoding takes a megabyte for a
// moment, which must not fall into a time when memory is measured.
func whole(h *hdrhistogram.Histogram) *Quantiles {
	q := quantiles(h)
	if q == nil {
		return nil
	}
	if text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase); err == nil {
		q.Histogram = string(text)
	}
	return q
}

// observer gathers the figures. It belongs to one goroutine at a time.
type observer struct {
	config  *Config
	targets *targets
	script  *script
	begun   time.Time
	ahead   time.Duration // added to this machine's clock for what others compare
	counts  Counts
	fail    Failures
	odd     oddities
	// witnesses are the first answer that was a stream and the first that was not.
	witnesses [2]witness

	spares spares
	latest
	reply []byte // what feed has to be sent
	text  []byte // for one message
	// inSecond is how many attempts there were in the second that began last.
	second   time.Time
	inSecond uint64
	asked    time.Duration           // how long the last answer asks to wait
	seam     [2 * wire.MaxStamp]byte // where two pieces of a body meet
	held     budget                  // what the account of a connection may hold

	connect, firstByte, latency *hdrhistogram.Histogram
	recent                      Spread // latency since the last sample
	// The times of streams and of absences.
	firstMessage, gap, stream, offline *hdrhistogram.Histogram
	fanOut                             *fanOut // nil with a connection for each id

	firstConnect, lastFirstByte time.Time
	firstStamp, lastStamp       time.Time
	messages                    uint64 // of the protocol, stamped or not

	waited     time.Duration // of the time since the last sample, waiting for the network
	lastSample time.Time
	// lastLatency is when a sample had a latency last.
	lastLatency time.Time
	// busiest is the highest share of a sample in which there was work.
	busiest float64

	out  chan Sample
	told *Result // of connecting; nil once a sample has carried it
	// lastLap is nil once a sample has carried it, and lapped is what was counted by
	// its end.
	lastLap  *Result
	lapAsked *atomic.Bool
	lapped   Counts
	// highest has BeforeDueMS and PeakPerSecond of this lap.
	highest Counts
}

// latest is what feed has just taken of one connection.
type latest struct {
	fed  []byte // what it was given, from the part that it returned
	head []byte // of an answer
	// closing is a close frame; broken, how a WebSocket's server broke the protocol.
	closing []byte
	broken  *wire.ProtocolError
}

func newObserver(f *Flood) *observer {
	now := time.Now()
	cfg := &f.cfg
	o := &observer{
		config: cfg, targets: f.targets, script: f.script, lapAsked: &f.lap, begun: now, lastSample: now, ahead: cfg.ClockOffset + skew(),
		counts:  Counts{Asked: cfg.Connections},
		fail:    newFailures(cfg),
		held:    newBudget(),
		connect: newHistogram(), firstByte: newHistogram(), latency: newHistogram(),
		firstMessage: newHistogram(), gap: newHistogram(), stream: newHistogram(), offline: newHistogram(),
		out: make(chan Sample, 16),
	}
	if cfg.Subscribers > 1 || cfg.FanOut {
		o.fanOut = newFanOut()
	}
	return o
}

// attempt counts an attempt to come back.
func (o *observer) attempt(now time.Time) {
	if now.Sub(o.second) >= time.Second {
		o.second, o.inSecond = now, 0
	}
	o.inSecond++
	o.counts.Reconnect.Attempts++
	for _, c := range []*Counts{&o.counts, &o.highest} {
		c.Reconnect.PeakPerSecond = max(c.Reconnect.PeakPerSecond, o.inSecond)
	}
}

// failed counts a connection whose request was not sent.
func (o *observer) failed(kind Failure, at phase, err error) {
	o.counts.Failed++
	o.fail.add(failureCase{kind: kind, phase: at, closed: errors.Is(err, io.EOF)}, err, nil)
}

// unanswered counts a connection whose request was sent and that did not become a
// stream.
func (o *observer) unanswered(r *reading, kind Failure, err error) {
	o.counts.Failed++
	c := failureCase{kind: kind, phase: asked, closed: errors.Is(err, io.EOF), socket: kind == Status && o.targets != nil && o.targets.socket(0)}
	start := o.fed
	switch {
	case kind == Status:
		c.status = r.parser.Status()
	case kind == Mismatch:
		start = o.head
	case r.parser.Status() != 0:
		c.phase, start = greeted, o.unheard(r)
	case kind == Malformed:
	case r.parser.Started():
		c.phase, start = inHead, nil
		if r.spare != 0 {
			start = o.spares.rows[r.spare].head
		}
	default:
		start = nil
	}
	o.fail.add(c, err, start)
}

// established takes a stream in whose head has come.
func (o *observer) established(r *reading, due, connected, now time.Time) {
	o.odd.answered(&r.parser)
	o.counts.Connected++
	o.lastFirstByte = now
	record(o.connect, connected.Sub(due))
	record(o.firstByte, now.Sub(due))
}

// polling takes a long poll in whose request is on its way.
func (o *observer) polling(due, now time.Time) {
	o.counts.Connected++
	o.lastFirstByte = now
	record(o.connect, now.Sub(due))
}

// refused takes an established long poll back, whose first answer, or a later one,
// is none.
func (o *observer) refused(r *reading, err error) {
	o.counts.Connected--
	if kind := kindOf(err); kind == Status {
		o.fail.Statuses[r.parser.Status()]++
	}
	o.unanswered(r, kindOf(err), err)
}

// ended counts the end of a stream that is complete, and that was asked for at since.
func (o *observer) ended(r *reading, since time.Time) {
	lasted := time.Since(since)
	o.odd.ended(&r.parser, lasted < o.config.atOnce)
	o.counts.Connected--
	o.counts.Closed++
	o.counts.Completed++
	o.counts.CompletedMessages += uint64(r.messages)
	record(o.stream, lasted)
}

// cutOff counts the end of a stream that is not, and why.
func (o *observer) cutOff(kind Failure, err error) {
	o.counts.Connected--
	o.counts.Closed++
	o.counts.Reconnect.Lost++
	start := o.fed
	if kind != Malformed {
		start = nil
	}
	o.fail.add(failureCase{kind: kind, phase: streamed, closed: errors.Is(err, io.EOF)}, err, start)
}

// latencyInterval is about the shortest time between samples with a latency:
// those in quicker succession are for counts.
const latencyInterval = 900 * time.Millisecond

// sample returns the figures of this moment, and begins a new interval.
func (o *observer) sample(now time.Time, measured bool) Sample {
	s := Sample{Time: now.Add(o.ahead), Elapsed: now.Sub(o.begun), Counts: o.counts, Returns: o.config.Returns()}
	// To tell of a distribution costs as much as a hundred messages.
	if now.Sub(o.lastLatency) >= latencyInterval {
		s.Latency = o.recent.Quantiles()
	}
	if s.Latency != nil {
		o.lastLatency = now
		s.Spread, o.recent = new(o.recent), Spread{}
	}
	if interval := now.Sub(o.lastSample); measured && interval > 0 {
		s.Busy = new(1 - min(o.waited.Seconds()/interval.Seconds(), 1))
		if interval > o.config.SampleInterval/2 {
			o.busiest = max(o.busiest, *s.Busy)
		}
	}
	o.waited, o.lastSample = 0, now
	return s
}

// allTried notes the figures of connecting, for the next sample.
func (o *observer) allTried() {
	o.told = new(o.result())
}

// emit hands a sample to the reporter without ever waiting for it.
func (o *observer) emit(s Sample) {
	if o.lapAsked.Swap(false) {
		o.lastLap = o.lap()
	}
	s.Connected, s.Lap = o.told, o.lastLap
	select {
	case o.out <- s:
		o.told, o.lastLap = nil, nil
	default: // it has enough to read
		if s.Spread != nil {
			o.recent.Add(s.Spread)
		}
	}
}

// report passes samples on to OnSample, in a goroutine that stop ends.
func (o *observer) report() (stop func()) {
	var reporter sync.WaitGroup
	reporter.Go(func() {
		for s := range o.out {
			if o.config.OnSample != nil {
				o.config.OnSample(s)
			}
		}
	})
	return func() {
		close(o.out)
		reporter.Wait()
	}
}

// end returns the result of the run, with its histograms.
func (o *observer) end() Result {
	r := o.result()
	r.Connect, r.FirstByte, r.Latency = whole(o.connect), whole(o.firstByte), whole(o.latency)
	r.FirstMessage, r.Gap, r.Stream, r.Offline = whole(o.firstMessage), whole(o.gap), whole(o.stream), whole(o.offline)
	r.FanOut = o.fanOut.whole()
	return r
}

func (o *observer) result() Result {
	r := Result{
		Counts:    o.counts,
		Connect:   quantiles(o.connect),
		FirstByte: quantiles(o.firstByte),
		Latency:   quantiles(o.latency),
		FanOut:    o.fanOut.figures(),

		FirstMessage: quantiles(o.firstMessage), Gap: quantiles(o.gap), Stream: quantiles(o.stream), Offline: quantiles(o.offline),
		Failures:    o.fail.ByName(),
		Statuses:    maps.Clone(o.fail.Statuses),
		Explanation: o.explain(), Server: o.server(),
	}
	if !o.lastFirstByte.IsZero() {
		r.ConnectSeconds = o.lastFirstByte.Sub(o.firstConnect).Seconds()
	}
	if !o.firstStamp.IsZero() {
		r.MessageSeconds = o.lastStamp.Sub(o.firstStamp).Seconds()
	}
	if o.busiest >= 0.95 {
		r.Bottleneck = fmt.Sprintf("the flood itself: its event loop was busy for %.0f %% of %v, so that the figures may be its limit and not the server's", o.busiest*100, o.config.SampleInterval)
	}
	return r
}
