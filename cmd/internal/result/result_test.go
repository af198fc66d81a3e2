package result_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/sysctl"
)

func Example() {
	var r result.Result
	r.Connections.Asked = result.Of(15_000)
	r.Memory.BytesPerConnection = result.Of(123)
	r.Processes.Engine = "epoll"
	text, _ := json.Marshal(r.Memory)
	fmt.Println(string(text))
	_ = result.WriteBench(os.Stdout, &r)
	// Output:
	// {"rss_start_bytes":null,"rss_idle_bytes":null,"rss_peak_bytes":null,"rss_end_bytes":null,"bytes_per_connection":123,"bytes_per_connection_after_gc":null,"pss_start_bytes":null,"pss_idle_bytes":null,"pss_per_connection":null,"machine_bytes":null,"kernel_bytes_per_connection":null}
	// Unit B/conn better=lower
	// BenchmarkComet/engine=epoll/conns=15000 1 123 B/conn
}

// contract lists the keys that must exist, from the design, by hand: it is what
// other people's programs read.
var contract = strings.Fields(`
	connections.asked connections.established connections.failed connections.closed
	connect.seconds connect.per_second
	connect.latency_ms.p50 connect.latency_ms.p90 connect.latency_ms.p99 connect.latency_ms.max
	connect.server_cpu_seconds connect.flood_cpu_seconds connect.listen_overflows connect.retransmits
	memory.rss_start_bytes memory.rss_idle_bytes memory.rss_peak_bytes memory.rss_end_bytes
	memory.bytes_per_connection memory.bytes_per_connection_after_gc memory.kernel_bytes_per_connection
	memory.pss_start_bytes memory.pss_idle_bytes memory.pss_per_connection memory.machine_bytes router.bytes_per_connection
	messages.asked_per_second messages.sent messages.routed messages.dropped messages.delivered
	messages.duplicated messages.reordered messages.missing messages.unaddressed messages.delivered_per_second
	streams.completed streams.ended_early reconnect.dropped reconnect.left reconnect.attempts reconnect.failed reconnect.returned reconnect.seconds_to_p50 reconnect.seconds_to_p99 reconnect.peak_per_second
	stream_ms.first_message.p50 stream_ms.first_message.p90 stream_ms.first_message.p99 stream_ms.first_message.max stream_ms.gap.p50 stream_ms.gap.p90 stream_ms.gap.p99 stream_ms.gap.max stream_ms.duration.p50 stream_ms.duration.p90 stream_ms.duration.p99 stream_ms.duration.max
	messages.missed_offline
	messages.replayed messages.expected messages.refused messages.unknown
	fanout_ms.first fanout_ms.p50 fanout_ms.p99 fanout_ms.last
	latency_ms.p50 latency_ms.p90 latency_ms.p99 latency_ms.p999 latency_ms.max latency_ms.clock_error_ms latency_ms.before_due
	cpu.server_seconds cpu.flood_seconds cpu.router_seconds cpu.msggen_seconds
	flood.bytes_per_connection
	memlog.cpu_seconds_per_sample
	processes.servers processes.floods
	histograms.latency histograms.connect histograms.first_byte histograms.service
	environment settings`)

func TestContract(t *testing.T) {
	folder := t.TempDir()
	var empty result.Result
	if err := empty.Write(folder); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, path := range contract {
		value, ok := lookup(got, path)
		if !ok {
			t.Errorf("%s is not in the file", path)
		} else if value != nil {
			t.Errorf("%s is %v in an empty result, want null", path, value)
		}
	}
	for path, want := range map[string]any{"schema": 1.0, "limited_by": []any{}, "targets": []any{}, "interrupted": false, "verdict": "Nothing was measured."} {
		if value, ok := lookup(got, path); !ok || !reflect.DeepEqual(value, want) {
			t.Errorf("%s is %v, want %v", path, value, want)
		}
	}
	// And nothing else, as long as it is not measured.
	known := map[string]bool{"schema": true, "limited_by": true, "targets": true, "interrupted": true, "verdict": true}
	for _, path := range contract {
		known[path] = true
	}
	for _, path := range leaves("", got) {
		if !known[path] {
			t.Errorf("%s is in the file and not in the contract", path)
		}
	}
}

