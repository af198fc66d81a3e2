package report

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

// DrawScale returns the picture of a series: what a connection and a message
// cost, against the number of connections. Memory that is no more than noise has no
// place in it.
func DrawScale(s *result.Scale) plots.Scale {
	latency, p99 := "Latency p99 (ms), from due to received", "latency_ms.p99"
	if s.ByService() {
		latency, p99 = "Service time p99 (ms), from sent to received", "service_ms.p99"
	}
	steps := make([]*result.Result, len(s.Steps))
	for i := range s.Steps {
		steps[i] = s.Steps[i].Result()
	}
	line := func(name, key string) plots.ScaleLine {
		m, _ := result.Lookup(key)
		return lineOf(steps, name, m.Of)
	}
	picture := plots.Scale{
		Title: s.Title(), Label: "Connections",
		Panels: []plots.ScalePanel{
			{Label: "Server memory per connection (bytes)", Lines: []plots.ScaleLine{resolved(line("process", "memory.bytes_per_connection"), steps, (*result.Result).ResolvesMemory)}},
			{Label: "Kernel memory per connection and end (bytes)", Lines: []plots.ScaleLine{resolved(line("kernel", "memory.kernel_bytes_per_connection"), steps, (*result.Result).ResolvesKernel)}},
			{Label: "CPU per message delivered (µs)", Lines: []plots.ScaleLine{
				line("server", "cpu_us_per_message.server"),
				line("router", "cpu_us_per_message.router"),
				line("flood", "cpu_us_per_message.flood"),
			}},
			{Label: latency, Lines: []plots.ScaleLine{line("p99", p99)}},
		},
	}
	picture.At = line("", "connections.asked").Values
	return picture
}

// lineOf returns a figure of each step; NaN was not measured.
func lineOf[S any](steps []S, name string, of func(S) result.Figure) plots.ScaleLine {
	line := plots.ScaleLine{Name: name}
	for _, step := range steps {
		value, ok := of(step).Value()
		if !ok {
			value = math.NaN()
		}
		line.Values = append(line.Values, value)
	}
	return line
}

// resolved returns a line without the steps whose figure is noise.
func resolved(line plots.ScaleLine, steps []*result.Result, resolves func(*result.Result) bool) plots.ScaleLine {
	for i, step := range steps {
		if !resolves(step) {
			line.Values[i] = math.NaN()
		}
	}
	return line
}

// DrawCapacity returns the curve: what each load was seen to cost, in the last of its
// trials.
func DrawCapacity(c *result.Capacity) plots.Scale {
	last := make(map[float64]result.CapacityStep)
	for _, s := range c.Steps {
		last[s.Load] = s
	}
	steps := slices.SortedFunc(maps.Values(last), func(a, b result.CapacityStep) int { return cmp.Compare(a.Load, b.Load) })
	picture := plots.Scale{Title: c.Title(), Label: "Connections"}
	if c.Search == result.SearchRate {
		picture.Label = "Messages per second"
	}
	line := func(name string, of func(result.CapacityStep) result.Figure) plots.ScaleLine {
		return lineOf(steps, name, of)
	}
	for _, s := range steps {
		picture.At = append(picture.At, s.Load)
	}
	picture.Panels = []plots.ScalePanel{
		{Label: "Latency (ms)", Lines: []plots.ScaleLine{
			line("p50", func(s result.CapacityStep) result.Figure { return s.P50 }),
			line("p99", func(s result.CapacityStep) result.Figure { return s.P99 }),
		}},
		{Label: "Errors", Lines: []plots.ScaleLine{line("errors", func(s result.CapacityStep) result.Figure { return s.Errors })}},
		{Label: "Messages delivered per second", Lines: []plots.ScaleLine{line("delivered", func(s result.CapacityStep) result.Figure { return s.DeliveredPerSecond })}},
		{Label: "Processors that the server uses", Lines: []plots.ScaleLine{line("server", func(s result.CapacityStep) result.Figure { return s.ServerCores })}},
	}
	return picture
}
