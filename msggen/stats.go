package msggen

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Stats are the counts of a run so far.
type Stats struct {
	// Seconds since the first message was due.
	Seconds float64 `json:"seconds"`
	// Asked is how many messages were due so far, or generated without a pace:
	// the sum of Sent, Refused, Unknown and Unanswered.
	Asked uint64 `json:"asked"`
	Receipt
	Answers
	// WrittenOff were queued to connections and never seen delivered (see
	// Config.Delivered).
	WrittenOff uint64 `json:"written_off"`
	// LateCount is how many were written more than OnTime after they were due, or
	// never.
	LateCount uint64 `json:"late"`
	// Late is how long after they were due messages were written. One that never
	// was is in it with the time until it was given up: at the end of the outage
	// or of the run, or when it could not be kept any longer. At the end of a run
	// it covers all messages that were due; until then, those whose fate is known.
	// nil if there are none, or no pace.
	Late *Lateness `json:"late_ms"`
	// Woke is how much of that is the generator's own: from when it could have taken
	// a message in hand until it woke. The time for which its sender held it up is
	// not in it. nil if nothing was sent by a pace.
	Woke *Lateness `json:"woke_late_ms"`
	// Away reports that the server cannot be reached now.
	Away bool `json:"away"`
}

// OnTime is how long after it was due a message may be written to count as
// punctual.
const OnTime = time.Millisecond

// neverSent returns the lateness of a message that was given up after it had
// waited, which is never punctual.
func neverSent(waited time.Duration) time.Duration { return max(waited, OnTime+1) }

// Lateness is a distribution, in milliseconds.
type Lateness struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Err returns nil if every message was accepted; otherwise what became of how
// many, and why most of them were refused. A command that fails when a message is
// refused returns it.
func (s Stats) Err() error {
	if s.Refused+s.Unknown+s.Unanswered == 0 {
		return nil
	}
	var parts []string
	for _, part := range []struct {
		n    uint64
		what string
	}{{s.Refused, "refused"}, {s.Unknown, "of unknown fate"}, {s.Unanswered, "without an answer"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d were %s", part.n, part.what))
		}
	}
	why := ""
	if s.Refusal != "" {
		why = "; mostly: " + strings.TrimPrefix(s.Refusal, "msggen: ")
	}
	return fmt.Errorf("msggen: of %d messages %s%s", s.Asked, strings.Join(parts, ", "), why)
}

// Result is a run that has ended.
type Result struct {
	// Seed makes the same sequence of ids again.
	Seed uint64 `json:"seed"`
	// Run is the word in this run's stamps, 8 hex digits.
	Run string `json:"run"`
	Stats
}

// meter holds the numbers that Stats reads while Run writes them.
type meter struct {
	mu      sync.Mutex
	started time.Time
	ended   time.Time
	receipt Receipt // guarded by mu, like all that follows
	refused uint64  // due while the server was unreachable
	why     error   // the last of those were refused
	lost    uint64  // written off
	away    bool
	late    *hdrhistogram.Histogram
	overdue uint64                  // more than OnTime late
	recent  *hdrhistogram.Histogram // as late, since takeRecent
	woke    *hdrhistogram.Histogram
	answers Answers
}

func newMeter() *meter {
	// In microseconds, up to an hour: later ones count as that.
	histogram := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, time.Hour.Microseconds(), 3) }
	return &meter{late: histogram(), recent: histogram(), woke: histogram()}
}

func (m *meter) start(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started = now
}

func (m *meter) end(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = now
}

// note copies the sender's receipt.
func (m *meter) note(receipt Receipt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.receipt = receipt
}

// refuse counts messages that were due while the server was unreachable, because
// of why.
func (m *meter) refuse(n uint64, why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused += n
	if why != nil {
		m.why = why
	}
}

func (m *meter) setAway(away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away = away
}

func (m *meter) writtenOff(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lost = n
}

// noteAnswers copies what the sender was answered.
func (m *meter) noteAnswers(answers Answers) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers = answers
}

// record counts the lateness of messages that were due at dues and are on the
// wire now, elapsed after the start.
func (m *meter) record(dues []time.Duration, elapsed time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, due := range dues {
		m.recordLocked(elapsed-due, 1)
	}
}

// recordWoke counts how late the generator itself took messages that were due at
// dues: it was ready for them from ready on, and woke at elapsed.
func (m *meter) recordWoke(dues []time.Duration, ready, elapsed time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, due := range dues {
		_ = m.woke.RecordValue(m.trackable(elapsed - max(due, ready)))
	}
}

// recordOne counts the lateness of one message.
func (m *meter) recordOne(late time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recordLocked(late, 1)
}

// recordNever counts the lateness of messages that were given up, elapsed after
// the start.
func (m *meter) recordNever(groups []group, elapsed time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range groups {
		m.recordLocked(neverSent(elapsed-g.due), g.n)
	}
}

func (m *meter) recordLocked(late time.Duration, n int64) {
	if late > OnTime {
		m.overdue += uint64(n)
	}
	value := m.trackable(late)
	_ = m.late.RecordValues(value, n)
	_ = m.recent.RecordValues(value, n)
}

// trackable returns late in microseconds, as far as a histogram takes them: recording
// fails only beyond that.
func (m *meter) trackable(late time.Duration) int64 {
	return max(0, min(late.Microseconds(), m.late.HighestTrackableValue()))
}

// takeRecent returns the lateness since it was last called.
func (m *meter) takeRecent() *Lateness {
	m.mu.Lock()
	defer m.mu.Unlock()
	recent := lateness(m.recent)
	m.recent.Reset()
	return recent
}

func lateness(h *hdrhistogram.Histogram) *Lateness {
	if h.TotalCount() == 0 {
		return nil
	}
	return &Lateness{
		Count: h.TotalCount(),
		P50:   float64(h.ValueAtPercentile(50)) / 1e3,
		P99:   float64(h.ValueAtPercentile(99)) / 1e3,
		Max:   float64(h.Max()) / 1e3,
	}
}

func (m *meter) stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Stats{Receipt: m.receipt, Answers: m.answers, WrittenOff: m.lost, LateCount: m.overdue, Away: m.away}
	s.Refused += m.refused
	if m.why != nil && m.refused > s.commonest {
		s.Refusal = m.why.Error()
	}
	s.Asked = s.Sent + s.Refused + s.Unknown + s.Unanswered
	switch {
	case m.started.IsZero():
	case m.ended.IsZero():
		s.Seconds = time.Since(m.started).Seconds()
	default:
		s.Seconds = m.ended.Sub(m.started).Seconds()
	}
	s.Late, s.Woke = lateness(m.late), lateness(m.woke)
	return s
}
