package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.org/comet/flood/pace"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/msggen"
)

// limit is a made-up run and what is to be found to have limited it.
type limit struct {
	name   string
	change func(*record, *plan)
	part   string // "" is no limit at all
	says   []string
}

// fail makes connections fail.
func fail(rec *record, kind flood.Failure, n uint64) {
	counted(rec, func(r *flood.Result) {
		r.Failures = map[string]uint64{kind.String(): n, flood.Other.String(): 1}
		r.Explanation = fmt.Sprintf("%d connections failed: …", n)
	})
}

// late makes messages, of 100, late on the wire, with p99 in milliseconds of that, of
// how late the generator woke, and of the latency.
func late(rec *record, n uint64, p99, woke, latency float64) {
	rec.generated.LateCount = n
	rec.generated.Late, rec.generated.Woke = &msggen.Lateness{Count: 100, P99: p99}, &msggen.Lateness{Count: 100, P99: woke}
	counted(rec, func(r *flood.Result) { r.Latency = &flood.Quantiles{Count: 100, P99: latency} })
}

var connectingLimits = []limit{
	{"nothing", func(rec *record, _ *plan) {
		rec.generatorCPU = result.Of(0.94 * seconds)
		used(rec, 0.94*4, 1, 5)
		busy(rec, 0.91, 0)
	}, "", nil},
	{"memory", func(rec *record, _ *plan) {
		rec.generated, rec.failure = nil, fmt.Errorf("in phase connect: %w", &memoryError{used: 22 << 30, total: 23.5 * (1 << 30), each: 8432, measured: true, connected: 9000, fits: 9100})
	}, "memory", []string{"the machine's memory is nearly full: 22.0 of 23.5 GiB", "after 9000 connections", "at 8.4 KB each as measured", "run with -c 9100"}},
	{"files of a flood", func(rec *record, _ *plan) { fail(rec, flood.TooManyFiles, 17) }, "the floods' open files", []string{"17 connections", "EMFILE", "ulimit -n"}},
	{"files of a server", func(rec *record, _ *plan) { rec.after.acceptPauses = 3 }, "the server's open files", []string{"paused 3 times"}},
	{"ports", func(rec *record, _ *plan) { fail(rec, flood.NoFreePort, 9) }, "ports to connect from", []string{"9 connections", "EADDRNOTAVAIL", "--source-ip"}},
	{"something else", func(rec *record, _ *plan) { fail(rec, flood.Refused, 2) }, "connecting", []string{"2 connections failed"}},
	{"a server that was lost meanwhile", func(rec *record, _ *plan) {
		fail(rec, flood.Refused, 2)
		rec.losses = []loss{{phase: "connect"}}
	}, "", nil},
	{"an accept queue", func(rec *record, _ *plan) {
		rec.begun.TCP, rec.connected.TCP = probe.TCP{ListenOverflows: result.Of(0), Retransmits: result.Of(1)}, probe.TCP{ListenOverflows: result.Of(5), Retransmits: result.Of(7)}
	}, "an accept queue", []string{"overflowed 5 times", "TcpExtListenOverflows", "6 TCP segments"}},
}