func lookup(tree map[string]any, path string) (any, bool) {
	key, rest, more := strings.Cut(path, ".")
	value, ok := tree[key]
	if !ok || !more {
		return value, ok
	}
	branch, ok := value.(map[string]any)
	if !ok {
		return nil, false
	}
	return lookup(branch, rest)
}

func leaves(prefix string, tree map[string]any) []string {
	var paths []string
	for key, value := range tree {
		if branch, ok := value.(map[string]any); ok {
			paths = append(paths, leaves(prefix+key+".", branch)...)
		} else {
			paths = append(paths, prefix+key)
		}
	}
	return paths
}

// full has every figure measured, each with a value of its own.
func full() result.Result {
	r := result.Result{
		LimitedBy:   result.Limits{{Part: "flood", Evidence: "its <loop> was busy 99 % of the time"}},
		Interrupted: true,
		Environment: &result.Environment{
			Time: "2025-01-02T03:04:05Z", Comet: "v1", Go: "go1.26",
			Environment: sysctl.Environment{
				OS: "linux", Arch: "amd64", Kernel: "6.1", CPU: "A & B (R)", Cores: 2, MemoryBytes: 8 << 30,
				OpenFiles: 20_000, HugePages: "never",
			},
		},
		Settings: map[string]any{"engine": "epoll", "rate": "1000", "connections": 15000.0, "url": "<script>alert(1)</script>"},
		Service:  new(result.Quantiles),
	}
	r.Processes.Engine = "epoll"
	r.Messages.DroppedBy = map[string]result.Figure{"backlog": result.Of(3)}
	n := 0
	fill(reflect.ValueOf(&r).Elem(), &n)
	return r
}

func fill(v reflect.Value, n *int) {
	switch {
	case v.Type() == reflect.TypeFor[result.Figure]():
		*n++
		v.Set(reflect.ValueOf(result.Of(float64(*n) * 1234.5)))
	case v.Kind() == reflect.Pointer && v.Type() != reflect.TypeFor[*result.Environment]():
		fill(v.Elem(), n)
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, n)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	folder := t.TempDir()
	want := full()
	want.Targets = result.Outcomes{{Expr: "p99<50ms", Key: "latency_ms.p99", Figure: result.Of(81), By: result.Of(31)}}
	if err := want.Write(folder); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, filepath.Join(folder, "result.json")} {
		got, err := result.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("wrote %+v\nread %+v", want, got)
		}
	}
	if files, _ := os.ReadDir(folder); len(files) != 1 {
		t.Errorf("the folder has %v, want the result alone", files)
	}
	if err := want.Write(filepath.Join(folder, "none")); err == nil {
		t.Error("a folder that does not exist was written to")
	}
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct{ text, says string }{
		"not JSON":      {"BenchmarkComet 1", "is not a result"},
		"no result":     {"{}", "no schema"},
		"a newer one":   {`{"schema":2}`, "schema 2"},
		"a bad figure":  {`{"schema":1,"memory":{"rss_idle_bytes":"5"}}`, "must be a number or null"},
		"another shape": {`{"schema":1,"memory":5}`, "is not a result"},
	} {
		path := filepath.Join(t.TempDir(), "result.json")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := result.Read(path); err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want an error that names the file and says %q", name, err, test.says)
		}
	}
	if _, err := result.Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no result") {
		t.Errorf("a folder without a result: %v", err)
	}
	r, err := result.Read(write(t, `{"schema":1,"memory":{"rss_idle_bytes":0},"later":true}`))
	if value, ok := r.Memory.RSSIdle.Value(); err != nil || !ok || value != 0 {
		t.Errorf("a measured zero was read as %v, %v, %v", value, ok, err)
	}
	if _, ok := r.Memory.RSSEnd.Value(); ok {
		t.Error("a key that is not there was read as measured")
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "result.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFigure(t *testing.T) {
	for _, f := range []result.Figure{
		{},
		result.Of(math.NaN()),
		result.Of(math.Inf(1)),
		result.Of(1).Per(result.Of(0)),
		result.Of(0).Per(result.Of(0)),
		result.Of(1).Per(result.Figure{}),
		result.Figure{}.Per(result.Of(1)),
		result.Figure{}.Times(2),
		result.Of(1).Minus(result.Figure{}),
		result.Figure{}.Minus(result.Of(1)),
		result.Of(1).Plus(result.Figure{}),
		result.Of(math.MaxFloat64).Plus(result.Of(math.MaxFloat64)),
	} {
		if value, ok := f.Value(); ok {
			t.Errorf("%v is measured", value)
		}
		if text, err := json.Marshal(f); err != nil || string(text) != "null" {
			t.Errorf("it is written as %s, %v", text, err)
		}
	}
	for want, f := range map[string]result.Figure{
		"0":                result.Of(0),
		"9007199254740992": result.Of(uint64(1 << 53)),
		"0.00000015":       result.Of(1.5e-7),
		"1.5":              result.Seconds(1500 * time.Millisecond),
		"2.5":              result.Of(5).Per(result.Of(2)),
		"-3":               result.Of(2).Minus(result.Of(5)),
		"30":               result.Of(3).Times(10),
		"7":                result.Of(3).Plus(result.Of(4)),
	} {
		if text, err := json.Marshal(f); err != nil || string(text) != want {
			t.Errorf("%s is written as %s, %v", want, text, err)
		}
	}
}

