package result

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/comet/sysctl"
)

// twoSteps is a series of which the second step has more figures than the first.
func twoSteps() *Scale {
	small, large := &Result{}, &Result{}
	small.Connections.Asked, small.Connections.Established = Of(10_000), Of(10_000)
	small.Memory.BytesPerConnection, small.Connect.PerSecond = Of(131.4), Of(23_456.7)
	large.Connections.Asked, large.Connections.Established = Of(1_000_000), Of(999_990)
	large.Memory.BytesPerConnection, large.Memory.KernelBytesPerConnection = Of(24_965), Of(4_820)
	large.Memory.PSSPerConnection, large.Processes.List = Of(298), []Process{{Role: "server"}}
	large.Memory.Slabs = map[string]Figure{"TCP": Of(1)}
	large.Messages.AskedPerSecond, large.Messages.Delivered, large.Messages.DeliveredPerSecond = Of(1000), Of(60_000), Of(1000)
	large.CPU = CPU{Server: Of(1.5), Router: Of(0.6), Flood: Of(3)}
	large.Connect.Seconds, large.Latency.P50, large.Latency.P99 = Of(61.2), Of(1.4), Of(38)
	large.LimitedBy = Limits{{"the flood", "its event loop was busy"}}
	s := &Scale{
		Asked: []int{10_000, 1_000_000, 2_000_000}, Interrupted: true, InterruptedBy: "no memory",
		Environment: &Environment{Go: "go1.26", Environment: sysctl.Environment{
			OS: "linux", Arch: "amd64", Kernel: "6.18", CPU: "A CPU", Cores: 2, MemoryBytes: 24 << 30, OpenFiles: 20_000,
		}},
		Settings: map[string]any{"rate": "1000", "connections": 3},
	}
	s.Add("10000", small)
	s.Add("1000000", large)
	s.Add("2000000", &Result{}) // nothing was connected
	return s
}

const scaleTable = `From 10,000 to 2,000,000 connections, 1,000 messages/s

Stopped early: no memory
1,000,000 connections: Limited by the flood: its event loop was busy

connections  connections  process     PSS  kernel  connects  connect  server  router   flood   p50   p99  delivered
      asked         made   B/conn  B/conn  B/conn        /s        s  µs/msg  µs/msg  µs/msg    ms    ms         /s
     10,000       10,000      131       -       -    23,457        -       -       -       -     -     -          -
  1,000,000      999,990   24,965     298   4,820         -     61.2    25.0    10.0    50.0  1.40  38.0      1,000

Measured on go1.26, linux/amd64, kernel 6.18, A CPU, 2 cores, 24.0 GiB of memory, 20,000 open files per process
`

func TestScaleTable(t *testing.T) {
	var out strings.Builder
	if err := twoSteps().Table(&out); err != nil || out.String() != scaleTable {
		t.Errorf("%v, got\n%s\nwant\n%s", err, out.String(), scaleTable)
	}
	out.Reset()
	empty := &Scale{Asked: []int{5, 9}, Interrupted: true, InterruptedBy: "no\nmemory"}
	const want = "From 5 to 9 connections\n\nNothing was measured: no; memory\n\n"
	if err := empty.Table(&out); err != nil || out.String() != want {
		t.Errorf("an empty series: %v\n%s", err, out.String())
	}
}

func TestScaleShowsServiceTimeWhereThereIsNoLatency(t *testing.T) {
	s := &Scale{Asked: []int{5}}
	r := &Result{Service: &Quantiles{P50: Of(1.5), P99: Of(7)}}
	r.Connections.Asked, r.Connections.Established = Of(5), Of(5)
	s.Add("5", r)
	var out strings.Builder
	if err := s.Table(&out); err != nil || !strings.Contains(out.String(), "service p99") || !strings.Contains(out.String(), "7.00") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if s.Title() != "5 connections" || !s.ByService() {
		t.Errorf("%q", s.Title())
	}
	s.Steps = append(s.Steps, Step{})
	out.Reset()
	if err := s.Table(&out); err != nil || strings.Contains(out.String(), "service") {
		t.Errorf("one step with latency, one without: %v\n%s", err, out.String())
	}
}

func TestScaleFile(t *testing.T) {
	folder := t.TempDir()
	if err := twoSteps().Write(folder); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, ScaleFileName))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Schema int
		Steps  []map[string]map[string]any
	}
	// What is no object in a step is not of interest here.
	_ = json.Unmarshal(text, &m)
	if m.Schema != 1 || len(m.Steps) != 2 {
		t.Fatalf("%s", text)
	}
	if v, ok := m.Steps[0]["latency_ms"]["p99"]; !ok || v != nil {
		t.Errorf("what was not measured is %v, want null", v)
	}
	if v := m.Steps[1]["cpu_us_per_message"]["router"]; v != 10.0 {
		t.Errorf("the router's CPU per message is %v, want 10", v)
	}
	// The catalogue reads a step as it reads a result.
	if v := m.Steps[1]["cpu"]["server_seconds"]; v != 1.5 {
		t.Errorf("the server's CPU is %v, want 1.5", v)
	}
	if bytes.Contains(text, []byte(`"role"`)) || bytes.Contains(text, []byte("slabs")) {
		t.Errorf("what each process took is in the file of the step:\n%s", text)
	}
	if err := (&Scale{}).Write(folder); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, ScaleFileName)); err != nil || !bytes.Contains(text, []byte(`"steps": []`)) {
		t.Errorf("an empty series: %v\n%s", err, text)
	}
}
