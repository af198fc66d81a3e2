package bench

import (
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// FloodResult returns what a flood by itself has measured as the result of an
// experiment. What only the generator, the server or its machine could say is null:
// what was sent, so what is missing; memory and CPU.
func FloodResult(cfg *flood.Config, f flood.Result) *result.Result {
	r := new(result.Result)
	rec := &record{floods: []floodAccount{{ended: &f}}}
	if f.ConnectSeconds > 0 {
		rec.connectSeconds = result.Of(f.ConnectSeconds)
	}
	p := &plan{subscribers: cfg.Subscribers, returns: cfg.Returns()}
	r.Connections.Asked, r.Processes.Floods = result.Of(f.Asked), result.Of(1)
	connectFigures(rec, p, r)
	streamFigures(rec, p, r)
	if f.Stamped+f.Replayed == 0 { // messages without a stamp are not counted
		return r
	}
	m := &r.Messages
	m.Delivered, m.Duplicated, m.Reordered = result.Of(f.Delivered), result.Of(f.Duplicated), result.Of(f.Reordered)
	m.DeliveredPerSecond = m.Delivered.Per(result.Of(f.MessageSeconds))
	if len(cfg.Run) > 0 { // else every run counts
		m.Replayed = result.Of(f.Replayed)
	}
	if p.returns {
		m.MissedOffline = result.Of(f.Reconnect.MissedOffline)
	}
	latencyFigures(rec, p, r)
	fanOutFigures(rec, p, r)
	return r
}