func TestFormat(t *testing.T) {
	tests := []struct {
		figure result.Figure
		unit   result.Unit
		want   string
	}{
		{result.Figure{}, result.UnitBytes, "- "},
		{result.Of(0), result.UnitCount, "0 "},
		{result.Of(999), result.UnitCount, "999 "},
		{result.Of(15000), result.UnitCount, "15,000 "},
		{result.Of(1234567), result.UnitCount, "1,234,567 "},
		{result.Of(-1500), result.UnitCount, "-1,500 "},
		{result.Of(-0.2), result.UnitCount, "0 "},
		{result.Of(21345.6), result.UnitPerSecond, "21,346 /s"},
		{result.Of(0.5), result.UnitPerSecond, "0.500 /s"},
		{result.Of(123.4), result.UnitBytes, "123 B"},
		{result.Of(9999), result.UnitBytes, "9,999 B"},
		{result.Of(24965), result.UnitBytes, "24.4 KiB"},
		{result.Of(12 << 20), result.UnitBytes, "12.0 MiB"},
		{result.Of(int64(24 << 30)), result.UnitBytes, "24.0 GiB"},
		{result.Of(0), result.UnitSeconds, "0 s"},
		{result.Of(0.3), result.UnitSeconds, "0.300 s"},
		{result.Of(60.04), result.UnitSeconds, "60.0 s"},
		{result.Of(1234.5), result.UnitMillis, "1,234 ms"},
		{result.Of(1.234), result.UnitMillis, "1.23 ms"},
		{result.Of(0.00012), result.UnitMillis, "0.00012 ms"},
		{result.Of(1000), result.UnitMillis, "1,000 ms"},
		{result.Of(99.96), result.UnitMillis, "100 ms"},
		{result.Of(9.996), result.UnitMillis, "10.0 ms"},
		{result.Of(0.9996), result.UnitMillis, "1.00 ms"},
		{result.Of(0.00001), result.UnitMillis, "0.00001 ms"},
		{result.Of(5e-324), result.UnitMillis, "<0.000001 ms"},
		{result.Of(-0.5), result.UnitMillis, "-0.500 ms"},
		{result.Of(1e308), result.UnitMillis, "over 9,007,199,254,740,992 ms"},
		{result.Of(-1e308), result.UnitCount, "under -9,007,199,254,740,992 "},
		{result.Of(1024*1024 - 1), result.UnitBytes, "1.0 MiB"},
		{result.Of(int64(1 << 60)), result.UnitBytes, "1.0 EiB"},
		{result.Of(1e30), result.UnitBytes, "867,361,737,988 EiB"},
		{result.Of(0.0123), result.UnitShare, "1.23 %"},
		{result.Of(1.5), result.UnitCores, "1.50 cores"},
		{result.Of(12.3), result.UnitMicros, "12.3 µs"},
	}
	for _, test := range tests {
		number, unit := test.figure.Format(test.unit)
		if got := number + " " + unit; got != test.want {
			value, _ := test.figure.Value()
			t.Errorf("%v is formatted %q, want %q", value, got, test.want)
		}
		if strings.ContainsAny(number, "eE+") && !strings.HasPrefix(number, "over") && !strings.HasPrefix(number, "under") {
			t.Errorf("%q has an exponent", number)
		}
	}
	for want, got := range map[string]string{
		"0.760 ms": result.Of(0.76).Text(result.UnitMillis), "1,000/s": result.Of(1000).Text(result.UnitPerSecond),
		"15,000": result.Of(15_000).Text(result.UnitCount), "-": result.Figure{}.Text(result.UnitMillis),
	} {
		if got != want {
			t.Errorf("in a sentence it reads %q, want %q", got, want)
		}
	}
}

