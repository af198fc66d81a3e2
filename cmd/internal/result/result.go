package result

import "encoding/json"

// Schema is the version of result.json. Keys are added without a new one.
const Schema = 1

// Result is one experiment. Its JSON keys are a contract: every one is always
// there, null if it was not measured.
//
// Times are in seconds or, where the key says so, milliseconds; CPU is user and
// system time; memory is the resident set in bytes, several servers summed.
type Result struct {
	// Schema is set by Write.
	Schema int `json:"schema"`
	// Verdict says in one sentence what came of it. It is set by Write.
	Verdict string `json:"verdict"`
	// Targets are what was asked of the figures, and what became of it.
	Targets     Outcomes    `json:"targets"`
	Connections Connections `json:"connections"`
	Connect     Connect     `json:"connect"`
	Reconnect   Reconnect   `json:"reconnect"`
	Streams     Streams     `json:"streams"`
	StreamTimes StreamTimes `json:"stream_ms"`
	Memory      Memory      `json:"memory"`
	Messages    Messages    `json:"messages"`
	Latency     Latency     `json:"latency_ms"`
	// Service replaces Latency where messages had no due time: the time from
	// sent to received.
	Service *Quantiles `json:"service_ms,omitempty"`
	FanOut  FanOut     `json:"fanout_ms"`
	// Histograms are the whole distributions.
	Histograms Histograms `json:"histograms"`
	CPU        CPU        `json:"cpu"`
	Flood      Flood      `json:"flood"`
	Router     Router     `json:"router"`
	Memlog     Memlog     `json:"memlog"`
	Processes  Processes  `json:"processes"`
	// LimitedBy says which parts were the bottleneck; empty if none was.
	LimitedBy Limits `json:"limited_by"`
	// Notes say in a sentence each why a figure is null, or how far it can be
	// trusted.
	Notes []string `json:"notes,omitempty"`
	// Interrupted says that the experiment ended before its planned end,
	// InterruptedBy why.
	Interrupted   bool   `json:"interrupted"`
	InterruptedBy string `json:"interrupted_by,omitempty"`
	// Suspended lists when the bench itself did not run, as after Ctrl-Z.
	Suspended []Suspension `json:"suspended,omitempty"`

	Environment *Environment `json:"environment"`
	// Settings are those of the experiment by the names of their flags.
	Settings map[string]any `json:"settings"`

	told bool // the reader knows what InterruptedBy says
}

// Connections counts streams.
type Connections struct {
	Asked       Figure `json:"asked"`
	Established Figure `json:"established"`
	Failed      Figure `json:"failed"`
	// Closed were established and ended before their time, and have not come back.
	Closed Figure `json:"closed"`
}

// Reconnect is what became of connections that were lost or left; null where none
// was to come back.
type Reconnect struct {
	Dropped Figure `json:"dropped"`
	// Left are those of Dropped that left on purpose: churn and storm.
	Left     Figure `json:"left"`
	Attempts Figure `json:"attempts"`
	Failed   Figure `json:"failed"` // of these
	Returned Figure `json:"returned"`
	// SecondsToP50 and SecondsToP99 are from when a connection was dropped to when it
	// was established again.
	SecondsToP50 Figure `json:"seconds_to_p50"`
	SecondsToP99 Figure `json:"seconds_to_p99"`
	// PeakPerSecond is the most attempts in a second; of several floods, the sum of
	// theirs.
	PeakPerSecond Figure `json:"peak_per_second"`
}

// Streams counts how streams ended: Completed are those that the server ended in
// order.
type Streams struct {
	Completed  Figure `json:"completed"`
	EndedEarly Figure `json:"ended_early"`
}

// StreamTimes are from the request to the first message, from one message to the
// next, and from the request to the end of those that completed.
type StreamTimes struct {
	FirstMessage Quantiles `json:"first_message"`
	Gap          Quantiles `json:"gap"`
	Duration     Quantiles `json:"duration"`
}

