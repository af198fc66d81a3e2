package agent

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"
)

// Clock is how an agent's clock is set.
type Clock struct {
	// Offset is what to add to the agent's clock for that of this host.
	Offset time.Duration
	// Error is how far that may be off.
	Error time.Duration
}

// exchanges is how often a clock is asked: the quickest answer tells most.
const exchanges = 50

// exchangeWait bounds the wait for one answer.
const exchangeWait = time.Second

// Measure asks the agent for its time, again and again, and believes the quickest answer:
// it was given at some moment between the question and its arrival.
func (h *Host) Measure(ctx context.Context) (Clock, error) {
	best, known := Clock{}, false
	for range exchanges {
		one, err := h.exchange(ctx)
		if ctx.Err() != nil {
			return Clock{}, context.Cause(ctx)
		}
		if err != nil && !known {
			return Clock{}, fmt.Errorf("agent: the clock of %v is not known: %w", h, cmp.Or(h.Lost(), err))
		}
		if err != nil {
			break
		}
		if !known || one.Error < best.Error {
			best, known = one, true
		}
	}
	h.mu.Lock()
	h.clock = best
	h.mu.Unlock()
	return best, nil
}

// Clock returns what Measure has found last.
func (h *Host) Clock() Clock {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

// exchange asks once.
func (h *Host) exchange(ctx context.Context) (Clock, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeWait)
	defer cancel()
	asked := time.Now()
	m, err := h.crew.conn.RequestWithContext(ctx, h.crew.servers.AgentSubject(clockVerb, h.Instance), nil)
	took := time.Since(asked)
	if err != nil {
		return Clock{}, err
	}
	there, err := strconv.ParseInt(string(m.Data), 10, 64)
	if err != nil {
		return Clock{}, fmt.Errorf("%q is no time", m.Data)
	}
	return Clock{Offset: asked.Add(took / 2).Sub(time.Unix(0, there)), Error: took / 2}, nil
}

// Between returns how far a time that was corrected by before may be off, up to the
// moment at which after was measured.
func (before Clock) Between(after Clock) time.Duration {
	return max(before.Error, after.Error) + (after.Offset - before.Offset).Abs()
}

// Measure measures the clocks of all agents, one after the other: at the same time they
// would wait for each other.
func (c *Crew) Measure(ctx context.Context) ([]Clock, error) {
	var clocks []Clock
	for _, h := range c.Hosts() {
		one, err := h.Measure(ctx)
		if err != nil {
			return nil, err
		}
		clocks = append(clocks, one)
	}
	return clocks, nil
}

// ClockError measures the clocks again, and returns how far apart those of the hosts and
// of this one may have been since before, beyond the offsets that before has. Hosts that
// are lost have no part in it.
func (c *Crew) ClockError(ctx context.Context, before []Clock) (largest time.Duration, err error) {
	for i, h := range c.Hosts() {
		if h.Lost() != nil {
			continue
		}
		after, err := h.Measure(ctx)
		if err != nil && h.Lost() == nil {
			return 0, err
		}
		if err == nil {
			largest = max(largest, before[i].Between(after))
		}
	}
	return largest, nil
}
