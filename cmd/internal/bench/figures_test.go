package bench

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.org/comet/flood/pace"

	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/memlog/series"
)

// at returns a figure of a result by its JSON keys, joined with dots.
func at(r *result.Result, path string) result.Figure {
	v := reflect.ValueOf(r).Elem()
	for key := range strings.SplitSeq(path, ".") {
		for i := range v.NumField() {
			if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); name == key {
				v = v.Field(i)
				break
			}
		}
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return result.Figure{}
			}
			v = v.Elem()
		}
	}
	f, is := reflect.TypeAssert[result.Figure](v)
	if !is {
		panic(path + " is not a figure")
	}
	return f
}

// latencies makes a distribution, in milliseconds.
func latencies(p50 float64) *flood.Quantiles {
	return &flood.Quantiles{Count: 100, P50: p50, P90: 2, P99: 3, P999: 4, Max: 5}
}

// whole adds to a made-up record all that can be measured.
func whole(rec *record, _ *plan) {
	for part, u := range rec.idle.Usage {
		u.PSS = result.Of(600)
		rec.idle.Usage[part] = u
	}
	u := rec.begun.Usage[theServer]
	u.PSS = result.Of(400)
	rec.begun.Usage[theServer] = u
	router := probe.Part{Role: "router", Number: 1}
	for s, cpu := range map[*probe.Snapshot]int{&rec.begun: 100, &rec.connected: 150, &rec.idle: 200, &rec.sending: 200, &rec.ended: 300} {
		s.Usage[router] = probe.Usage{RSS: result.Of(cpu), CPU: result.Of(cpu)}
	}
	rec.bare.Machine.InUse, rec.idle.Machine.InUse, rec.ended.Machine.InUse = result.Of(1000), result.Of(5000), result.Of(6000)
	rec.begun.Slabs = probe.Slabs{Total: result.Of(100), Caches: map[string]int64{"TCP": 50, "dentry": 5}}
	rec.idle.Slabs = probe.Slabs{Total: result.Of(900), Caches: map[string]int64{"TCP": 250, "dentry": 6}}
	rec.begun.TCP = probe.TCP{ListenOverflows: result.Of(1), Retransmits: result.Of(2)}
	rec.connected.TCP = probe.TCP{ListenOverflows: result.Of(1), Retransmits: result.Of(9)}
	rec.afterGC = map[probe.Part]result.Figure{theServer: result.Of(1500)}
	for _, kb := range []int64{1, series.Unknown, 3} {
		rec.samples = append(rec.samples, series.Sample{Time: rec.sending.Usage[theLog].At.Add(time.Duration(len(rec.samples)) * time.Second), RSSKB: kb})
	}
	counted(rec, func(r *flood.Result) { r.FirstByte, r.Latency = latencies(1), latencies(1.5) })
}