// figureCount is how many figures a result has.
func figureCount() int {
	var r result.Result
	r.Service = new(result.Quantiles)
	n := 0
	fill(reflect.ValueOf(&r).Elem(), &n)
	return n
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	r := full()
	if err := r.Table(&b); err != nil {
		t.Fatal(err)
	}
	table := b.String()
	for _, want := range []string{
		"asked", "dropped: backlog", "Service time, from sent to received", "p99.9", "delivered per second", "memlog, per sample",
		"Stopped early: it was interrupted; until then it held 2,469 connections", "Limited by flood: its <loop> was busy 99 % of the time",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	// Each figure has its line; three more are derived, one is a reason.
	rows := regexp.MustCompile(`(?m)^  \S.*  +[-\d.,]+( \S+)?(, ± \S+ \S+ of noise)?$`).FindAllString(table, -1)
	if want := figureCount() + 3 + 1; len(rows) != want {
		t.Errorf("the table has %d lines with a figure, want %d:\n%s", len(rows), want, table)
	}
	ends := map[int]bool{}
	for _, row := range rows {
		ends[len(regexp.MustCompile(`^  \S.*  +[-\d.,]+`).FindString(row))] = true
	}
	if len(ends) != 1 {
		t.Errorf("the numbers are not aligned:\n%s", table)
	}
}

// TestBenchFormat reads bench.txt by the rules of the format's documentation:
// key: value lines, Unit lines, and Benchmark lines of a name, a number of
// iterations, and pairs of a value and a unit.
func TestBenchFormat(t *testing.T) {
	first, second, bare := full(), full(), result.Result{}
	second.Memory.BytesPerConnection = result.Figure{}
	first.Processes.Engine = "my own/server"
	var b bytes.Buffer
	if err := result.WriteBench(&b, &first, &second, &bare); err != nil {
		t.Fatal(err)
	}
	config := regexp.MustCompile(`^([a-z][^\sA-Z:]*):[ \t]+(.+)$`)
	unit := regexp.MustCompile(`^Unit (\S+) better=(higher|lower)$`)
	configs, units, names := map[string]string{}, map[string]bool{}, []string{}
	var values []map[string]float64
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSuffix(line, "\n")
		if m := config.FindStringSubmatch(line); m != nil {
			configs[m[1]] = m[2]
			continue
		}
		if m := unit.FindStringSubmatch(line); m != nil {
			units[m[1]] = true
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
			t.Fatalf("%q is no line of the format", line)
		}
		if _, err := strconv.Atoi(fields[1]); err != nil {
			t.Errorf("%q has no number of iterations", line)
		}
		row := map[string]float64{}
		for i := 2; i < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if _, twice := row[fields[i+1]]; err != nil || twice || !units[fields[i+1]] {
				t.Errorf("%q: %s %s: %v", line, fields[i], fields[i+1], err)
			}
			row[fields[i+1]] = value
		}
		names, values = append(names, fields[0]), append(values, row)
	}
	if configs["goos"] != "linux" || configs["goarch"] != "amd64" || configs["cpu"] != "A & B (R)" {
		t.Errorf("the machine is %v", configs)
	}
	asked, _ := first.Connections.Asked.Value()
	conns := strconv.FormatFloat(asked, 'f', 0, 64)
	want := []string{"BenchmarkComet/engine=my_own_server/conns=" + conns, "BenchmarkComet/engine=epoll/conns=" + conns}
	if !reflect.DeepEqual(names, want) {
		t.Fatalf("the benchmarks are %q, want %q", names, want)
	}
	if len(values[0]) != len(units) || len(values[1]) != len(units)-1 {
		t.Errorf("of %d units the lines have %d and %d", len(units), len(values[0]), len(values[1]))
	}
	perConnection, _ := first.Memory.BytesPerConnection.Value()
	if _, ok := values[1]["B/conn"]; ok || values[0]["B/conn"] != perConnection {
		t.Errorf("B/conn is %v and %v, want %v and none", values[0], values[1], perConnection)
	}
}
