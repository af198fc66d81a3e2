package bench

import (
	"fmt"
	"time"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/msggen"
)

var (
	theServer = probe.Part{Role: "server", Number: 1}
	theFlood  = probe.Part{Role: "flood", Number: 1}
	theLog    = probe.Part{Role: "memlog", Number: 1}
)

// seconds is how long messages were sent in a made-up run.
const seconds = 10

// made returns the record and the plan of a made-up run that went well: a server
// of ours and a flood, ten connections, 100 messages, on a machine of four
// processors.
func made(changes ...func(*record, *plan)) (*record, *plan) {
	begun := time.Unix(1e9, 0)
	at := func(s int, usage map[probe.Part]probe.Usage) probe.Snapshot {
		for part, u := range usage {
			u.At = begun.Add(time.Duration(s) * time.Second)
			usage[part] = u
		}
		return probe.Snapshot{At: begun.Add(time.Duration(s) * time.Second), Usage: usage}
	}
	use := func(rss int64, cpu float64) probe.Usage {
		return probe.Usage{RSS: result.Of(rss), CPU: result.Of(cpu), Procs: result.Of(1), Threads: result.Of(5)}
	}
	account := &flood.Result{Counts: flood.Counts{Asked: 10, Connected: 10, Stamped: 100, Delivered: 100}, ConnectSeconds: 2, MessageSeconds: 9.9}
	rec := &record{
		started:   begun,
		bare:      at(0, nil),
		begun:     at(1, map[probe.Part]probe.Usage{theServer: use(1000, 1), theFlood: use(500, 1)}),
		connected: at(2, map[probe.Part]probe.Usage{theServer: use(2000, 2), theFlood: use(800, 3)}),
		idle:      at(3, map[probe.Part]probe.Usage{theServer: use(2000, 2), theFlood: use(900, 3)}),
		sending:   at(4, map[probe.Part]probe.Usage{theServer: use(2000, 2), theFlood: use(900, 3), theLog: use(1, 1)}),
		sent:      at(14, nil),
		ended:     at(16, map[probe.Part]probe.Usage{theServer: use(2500, 4), theFlood: use(950, 4), theLog: use(1, 1.5)}),

		connectSeconds: result.Of(2), generatorCPU: result.Of(0.5),
		before:    &traffic{dropped: map[string]uint64{}},
		after:     &traffic{routed: 100, dropped: map[string]uint64{}},
		generated: &msggen.Result{Seed: 7, Stats: msggen.Stats{Seconds: seconds, Asked: 100, Receipt: msggen.Receipt{Sent: 100, Reached: 100}}},
		floods:    []floodAccount{{live: flood.Sample{Counts: flood.Counts{Connected: 10}}, connected: account, ended: account}},
		parts:     []part{{Part: theServer, pid: result.Of(41), connections: result.Of(10)}, {Part: theFlood, pid: result.Of(42), connections: result.Of(10)}},
	}
	p := &plan{connections: 10, pairs: []pair{{firstID: 1, connections: 10}}, rate: 10, cpus: 4, terms: terms{here: true, counted: true, each: 1}}
	for _, change := range changes {
		change(rec, p)
	}
	return rec, p
}

// foreignSite makes a record one of a server that is not ours, and not here.
func foreignSite(rec *record, p *plan) {
	p.terms = terms{each: 1, posted: true}
	rec.before, rec.after = nil, nil
	rec.generated.ReachUnknown, rec.generated.Reached = true, 0
}

// used makes the server use processor time while messages are sent.
func used(rec *record, share float64, procs, threads int) {
	u := rec.sending.Usage[theServer]
	cpu, _ := u.CPU.Value()
	u.CPU, u.Procs, u.Threads = result.Of(cpu+share*seconds), result.Of(procs), result.Of(threads)
	rec.ended.Usage[theServer] = u
}

// counted changes the only flood's last account.
func counted(rec *record, change func(*flood.Result)) {
	account := *rec.floods[0].ended
	change(&account)
	rec.floods[0].ended, rec.floods[0].connected = &account, &account
}

// busy makes the machine's processors busy, and stolen, for a share of the time.
func busy(rec *record, share, stolen float64) {
	rec.sending.CPU = probe.Processors{All: result.Of(0), Idle: result.Of(0), Stolen: result.Of(0)}
	rec.sent.CPU = probe.Processors{All: result.Of(1000), Idle: result.Of(1000 * (1 - share)), Stolen: result.Of(1000 * stolen)}
}

func show(f result.Figure) string {
	n, ok := f.Value()
	if !ok {
		return "null"
	}
	return fmt.Sprintf("%.6g", n)
}
