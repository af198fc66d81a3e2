package capacity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// sides are the two sides of an answer, as they were seen last.
type sides struct {
	search string
	// low holds and high does not; 0 is none.
	low, high float64
	// failed is the result at high; nil if nothing failed.
	failed *result.Result
	// failures counts the connections that failed there, by the name of a flood.Failure.
	failures map[string]uint64
	// seen is what was seen of the servers at high.
	seen bench.Seen
	// step is the one that failed, with what it missed.
	step result.CapacityStep
}

// Above these shares a part is at its limit.
const (
	fullCores  = 0.95 // of the processors that a server can use
	fullThread = 0.93 // of one processor, by one thread
	fullFiles  = 0.98 // of the files that a process may open
	fullMemory = 0.97 // of a control group's or the machine's memory
	spareFiles = 64   // files that a server that refuses connections may keep to itself
)

// stoppedBy returns what keeps the server from more: the first cause that was seen,
// from what excludes all others to what only a target shows.
func stoppedBy(s sides) result.StoppedBy {
	if s.failed == nil {
		return result.StoppedBy{}
	}
	for _, cause := range []func(sides) (result.StoppedBy, bool){
		generatorsLoss, generatorsFiles, files, memory, backlog, processors, oneThread, generatorsProcessors, machine, configuration, generatorsLateness, intake,
	} {
		if by, ok := cause(s); ok {
			return by
		}
	}
	return byTarget(s)
}

// What the search itself looks at: a part that is not the server's, and a limit of how
// many connections come at once.
const (
	theGenerator  = "the generator"
	acceptBacklog = "accept backlog"
)

// generators are limits of the generator, by the part that bench names: what to raise.
var generators = map[string]struct{ limit, raise string }{
	"the floods' open files":            {"open files", "Allow each process more open files here (ulimit -n)."},
	"ports to connect from":             {"ports", "Add source addresses (--source-ip), or widen net.ipv4.ip_local_port_range."},
	"the flood":                         {"CPU", "Run the clients on a faster machine, or on several."},
	"the message generator's processor": {"CPU", "Run the generator on a faster machine."},
	"the message generator":             {"CPU", "Run the generator on a machine with processors to spare."},
	"this machine's processors":         {"CPU", "Run comet on a machine with more processors."},
	"memory":                            {"memory", "Run comet on a machine with more memory."},
}

// byGenerator returns the limit of the generator that a result names, of these parts.
func byGenerator(r *result.Result, parts ...string) (result.StoppedBy, bool) {
	for _, l := range r.LimitedBy {
		if g, ok := generators[l.Part]; ok && slices.Contains(parts, l.Part) {
			return result.StoppedBy{Part: theGenerator, Limit: g.limit, Evidence: l.Evidence, Raise: g.raise}, true
		}
	}
	return result.StoppedBy{}, false
}

// lostLoad returns which agents are lost, or which floods ended before their time; "" if
// none did.
func lostLoad(r *result.Result) string {
	if !slices.ContainsFunc(r.Processes.List, func(p result.Process) bool { return p.Role == "flood" && p.Lost }) {
		return ""
	}
	why := r.Processes.Lost
	var agents []string
	for _, a := range r.Processes.Agents {
		if a.Lost != "" {
			agents = append(agents, a.Lost)
		}
	}
	if len(agents) > 0 { // each once, not with all its floods
		why = agents
	}
	return cmp.Or(strings.Join(why, "; "), "a flood")
}

// generatorsLoss finds that a flood was lost: what closed with it is not the server's doing.
func generatorsLoss(s sides) (by result.StoppedBy, ok bool) {
	lost := lostLoad(s.failed)
	if lost == "" {
		return by, false
	}
	return result.StoppedBy{Part: theGenerator, Limit: "a part that was lost", Evidence: lost, Raise: "See why it ended, and search again."}, true
}

func generatorsFiles(s sides) (result.StoppedBy, bool) {
	return byGenerator(s.failed, "the floods' open files", "ports to connect from", "memory")
}

func generatorsProcessors(s sides) (result.StoppedBy, bool) {
	return byGenerator(s.failed, "the flood", "the message generator's processor", "this machine's processors")
}

// generatorsLateness finds a generator that woke late: with nothing else at its limit,
// what the step missed is its doing.
func generatorsLateness(s sides) (result.StoppedBy, bool) {
	return byGenerator(s.failed, "the message generator")
}

