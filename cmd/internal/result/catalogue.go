package result

// Better says in which direction a figure improves; "" if that depends.
type Better string

// The two directions, as benchstat spells them.
const (
	Lower  Better = "lower"
	Higher Better = "higher"
)

// Presence says when the table has a row for a figure.
type Presence int

const (
	// Always shows a dash if the figure was not measured, as long as its section
	// has any figure.
	Always Presence = iota
	// Optional leaves the row out if the figure was not measured: the part that
	// it is about, such as a router, may not have existed.
	Optional
	// Given is a setting or a count of our own processes: a row, but not
	// something that was measured.
	Given
	// Ended has a row where streams ended by themselves.
	Ended
	// Hidden has no row: other figures are made of it.
	Hidden
)

// Metric is one figure of a result: all that tables, benchmarks, pictures,
// targets and comparisons know of it stands here and nowhere else.
type Metric struct {
	// Key is its path in result.json. A derived figure, which is not in the file,
	// has a key of the same form.
	Key string
	// Section and Label name its row in the table.
	Section, Label string
	Unit           Unit
	// BenchUnit is its unit in bench.txt; "" leaves it out there.
	BenchUnit string
	Better    Better
	Presence  Presence
	// Of reads it.
	Of func(*Result) Figure
}

// The sections of the table, in its order.
const (
	sectionTargets     = "Targets"
	sectionConnections = "Connections"
	sectionReconnect   = "Connections that came back"
	sectionStreams     = "Streams that ended"
	sectionMemory      = "Memory"
	sectionMessages    = "Messages"
	sectionLatency     = "Latency, from due to received"
	sectionFanOut      = "Fan-out, from due to the recipients of a message"
	sectionService     = "Service time, from sent to received"
	sectionCPU         = "CPU while messages were sent"
	sectionProcesses   = "Processes"
)

// Catalogue returns every metric once: those of memory first, as what a
// connection costs is what benchstat should show first.
func Catalogue() []Metric { return catalogue }

// Lookup finds a metric by its key, or by the short name of a target: p50, p90,
// p99, p99.9, max, loss, missing, errors, rss, cpu or per_connection.
func Lookup(name string) (Metric, bool) {
	if key, ok := aliases[name]; ok {
		name = key
	}
	i, ok := byKey[name]
	if !ok {
		return Metric{}, false
	}
	return catalogue[i], true
}

var aliases = map[string]string{
	"p50": "latency_ms.p50", "p90": "latency_ms.p90", "p99": "latency_ms.p99", "p99.9": "latency_ms.p999", "max": "latency_ms.max",
	"missing": "messages.missing", "rss": "memory.rss_peak_bytes", "per_connection": "memory.bytes_per_connection",
}

// shortNames are the names of a target that are not the path of a figure, in the
// order of the help.
var shortNames = []string{"p50", "p90", "p99", "p99.9", "max", "loss", "missing", "errors", "rss", "cpu", "per_connection"}

var byKey = func() map[string]int {
	index := make(map[string]int, len(catalogue))
	for i, m := range catalogue {
		index[m.Key] = i
	}
	return index
}()

