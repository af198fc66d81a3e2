package adminhttp

import (
	"bytes"
	"cmp"
	"io"
	"runtime"
	"strconv"
	"strings"
)

// Metric is one line of /metrics.
type Metric struct {
	Name string
	// Kind is gauge or counter.
	Kind string
	// Help stands above the first line of a name, and is empty in the others. The
	// lines of a name stand together.
	Help string
	// Labels is what Labels returns, empty for none.
	Labels string
	Value  float64
}

// Gauge returns a line of a figure that goes up and down.
func Gauge(name, help, labels string, value float64) Metric {
	return Metric{Name: name, Kind: "gauge", Help: help, Labels: labels, Value: value}
}

// Counter returns a line of a figure that only goes up; its name ends in _total.
func Counter(name, help, labels string, value float64) Metric {
	return Metric{Name: name, Kind: "counter", Help: help, Labels: labels, Value: value}
}

// MetricsType is the Content-Type of what WriteMetrics writes.
const MetricsType = "text/plain; version=0.0.4; charset=utf-8"

// WriteMetrics writes list in the Prometheus text format, version 0.0.4
// (https://prometheus.io/docs/instrumenting/exposition_formats/). By hand: the
// client library costs a process 2.6 MB from the first scrape on.
func WriteMetrics(w io.Writer, list []Metric) error {
	var b bytes.Buffer
	for _, m := range list {
		if m.Help != "" {
			b.WriteString("# HELP " + m.Name + " " + helpText.Replace(m.Help) + "\n# TYPE " + m.Name + " " + m.Kind + "\n")
		}
		b.WriteString(m.Name + m.Labels + " " + strconv.FormatFloat(m.Value, 'f', -1, 64) + "\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Labels returns the labels of a line: name, value, name, value, …
func Labels(pairs ...string) string {
	var labels []string
	for i := 0; i+1 < len(pairs); i += 2 {
		labels = append(labels, pairs[i]+`="`+labelValue.Replace(pairs[i+1])+`"`)
	}
	return "{" + strings.Join(labels, ",") + "}"
}

// What a label value and a help text may not have as it is.
var (
	labelValue = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	helpText   = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)

// Bool returns the value of a metric that is yes or no.
func Bool(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// BuildInfo returns comet_build_info for a version; empty means "unknown".
func BuildInfo(version string) Metric {
	return Gauge("comet_build_info", "The versions of comet and of Go, as labels of the constant 1.",
		Labels("version", cmp.Or(version, "unknown"), "go", runtime.Version()), 1)
}

// Process returns the figures of this process under the names that Prometheus
// users expect. Those that the system does not give are left out.
func Process(residentBytes *int64) []Metric {
	list := []Metric{Gauge("go_goroutines", "Goroutines.", "", float64(runtime.NumGoroutine()))}
	if residentBytes != nil {
		list = append(list, Gauge("process_resident_memory_bytes", "Resident memory.", "", float64(*residentBytes)))
	}
	return append(list, processMetrics()...)
}