// Connect is the phase that opens the streams.
type Connect struct {
	Seconds   Figure `json:"seconds"`
	PerSecond Figure `json:"per_second"`
	// Latency is from the first packet to the first byte of the answer.
	Latency          Quantiles `json:"latency_ms"`
	ServerCPUSeconds Figure    `json:"server_cpu_seconds"`
	FloodCPUSeconds  Figure    `json:"flood_cpu_seconds"`
	// ListenOverflows counts connections that the kernel refused because an
	// accept queue was full, Retransmits the TCP segments that it sent again:
	// both for the whole machine, in this phase.
	ListenOverflows Figure `json:"listen_overflows"`
	Retransmits     Figure `json:"retransmits"`
}

// Quantiles are those of a time in milliseconds.
type Quantiles struct {
	P50 Figure `json:"p50"`
	P90 Figure `json:"p90"`
	P99 Figure `json:"p99"`
	Max Figure `json:"max"`
}

// Memory of the servers. Start is after a warm-up whose connections have left,
// idle is some seconds after the last connect.
type Memory struct {
	RSSStart Figure `json:"rss_start_bytes"`
	RSSIdle  Figure `json:"rss_idle_bytes"`
	RSSPeak  Figure `json:"rss_peak_bytes"`
	RSSEnd   Figure `json:"rss_end_bytes"`
	// BytesPerConnection is (idle - start) / established, without a forced
	// collection, so that it means the same for any server.
	BytesPerConnection        Figure `json:"bytes_per_connection"`
	BytesPerConnectionAfterGC Figure `json:"bytes_per_connection_after_gc"`
	// PSS is the proportional set size: it counts memory that processes share
	// once, such as the program itself of many servers. PSSPerConnection is
	// PSSIdle divided by the established connections.
	PSSStart         Figure `json:"pss_start_bytes"`
	PSSIdle          Figure `json:"pss_idle_bytes"`
	PSSPerConnection Figure `json:"pss_per_connection"`
	// Machine is how much the memory in use on the whole machine grew after the
	// first part was started, at its highest reading. In use means neither free
	// nor page cache.
	Machine Figure `json:"machine_bytes"`
	// KernelBytesPerConnection is the kernel's slab memory for one end of a
	// connection: with both ends on this machine, half of the growth.
	KernelBytesPerConnection Figure `json:"kernel_bytes_per_connection"`
	// Slabs splits it by kernel cache, named as in /proc/slabinfo.
	Slabs map[string]Figure `json:"kernel_slabs,omitempty"`
}

// Messages counts messages by what happened to them.
type Messages struct {
	AskedPerSecond Figure `json:"asked_per_second"`
	// Sent were accepted by the server or router.
	Sent Figure `json:"sent"`
	// Routed were queued to a connection.
	Routed Figure `json:"routed"`
	// Dropped were discarded by a server, DroppedBy says why.
	Dropped   Figure            `json:"dropped"`
	DroppedBy map[string]Figure `json:"dropped_by_reason,omitempty"`
	// Delivered are distinct stamps that arrived at a connection.
	Delivered  Figure `json:"delivered"`
	Duplicated Figure `json:"duplicated"`
	Reordered  Figure `json:"reordered"`
	// Missing were sent to connected ids and had not arrived two seconds after
	// the last arrival. Dropped ones are part of it.
	Missing Figure `json:"missing"`
	// MissedOffline were sent while their connections were away: expected = delivered +
	// missing + missed offline. Where the server does not count them, it is the numbers
	// that connections jumped over as they came back.
	MissedOffline Figure `json:"missed_offline"`
	// Unaddressed were to ids that no connection had.
	Unaddressed        Figure `json:"unaddressed"`
	DeliveredPerSecond Figure `json:"delivered_per_second"`
	// Replayed carried the stamp of another run and enter no other figure.
	Replayed Figure `json:"replayed"`
	// Expected is how many deliveries the sent messages should have made: over
	// all of them, the connections on their id.
	Expected Figure `json:"expected"`
	// Refused were read and not accepted. Unknown were given to a server that
	// went before it answered.
	Refused Figure `json:"refused"`
	Unknown Figure `json:"unknown"`
	// Faults say in a sentence each how the account does not add up.
	Faults []string `json:"faults,omitempty"`
}