var messageLimits = []limit{
	{"a suspension, at a pace", func(rec *record, _ *plan) {
		rec.paused = []suspension{{"messages", time.Minute}}
		rec.generated.Sent, rec.generatorCPU = 50, result.Of(1*seconds)
	}, "", nil},
	{"a suspension, flat out", func(rec *record, p *plan) {
		p.rate, rec.paused = pace.MaxRate, []suspension{{"messages", time.Minute}}
	}, "a suspension", []string{"--window"}},
	{"slow clients", func(rec *record, _ *plan) {
		counted(rec, func(r *flood.Result) { r.Delivered = 90 })
		rec.after.dropped["slow"] = 10
	}, "clients that do not read, or left", []string{"dropped 10 messages"}},
	{"clients of a flood that was lost", func(rec *record, _ *plan) {
		rec.after.dropped["closed"] = 10
		rec.losses = []loss{{phase: "messages", ended: true}}
	}, "", nil},
	{"a slow node", func(rec *record, _ *plan) {
		counted(rec, func(r *flood.Result) { r.Delivered = 90 })
		rec.after.dropped[overrun] = 10
	}, "a node that is too slow for the router", []string{"dropped 10 messages"}},
	{"refusals", func(rec *record, p *plan) {
		foreignSite(rec, p)
		rec.generated.Sent, rec.generated.Refused = 60, 40
		rec.generated.Refusal = "POST http://h/1 was answered 429 Too Many Requests"
	}, "the server's intake", []string{"40 of 100", "the first: POST http://h/1 was answered 429"}},
	{"refusals of a server that was lost", func(rec *record, p *plan) {
		foreignSite(rec, p)
		rec.generated.Refusal = "POST http://h/1: connection refused"
		rec.losses = []loss{{phase: "messages"}}
	}, "", nil},
	{"fewer than were due", func(rec *record, _ *plan) { rec.generated.Sent, rec.generated.Refused = 98, 2 }, "the message generator or the server's intake", []string{"of 100 messages that were due 98"}},
	{"lateness on the way to another server", func(rec *record, p *plan) {
		foreignSite(rec, p)
		rec.generated.LateCount, rec.generated.Late = 25, &msggen.Lateness{Count: 100, P99: 31.5}
	}, "the way to the server's intake", []string{"25 %", "31.5 ms", "--publish-connections"}},
	{"few so late on the way to another server that they make its p99", func(rec *record, p *plan) {
		foreignSite(rec, p)
		late(rec, 3, 300, 2, 440)
	}, "the way to the server's intake", []string{"3 %", "300.0 ms", "--publish-connections"}},
	{"many that the intake held up", func(rec *record, _ *plan) { late(rec, 25, 61.5, 2, 90) }, "the message generator or the server's intake", []string{"25 % of the messages were on the wire more than 1 ms", "p99 61.5 ms"}},
	{"many, and the latency's p99 is the server's", func(rec *record, _ *plan) { late(rec, 25, 31.5, 2, 90) }, "", nil},
	{"few so late that they make the latency's p99", func(rec *record, _ *plan) { late(rec, 8, 436, 2, 440) }, "the message generator or the server's intake", []string{"8 %", "436.0 ms"}},
	{"few, and the latency's p99 is the server's", func(rec *record, _ *plan) { late(rec, 8, 100, 90, 440) }, "", nil},
	{"few, and no later than on any shared machine", func(rec *record, _ *plan) { late(rec, 2, 6, 6, 7) }, "", nil},
	{"a generator that woke late", func(rec *record, _ *plan) { late(rec, 8, 436, 430, 440) }, "the message generator", []string{"8 %", "woke late (p99 430.0 ms)"}},
	{"a generator that woke late, before another server", func(rec *record, p *plan) {
		foreignSite(rec, p)
		late(rec, 25, 436, 430, 440)
	}, "the message generator", []string{"25 %", "woke late (p99 430.0 ms)"}},
	{"lateness of what was refused", func(rec *record, _ *plan) {
		late(rec, 40, 436, 2, 440)
		rec.generated.Sent, rec.generated.Refused = 60, 40
	}, "the message generator or the server's intake", []string{"of 100 messages that were due 60"}},
	{"no message arrived", func(rec *record, p *plan) {
		foreignSite(rec, p)
		counted(rec, func(r *flood.Result) { r.Stamped, r.Delivered = 0, 0 })
	}, "where messages go", []string{"accepted 100", "no message arrived: is --publish the right URL for --url?"}},
	{"none with a stamp", func(rec *record, p *plan) {
		foreignSite(rec, p)
		counted(rec, func(r *flood.Result) { r.Stamped, r.Delivered, r.Chunks = 0, 0, 990 })
	}, "where messages go", []string{"accepted 100", "990 chunks came"}},
	{"the generator was killed", func(rec *record, _ *plan) { rec.generated, rec.busy = nil, result.Of(0.99) }, "", nil},
}

