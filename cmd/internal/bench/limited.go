package bench

import (
	"fmt"
	"runtime"

	"example.org/comet/cmd/internal/result"
)

// Above these shares a part counts as the bottleneck.
const (
	busyLoop    = 0.95 // of the flood's one event loop
	busyMachine = 0.92 // of all processors
	kept        = 0.99 // of the messages asked for must have been sent
)

// limitedBy says what held the messages back, by what was seen of it.
func (e *experiment) limitedBy(r *result.Result) (limits result.Limits) {
	add := func(part, format string, args ...any) {
		limits = append(limits, result.Limit{Part: part, Evidence: fmt.Sprintf(format, args...)})
	}
	if why := e.explanation(); why != "" {
		add("connecting", "%s", why)
	}
	if n, _ := r.Connect.ListenOverflows.Value(); n > 0 {
		add("an accept queue", "it overflowed %.0f times while connecting (TcpExtListenOverflows): connect more slowly (--connect-rate, --in-flight), or raise net.core.somaxconn", n)
	}
	if s := e.statsAfter; s != nil && s.AcceptPauses > 0 {
		add("the server's open files", "accepting paused %d times for want of them", s.AcceptPauses)
	}
	if n, _ := r.Messages.Dropped.Value(); n > 0 {
		add("clients that do not read, or left", "the server dropped %.0f messages", n)
	}
	if b := e.busyFlood; b != nil && *b >= busyLoop {
		add("the flood", "its event loop was busy for %.0f %% of the message phase, so the figures may be its limit and not the server's", *b*100)
	}
	if g := e.generated; g != nil && e.cfg.Rate != "max" && float64(g.Sent) < kept*float64(g.Asked) {
		add("the message generator or the server's intake", "of %d messages that were due %d were accepted", g.Asked, g.Sent)
	}
	if _, known := r.CPU.Server.Value(); !known || e.generated == nil {
		return limits
	}
	var busy float64
	for _, f := range []result.Figure{r.CPU.Server, r.CPU.Flood, r.CPU.Msggen, r.CPU.Router} {
		seconds, _ := f.Value()
		busy += seconds
	}
	server, _ := r.CPU.Server.Value()
	cores := float64(runtime.NumCPU())
	if share := busy / (e.generated.Seconds * cores); share >= busyMachine {
		add("the machine's processors", "servers, floods, router and generator together used %.0f %% of all %d, the servers %.2f of them", share*100, runtime.NumCPU(), server/e.generated.Seconds)
	}
	return limits
}