// Latency is from due to received, in milliseconds.
type Latency struct {
	P50  Figure `json:"p50"`
	P90  Figure `json:"p90"`
	P99  Figure `json:"p99"`
	P999 Figure `json:"p999"`
	Max  Figure `json:"max"`
	// ClockError is how far the clocks of sender and receiver may be apart.
	ClockError Figure `json:"clock_error_ms"`
	// BeforeDue counts messages that were received before they were due, which
	// only clocks that differ can explain. They enter no percentile.
	BeforeDue Figure `json:"before_due"`
}

// FanOut is how long after it was due a message came to the connections of its id,
// where several have one, in milliseconds: the medians over messages of the time of
// the first, of the median and the 99th percentile over its recipients, and of the
// last.
type FanOut struct {
	First Figure `json:"first"`
	P50   Figure `json:"p50"`
	P99   Figure `json:"p99"`
	Last  Figure `json:"last"`
}

// Histograms are distributions in microseconds, in base64 and the encoding V2 of
// HdrHistogram. First byte and service are as Connect.Latency and Service, connect
// is to the established connection.
type Histograms struct {
	Latency   Histogram `json:"latency"`
	Connect   Histogram `json:"connect"`
	FirstByte Histogram `json:"first_byte"`
	Service   Histogram `json:"service"`
}

// Histogram is one distribution, "" if it was not measured, which JSON has as null.
type Histogram string

// MarshalJSON writes a text, or null.
func (h Histogram) MarshalJSON() ([]byte, error) {
	if h == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(h))
}

// CPU is the processor time of the message phase, in seconds.
type CPU struct {
	Server Figure `json:"server_seconds"`
	Flood  Figure `json:"flood_seconds"`
	Router Figure `json:"router_seconds"`
	Msggen Figure `json:"msggen_seconds"`
}

// Flood is what the client cost.
type Flood struct {
	BytesPerConnection Figure `json:"bytes_per_connection"`
}

// Router is what the router cost.
type Router struct {
	BytesPerConnection Figure `json:"bytes_per_connection"`
}

// Memlog is what sampling the memory cost.
type Memlog struct {
	CPUSecondsPerSample Figure `json:"cpu_seconds_per_sample"`
}

// Processes counts the parts of the experiment.
type Processes struct {
	// Engine is that of our own servers, Target the host of a server that is not
	// ours.
	Engine string `json:"engine,omitempty"`
	Target string `json:"target,omitempty"`

	Servers Figure `json:"servers"`
	Floods  Figure `json:"floods"`
	// Lost says of each process that ended before its time how it did.
	Lost []string `json:"lost,omitempty"`
	// List has the processes one by one.
	List []Process `json:"list,omitempty"`
	// Agents are the load hosts.
	Agents []Agent `json:"agents,omitempty"`
}

// Process is one part. CPU is in seconds, of the phases in which connections
// were opened and messages sent.
type Process struct {
	Role   string `json:"role"`
	Number int    `json:"number"`
	// Agent is the name of the load host that it ran on, "" for the host of the bench.
	Agent       string `json:"agent,omitempty"`
	PID         Figure `json:"pid"`
	Connections Figure `json:"connections"`
	RSSStart    Figure `json:"rss_start_bytes"`
	RSSIdle     Figure `json:"rss_idle_bytes"`
	RSSEnd      Figure `json:"rss_end_bytes"`
	PSSIdle     Figure `json:"pss_idle_bytes"`
	ConnectCPU  Figure `json:"connect_cpu_seconds"`
	MessagesCPU Figure `json:"messages_cpu_seconds"`
	Lost        bool   `json:"lost,omitempty"`
}

// Suspension is a time in which the bench was suspended. Its parts may have gone
// on, or not. The rates of that phase are null.
type Suspension struct {
	Phase   string `json:"phase"`
	Seconds Figure `json:"seconds"`
}

// String returns a sentence.
func (s Suspension) String() string {
	return "The bench was suspended for " + s.Seconds.Text(UnitSeconds) + " in phase " + s.Phase +
		", as by Ctrl-Z or with a container that is paused: the figures of that phase span it, so run again"
}

// Limit is a part that was the bottleneck, and how that was seen.
type Limit struct {
	Part     string `json:"part"`
	Evidence string `json:"evidence"`
}

// String returns a sentence.
func (l Limit) String() string { return "Limited by " + l.Part + ": " + l.Evidence }
