package result

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// WriteBench writes results in the Go benchmark format, a line each, so that
// `benchstat old.txt new.txt` compares two experiments. Several lines of one
// name are repeats. What was not measured is left out.
// (https://golang.org/design/14313-benchmark-format, and for the unit lines
// https://pkg.go.dev/golang.org/x/perf/benchfmt.)
func WriteBench(w io.Writer, results ...*Result) error {
	var b strings.Builder
	if len(results) > 0 && results[0].Environment != nil {
		e := results[0].Environment
		for _, line := range []Fact{{"goos", e.OS}, {"goarch", e.Arch}, {"cpu", e.CPU}} {
			if line.Value != "" {
				fmt.Fprintf(&b, "%s: %s\n", line.Name, oneLine(line.Value))
			}
		}
	}
	for _, m := range catalogue {
		measured := func(r *Result) bool { _, ok := m.Of(r).Value(); return ok }
		if m.BenchUnit != "" && slices.ContainsFunc(results, measured) {
			fmt.Fprintf(&b, "Unit %s better=%s\n", m.BenchUnit, m.Better)
		}
	}
	for _, r := range results {
		if values := r.benchValues(); values != "" { // a line without a value is an error to benchstat
			fmt.Fprintf(&b, "%s 1%s\n", r.benchName(), values)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) benchValues() string {
	var b strings.Builder
	for _, m := range catalogue {
		if value, ok := m.Of(r).Value(); ok && m.BenchUnit != "" {
			b.WriteString(" " + plain(value) + " " + m.BenchUnit)
		}
	}
	return b.String()
}

// benchName returns BenchmarkComet/engine=epoll/conns=15000.
func (r *Result) benchName() string {
	name := "BenchmarkComet"
	if r.Processes.Engine != "" {
		name += "/engine=" + benchWord(r.Processes.Engine)
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
