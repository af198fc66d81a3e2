package result

// Schema is the version of result.json. Keys are added without a new one.
const Schema = 1

// Result is one experiment. Its JSON keys are a contract: every one is always
// there, null if it was not measured.
//
// Times are in seconds or, where the key says so, milliseconds; CPU is user and
// system time; memory is the resident set in bytes, several servers summed.
type Result struct {
	// Schema is set by Write.
	Schema      int         `json:"schema"`
	Connections Connections `json:"connections"`
	Connect     Connect     `json:"connect"`
	Memory      Memory      `json:"memory"`
	Messages    Messages    `json:"messages"`
	Latency     Latency     `json:"latency_ms"`
	// Service is instead of Latency where messages had no due time: how long
	// they took from being sent.
	Service   *Quantiles `json:"service_ms,omitempty"`
	CPU       CPU        `json:"cpu"`
	Flood     Flood      `json:"flood"`
	Router    Router     `json:"router"`
	Memlog    Memlog     `json:"memlog"`
	Processes Processes  `json:"processes"`
	// LimitedBy says which part was the bottleneck; empty if none was.
	LimitedBy Limits `json:"limited_by"`
	// Interrupted tells that the experiment did not come to its planned end.
	Interrupted bool `json:"interrupted"`
	// InterruptedBy says what it was.
	InterruptedBy string `json:"interrupted_by,omitempty"`

	Environment *Environment `json:"environment"`
	// Settings are those of the experiment by the names of their flags.
	Settings map[string]any `json:"settings"`
}

// Connections counts streams.
type Connections struct {
	Asked       Figure `json:"asked"`
	Established Figure `json:"established"`
	Failed      Figure `json:"failed"`
	// Closed were established and ended before they were meant to.
	Closed Figure `json:"closed"`
}

// Connect is the phase in which the streams are opened.
type Connect struct {
	Seconds   Figure `json:"seconds"`
	PerSecond Figure `json:"per_second"`
	// Latency is from the first packet to the first byte of the answer.
	Latency          Quantiles `json:"latency_ms"`
	ServerCPUSeconds Figure    `json:"server_cpu_seconds"`
	FloodCPUSeconds  Figure    `json:"flood_cpu_seconds"`
	// ListenOverflows are connections that the kernel turned away because an
	// accept queue was full, Retransmits the TCP segments that it sent again:
	// both of the whole machine, over this phase.
	ListenOverflows Figure `json:"listen_overflows"`
	Retransmits     Figure `json:"retransmits"`
}

// Quantiles of a time in milliseconds.
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
	// PSS is the proportional set size, which counts memory that processes share
	// once: the program itself, of many servers. PSSPerConnection is all of it,
	// for each established connection.
	PSSStart         Figure `json:"pss_start_bytes"`
	PSSIdle          Figure `json:"pss_idle_bytes"`
	PSSPerConnection Figure `json:"pss_per_connection"`
	// Machine is what the whole machine had in use more than before the first
	// part was started, at the most: neither free nor page cache.
	Machine Figure `json:"machine_bytes"`
	// KernelBytesPerConnection is what the kernel took in slabs for one end of a
	// connection: with both ends on this machine, half of what it took.
	KernelBytesPerConnection Figure `json:"kernel_bytes_per_connection"`
	// Slabs are the kernel's caches that this is made of, by their names in
	// /proc/slabinfo.
	Slabs map[string]Figure `json:"kernel_slabs,omitempty"`
}

// Messages counts them by what became of them.
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
	// Unaddressed were to ids with nobody there.
	Unaddressed Figure `json:"unaddressed"`
	// Replayed are stamps of other runs. Expected is over all sent messages the
	// connections on their id. Refused were read and not accepted, Unknown were
	// given to a server that went before it answered.
	Replayed Figure `json:"replayed"`
	Expected Figure `json:"expected"`
	Refused  Figure `json:"refused"`
	Unknown  Figure `json:"unknown"`
	// Faults say in a sentence each how the account does not add up.
	Faults             []string `json:"faults,omitempty"`
	DeliveredPerSecond Figure   `json:"delivered_per_second"`
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
}

// CPU is what the message phase took, in seconds of CPU.
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

// Memlog is what the witness cost.
type Memlog struct {
	CPUSecondsPerSample Figure `json:"cpu_seconds_per_sample"`
}

// Processes counts them.
type Processes struct {
	Servers Figure `json:"servers"`
	Floods  Figure `json:"floods"`
	// Lost says of those that ended before their time how they did.
	Lost []string `json:"lost,omitempty"`
	// List has them one by one.
	List []Process `json:"list,omitempty"`
}

// Process is one part. CPU is in seconds, of the phases in which connections
// were opened and messages sent.
type Process struct {
	Role        string `json:"role"`
	Number      int    `json:"number"`
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

// Limit is a part that was the bottleneck, and how that was seen.
type Limit struct {
	Part     string `json:"part"`
	Evidence string `json:"evidence"`
}

// String is a sentence.
func (l Limit) String() string { return "Limited by " + l.Part + ": " + l.Evidence }

// ServerCPUPer10k is the server's CPU seconds for 10,000 connects.
func (r *Result) ServerCPUPer10k() Figure {
	return r.Connect.ServerCPUSeconds.Per(r.Connections.Established).Times(10_000)
}

// FloodCPUPer10k is the client's CPU seconds for 10,000 connects.
func (r *Result) FloodCPUPer10k() Figure {
	return r.Connect.FloodCPUSeconds.Per(r.Connections.Established).Times(10_000)
}

// CPUPerMessage is the CPU microseconds of one role for each message delivered.
func (r *Result) CPUPerMessage(seconds Figure) Figure {
	return seconds.Per(r.Messages.Delivered).Times(1e6)
}

// ServerCPUPerMessage is the server's CPU microseconds for each message
// delivered, intake included.
func (r *Result) ServerCPUPerMessage() Figure {
	return r.CPUPerMessage(r.CPU.Server)
}
