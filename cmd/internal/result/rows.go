package result

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.org/comet/sysctl"
)

// section is a part of the table.
type section struct {
	Title string
	Rows  []row
}

// row is one figure, ready to be read.
type row struct {
	Label, Number, Unit string
}

// sections is the table that people get, as text and as HTML alike. Each key
// of the contract is in it, and what it takes a division to compare.
func (r *Result) sections() []section {
	fig := func(label string, f Figure, unit Unit) row {
		number, in := f.Format(unit)
		return row{label, number, in}
	}
	connect := append([]row{
		fig("asked", r.Connections.Asked, UnitCount),
		fig("established", r.Connections.Established, UnitCount),
		fig("failed", r.Connections.Failed, UnitCount),
		fig("closed early", r.Connections.Closed, UnitCount),
		fig("time to connect", r.Connect.Seconds, UnitSeconds),
		fig("connects", r.Connect.PerSecond, UnitPerSecond),
	}, quantiles("connect latency", r.Connect.Latency)...)
	connect = append(connect,
		fig("server CPU", r.Connect.ServerCPUSeconds, UnitSeconds),
		fig("server CPU per 10,000", r.ServerCPUPer10k(), UnitSeconds),
		fig("flood CPU", r.Connect.FloodCPUSeconds, UnitSeconds),
		fig("flood CPU per 10,000", r.FloodCPUPer10k(), UnitSeconds),
		fig("accept queue overflows", r.Connect.ListenOverflows, UnitCount),
		fig("TCP retransmits", r.Connect.Retransmits, UnitCount),
	)
	memory := []row{
		fig("per connection", r.Memory.BytesPerConnection, UnitBytes),
		fig("per connection after a collection", r.Memory.BytesPerConnectionAfterGC, UnitBytes),
		fig("PSS, per connection", r.Memory.PSSPerConnection, UnitBytes),
		fig("kernel, per connection", r.Memory.KernelBytesPerConnection, UnitBytes),
		fig("server at the start", r.Memory.RSSStart, UnitBytes),
		fig("server, connections idle", r.Memory.RSSIdle, UnitBytes),
		fig("server at its peak", r.Memory.RSSPeak, UnitBytes),
		fig("server at the end", r.Memory.RSSEnd, UnitBytes),
		fig("flood, per connection", r.Flood.BytesPerConnection, UnitBytes),
		fig("router, per connection", r.Router.BytesPerConnection, UnitBytes),
		fig("the whole machine, more than before", r.Memory.Machine, UnitBytes),
	}
	for _, name := range slices.Sorted(maps.Keys(r.Memory.Slabs)) {
		if bytes, _ := r.Memory.Slabs[name].Value(); bytes < 100 {
			continue // result.json has the small ones too
		}
		memory = append(memory, fig("kernel: "+name, r.Memory.Slabs[name], UnitBytes))
	}
	messages := []row{
		fig("asked", r.Messages.AskedPerSecond, UnitPerSecond),
		fig("sent", r.Messages.Sent, UnitCount),
		fig("routed", r.Messages.Routed, UnitCount),
		fig("delivered", r.Messages.Delivered, UnitCount),
		fig("delivered a second", r.Messages.DeliveredPerSecond, UnitPerSecond),
		fig("missing", r.Messages.Missing, UnitCount),
		fig("dropped by the server", r.Messages.Dropped, UnitCount),
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Messages.DroppedBy)) {
		messages = append(messages, fig("dropped: "+reason, r.Messages.DroppedBy[reason], UnitCount))
	}
	messages = append(messages,
		fig("duplicated", r.Messages.Duplicated, UnitCount),
		fig("reordered", r.Messages.Reordered, UnitCount),
		fig("to nobody", r.Messages.Unaddressed, UnitCount),
		fig("of other runs", r.Messages.Replayed, UnitCount),
		fig("expected", r.Messages.Expected, UnitCount),
		fig("refused", r.Messages.Refused, UnitCount),
		fig("unknown", r.Messages.Unknown, UnitCount),
	)
	latency := []row{
		fig("p50", r.Latency.P50, UnitMillis),
		fig("p90", r.Latency.P90, UnitMillis),
		fig("p99", r.Latency.P99, UnitMillis),
		fig("p99.9", r.Latency.P999, UnitMillis),
		fig("max", r.Latency.Max, UnitMillis),
		fig("clock error", r.Latency.ClockError, UnitMillis),
	}
	if r.Service != nil {
		latency = append(latency, quantiles("service time", *r.Service)...)
	}
	cost := []row{
		fig("server", r.CPU.Server, UnitSeconds),
		fig("server per message", r.ServerCPUPerMessage(), UnitMicros),
		fig("flood", r.CPU.Flood, UnitSeconds),
		fig("flood per message", r.CPUPerMessage(r.CPU.Flood), UnitMicros),
		fig("router", r.CPU.Router, UnitSeconds),
		fig("router per message", r.CPUPerMessage(r.CPU.Router), UnitMicros),
		fig("msggen", r.CPU.Msggen, UnitSeconds),
		fig("memlog, a sample", r.Memlog.CPUSecondsPerSample, UnitSeconds),
	}
	processes := []row{
		fig("servers", r.Processes.Servers, UnitCount),
		fig("floods", r.Processes.Floods, UnitCount),
	}
	return []section{
		{"Connections", connect},
		{"Memory", memory},
		{"Messages", messages},
		{"Latency, from due to received", latency},
		{"CPU while messages flowed", cost},
		{"Processes", processes},
	}
}