// files finds a server's process that may not open more.
func files(s sides) (by result.StoppedBy, ok bool) {
	const limit = "open files"
	raise := "Allow it more open files: ulimit -n, LimitNOFILE= of its unit, or its own setting" + map[string]string{"nginx": " (worker_rlimit_nofile)"}[s.seen.Program] + "."
	used, most, known := both(s.seen.Files, s.seen.MaxFiles)
	if known && (used >= fullFiles*most || most-used <= spareFiles && connecting(s)) {
		return result.StoppedBy{
			Part: "the server's process", Limit: limit, Raise: raise,
			Evidence: fmt.Sprintf("it had %s of the %s files open that it may open (Max open files)", number(used), number(most)),
		}, true
	}
	return named(s, "the server's open files", "the server's process", limit, raise)
}

// named returns a limit of the server that bench has named itself.
func named(s sides, part, as, limit, raise string) (result.StoppedBy, bool) {
	for _, l := range s.failed.LimitedBy {
		if l.Part == part {
			return result.StoppedBy{Part: as, Limit: limit, Evidence: l.Evidence, Raise: raise}, true
		}
	}
	return result.StoppedBy{}, false
}

func memory(s sides) (by result.StoppedBy, ok bool) {
	used, most, known := both(s.seen.Memory, s.seen.MaxMemory)
	if !known || used < fullMemory*most {
		return by, false
	}
	return result.StoppedBy{
		Part: "the server's memory", Limit: "memory", Raise: "Give it more memory, or have it use less for a connection.",
		Evidence: fmt.Sprintf("%s of %s were used, the limit of %s", s.seen.Memory.Text(result.UnitBytes), s.seen.MaxMemory.Text(result.UnitBytes), s.seen.MemoryOf),
	}, true
}

// backlog finds an accept queue that turned connections away.
func backlog(s sides) (by result.StoppedBy, ok bool) {
	n, known := s.seen.Overflows.Value()
	if !known {
		n, known = s.failed.Connect.ListenOverflows.Value()
	}
	if !known || n == 0 || !connecting(s) || s.answered() {
		return by, false
	}
	by = result.StoppedBy{
		Part: "the server's accept queue", Limit: acceptBacklog,
		Evidence: fmt.Sprintf("it overflowed %s times while connections were opened (TcpExtListenOverflows)", number(n)),
		Raise:    "Raise the backlog that the server gives to listen(2) and net.core.somaxconn above it, or have it accept faster.",
	}
	if most, ok := s.seen.Backlog.Value(); ok {
		by.Evidence += fmt.Sprintf("; it holds %s", number(most))
	}
	return by, true
}

// answered reports whether the server took most of the connections that failed, and
// answered them: those were not turned away before. The kernel counts overflows of all
// servers here together.
func (s sides) answered() bool {
	var all uint64
	for _, n := range s.failures {
		all += n
	}
	return 2*s.failures[flood.Status.String()] > all
}

// connecting reports whether the step failed by connections: some did not come, or a
// target on how they come was missed.
func connecting(s sides) bool {
	failed, _ := s.failed.Connections.Failed.Value()
	return failed > 0 || slices.ContainsFunc(s.step.Missed, func(m string) bool { return strings.HasPrefix(m, "connect") })
}

// processors finds a server that used all the processors that it can.
func processors(s sides) (by result.StoppedBy, ok bool) {
	const raise = "Give it more processors, or more workers or loops if it has fewer than processors."
	used, usable, known := both(s.seen.Cores, s.seen.Usable)
	if known && used >= fullCores*usable && usable > 1 {
		return result.StoppedBy{
			Part: "the server's processors", Limit: "CPU", Raise: raise,
			Evidence: fmt.Sprintf("it used %.2f of the %s processors that it can use", used, number(usable)),
		}, true
	}
	if _, busy := s.seen.Busiest.Value(); busy && s.seen.Thread != "" {
		if by, ok := oneThread(s); ok {
			return by, true
		}
	}
	return named(s, "the server's processors", "the server's processors", "CPU", raise)
}

// oneThread finds a server that waits for one of its threads.
func oneThread(s sides) (by result.StoppedBy, ok bool) {
	share, known := s.seen.Busiest.Value()
	waiting, _ := s.seen.Waiting.Value()
	if !known || share+waiting < fullThread || waiting > share {
		return by, false
	}
	of := "its busiest thread"
	if s.seen.Thread != "" {
		of += fmt.Sprintf(" (%s)", s.seen.Thread)
	}
	waited := ""
	if waiting >= 0.01 {
		waited = fmt.Sprintf(", and waited for a processor for %.0f %%", 100*min(waiting, 1-min(share, 1)))
	}
	return result.StoppedBy{
		Part: "one thread of the server", Limit: "one processor",
		Evidence: fmt.Sprintf("%s was busy for %.0f %% of the time%s: a thread cannot use more than one processor", of, 100*min(share, 1), waited),
		Raise:    "Divide what it does among several threads or processes, or have it do less.",
	}, true
}

