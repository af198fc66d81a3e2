package result_test

import (
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

func TestProcessesStandInARowEach(t *testing.T) {
	r := &result.Result{}
	r.Processes.Servers = result.Of(2)
	r.Processes.List = []result.Process{
		{Role: "router", Number: 1, PID: result.Of(7)},
		{Role: "server", Number: 2, PID: result.Of(8), Connections: result.Of(15_000), RSSIdle: result.Of(20 << 20), MessagesCPU: result.Of(1.5)},
		{Role: "flood", Number: 2, PID: result.Of(9), Lost: true},
	}
	var table strings.Builder
	if err := r.Table(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"server 2", "15,000", "20.0 MiB", "1.50 s", "flood 2 (lost)"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is missing in\n%s", want, table.String())
		}
	}
	r.Processes.Servers = result.Of(1)
	table.Reset()
	if err := r.Table(&table); err != nil || strings.Contains(table.String(), "server 2") {
		t.Errorf("%v; one server needs no table of its own:\n%s", err, table.String())
	}
	// With agents each is shown.
	r.Processes.List = append(r.Processes.List, result.Process{Role: "flood", Number: 3, Agent: "web2"}, result.Process{Role: "flood", Number: 4, Agent: "web3", Lost: true})
	table.Reset()
	if err := r.Table(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"flood 3 on web2", "flood 4 on web3 (lost)"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is missing in\n%s", want, table.String())
		}
	}
}

// TestManyProcesses: a terminal is told where they stand, the page has them all.
func TestManyProcesses(t *testing.T) {
	r := &result.Result{}
	r.Processes.Servers = result.Of(13)
	for i := range 13 {
		r.Processes.List = append(r.Processes.List, result.Process{Role: "server", Number: i + 1})
	}
	var table strings.Builder
	if err := r.Table(&table); err != nil || !strings.Contains(table.String(), "\n13 processes one by one: see the report.\n") || strings.Contains(table.String(), "server 13") {
		t.Errorf("%v\n%s", err, table.String())
	}
	head, rows := r.ProcessRows()
	if len(rows) != 13 || rows[12][0] != "server 13" || rows[12][1] != result.NotMeasured || len(rows[12]) != len(head) {
		t.Errorf("%q\n%q", head, rows)
	}
}