func quantiles(label string, q Quantiles) []row {
	rows := make([]row, 0, 4)
	for _, one := range []struct {
		name   string
		figure Figure
	}{{"p50", q.P50}, {"p90", q.P90}, {"p99", q.P99}, {"max", q.Max}} {
		number, unit := one.figure.Format(UnitMillis)
		rows = append(rows, row{label + " " + one.name, number, unit})
	}
	return rows
}

// verdict says in sentences how far the figures can be trusted.
func (r *Result) verdict() []string {
	var sentences []string
	if r.Interrupted {
		sentence := "This run did not come to its planned end; the figures are those until then."
		if r.InterruptedBy != "" {
			sentence += " The reason: " + r.InterruptedBy
		}
		sentences = append(sentences, sentence)
	}
	for _, lost := range r.Processes.Lost {
		sentences = append(sentences, "Lost on the way: "+lost)
	}
	for _, limit := range r.LimitedBy {
		sentences = append(sentences, limit.String())
	}
	return sentences
}

// named is a setting or a fact of the environment.
type named struct{ Name, Value string }

func (r *Result) settings() []named {
	var list []named
	for name, value := range r.Settings {
		text := fmt.Sprint(value)
		if n, ok := value.(float64); ok { // a number out of a file
			text = strconv.FormatFloat(n, 'f', -1, 64)
		}
		list = append(list, named{name, text})
	}
	slices.SortFunc(list, func(a, b named) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (r *Result) environment() []named {
	e := r.Environment
	if e == nil {
		return nil
	}
	known := func(v sysctl.Value, unit Unit) string {
		if !v.Known() || v == sysctl.Unlimited {
			return ""
		}
		number, in := Of(int64(v)).Format(unit)
		return strings.TrimSpace(number + " " + in)
	}
	list := []named{
		{"time", e.Time},
		{"comet", e.Comet},
		{"go", e.Go},
		{"system", e.OS + "/" + e.Arch},
		{"kernel", e.Kernel},
		{"CPU", e.CPU},
		{"cores", fmt.Sprint(e.Cores)},
		{"memory", known(e.MemoryBytes, UnitBytes)},
		{"open files a process", known(e.OpenFiles, UnitCount)},
		{"huge pages", e.HugePages},
	}
	return slices.DeleteFunc(list, func(n named) bool { return n.Value == "" })
}