// machine finds that nothing was left of this machine's processors.
func machine(s sides) (result.StoppedBy, bool) {
	return named(s, "the machine's processors", "this machine", "CPU",
		"Run the clients on another machine, and no other programs on this one: they take processors away from the server.")
}

// configuration finds a limit that the server sets itself: it holds no more than so
// many, and nothing that it uses has come to an end.
func configuration(s sides) (by result.StoppedBy, ok bool) {
	if s.search != result.SearchConnections || s.high == 0 {
		return by, false
	}
	carried := carriedConnections(s.failed)
	if carried <= 0 || carried >= s.high {
		return by, false
	}
	evidence := fmt.Sprintf("of %s connections it kept %s, and refused or closed the others at once", number(s.high), number(carried))
	if s.high == s.low+1 {
		evidence = fmt.Sprintf("it refused or closed the %s connection and each after it at once", ordinal(s.high))
	}
	return result.StoppedBy{
		Part: "the server itself", Limit: "its own configuration",
		Evidence: evidence + ", " + spare(s.seen) + why(s.step), Raise: hint(s.seen.Program, s.seen.Answers),
	}, true
}

// why returns how connections failed, as a part of a sentence.
func why(step result.CapacityStep) string {
	if step.Why == "" {
		return ""
	}
	return " (" + step.Cause() + ")"
}

// spare returns what was left to the server, as a part of a sentence.
func spare(seen bench.Seen) string {
	var left []string
	for _, one := range []struct {
		name      string
		used, all result.Figure
	}{{"files", seen.Files, seen.MaxFiles}, {"memory", seen.Memory, seen.MaxMemory}, {"CPU", seen.Cores, seen.Usable}} {
		if _, _, known := both(one.used, one.all); known {
			left = append(left, one.name)
		}
	}
	switch n := len(left); n {
	case 0:
		return "and what it had to spare is not known, since none of its processes is (--pid, --match)"
	case 1:
		return "with " + left[0] + " to spare"
	default:
		return "with " + strings.Join(left[:n-1], ", ") + " and " + left[n-1] + " to spare"
	}
}

// intake finds messages that were not taken.
func intake(s sides) (result.StoppedBy, bool) {
	const raise = "See the server's limits on requests and on messages."
	for _, part := range []string{"the server's intake", "the message generator or the server's intake", "the way to the server's intake"} {
		if by, ok := named(s, part, part, "messages taken per second", raise); ok {
			return by, true
		}
	}
	return result.StoppedBy{}, false
}

// byTarget names the targets that were missed, where no part was seen at its limit.
func byTarget(s sides) result.StoppedBy {
	evidence := strings.Join(s.step.Missed, "; ") + why(s.step)
	if evidence == "" {
		evidence = "the step did not hold"
	}
	if len(s.failed.LimitedBy) > 0 {
		l := s.failed.LimitedBy[0]
		return result.StoppedBy{Part: l.Part, Limit: "errors", Evidence: evidence + ": " + l.Evidence}
	}
	return result.StoppedBy{
		Part: "a cause that was not seen", Limit: "a target that was missed",
		Evidence: evidence + ", " + spare(s.seen),
	}
}

// carriedConnections returns how many connections were still there at the end.
func carriedConnections(r *result.Result) float64 {
	established, _ := r.Connections.Established.Value()
	closed, _ := r.Connections.Closed.Value()
	return established - closed
}

// both returns two figures if both are known.
func both(a, b result.Figure) (x, y float64, known bool) {
	x, one := a.Value()
	y, two := b.Value()
	return x, y, one && two
}

func number(n float64) string { return result.Of(n).Text(result.UnitCount) }

// ordinal writes 1,532nd.
func ordinal(n float64) string {
	end := "th"
	if teens := int64(n) % 100; teens < 11 || teens > 13 {
		end = map[int64]string{1: "st", 2: "nd", 3: "rd"}[int64(n)%10]
		if end == "" {
			end = "th"
		}
	}
	return number(n) + end
}