func TestFigures(t *testing.T) {
	r := figures(made(whole))
	for path, want := range map[string]string{
		"connections.asked": "10", "connections.established": "10", "connections.failed": "0", "connections.closed": "0",
		"connect.seconds": "2", "connect.per_second": "5", "connect.latency_ms.p50": "1", "connect.latency_ms.max": "5",
		"connect.server_cpu_seconds": "1", "connect.flood_cpu_seconds": "2", "connect.listen_overflows": "0", "connect.retransmits": "7",
		"memory.rss_start_bytes": "1000", "memory.rss_idle_bytes": "2000", "memory.rss_end_bytes": "2500", "memory.rss_peak_bytes": "3072",
		"memory.bytes_per_connection": "100", "memory.bytes_per_connection_after_gc": "50", "memory.pss_start_bytes": "400",
		"memory.pss_idle_bytes": "600", "memory.pss_per_connection": "60", "memory.machine_bytes": "5000",
		"memory.kernel_bytes_per_connection": "40", // half of 80: both ends are here
		"flood.bytes_per_connection":         "40", "router.bytes_per_connection": "10",
		"messages.asked_per_second": "10", "messages.sent": "100", "messages.delivered_per_second": "10", "messages.missing": "0",
		"latency_ms.p50": "1.5", "latency_ms.p90": "2", "latency_ms.p99": "3", "latency_ms.p999": "4", "latency_ms.max": "5", "latency_ms.clock_error_ms": "0",
		"cpu.server_seconds": "2", "cpu.flood_seconds": "1", "cpu.router_seconds": "100", "cpu.msggen_seconds": "0.5",
		"memlog.cpu_seconds_per_sample": "0.25", // 0.5 s for two samples after the first
		"processes.servers":             "1", "processes.floods": "1", "service_ms.p50": "null",
	} {
		if got := show(at(r, path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if len(r.Memory.Slabs) != 1 || show(r.Memory.Slabs["TCP"]) != "10" {
		t.Errorf("the caches are %v, want that which grew by a byte or more", r.Memory.Slabs)
	}
	if len(r.Processes.List) != 2 || r.Interrupted || r.Processes.Lost != nil {
		t.Errorf("%+v", r.Processes)
	}
	server := r.Processes.List[0]
	if server.Role != "server" || show(server.PID)+show(server.Connections)+show(server.RSSStart)+show(server.RSSIdle)+show(server.RSSEnd)+show(server.PSSIdle)+show(server.ConnectCPU)+show(server.MessagesCPU) != "41101000200025006001"+"2" {
		t.Errorf("the server is %+v", server)
	}
}

// What was not measured is null, never 0, and takes nothing else with it.
func TestFiguresAreNull(t *testing.T) {
	forget := func(s *probe.Snapshot, part probe.Part) { delete(s.Usage, part) }
	for name, c := range map[string]struct {
		change       func(*record, *plan)
		null, stands string
	}{
		"it did not start": {
			func(rec *record, _ *plan) { *rec = record{failure: errors.New("no server")} },
			"connections.established connect.seconds connect.latency_ms.p50 memory.rss_start_bytes memory.rss_peak_bytes messages.sent latency_ms.p50 cpu.server_seconds processes.servers processes.floods memory.machine_bytes",
			"connections.asked",
		},
		"it did not connect": {
			func(rec *record, _ *plan) {
				*rec = record{begun: rec.begun, bare: rec.bare, failure: errors.New("no connection")}
			},
			"connections.established connections.failed connect.per_second memory.rss_idle_bytes memory.bytes_per_connection messages.sent",
			"connections.asked memory.rss_start_bytes memory.rss_peak_bytes processes.servers",
		},
		"it did not come to rest": {
			func(rec *record, _ *plan) {
				rec.idle, rec.sending, rec.sent, rec.ended, rec.generated, rec.afterGC = probe.Snapshot{}, probe.Snapshot{}, probe.Snapshot{}, probe.Snapshot{}, nil, nil
				rec.floods[0].ended = nil
			},
			"memory.rss_idle_bytes memory.bytes_per_connection memory.bytes_per_connection_after_gc memory.kernel_bytes_per_connection memory.pss_per_connection messages.sent messages.delivered latency_ms.p99 cpu.server_seconds flood.bytes_per_connection router.bytes_per_connection memlog.cpu_seconds_per_sample",
			"connections.established connect.seconds connect.latency_ms.p50 connect.server_cpu_seconds memory.rss_start_bytes",
		},
		"there were no messages": {
			func(rec *record, p *plan) {
				rec.sending, rec.sent, rec.generated, rec.before, rec.after, p.rate = probe.Snapshot{}, probe.Snapshot{}, nil, nil, nil, 0
			},
			"messages.asked_per_second messages.sent messages.routed messages.dropped messages.delivered messages.missing messages.unaddressed messages.expected messages.refused messages.unknown messages.replayed messages.delivered_per_second latency_ms.p50 latency_ms.clock_error_ms service_ms.p50 cpu.server_seconds cpu.flood_seconds cpu.msggen_seconds memlog.cpu_seconds_per_sample",
			"memory.bytes_per_connection memory.rss_end_bytes connect.latency_ms.p50",
		},
		"others gave back more of the kernel's memory than the connections took": {
			func(rec *record, _ *plan) { rec.idle.Slabs.Total = result.Of(99) },
			"memory.kernel_bytes_per_connection", "memory.bytes_per_connection memory.machine_bytes",
		},
		"no stamp came": {
			func(rec *record, _ *plan) {
				counted(rec, func(r *flood.Result) { r.Delivered, r.MessageSeconds, r.Latency = 0, 0, nil })
			},
			"latency_ms.p50 latency_ms.clock_error_ms messages.delivered_per_second", "messages.delivered messages.missing cpu.server_seconds",
		},
		"flat out": {
			func(_ *record, p *plan) { p.rate = pace.MaxRate },
			"latency_ms.p50 latency_ms.p999 latency_ms.clock_error_ms messages.asked_per_second", "service_ms.p50 service_ms.max messages.delivered_per_second",
		},
		"suspended while it connected": {
			func(rec *record, _ *plan) { rec.paused = []suspension{{"connect", time.Minute}} },
			"connect.seconds connect.per_second", "connect.latency_ms.p50 messages.delivered_per_second",
		},
		"suspended while messages were sent": {
			func(rec *record, _ *plan) {
				rec.paused = []suspension{{"messages", time.Minute}, {"idle", time.Second}}
				rec.generated.Sent = 1 // the generator was, too
			},
			"messages.delivered_per_second", "connect.per_second messages.delivered latency_ms.p50",
		},
		"nobody sees the server": {
			func(rec *record, p *plan) {
				foreignSite(rec, p)
				for _, s := range []*probe.Snapshot{&rec.begun, &rec.connected, &rec.idle, &rec.sending, &rec.ended} {
					forget(s, theServer)
				}
				rec.samples, rec.afterGC, rec.parts = nil, nil, rec.parts[1:]
			},
			"memory.rss_start_bytes memory.rss_idle_bytes memory.rss_peak_bytes memory.rss_end_bytes memory.bytes_per_connection memory.bytes_per_connection_after_gc connect.server_cpu_seconds connect.listen_overflows memory.machine_bytes cpu.server_seconds processes.servers messages.routed messages.dropped messages.unaddressed",
			"memory.kernel_bytes_per_connection connect.retransmits messages.missing latency_ms.p50 cpu.flood_seconds processes.floods",
		},
		"the kernel shows nothing": {
			func(rec *record, _ *plan) {
				for _, s := range []*probe.Snapshot{&rec.bare, &rec.begun, &rec.connected, &rec.idle, &rec.ended} {
					s.Machine, s.Slabs, s.TCP = probe.Machine{}, probe.Slabs{}, probe.TCP{}
				}
			},
			"memory.kernel_bytes_per_connection memory.machine_bytes connect.listen_overflows connect.retransmits", "memory.bytes_per_connection",
		},
		"the server has ended on the way": {
			func(rec *record, _ *plan) { forget(&rec.idle, theServer); forget(&rec.ended, theServer) },
			"memory.rss_idle_bytes memory.rss_end_bytes memory.bytes_per_connection cpu.server_seconds", "memory.rss_start_bytes memory.rss_peak_bytes connect.server_cpu_seconds",
		},
		"the witness was killed": {
			func(rec *record, _ *plan) {
				forget(&rec.ended, theLog)
				rec.losses = []loss{{what: "comet memlog (pid 9) ended", phase: "messages", ended: true}}
			},
			"memlog.cpu_seconds_per_sample", "messages.sent messages.delivered messages.missing latency_ms.p99 cpu.server_seconds memory.rss_end_bytes",
		},
		"the generator was killed": {
			func(rec *record, _ *plan) { rec.generated, rec.generatorCPU = nil, result.Figure{} },
			"messages.sent messages.expected messages.missing messages.unaddressed cpu.msggen_seconds", "messages.delivered latency_ms.p50 cpu.server_seconds messages.routed messages.delivered_per_second",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := figures(made(whole, c.change))
			for path := range strings.FieldsSeq(c.null) {
				if got := show(at(r, path)); got != "null" {
					t.Errorf("%s is %s, want null", path, got)
				}
			}
			for path := range strings.FieldsSeq(c.stands) {
				if got := show(at(r, path)); got == "null" {
					t.Errorf("%s is null, and was measured", path)
				}
			}
		})
	}
}

// A server that is followed by its log has no sample yet right after the last
// connect: then it is as it was when idle.
func TestConnectIsAsIdleWithoutASample(t *testing.T) {
	rec, p := made()
	delete(rec.connected.Usage, theServer)
	if got := show(figures(rec, p).Connect.ServerCPUSeconds); got != "1" {
		t.Errorf("the server used %s s, want what it had used when idle", got)
	}
}

// TestConnectRateIsThatOfThePhase: connections that failed at first and were opened by
// --reconnect in a later phase are established, but were not opened in the first.
func TestConnectRateIsThatOfThePhase(t *testing.T) {
	rec, p := made(func(rec *record, _ *plan) {
		first := *rec.floods[0].ended
		first.Connected, first.Failed = 4, 6
		rec.floods[0].connected = &first
	})
	r := figures(rec, p)
	if got := show(r.Connections.Established) + " " + show(r.Connect.PerSecond); got != "10 2" {
		t.Errorf("%s established and per second, want 10, and 4 in 2 s", got)
	}
}

// TestFewMessagesAreNotFasterThanTheyWereSent: between four messages there are three
// intervals.
func TestFewMessagesAreNotFasterThanTheyWereSent(t *testing.T) {
	for _, c := range []struct {
		rate pace.Rate
		want string
	}{{2, "2"}, {pace.Rate(math.Inf(1)), "2.66667"}, {0, "2.66667"}} {
		rec, p := made(func(rec *record, p *plan) {
			p.rate = c.rate
			counted(rec, func(r *flood.Result) { r.Delivered, r.Stamped, r.MessageSeconds = 4, 4, 1.5 })
		})
		if got := show(figures(rec, p).Messages.DeliveredPerSecond); got != c.want {
			t.Errorf("of four messages in 1.5 s at a rate of %v were delivered %s/s, want %s", c.rate, got, c.want)
		}
	}
}

func TestProcessFigures(t *testing.T) {
	rec, p := made(func(rec *record, _ *plan) {
		rec.failure = errors.New("in phase messages: it was enough")
		rec.parts[1].lost = true
		rec.losses = []loss{{what: "comet flood (pid 42) ended", ended: true}, {what: "comet serve hangs"}}
		u := rec.begun.Usage[theServer]
		u.Procs = result.Of(3) // one that is not ours, with its descendants
		rec.begun.Usage[theServer] = u
	})
	r := figures(rec, p)
	if !r.Interrupted || r.InterruptedBy != "in phase messages: it was enough" || show(r.Processes.Servers) != "3" {
		t.Errorf("%v %q, %s servers", r.Interrupted, r.InterruptedBy, show(r.Processes.Servers))
	}
	if len(r.Processes.Lost) != 1 || r.Processes.Lost[0] != "comet flood (pid 42) ended" || !r.Processes.List[1].Lost || r.Processes.List[0].Lost {
		t.Errorf("%+v; want the part that the others went on without", r.Processes)
	}
	// Those that the snapshot did not come to are counted by their pids.
	rec.begun = probe.Snapshot{}
	if r := figures(rec, p); show(r.Processes.Servers) != "1" {
		t.Errorf("%s servers", show(r.Processes.Servers))
	}
}

func TestTotals(t *testing.T) {
	last := &flood.Result{Counts: flood.Counts{Asked: 5, Connected: 4, Closed: 1, Failed: 2, Delivered: 7, Stamped: 9, Chunks: 11, Duplicated: 1, Reordered: 3, Replayed: 6, BeforeDue: 2, BeforeDueMS: 5}}
	sample := flood.Sample{Counts: flood.Counts{Asked: 5, Connected: 5, Delivered: 1}}
	got := totals([]floodAccount{{live: sample, ended: last}, {live: sample, lost: true}})
	if got.Asked != 10 || got.Connected != 4 || got.Closed != 6 || got.Failed != 2 || got.Delivered != 8 || got.Stamped != 9 || got.Chunks != 11 || got.Duplicated != 1 || got.Reordered != 3 || got.Replayed != 6 || got.BeforeDue != 2 || got.BeforeDueMS != 5 {
		t.Errorf("%+v; want the last account of one and the last sample of the lost one, whose connections have closed", got)
	}
	if !got.final || got.all {
		t.Errorf("final %v, all %v; want no more to come, and one lost", got.final, got.all)
	}
	if got := totals([]floodAccount{{live: sample}}); got.final || got.all {
		t.Errorf("%+v before the end", got)
	}
}

func TestMerged(t *testing.T) {
	firstByte := func(r *flood.Result) *flood.Quantiles { return r.FirstByte }
	one := &flood.Result{FirstByte: latencies(1)}
	if q := merged([]floodAccount{{connected: one}}, firstByte); q == nil || q.P50 != 1 {
		t.Errorf("%+v, want that of the only flood before its end", q)
	}
	if q := merged([]floodAccount{{connected: one}, {connected: one}}, firstByte); q != nil {
		t.Errorf("%+v, want none: that of several is whole at the end alone", q)
	}
	if q := merged([]floodAccount{{ended: one}, {}}, firstByte); q == nil || q.P50 != 1 {
		t.Errorf("%+v, want that of the one that has ended", q)
	}
	broken := &flood.Result{FirstByte: &flood.Quantiles{Histogram: "nonsense"}}
	if q := merged([]floodAccount{{ended: broken}, {ended: one}}, firstByte); q != nil {
		t.Errorf("%+v, want none", q)
	}
}
