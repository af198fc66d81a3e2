package live

import (
	"encoding/json"
	"math"

	"example.org/comet/cmd/internal/result"
)

// What is kept: the newest moments as they are, behind up to mostOlder rows that
// stand for more and more of them each. A long run thus takes some two megabytes.
const (
	mostRecent = 600
	mostOlder  = 1200
	mostPhases = 400
)

// row is a moment with its JSON, which all viewers share: nil until one asks.
type row struct {
	moment result.Moment
	text   []byte
}

// json returns the text.
func (r *row) json() json.RawMessage {
	if r.text == nil {
		r.text, _ = json.Marshal(r.moment) // figures always have a text
	}
	return r.text
}

// phase is where a phase began.
type phase struct {
	Name string  `json:"name"`
	From float64 `json:"from"`
}

// history is what was seen of the run so far. The zero value is empty.
type history struct {
	recent []row
	// older has rows that each stand for as many moments as stride says, the last one
	// for held of them.
	older        []row
	stride, held int
	phases       []phase
}

// add takes the next moment in.
func (h *history) add(m result.Moment) {
	h.enter(m)
	h.recent = append(h.recent, row{moment: m})
	if len(h.recent) <= mostRecent {
		return
	}
	h.retire(h.recent[0])
	h.recent[0] = row{} // its memory is free now, and not when append moves the rest
	h.recent = h.recent[1:]
}

// newest returns the moment that was added last.
func (h *history) newest() *row { return &h.recent[len(h.recent)-1] }

// enter notes the phase of the next moment.
func (h *history) enter(m result.Moment) {
	if n := len(h.phases); n > 0 && h.phases[n-1].Name == m.Phase {
		return
	}
	from := m.Seconds
	if len(h.recent) > 0 {
		from = h.newest().moment.Seconds
	}
	h.phases = append(h.phases, phase{m.Phase, from})
	if len(h.phases) > mostPhases {
		h.phases = append([]phase(nil), h.phases[1:]...)
	}
}

// retire adds a moment to the older ones.
func (h *history) retire(r row) {
	h.stride = max(h.stride, 1)
	if len(h.older) == 0 || h.held == h.stride {
		if len(h.older) == mostOlder {
			h.thin()
		}
		h.older, h.held = append(h.older, r), 1
		return
	}
	last := &h.older[len(h.older)-1]
	*last = row{moment: merge(last.moment, float64(h.held), r.moment, 1)}
	h.held++
}

// thin makes one row of each two.
func (h *history) thin() {
	half := len(h.older) / 2
	for i := range half {
		a, b := h.older[2*i].moment, h.older[2*i+1].moment
		h.older[i] = row{moment: merge(a, 1, b, 1)}
	}
	clear(h.older[half:])
	h.older = h.older[:half]
	h.stride *= 2
	h.held = h.stride
}

// texts returns the JSON of all rows, oldest first.
func (h *history) texts() [][]byte {
	all := make([][]byte, 0, len(h.older)+len(h.recent))
	for _, rows := range [][]row{h.older, h.recent} {
		for i := range rows {
			all = append(all, rows[i].json())
		}
	}
	return all
}

// merge returns one moment for two, of which each stands for so many: what is
// counted as it was last, what is per second as the mean, of memory the most, and of
// latency the worst.
func merge(a result.Moment, na float64, b result.Moment, nb float64) result.Moment {
	m := b
	mean := func(x, y result.Figure) result.Figure { return meanOf(x, na, y, nb) }
	m.ConnectedPerSecond = mean(a.ConnectedPerSecond, b.ConnectedPerSecond)
	m.AttemptsPerSecond = mean(a.AttemptsPerSecond, b.AttemptsPerSecond)
	m.DeliveredPerSecond = mean(a.DeliveredPerSecond, b.DeliveredPerSecond)
	m.SentPerSecond = mean(a.SentPerSecond, b.SentPerSecond)
	m.Latency, m.Late = worst(a.Latency, b.Latency), worst(a.Late, b.Late)
	m.Memory, m.Machine = higher(a.Memory, b.Memory), higher(a.Machine, b.Machine)
	m.CPU = make(map[string]result.Figure, len(b.CPU))
	for role, cores := range a.CPU {
		m.CPU[role] = mean(cores, b.CPU[role])
	}
	for role, cores := range b.CPU {
		m.CPU[role] = mean(a.CPU[role], cores)
	}
	return m
}

// meanOf returns the mean of two figures, or the one that was measured.
func meanOf(x result.Figure, nx float64, y result.Figure, ny float64) result.Figure {
	if _, ok := x.Value(); !ok {
		return y
	}
	if _, ok := y.Value(); !ok {
		return x
	}
	return x.Times(nx / (nx + ny)).Plus(y.Times(ny / (nx + ny)))
}

func worst(a, b result.Quantiles) result.Quantiles {
	return result.Quantiles{P50: higher(a.P50, b.P50), P90: higher(a.P90, b.P90), P99: higher(a.P99, b.P99), Max: higher(a.Max, b.Max)}
}

// higher returns the higher of two figures, or the one that was measured.
func higher(x, y result.Figure) result.Figure {
	a, measured := x.Value()
	if !measured {
		return y
	}
	b, measured := y.Value()
	if !measured {
		return x
	}
	return result.Of(math.Max(a, b))
}
