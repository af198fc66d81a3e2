package bench

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/memlog"
	"example.org/comet/memlog/series"
)

// Above these shares a part counts as the bottleneck.
const (
	busyLoop      = 0.95 // of the flood's one event loop
	busyServer    = 0.95 // of the processors that a server can use
	busyGenerator = 0.95 // of the one processor that a generator's clock runs on
	busyMachine   = 0.92 // of all processors
	kept          = 0.99 // of the messages asked for must have been sent
	held          = 0.1  // of the messages may be late on their way to another server
)

// limits gathers what held the figures back.
type limits struct{ list result.Limits }

func (l *limits) add(part, evidence string, args ...any) {
	l.list = append(l.list, result.Limit{Part: part, Evidence: fmt.Sprintf(evidence, args...)})
}

// limitedBy says what held connections or messages back, by what was seen of it,
// and what ended the experiment if that is a limit too.
func (e *experiment) limitedBy(r *result.Result, failure error) result.Limits {
	l := new(limits)
	if errors.Is(failure, errMemory) {
		l.add("memory", "%s", strings.TrimPrefix(failure.Error(), "bench: "))
	}
	e.limitsOfConnecting(l, r)
	if e.generated != nil {
		e.limitsOfMessages(l, r)
		e.limitsOfProcessors(l, r)
	}
	return l.list
}

func (e *experiment) limitsOfConnecting(l *limits, r *result.Result) {
	failures := e.failures()
	files, ports := failures[flood.TooManyFiles.String()], failures[flood.NoFreePort.String()]
	if files > 0 {
		l.add("the floods' open files", "%d connections failed because a flood may not open more (EMFILE): raise the limit (ulimit -n), or open fewer", files)
	}
	if ports > 0 {
		l.add("ports to connect from", "%d connections found none free (EADDRNOTAVAIL): add source addresses (--source-ip), or widen net.ipv4.ip_local_port_range", ports)
	}
	if why := e.explanation(); why != "" && !explains(why, flood.TooManyFiles, flood.NoFreePort) {
		l.add("connecting", "%s", why)
	}
	if n, _ := r.Connect.ListenOverflows.Value(); n > 0 {
		again := ""
		if segments, ok := r.Connect.Retransmits.Value(); ok {
			again = fmt.Sprintf(", and %.0f TCP segments were sent again", segments)
		}
		l.add("an accept queue", "it overflowed %.0f times while connecting (TcpExtListenOverflows)%s: connect more slowly (--connect-rate, --in-flight), or raise net.core.somaxconn", n, again)
	}
	if s := e.statsAfter; s != nil && s.AcceptPauses > 0 {
		l.add("the server's open files", "accepting paused %d times for want of them", s.AcceptPauses)
	}
}