var catalogue = []Metric{
	{"memory.bytes_per_connection", sectionMemory, "per connection", UnitBytes, "B/conn", Lower, Always, func(r *Result) Figure { return r.Memory.BytesPerConnection }},
	{"memory.bytes_per_connection_after_gc", sectionMemory, "per connection, after a collection", UnitBytes, "gc-B/conn", Lower, Optional, func(r *Result) Figure { return r.Memory.BytesPerConnectionAfterGC }},
	{"memory.pss_per_connection", sectionMemory, "PSS, per connection", UnitBytes, "", Lower, Optional, func(r *Result) Figure { return r.Memory.PSSPerConnection }},
	{"memory.kernel_bytes_per_connection", sectionMemory, "kernel, per connection", UnitBytes, "kernel-B/conn", Lower, Always, func(r *Result) Figure { return r.Memory.KernelBytesPerConnection }},
	{"flood.bytes_per_connection", sectionMemory, "flood, per connection", UnitBytes, "flood-B/conn", Lower, Optional, func(r *Result) Figure { return r.Flood.BytesPerConnection }},
	{"router.bytes_per_connection", sectionMemory, "router, per connection", UnitBytes, "", Lower, Optional, func(r *Result) Figure { return r.Router.BytesPerConnection }},
	{"memory.rss_start_bytes", sectionMemory, "server at the start", UnitBytes, "start-RSS-B", Lower, Always, func(r *Result) Figure { return r.Memory.RSSStart }},
	{"memory.rss_idle_bytes", sectionMemory, "server, connections idle", UnitBytes, "", Lower, Always, func(r *Result) Figure { return r.Memory.RSSIdle }},
	{"memory.rss_peak_bytes", sectionMemory, "server at its peak", UnitBytes, "peak-RSS-B", Lower, Always, func(r *Result) Figure { return r.Memory.RSSPeak }},
	{"memory.rss_end_bytes", sectionMemory, "server at the end", UnitBytes, "", Lower, Always, func(r *Result) Figure { return r.Memory.RSSEnd }},
	{"memory.pss_start_bytes", sectionMemory, "PSS at the start", UnitBytes, "", Lower, Hidden, func(r *Result) Figure { return r.Memory.PSSStart }},
	{"memory.pss_idle_bytes", sectionMemory, "PSS, connections idle", UnitBytes, "", Lower, Hidden, func(r *Result) Figure { return r.Memory.PSSIdle }},
	{"memory.machine_bytes", sectionMemory, "machine memory growth", UnitBytes, "", Lower, Optional, func(r *Result) Figure { return r.Memory.Machine }},

	{"connections.asked", sectionConnections, "asked", UnitCount, "", "", Given, func(r *Result) Figure { return r.Connections.Asked }},
	{"connections.established", sectionConnections, "established", UnitCount, "", Higher, Always, func(r *Result) Figure { return r.Connections.Established }},
	{"connections.failed", sectionConnections, "failed", UnitCount, "failed-conns", Lower, Always, func(r *Result) Figure { return r.Connections.Failed }},
	{"connections.closed", sectionConnections, "closed early", UnitCount, "", Lower, Always, func(r *Result) Figure { return r.Connections.Closed }},
	{"streams.completed", sectionStreams, "completed", UnitCount, "", "", Ended, func(r *Result) Figure { return r.Streams.Completed }},
	{"streams.ended_early", sectionStreams, "ended early", UnitCount, "", Lower, Ended, func(r *Result) Figure { return r.Streams.EndedEarly }},
	{"errors", sectionConnections, "errors", UnitCount, "", Lower, Hidden, (*Result).Errors},
	{"connect.seconds", sectionConnections, "time to connect", UnitSeconds, "", Lower, Always, func(r *Result) Figure { return r.Connect.Seconds }},
	{"connect.per_second", sectionConnections, "connection rate", UnitPerSecond, "conns/s", Higher, Always, func(r *Result) Figure { return r.Connect.PerSecond }},
	{"connect.latency_ms.p50", sectionConnections, "connect latency p50", UnitMillis, "", Lower, Always, func(r *Result) Figure { return r.Connect.Latency.P50 }},
	{"connect.latency_ms.p90", sectionConnections, "connect latency p90", UnitMillis, "", Lower, Always, func(r *Result) Figure { return r.Connect.Latency.P90 }},
	{"connect.latency_ms.p99", sectionConnections, "connect latency p99", UnitMillis, "connect-p99-ms", Lower, Always, func(r *Result) Figure { return r.Connect.Latency.P99 }},
	{"connect.latency_ms.max", sectionConnections, "connect latency max", UnitMillis, "", Lower, Always, func(r *Result) Figure { return r.Connect.Latency.Max }},
	{"connect.server_cpu_seconds", sectionConnections, "server CPU", UnitSeconds, "", Lower, Always, func(r *Result) Figure { return r.Connect.ServerCPUSeconds }},
	{"connect.server_cpu_seconds_per_10k", sectionConnections, "server CPU per 10,000", UnitSeconds, "server-CPU-s/10kconns", Lower, Optional, (*Result).ServerCPUPer10k},
	{"connect.flood_cpu_seconds", sectionConnections, "flood CPU", UnitSeconds, "", Lower, Optional, func(r *Result) Figure { return r.Connect.FloodCPUSeconds }},
	{"connect.flood_cpu_seconds_per_10k", sectionConnections, "flood CPU per 10,000", UnitSeconds, "flood-CPU-s/10kconns", Lower, Optional, (*Result).FloodCPUPer10k},
	{"connect.listen_overflows", sectionConnections, "accept queue overflows", UnitCount, "", Lower, Optional, func(r *Result) Figure { return r.Connect.ListenOverflows }},
	{"connect.retransmits", sectionConnections, "TCP retransmits", UnitCount, "", Lower, Optional, func(r *Result) Figure { return r.Connect.Retransmits }},

	{"reconnect.dropped", sectionReconnect, "dropped", UnitCount, "", Lower, Optional, func(r *Result) Figure { return r.Reconnect.Dropped }},
	{"reconnect.left", sectionReconnect, "of these, on purpose", UnitCount, "", "", Optional, func(r *Result) Figure { return r.Reconnect.Left }},
	{"reconnect.attempts", sectionReconnect, "attempts to return", UnitCount, "", "", Optional, func(r *Result) Figure { return r.Reconnect.Attempts }},
	{"reconnect.peak_per_second", sectionReconnect, "attempts per second, at the peak", UnitPerSecond, "", "", Optional, func(r *Result) Figure { return r.Reconnect.PeakPerSecond }},
	{"reconnect.failed", sectionReconnect, "failed attempts", UnitCount, "", Lower, Optional, func(r *Result) Figure { return r.Reconnect.Failed }},
	{"reconnect.returned", sectionReconnect, "returned", UnitCount, "", "", Optional, func(r *Result) Figure { return r.Reconnect.Returned }},
	{"reconnect.seconds_to_p50", sectionReconnect, "time to return p50", UnitSeconds, "", Lower, Optional, func(r *Result) Figure { return r.Reconnect.SecondsToP50 }},
	{"reconnect.seconds_to_p99", sectionReconnect, "time to return p99", UnitSeconds, "", Lower, Optional, func(r *Result) Figure { return r.Reconnect.SecondsToP99 }},

	{"stream_ms.first_message.p50", sectionStreams, "to the first message, p50", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.FirstMessage.P50 }},
	{"stream_ms.first_message.p90", sectionStreams, "to the first message, p90", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.FirstMessage.P90 }},
	{"stream_ms.first_message.p99", sectionStreams, "to the first message, p99", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.FirstMessage.P99 }},
	{"stream_ms.first_message.max", sectionStreams, "to the first message, max", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.FirstMessage.Max }},
	{"stream_ms.gap.p50", sectionStreams, "between messages, p50", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.Gap.P50 }},
	{"stream_ms.gap.p90", sectionStreams, "between messages, p90", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.Gap.P90 }},
	{"stream_ms.gap.p99", sectionStreams, "between messages, p99", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.Gap.P99 }},
	{"stream_ms.gap.max", sectionStreams, "between messages, max", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.Gap.Max }},
	{"stream_ms.duration.p50", sectionStreams, "duration p50", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.Duration.P50 }},
	{"stream_ms.duration.p90", sectionStreams, "duration p90", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.Duration.P90 }},
	{"stream_ms.duration.p99", sectionStreams, "duration p99", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.Duration.P99 }},
	{"stream_ms.duration.max", sectionStreams, "duration max", UnitMillis, "", Lower, Ended, func(r *Result) Figure { return r.StreamTimes.Duration.Max }},

	{"messages.asked_per_second", sectionMessages, "asked per second", UnitPerSecond, "", "", Given, func(r *Result) Figure { return r.Messages.AskedPerSecond }},
	{"messages.sent", sectionMessages, "sent", UnitCount, "", Higher, Always, func(r *Result) Figure { return r.Messages.Sent }},
	{"messages.refused", sectionMessages, "refused by the server", UnitCount, "", Lower, Optional, func(r *Result) Figure { return r.Messages.Refused }},
	{"messages.unknown", sectionMessages, "sent, outcome unknown", UnitCount, "", Lower, Optional, func(r *Result) Figure { return r.Messages.Unknown }},
	{"messages.routed", sectionMessages, "routed", UnitCount, "", Higher, Optional, func(r *Result) Figure { return r.Messages.Routed }},
	{"messages.expected", sectionMessages, "expected", UnitCount, "", "", Optional, func(r *Result) Figure { return r.Messages.Expected }},
	{"messages.delivered", sectionMessages, "delivered", UnitCount, "", Higher, Always, func(r *Result) Figure { return r.Messages.Delivered }},
	{"messages.delivered_per_second", sectionMessages, "delivered per second", UnitPerSecond, "msgs/s", Higher, Always, func(r *Result) Figure { return r.Messages.DeliveredPerSecond }},
	{"messages.missing", sectionMessages, "missing", UnitCount, "missing-msgs", Lower, Always, func(r *Result) Figure { return r.Messages.Missing }},
	{"messages.missed_offline", sectionMessages, "missed while away", UnitCount, "", Lower, Optional, func(r *Result) Figure { return r.Messages.MissedOffline }},
	{"loss", sectionMessages, "loss", UnitShare, "", Lower, Hidden, (*Result).Loss},
	{"messages.dropped", sectionMessages, "dropped by the server", UnitCount, "", Lower, Optional, func(r *Result) Figure { return r.Messages.Dropped }},
	{"messages.duplicated", sectionMessages, "duplicated", UnitCount, "", Lower, Always, func(r *Result) Figure { return r.Messages.Duplicated }},
	{"messages.reordered", sectionMessages, "reordered", UnitCount, "", Lower, Always, func(r *Result) Figure { return r.Messages.Reordered }},
	{"messages.unaddressed", sectionMessages, "to ids not connected", UnitCount, "", "", Optional, func(r *Result) Figure { return r.Messages.Unaddressed }},
	{"messages.replayed", sectionMessages, "replayed from other runs", UnitCount, "", "", Optional, func(r *Result) Figure { return r.Messages.Replayed }},

	{"latency_ms.p50", sectionLatency, "p50", UnitMillis, "p50-ms", Lower, Always, func(r *Result) Figure { return r.Latency.P50 }},
	{"latency_ms.p90", sectionLatency, "p90", UnitMillis, "", Lower, Always, func(r *Result) Figure { return r.Latency.P90 }},
	{"latency_ms.p99", sectionLatency, "p99", UnitMillis, "p99-ms", Lower, Always, func(r *Result) Figure { return r.Latency.P99 }},
	{"latency_ms.p999", sectionLatency, "p99.9", UnitMillis, "", Lower, Always, func(r *Result) Figure { return r.Latency.P999 }},
	{"latency_ms.max", sectionLatency, "max", UnitMillis, "max-ms", Lower, Always, func(r *Result) Figure { return r.Latency.Max }},
	{"latency_ms.clock_error_ms", sectionLatency, "clock error", UnitMillis, "", Lower, Optional, func(r *Result) Figure { return r.Latency.ClockError }},
	{"latency_ms.before_due", sectionLatency, "received before they were due", UnitCount, "", Lower, Optional, func(r *Result) Figure { return r.Latency.BeforeDue }},

	{"fanout_ms.first", sectionFanOut, "first", UnitMillis, "", Lower, Optional, func(r *Result) Figure { return r.FanOut.First }},
	{"fanout_ms.p50", sectionFanOut, "p50", UnitMillis, "", Lower, Optional, func(r *Result) Figure { return r.FanOut.P50 }},
	{"fanout_ms.p99", sectionFanOut, "p99", UnitMillis, "", Lower, Optional, func(r *Result) Figure { return r.FanOut.P99 }},
	{"fanout_ms.last", sectionFanOut, "last", UnitMillis, "fanout-last-ms", Lower, Optional, func(r *Result) Figure { return r.FanOut.Last }},

	{"service_ms.p50", sectionService, "p50", UnitMillis, "", Lower, Optional, func(r *Result) Figure { return r.service().P50 }},
	{"service_ms.p90", sectionService, "p90", UnitMillis, "", Lower, Optional, func(r *Result) Figure { return r.service().P90 }},
	{"service_ms.p99", sectionService, "p99", UnitMillis, "", Lower, Optional, func(r *Result) Figure { return r.service().P99 }},
	{"service_ms.max", sectionService, "max", UnitMillis, "", Lower, Optional, func(r *Result) Figure { return r.service().Max }},

	{"cpu.server_seconds", sectionCPU, "server", UnitSeconds, "", Lower, Always, func(r *Result) Figure { return r.CPU.Server }},
	{"cpu_us_per_message.server", sectionCPU, "server, per message", UnitMicros, "server-CPU-us/msg", Lower, Optional, func(r *Result) Figure { return r.CPUPerMessage(r.CPU.Server) }},
	{"cpu", sectionCPU, "server, in cores", UnitCores, "", Lower, Hidden, (*Result).ServerCores},
	{"cpu.flood_seconds", sectionCPU, "flood", UnitSeconds, "", Lower, Optional, func(r *Result) Figure { return r.CPU.Flood }},
	{"cpu_us_per_message.flood", sectionCPU, "flood, per message", UnitMicros, "", Lower, Optional, func(r *Result) Figure { return r.CPUPerMessage(r.CPU.Flood) }},
	{"cpu.router_seconds", sectionCPU, "router", UnitSeconds, "", Lower, Optional, func(r *Result) Figure { return r.CPU.Router }},
	{"cpu_us_per_message.router", sectionCPU, "router, per message", UnitMicros, "", Lower, Optional, func(r *Result) Figure { return r.CPUPerMessage(r.CPU.Router) }},
	{"cpu.msggen_seconds", sectionCPU, "msggen", UnitSeconds, "", Lower, Optional, func(r *Result) Figure { return r.CPU.Msggen }},
	{"memlog.cpu_seconds_per_sample", sectionCPU, "memlog, per sample", UnitSeconds, "", Lower, Optional, func(r *Result) Figure { return r.Memlog.CPUSecondsPerSample }},

	{"processes.servers", sectionProcesses, "servers", UnitCount, "", "", Given, func(r *Result) Figure { return r.Processes.Servers }},
	{"processes.floods", sectionProcesses, "floods", UnitCount, "", "", Given, func(r *Result) Figure { return r.Processes.Floods }},
}