var processorLimits = []limit{
	{"all loops of a server", func(rec *record, p *plan) {
		p.loops = 1
		used(rec, 0.97, 1, 5)
	}, "the server's processors", []string{"9.70 s", "10.00 s", "97 % of the 1", "event loops"}},
	{"all processors", func(rec *record, _ *plan) {
		used(rec, 0.96*4, 1, 5)
		busy(rec, 0.91, 0)
	}, "the server's processors", []string{"96 % of the 4", "this machine has"}},
	{"the one worker of another server here", func(rec *record, p *plan) {
		foreignSite(rec, p)
		p.here = true
		used(rec, 0.99, 2, 2)
	}, "the server's processors", []string{"99 % of the 1", "one thread each"}},
	{"the workers of a server elsewhere", func(rec *record, p *plan) {
		foreignSite(rec, p)
		used(rec, 7.9, 9, 9)
	}, "the server's processors", []string{"99 % of the 8", "one thread each"}},
	{"threads of another machine", func(rec *record, p *plan) {
		foreignSite(rec, p)
		used(rec, 99, 1, 64)
	}, "", nil}, // how many processors that one has is unknown
	{"one of two servers", func(rec *record, _ *plan) {
		second := probe.Part{Role: "server", Number: 2}
		rec.sending.Usage[second] = probe.Usage{CPU: result.Of(0)}
		rec.ended.Usage[second] = probe.Usage{CPU: result.Of(3.9 * seconds)}
		busy(rec, 0.91, 0)
	}, "the server's processors", []string{"server 2 used 39.00 s"}},
	{"the generator", func(rec *record, _ *plan) { rec.generatorCPU = result.Of(0.96 * seconds) }, "the message generator's processor", []string{"9.60 s", "10.00 s"}},
	{"the flood", func(rec *record, _ *plan) { rec.busy = result.Of(0.97) }, "the flood", []string{"97 %"}},
	{"the machine, by what no process is charged for", func(rec *record, _ *plan) {
		used(rec, 2, 1, 5)
		busy(rec, 0.99, 0.03)
	}, "the machine's processors", []string{"all 4 were busy for 99 % of the message phase", "the servers 50 %", "charged to no process", "3 % went to other guests"}},
	{"the machine, by its processes alone", func(rec *record, _ *plan) {
		used(rec, 3.7, 1, 5)
	}, "the machine's processors", []string{"96 % of the message phase", "the servers 92 %"}},
	{"this machine, and the server is elsewhere", func(rec *record, p *plan) {
		foreignSite(rec, p)
		busy(rec, 0.93, 0)
	}, "this machine's processors", []string{"93 %", "floods and generator"}},
	{"not the machine: other guests take little, and it idles", func(rec *record, _ *plan) {
		used(rec, 3.7, 1, 5)
		busy(rec, 0.8, 0.03)
	}, "", nil},
	{"no time passed", func(rec *record, _ *plan) {
		rec.generated.Seconds = 0
		used(rec, 3.9, 1, 5)
	}, "", nil},
	{"flat out, the flood came nearest", func(rec *record, p *plan) {
		p.rate, rec.busy = pace.MaxRate, result.Of(0.88)
	}, "the flood", []string{"no part was at its limit", "88 %", "--window"}},
	{"flat out, the machine came nearest", func(rec *record, p *plan) {
		p.rate, rec.busy = pace.MaxRate, result.Of(0.5)
		busy(rec, 0.88, 0)
	}, "this machine's processors", []string{"no part was at its limit", "88 %"}},
	{"flat out, and nothing is known of processor time", func(rec *record, p *plan) {
		foreignSite(rec, p)
		p.rate, p.cpus = pace.MaxRate, 4
		rec.generatorCPU, rec.busy = result.Figure{}, result.Figure{}
		rec.generated.Seconds = 0
	}, "the window", []string{"--window"}},
	{"flat out, and a part was lost", func(rec *record, p *plan) {
		p.rate, rec.losses = pace.MaxRate, []loss{{what: "server 2 was killed", phase: "messages", ended: true}}
	}, "a part that was lost", []string{"server 2 was killed"}},
	{"flat out, the server was at its limit", func(rec *record, p *plan) {
		p.rate, rec.busy, p.loops = pace.MaxRate, result.Of(0.88), 1
		used(rec, 0.99, 1, 5)
	}, "the server's processors", []string{"99 % of the 1"}},
}

func TestLimits(t *testing.T) {
	for _, c := range append(append(connectingLimits, messageLimits...), processorLimits...) {
		t.Run(c.name, func(t *testing.T) {
			found := figures(made(c.change)).LimitedBy
			if c.part == "" {
				if len(found) != 0 {
					t.Errorf("%v, want no limit", found)
				}
				return
			}
			if len(found) != 1 || found[0].Part != c.part {
				t.Fatalf("%v, want %q alone", found, c.part)
			}
			for _, want := range c.says {
				if !strings.Contains(found[0].Evidence, want) {
					t.Errorf("%q; want %q in it", found[0].Evidence, want)
				}
			}
		})
	}
}
