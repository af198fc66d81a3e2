package msggen

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Stats is how far a run is.
type Stats struct {
	// Seconds since the first message was due.
	Seconds float64 `json:"seconds"`
	// Asked is how many messages were due so far, or generated without a pace:
	// the sum of Sent, Refused, Unknown and Unanswered.
	Asked uint64 `json:"asked"`
	Receipt
	// WrittenOff were queued to connections and never seen delivered (see
	// Config.Delivered).
	WrittenOff uint64 `json:"written_off"`
	// Late is how long after they were due messages were on the wire. nil if
	// none was sent by a pace.
	Late *Lateness `json:"late_ms"`
	// Away tells that the server is not there now.
	Away bool `json:"away"`
}

// Lateness is a distribution, in milliseconds.
type Lateness struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
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
	refused uint64  // due while the server was away
	lost    uint64  // written off
	away    bool
	late    *hdrhistogram.Histogram
}

func newMeter() *meter {
	// In microseconds, up to an hour: later ones count as that.
	return &meter{late: hdrhistogram.New(1, time.Hour.Microseconds(), 3)}
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

// note takes over what the sender knows.
func (m *meter) note(receipt Receipt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.receipt = receipt
}

// refuse counts messages that were due while the server was away.
func (m *meter) refuse(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused += n
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

// record counts the lateness of messages first to next, which are on the wire
// now, elapsed after the start.
func (m *meter) record(first, next uint64, due func(uint64) time.Duration, elapsed time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := first; n < next; n++ {
		late := min((elapsed - due(n)).Microseconds(), m.late.HighestTrackableValue())
		// Fails only beyond that value.
		_ = m.late.RecordValue(max(late, 0))
	}
}

func (m *meter) stats() Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Stats{Receipt: m.receipt, WrittenOff: m.lost, Away: m.away}
	s.Refused += m.refused
	s.Asked = s.Sent + s.Refused + s.Unknown + s.Unanswered
	switch {
	case m.started.IsZero():
	case m.ended.IsZero():
		s.Seconds = time.Since(m.started).Seconds()
	default:
		s.Seconds = m.ended.Sub(m.started).Seconds()
	}
	if m.late.TotalCount() > 0 {
		s.Late = &Lateness{
			P50: float64(m.late.ValueAtPercentile(50)) / 1e3,
			P99: float64(m.late.ValueAtPercentile(99)) / 1e3,
			Max: float64(m.late.Max()) / 1e3,
		}
	}
	return s
}
