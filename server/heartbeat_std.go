package server

import (
	"context"
	"time"
)

// startHeart sends heartbeats until stop, which returns when that has ended.
func (e *stdEngine) startHeart(ctx context.Context) (stop func()) {
	if e.core.Heartbeat == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.beat(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (e *stdEngine) beat(ctx context.Context) {
	p := pulse{period: e.core.Heartbeat / heartbeatParts}
	tick := time.NewTimer(p.period)
	defer tick.Stop()
	var silent []*stdConn
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			e.tableMu.RLock()
			after, last := p.slice(now, e.table.Rows())
			for _, c := range e.table.Between(after, last) {
				silent = append(silent, *c)
			}
			e.tableMu.RUnlock()
		}
		for _, c := range silent {
			c.beat()
		}
		clear(silent) // so that closed connections can be freed
		silent = silent[:0]
		wait := p.period // with no connections
		if !p.due.IsZero() {
			wait = time.Until(p.due)
		}
		tick.Reset(max(wait, 0))
	}
}

// beat counts a look at c, and sends a heartbeat if there were enough.
func (c *stdConn) beat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stream || c.over || !c.kind.HasHeartbeat() || c.pending.waiting()+c.inFlight > 0 {
		return
	}
	if c.looks++; c.looks < heartbeatParts {
		return
	}
	c.engine.counters.heartbeats.Add(1)
	c.push(func() { c.pending.bytes = c.kind.AppendHeartbeat(c.pending.bytes) })
}
