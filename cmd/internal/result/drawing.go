package result

import (
	"math"

	"example.org/comet/plots"
)

// Drawing returns the picture of the series: what a connection and a message
// cost, against the number of connections. Memory that is no more than noise has no
// place in it.
func (s *Scale) Drawing() plots.Scale {
	latency := "Latency p99 (ms), from due to received"
	if s.byService() {
		latency = "Service time p99 (ms), from sent to received"
	}
	picture := plots.Scale{
		Title: s.Title(), Label: "Connections",
		Panels: []plots.ScalePanel{
			{Label: "Server memory per connection (bytes)", Lines: []plots.ScaleLine{s.resolved((*Result).resolvesMemory, s.line("process", "memory.bytes_per_connection"))}},
			{Label: "Kernel memory per connection and end (bytes)", Lines: []plots.ScaleLine{s.resolved((*Result).resolvesKernel, s.line("kernel", "memory.kernel_bytes_per_connection"))}},
			{Label: "CPU per message delivered (µs)", Lines: []plots.ScaleLine{
				s.line("server", "cpu_us_per_message.server"),
				s.line("router", "cpu_us_per_message.router"),
				s.line("flood", "cpu_us_per_message.flood"),
			}},
			{Label: latency, Lines: []plots.ScaleLine{s.line("p99", s.latency("p99"))}},
		},
	}
	picture.At = s.line("", "connections.asked").Values
	return picture
}

// line returns a metric of each step; NaN was not measured.
func (s *Scale) line(name, key string) plots.ScaleLine {
	m, _ := Lookup(key)
	line := plots.ScaleLine{Name: name}
	for _, step := range s.Steps {
		value, ok := m.Of(step.result()).Value()
		if !ok {
			value = math.NaN()
		}
		line.Values = append(line.Values, value)
	}
	return line
}

// resolved returns a line without the steps whose figure is noise.
func (s *Scale) resolved(resolves func(*Result) bool, line plots.ScaleLine) plots.ScaleLine {
	for i, step := range s.Steps {
		if !resolves(step.result()) {
			line.Values[i] = math.NaN()
		}
	}
	return line
}