// failures are the connections that failed, by kind, of all floods.
func (e *experiment) failures() map[string]uint64 {
	sum := make(map[string]uint64)
	for _, f := range e.floods {
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

// explains tells whether an explanation of flood's is about one of these.
func explains(why string, kinds ...flood.Failure) bool {
	for _, kind := range kinds {
		if strings.Contains(why, strconv.Quote(kind.String())) {
			return true
		}
	}
	return false
}

func (e *experiment) limitsOfMessages(l *limits, r *result.Result) {
	if n, _ := r.Messages.Dropped.Value(); n > 0 {
		l.add("clients that do not read, or left", "the server dropped %.0f messages", n)
	}
	if b := e.busyFlood; b != nil && *b >= busyLoop {
		l.add("the flood", "its event loop was busy for %.0f %% of the message phase, so the figures may be its limit and not the server's", *b*100)
	}
	g := e.generated
	if g.Refusal != "" {
		l.add("the server's intake", "it refused %d of %d messages; the first: %s", g.Refused, g.Asked, strings.TrimPrefix(g.Refusal, "msggen: "))
	} else if e.cfg.Rate != "max" && float64(g.Sent) < kept*float64(g.Asked) {
		l.add("the message generator or the server's intake", "of %d messages that were due %d were accepted", g.Asked, g.Sent)
	}
	if late := g.Late; e.cfg.Target != nil && late != nil && float64(g.LateCount) > held*float64(g.Asked) {
		l.add("the way to the server's intake", "%.0f %% of the messages were on the wire more than 1 ms after they were due (p99 %.1f ms), which counts as latency: one waits until its connection has had its answer, so more of them may help (--publish-connections)",
			100*float64(g.LateCount)/float64(g.Asked), late.P99)
	}
	if t := e.totals(); e.cfg.Target != nil && e.drained && g.Sent > 0 && t.Stamped == 0 {
		came := "no message arrived: is --publish the right URL for --url?"
		if t.Chunks > 0 {
			came = fmt.Sprintf("none arrived as it was sent, though %d chunks came: does the server change what it hands on?", t.Chunks)
		}
		l.add("where messages go", "the server accepted %d, and %s", g.Sent, came)
	}
}

func (e *experiment) limitsOfProcessors(l *limits, r *result.Result) {
	seconds := e.generated.Seconds
	if seconds <= 0 {
		return
	}
	if generator, _ := r.CPU.Msggen.Value(); generator/seconds >= busyGenerator {
		l.add("the message generator's processor", "it used %.2f s of processor time in %.2f s, and its clock runs on one: the messages may be its limit and not the server's", generator, seconds)
	}
	for i, before := range e.before.servers {
		if i >= len(e.after.servers) || before == nil || e.after.servers[i] == nil {
			continue
		}
		used, known := cpuBetween(e.before.servers[i:i+1], e.after.servers[i:i+1]).Value()
		cores, why := e.serverCores(e.after.servers[i])
		if known && cores > 0 && used/seconds >= busyServer*float64(cores) {
			l.add("the server's processors", "%s used %.2f s of processor time in %.2f s of messages, %.0f %% of the %d that %s",
				e.serverName(i), used, seconds, 100*used/seconds/float64(cores), cores, why)
		}
	}
	e.limitOfMachine(l, r, seconds)
}

// limitOfMachine is all processors of this machine together. What the kernel
// itself says of them has the work that it charges to no process.
func (e *experiment) limitOfMachine(l *limits, r *result.Result, seconds float64) {
	ours := []result.Figure{r.CPU.Server, r.CPU.Flood, r.CPU.Msggen, r.CPU.Router}
	server, known := r.CPU.Server.Value()
	known = known && e.serverHere()
	if !known {
		server, ours[0] = 0, noFigure
	}
	var used float64
	for _, f := range ours {
		n, _ := f.Value()
		used += n
	}
	total := seconds * float64(runtime.NumCPU())
	busy, stolen, told := e.workAfter.since(e.workBefore)
	if !told {
		busy, stolen = used/total, 0
	}
	if busy < busyMachine {
		return
	}
	part, who := "this machine's processors", "floods and generator"
	if known {
		part, who = "the machine's processors", fmt.Sprintf("the servers %.0f %%, floods, router and generator", 100*server/total)
		used -= server
	}
	rest := ""
	if told {
		rest = "; the rest is the kernel's work for the network, which is charged to nobody, and other programs"
	}
	if stolen >= 0.02 {
		rest += fmt.Sprintf("; %.0f %% went to other guests of the host (steal)", 100*stolen)
	}
	l.add(part, "all %d were busy for %.0f %% of the message phase: %s %.0f %%%s", runtime.NumCPU(), 100*busy, who, 100*used/total, rest)
}

func (e *experiment) serverName(i int) string {
	if len(e.servers) > 1 {
		return fmt.Sprintf("server %d", i+1)
	}
	return "it"
}

// serverCores is how many processors a server can use at once, and by what; 0 if
// nobody knows.
func (e *experiment) serverCores(u *memlog.Usage) (cores int, why string) {
	all := runtime.NumCPU()
	if e.cfg.Target == nil {
		if loops := e.cfg.loops(&e.plan); e.cfg.Engine == "epoll" && loops > 0 && loops < all {
			return loops, "its event loops can use"
		}
		return all, "this machine has"
	}
	// Processes of one thread each cannot use more than that many; of several, one
	// commonly only watches over the others.
	if u.Threads != series.Unknown && u.Procs > 0 && u.Threads == int64(u.Procs) {
		if workers := max(u.Procs-1, 1); !e.serverHere() || workers < all {
			return workers, "its processes, of one thread each, can use"
		}
	}
	if e.serverHere() {
		return all, "this machine has"
	}
	return 0, ""
}
