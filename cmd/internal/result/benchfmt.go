package result

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// benchUnits are the figures that benchstat compares, each under a unit of its
// own, and which direction is better.
var benchUnits = []struct {
	unit   string
	better string
	figure func(*Result) Figure
}{
	{"B/conn", "lower", func(r *Result) Figure { return r.Memory.BytesPerConnection }},
	{"gc-B/conn", "lower", func(r *Result) Figure { return r.Memory.BytesPerConnectionAfterGC }},
	{"kernel-B/conn", "lower", func(r *Result) Figure { return r.Memory.KernelBytesPerConnection }},
	{"flood-B/conn", "lower", func(r *Result) Figure { return r.Flood.BytesPerConnection }},
	{"start-RSS-B", "lower", func(r *Result) Figure { return r.Memory.RSSStart }},
	{"peak-RSS-B", "lower", func(r *Result) Figure { return r.Memory.RSSPeak }},
	{"conns/s", "higher", func(r *Result) Figure { return r.Connect.PerSecond }},
	{"failed-conns", "lower", func(r *Result) Figure { return r.Connections.Failed }},
	{"connect-p99-ms", "lower", func(r *Result) Figure { return r.Connect.Latency.P99 }},
	{"server-CPU-s/10kconns", "lower", (*Result).ServerCPUPer10k},
	{"flood-CPU-s/10kconns", "lower", (*Result).FloodCPUPer10k},
	{"msgs/s", "higher", func(r *Result) Figure { return r.Messages.DeliveredPerSecond }},
	{"missing-msgs", "lower", func(r *Result) Figure { return r.Messages.Missing }},
	{"p50-ms", "lower", func(r *Result) Figure { return r.Latency.P50 }},
	{"p99-ms", "lower", func(r *Result) Figure { return r.Latency.P99 }},
	{"max-ms", "lower", func(r *Result) Figure { return r.Latency.Max }},
	{"server-CPU-us/msg", "lower", (*Result).ServerCPUPerMessage},
}

// WriteBench writes results in the Go benchmark format, a line each, so that
// `benchstat old.txt new.txt` compares two experiments. Several lines of one
// name are repeats. What was not measured is left out.
// (https://golang.org/design/14313-benchmark-format, and for the unit lines
// https://pkg.go.dev/golang.org/x/perf/benchfmt.)
func WriteBench(w io.Writer, results ...*Result) error {
	var b strings.Builder
	if len(results) > 0 && results[0].Environment != nil {
		e := results[0].Environment
		for _, line := range []named{{"goos", e.OS}, {"goarch", e.Arch}, {"cpu", e.CPU}} {
			if line.Value != "" {
				fmt.Fprintf(&b, "%s: %s\n", line.Name, line.Value)
			}
		}
	}
	for _, u := range benchUnits {
		if anyMeasured(results, u.figure) {
			fmt.Fprintf(&b, "Unit %s better=%s\n", u.unit, u.better)
		}
	}
	for _, r := range results {
		values := r.benchValues()
		if values == "" {
			continue // a line without a value is an error to benchstat
		}
		fmt.Fprintf(&b, "%s 1%s\n", r.benchName(), values)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func anyMeasured(results []*Result, figure func(*Result) Figure) bool {
	for _, r := range results {
		if _, ok := figure(r).Value(); ok {
			return true
		}
	}
	return false
}

func (r *Result) benchValues() string {
	var b strings.Builder
	for _, u := range benchUnits {
		if value, ok := u.figure(r).Value(); ok {
			b.WriteString(" " + strconv.FormatFloat(value, 'f', -1, 64) + " " + u.unit)
		}
	}
	return b.String()
}

// benchName is BenchmarkComet/engine=epoll/conns=15000.
func (r *Result) benchName() string {
	name := "BenchmarkComet"
	if engine, ok := r.Settings["engine"]; ok {
		name += "/engine=" + benchWord(fmt.Sprint(engine))
	}
	if conns, ok := r.Connections.Asked.Value(); ok {
		name += "/conns=" + strconv.FormatFloat(conns, 'f', 0, 64)
	}
	return name
}

// benchWord makes text fit for a benchmark's name, where a space ends the name
// and a slash begins the next part.
func benchWord(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, text)
}
