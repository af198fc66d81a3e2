package capacity

import (
	"strings"
	"testing"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

// idleServer returns a server of which everything is known, with all to spare.
func idleServer() bench.Seen {
	of := result.Of[float64]
	return bench.Seen{
		Program: "nginx", Workers: of(2), Files: of(1600), MaxFiles: of(20_000), Memory: of(1e9), MaxMemory: of(8e9), MemoryOf: "this machine",
		Cores: of(0.2), Usable: of(4), Busiest: of(0.1), Thread: "nginx", Overflows: of(0),
	}
}

// failedAt returns the two sides of a step that failed, of connections of which the
// server kept some.
func failedAt(low, high, kept float64) sides {
	r := &result.Result{Connections: result.Connections{
		Asked: result.Of(high), Established: result.Of(kept), Failed: result.Of(high - kept), Closed: result.Of(0),
	}}
	return sides{
		search: result.SearchConnections, low: low, high: high, failed: r, seen: idleServer(),
		step: result.CapacityStep{Load: high, Missed: []string{"errors " + number(high-kept)}},
	}
}

func limit(part, evidence string) func(*sides) {
	return func(s *sides) {
		s.failed.LimitedBy = append(s.failed.LimitedBy, result.Limit{Part: part, Evidence: evidence})
	}
}

func TestStoppedBy(t *testing.T) {
	of := result.Of[float64]
	rate := func(s *sides) {
		s.search, s.low, s.high = result.SearchRate, 1000, 1010
		s.failed.Connections = result.Connections{Asked: of(5000), Established: of(5000), Failed: of(0), Closed: of(0)}
		s.step = result.CapacityStep{Load: 1010, Missed: []string{"p99 was 81.0 ms, 31.0 ms (62 %) over the target p99<50ms"}}
	}
	for _, c := range []struct {
		name               string
		change             []func(*sides)
		part, limit, says  string
		raise, saysNothing string
	}{
		{
			name: "its own configuration", part: "the server itself", limit: "its own configuration",
			says: "it refused or closed the 1,532nd connection and each after it at once, with files, memory and CPU to spare", raise: "worker_connections",
		},
		{
			name: "its own configuration, of another program", part: "the server itself", limit: "its own configuration",
			change: []func(*sides){func(s *sides) { s.seen.Program = "centrifugo" }}, says: "1,532nd", raise: "client.connection_limit",
		},
		{
			name: "its own configuration, far from the bound", part: "the server itself", limit: "its own configuration",
			change: []func(*sides){func(s *sides) { s.low, s.high = 1520, 1540 }}, says: "of 1,540 connections it kept 1,531",
		},
		{
			name: "nothing is known of the server", part: "the server itself", limit: "its own configuration",
			change: []func(*sides){func(s *sides) { s.seen = bench.Seen{} }}, says: "is not known", raise: "Look for a limit", saysNothing: "to spare,",
		},
		{
			name: "how they failed", part: "the server itself", limit: "its own configuration",
			change: []func(*sides){func(s *sides) {
				s.step.Why = `1 connections failed with "status": the server answered with status 503: its log should say why`
			}},
			says: "to spare (the server answered with status 503)",
		},
		{
			name: "open files", part: "the server's process", limit: "open files",
			change: []func(*sides){func(s *sides) { s.seen.Files, s.seen.MaxFiles = of(1024), of(1024) }}, says: "1,024 of the 1,024", raise: "worker_rlimit_nofile",
		},
		{
			name: "nearly all open files", part: "the server's process", limit: "open files",
			change: []func(*sides){func(s *sides) { s.seen.Files, s.seen.MaxFiles = of(348), of(400) }}, says: "348 of the 400",
		},
		{
			name: "open files, as our server says", part: "the server's process", limit: "open files",
			change: []func(*sides){limit("the server's open files", "accepting paused 7 times for want of them")}, says: "paused 7 times",
		},
		{
			name: "memory", part: "the server's memory", limit: "memory",
			change: []func(*sides){func(s *sides) { s.seen.Memory, s.seen.MemoryOf = of(7.9e9), "its control group" }}, says: "its control group",
		},
		{
			name: "accept backlog", part: "the server's accept queue", limit: "accept backlog",
			change: []func(*sides){func(s *sides) { s.seen.Overflows, s.seen.Backlog = of(48), of(8) }}, says: "overflowed 48 times", raise: "listen(2)",
		},
		{
			name: "accept backlog, by the target on connecting", part: "the server's accept queue", limit: "accept backlog",
			change: []func(*sides){rate, func(s *sides) {
				s.seen.Overflows = of(3)
				s.step.Missed = []string{"connect.latency_ms.p99 was 1,020 ms"}
			}}, says: "overflowed 3 times",
		},
		{
			name: "an overflow of another server, while this one answers", part: "the server itself", limit: "its own configuration",
			change: []func(*sides){func(s *sides) {
				s.seen.Overflows, s.failures = of(6), map[string]uint64{flood.Status.String(): 3, flood.Reset.String(): 1}
			}}, says: "and each after it at once",
		},
		{
			name: "an overflow, and some are answered", part: "the server's accept queue", limit: "accept backlog",
			change: []func(*sides){func(s *sides) {
				s.seen.Overflows, s.failures = of(6), map[string]uint64{flood.Status.String(): 3, flood.Timeout.String(): 3}
			}}, says: "overflowed 6 times",
		},
		{
			name: "an overflow that did no harm", part: "a cause that was not seen", limit: "a target that was missed",
			change: []func(*sides){rate, func(s *sides) { s.seen.Overflows = of(3) }}, says: "p99 was 81.0 ms",
		},
		{
			name: "all processors", part: "the server's processors", limit: "CPU",
			change: []func(*sides){rate, func(s *sides) { s.seen.Cores, s.seen.Busiest = of(3.9), of(0.97) }}, says: "3.90 of the 4",
		},
		{
			name: "all processors, as bench says", part: "the server's processors", limit: "CPU",
			change: []func(*sides){rate, limit("the server's processors", "it used 19 s")}, says: "19 s",
		},
		{
			name: "one thread", part: "one thread of the server", limit: "one processor",
			change: []func(*sides){rate, func(s *sides) { s.seen.Busiest, s.seen.Thread = of(0.99), "slow" }}, says: "(slow) was busy for 99 %",
		},
		{
			name: "one thread that also waits for a processor", part: "one thread of the server", limit: "one processor",
			change: []func(*sides){rate, func(s *sides) { s.seen.Busiest, s.seen.Waiting, s.seen.Thread = of(0.6), of(0.38), "slow" }, limit("the machine's processors", "all 2 were busy")},
			says:   "busy for 60 % of the time, and waited for a processor for 38 %",
		},
		{
			name: "threads that mostly wait", part: "this machine", limit: "CPU",
			change: []func(*sides){rate, func(s *sides) { s.seen.Busiest, s.seen.Waiting = of(0.3), of(0.7) }, limit("the machine's processors", "all 2 were busy")}, says: "all 2",
		},
		{
			name: "one thread, while the flood is busy too", part: "one thread of the server", limit: "one processor",
			change: []func(*sides){rate, func(s *sides) { s.seen.Busiest, s.seen.Thread = of(0.99), "slow" }, limit("the flood", "its loop was busy")}, says: "(slow)",
		},
		{
			name: "the flood", part: theGenerator, limit: "CPU",
			change: []func(*sides){rate, limit("the flood", "its event loop was busy for 98 %")}, says: "98 %",
		},
		{
			name: "the generator's processor", part: theGenerator, limit: "CPU",
			change: []func(*sides){rate, limit("the message generator's processor", "it used 30 s")}, says: "30 s",
		},
		{
			name: "a generator that woke late", part: theGenerator, limit: "CPU",
			change: []func(*sides){rate, limit("the message generator", "it woke late (p99 430 ms)")}, says: "woke late", raise: "to spare",
		},
		{
			name: "a generator that woke late, since nothing was left of the machine", part: "this machine", limit: "CPU",
			change: []func(*sides){rate, limit("the machine's processors", "all 2 were busy"), limit("the message generator", "it woke late")}, says: "all 2",
		},
		{
			name: "the generator's files", part: theGenerator, limit: "open files",
			change: []func(*sides){limit("the floods' open files", "44 failed (EMFILE)")}, says: "EMFILE", raise: "ulimit -n",
		},
		{
			name: "the generator's ports", part: theGenerator, limit: "ports",
			change: []func(*sides){limit("ports to connect from", "EADDRNOTAVAIL")}, says: "EADDRNOTAVAIL", raise: "--source-ip",
		},
		{
			name: "the generator's memory", part: theGenerator, limit: "memory",
			change: []func(*sides){limit("memory", "this machine has 1 MiB left")}, says: "1 MiB",
		},
		{
			name: "both ends on one machine", part: "this machine", limit: "CPU",
			change: []func(*sides){rate, limit("the machine's processors", "all 2 were busy")}, says: "all 2", raise: "another machine",
		},
		{
			name: "messages that are not taken", part: "the server's intake", limit: "messages taken per second",
			change: []func(*sides){rate, limit("the server's intake", "it refused 7 of 10")}, says: "refused 7",
		},
		{
			name: "a target alone", part: "a cause that was not seen", limit: "a target that was missed",
			change: []func(*sides){rate}, says: "p99 was 81.0 ms, 31.0 ms (62 %) over the target p99<50ms, with files, memory and CPU to spare",
		},
		{
			name: "errors of a kind that bench names", part: "clients that do not read, or left", limit: "errors",
			change: []func(*sides){rate, limit("clients that do not read, or left", "the server dropped 5 messages")}, says: "dropped 5",
		},
	} {
		s := failedAt(1531, 1532, 1531)
		for _, change := range c.change {
			change(&s)
		}
		by := stoppedBy(s)
		if by.Part != c.part || by.Limit != c.limit || !strings.Contains(by.Evidence, c.says) || !strings.Contains(by.Raise, c.raise) {
			t.Errorf("%s: %+v\nwant %s, %s: ...%s...; ...%s...", c.name, by, c.part, c.limit, c.says, c.raise)
		}
		if c.saysNothing != "" && strings.Contains(by.Evidence, c.saysNothing) {
			t.Errorf("%s: %q knows too much", c.name, by.Evidence)
		}
	}
	if by := stoppedBy(sides{}); by != (result.StoppedBy{}) {
		t.Errorf("nothing failed: %+v", by)
	}
}

func TestOrdinal(t *testing.T) {
	for n, want := range map[float64]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 112: "112th", 1532: "1,532nd", 1543: "1,543rd"} {
		if got := ordinal(n); got != want {
			t.Errorf("%v: %s, want %s", n, got, want)
		}
	}
}
