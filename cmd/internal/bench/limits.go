package bench

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// Above these shares a part counts as the bottleneck.
const (
	busyLoop      = 0.95 // of the flood's one event loop
	busyServer    = 0.95 // of the processors that a server can use
	busyGenerator = 0.95 // of the one processor that a generator's clock runs on
	busyMachine   = 0.92 // of all processors
	kept          = 0.99 // of the messages asked for must have been sent
	held          = 0.1  // of the messages may be late on their way to another server
	mostly        = 0.5  // of the latency's p99 may be lateness, if that is stalled or more
	stalled       = 10   // ms; what a shared machine does to a generator by itself is less
)

// finder gathers what held the figures back.
type finder struct {
	rec  *record
	plan *plan
	r    *result.Result
	// nearest is the part that was used most, and its share.
	nearest string
	share   float64
}

// limits adds to a result with figures what held connections or messages back,
// and how that was seen. Of a phase in which a part was lost, or the bench was
// suspended, it says only what the kernel or a part itself has counted, since what
// came after shows the loss.
func limits(rec *record, p *plan, r *result.Result) {
	f := &finder{rec: rec, plan: p, r: r}
	if full, ok := errors.AsType[*memoryError](rec.failure); ok {
		f.add("memory", "%s", full.evidence())
	}
	f.connecting()
	if rec.generated == nil {
		return
	}
	f.drops()
	lost, paused := rec.lostIn("messages", "drain"), rec.pausedIn("messages", "drain")
	if lost || paused {
		switch {
		case !p.rate.Unpaced():
		case lost:
			f.add("a part that was lost", "%s", rec.losses[0].what)
		default:
			f.add("a suspension", "the bench, which keeps messages in flight within --window, did not run all the time")
		}
		return
	}
	before := len(r.LimitedBy)
	f.intake()
	f.lateness(len(r.LimitedBy) > before)
	f.whereto()
	f.processors()
	switch {
	case !p.rate.Unpaced() || len(r.LimitedBy) > before:
	case f.nearest == "":
		f.add("the window", "nothing is known of the processor time that the parts used, and only --window bounded the messages in flight: a wider one may show more")
	default:
		f.add(f.nearest, "no part was at its limit, and this one came nearest, with %.0f %% used during the messages: a wider --window may show more", 100*f.share)
	}
}

func (f *finder) add(part, evidence string, args ...any) {
	f.r.LimitedBy = append(f.r.LimitedBy, result.Limit{Part: part, Evidence: fmt.Sprintf(evidence, args...)})
}

// used notes how much of a part was used, and returns whether that is a limit.
func (f *finder) used(part string, share, limit float64) bool {
	if share > f.share {
		f.nearest, f.share = part, share
	}
	return share >= limit
}

// connecting finds what held connections back.
func (f *finder) connecting() {
	failed := failures(f.rec.floods)
	files, ports := failed[flood.TooManyFiles.String()], failed[flood.NoFreePort.String()]
	if files > 0 {
		f.add("the floods' open files", "%d connections failed because a flood may not open more (EMFILE): raise the limit (ulimit -n), or open fewer", files)
	}
	if ports > 0 {
		f.add("ports to connect from", "%d connections found none free (EADDRNOTAVAIL): add source addresses (--source-ip), or widen net.ipv4.ip_local_port_range", ports)
	}
	if why := explanation(f.rec.floods); why != "" && !f.rec.lostIn("connect") && !commonest(failed, flood.TooManyFiles, flood.NoFreePort) {
		f.add("connecting", "%s", why)
	}
	if n, _ := f.r.Connect.ListenOverflows.Value(); n > 0 {
		again := ""
		if segments, ok := f.r.Connect.Retransmits.Value(); ok {
			again = fmt.Sprintf(", and %.0f TCP segments were sent again", segments)
		}
		f.add("an accept queue", "it overflowed %.0f times while connecting (TcpExtListenOverflows)%s: connect more slowly (--connect-rate, --in-flight), or raise net.core.somaxconn", n, again)
	}
	if s := f.rec.after; s != nil && s.acceptPauses > 0 {
		f.add("the server's open files", "accepting paused %d times for want of them", s.acceptPauses)
	}
}

// commonest reports whether no connections failed more often than in one of these
// ways.
func commonest(failed map[string]uint64, kinds ...flood.Failure) bool {
	var these, most uint64
	for _, kind := range kinds {
		these = max(these, failed[kind.String()])
	}
	for _, n := range failed {
		most = max(most, n)
	}
	return these > 0 && these == most
}

// drops finds whom messages were dropped for.
func (f *finder) drops() {
	all, _ := f.r.Messages.Dropped.Value()
	behind, _ := f.r.Messages.DroppedBy[overrun].Value()
	if behind > 0 {
		f.add("a node that is too slow for the router", "it dropped %.0f messages that came faster than it took them", behind)
	}
	if n := all - behind; n > 0 && len(f.rec.losses) == 0 {
		f.add("clients that do not read, or left", "the server dropped %.0f messages", n)
	}
}

// intake finds what held messages back on their way to the server.
func (f *finder) intake() {
	g := f.rec.generated
	switch {
	case g.Refusal != "":
		f.add("the server's intake", "it refused %d of %d messages; the first: %s", g.Refused, g.Asked, g.Refusal)
	case !f.plan.rate.Unpaced() && float64(g.Sent) < kept*float64(g.Asked):
		f.add("the message generator or the server's intake", "of %d messages that were due %d were accepted", g.Asked, g.Sent)
	}
}

// lateness finds whose doing it is that messages were on the wire late. Those that the
// intake refused are late too: what was named for it stands for that.
func (f *finder) lateness(named bool) {
	const evidence = "%.0f %% of the messages were on the wire more than 1 ms after they were due (p99 %.1f ms), which counts as latency"
	g := f.rec.generated
	if !f.late() {
		return
	}
	share := 100 * float64(g.LateCount) / float64(g.Asked)
	switch {
	case g.Woke != nil && g.Woke.P99 >= mostly*g.Late.P99:
		f.add("the message generator", evidence+": the generator itself woke late (p99 %.1f ms), since it was stopped or other programs had its processor", share, g.Late.P99, g.Woke.P99)
	case f.plan.posted:
		f.add("the way to the server's intake", evidence+": one waits until its connection has had its answer, so more of them may help (--publish-connections)", share, g.Late.P99)
	case !named:
		f.add("the message generator or the server's intake", evidence, share, g.Late.P99)
	}
}

// late reports whether many messages were late on their way to another server, or so late
// on any way that this makes most of the latency's p99.
func (f *finder) late() bool {
	g := f.rec.generated
	if g.Late == nil {
		return false
	}
	p99, known := f.r.Latency.P99.Value()
	return f.plan.posted && float64(g.LateCount) > held*float64(g.Asked) ||
		known && g.Late.P99 >= max(stalled, mostly*p99)
}

// whereto finds that messages were accepted and none arrived.
func (f *finder) whereto() {
	t := totals(f.rec.floods)
	if sent := f.rec.generated.Sent; f.plan.posted && t.final && sent > 0 && t.Stamped == 0 {
		came := "no message arrived: is --publish the right URL for --url?"
		if t.Chunks > 0 {
			came = fmt.Sprintf("none arrived as it was sent, though %d chunks came: does the server change what it hands on?", t.Chunks)
		}
		f.add("where messages go", "the server accepted %d, and %s", sent, came)
	}
}

// processors finds what had no processor time left while messages were sent.
func (f *finder) processors() {
	if busy, ok := f.rec.busy.Value(); ok && f.used("the flood", busy, busyLoop) {
		f.add("the flood", "its event loop was busy for %.0f %% of the message phase, so the figures may be its limit and not the server's", busy*100)
	}
	seconds := f.rec.generated.Seconds
	if seconds <= 0 {
		return
	}
	if n, ok := f.r.CPU.Msggen.Value(); ok && f.used("the message generator's processor", n/seconds, busyGenerator) {
		f.add("the message generator's processor", "it used %.2f s of processor time in %.2f s, and its clock runs on one: the messages may be its limit and not the server's", n, seconds)
	}
	f.servers(seconds)
	f.machine(seconds)
}

// servers finds the servers that used all the processors that they can.
func (f *finder) servers(seconds float64) {
	grown := f.rec.ended.Sub(f.rec.sending).Usage
	var servers []probe.Part
	for part := range grown {
		if part.Role == "server" {
			servers = append(servers, part)
		}
	}
	slices.SortFunc(servers, func(a, b probe.Part) int { return cmp.Compare(a.Number, b.Number) })
	for _, part := range servers {
		used, known := grown[part].CPU.Value()
		cores, why := f.cores(f.rec.ended.Usage[part])
		if !known || cores == 0 || !f.used("the server's processors", used/seconds/cores, busyServer) {
			continue
		}
		name := "it"
		if len(servers) > 1 {
			name = fmt.Sprintf("server %d", part.Number)
		}
		f.add("the server's processors", "%s used %.2f s of processor time in %.2f s of messages, %.0f %% of the %.0f that %s",
			name, used, seconds, 100*used/seconds/cores, cores, why)
	}
}

// cores returns how many processors a server can use at once, and by what; 0 if
// that is unknown.
func (f *finder) cores(u probe.Usage) (cores float64, why string) {
	all := float64(f.plan.cpus)
	if loops := float64(f.plan.loops); loops > 0 && loops < all {
		return loops, "its event loops can use"
	}
	// Processes of one thread each cannot use more than that many; of several, one
	// usually only watches over the others.
	if procs, known := u.Procs.Value(); known && u.Threads == u.Procs {
		if workers := max(procs-1, 1); !f.plan.here || workers < all {
			return workers, "its processes, of one thread each, can use"
		}
	}
	if f.plan.here {
		return all, "this machine has"
	}
	return 0, ""
}

// machine finds that all processors of this machine were busy. What the kernel
// itself says of them includes the work that it charges to no process.
func (f *finder) machine(seconds float64) {
	flood := f.r.CPU.Flood
	if f.plan.away {
		flood = result.Figure{} // it is of other machines
	}
	var used float64
	for _, n := range []result.Figure{flood, f.r.CPU.Msggen, f.r.CPU.Router} {
		one, _ := n.Value()
		used += one
	}
	server, known := f.r.CPU.Server.Value()
	known = known && f.plan.here
	if !known {
		server = 0
	}
	total := seconds * float64(f.plan.cpus)
	work := f.rec.sent.Sub(f.rec.sending)
	busy, told := work.Busy.Value()
	if !told {
		busy = (used + server) / total
	}
	if !f.used("this machine's processors", busy, busyMachine) {
		return
	}
	part, who := "this machine's processors", "floods and generator"
	if known {
		part, who = "the machine's processors", fmt.Sprintf("the servers %.0f %%, floods, router and generator", 100*server/total)
	}
	rest := ""
	if told {
		rest = "; the rest is the kernel's work for the network, which is charged to no process, and other programs"
	}
	if stolen, _ := work.Stolen.Value(); stolen >= 0.02 {
		rest += fmt.Sprintf("; %.0f %% went to other guests of the host (steal)", 100*stolen)
	}
	f.add(part, "all %d were busy for %.0f %% of the message phase: %s %.0f %%%s", f.plan.cpus, 100*busy, who, 100*used/total, rest)
}
