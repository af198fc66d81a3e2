package result

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestCapacitySentences(t *testing.T) {
	step := CapacityStep{Load: 100}
	for _, c := range []struct {
		name string
		c    Capacity
		want string
	}{
		{"nothing was tried", Capacity{Search: SearchConnections, Server: "web1"}, "Nothing was tried."},
		{"the first step fails", Capacity{Search: SearchConnections, Server: "web1", Steps: []CapacityStep{step}}, "web1 does not hold 100 connections."},
		{"one", Capacity{Search: SearchConnections, Server: "web1", Answer: Of(1), Held: 1, Repeats: 1}, "web1 holds 1 connection (1 of 1 repeat)."},
		{"found", Capacity{Search: SearchConnections, Server: "web1", Answer: Of(1531), Held: 3, Repeats: 3, Spread: Spread{Of(1531), Of(1532)}}, "web1 holds 1,531 connections (3 of 3 repeats)."},
		{"not exactly", Capacity{Search: SearchConnections, Server: "web1", Answer: Of(1531), Held: 3, Repeats: 3, Spread: Spread{Of(1531), Of(1545)}}, "web1 holds 1,531 connections (3 of 3 repeats), and not 1,545."},
		{"repeats differ", Capacity{Search: SearchConnections, Server: "web1", Answer: Of(1531), Held: 2, Repeats: 3, Spread: Spread{Of(1500), Of(1545)}}, "web1 holds 1,531 connections (2 of 3 repeats); the repeats differ from 1,500 on."},
		{"at least", Capacity{Search: SearchConnections, Server: "web1", Answer: Of(1531), AtLeast: true, Held: 3, Repeats: 3}, "web1 holds at least 1,531 connections (3 of 3 repeats)."},
		{"never in full", Capacity{Search: SearchConnections, Server: "web1", Answer: Of(1531)}, "web1 holds 1,531 connections for a short time."},
		{"a rate", Capacity{Search: SearchRate, Server: "web1", Connections: Of(5000), Answer: Of(12000), Held: 3, Repeats: 3, Spread: Spread{Of(12000), Figure{}}}, "web1 holds 12,000 messages/s with 5,000 connections (3 of 3 repeats)."},
	} {
		if got := c.c.Sentences()[0]; got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
	all := Capacity{
		Search: SearchConnections, Server: "web1", Answer: Of(5), Ended: "The budget of 1m0s is used up.", Interrupted: true, InterruptedBy: "a\nb",
		StoppedBy: StoppedBy{"the server itself", "its own configuration", "it closed\x1b them", "Raise it."},
	}
	want := "web1 holds 5 connections for a short time.|It was stopped early: a; b.|The budget of 1m0s is used up.|Stopped by the server itself (its own configuration): it closed  them.|Raise it."
	if got := strings.Join(all.Sentences(), "|"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestCapacityLine(t *testing.T) {
	for want, s := range map[string]CapacityStep{
		"      500  ok      p99 1.20 ms   9.10 KB each":    {Load: 500, OK: true, P99: Of(1.2), BytesPerConnection: Of(9100)},
		"    1,000  ok      140 B each":                    {Load: 1000, OK: true, BytesPerConnection: Of(140)},
		"1,000,000  ok":                                    {Load: 1e6, OK: true},
		"    2,000  fails   errors 469; it was closed":     {Load: 2000, Missed: []string{"errors 469"}, Why: `469 connections failed with "reset": it was closed: see its log`},
		"    2,000  fails   p99 81 ms":                     {Load: 2000, Missed: []string{"p99 81 ms"}},
		"    2,000  fails   what a peer says is   escaped": {Load: 2000, Why: "what a peer says is \x1b\x07escaped"},
	} {
		if got := s.Line(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestNewCapacityStep(t *testing.T) {
	r := &Result{Latency: Latency{P50: Of(1), P99: Of(2)}}
	s := NewCapacityStep(5, time.Second, 2*time.Second, r)
	if s.P99 != Of(2) || s.HoldSeconds != 1 || s.Seconds != 2 {
		t.Errorf("%+v", s)
	}
	for name, f := range map[string]Figure{"loss": s.Loss, "errors": s.Errors, "memory": s.BytesPerConnection} {
		if n, known := f.Value(); known {
			t.Errorf("%s was not measured, and is %v", name, n)
		}
	}
}

// TestCapacityStepWithoutDueTimes: where messages were never due, its percentiles are
// those of the service time.
func TestCapacityStepWithoutDueTimes(t *testing.T) {
	r := &Result{Latency: Latency{P50: Of(1), P99: Of(2)}, Service: &Quantiles{P50: Of(30), P99: Of(40)}}
	if s := NewCapacityStep(5, time.Second, time.Second, r); s.P50 != Of(30) || s.P99 != Of(40) {
		t.Errorf("p50 %v, p99 %v", s.P50, s.P99)
	}
}

func TestCapacityStepMemory(t *testing.T) {
	for established, known := range map[int]bool{100: false, 10_000: true} {
		r := new(Result)
		r.Connections.Established, r.Memory.BytesPerConnection = Of(established), Of(70)
		if _, got := NewCapacityStep(1, 1, 1, r).BytesPerConnection.Value(); got != known {
			t.Errorf("70 bytes for each of %d are known: %v", established, got)
		}
	}
}

// TestCapacityFile: what was not found is null, and every list is one.
func TestCapacityFile(t *testing.T) {
	folder := t.TempDir()
	if err := (&Capacity{Search: SearchRate}).Write(folder); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(&Capacity{Steps: []CapacityStep{}, Targets: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"answer":null`, `"spread":{"low":null,"high":null}`, `"stopped_by":{"part":"","limit":"","evidence":""}`, `"steps":[]`, `"targets":[]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

func TestCapacityText(t *testing.T) {
	c := &Capacity{
		Search: SearchRate, Server: "web1", Answer: Of(2000), Held: 3, Repeats: 3, Connections: Of(5000),
		Spread:    Spread{Low: Of(2000), High: Of(2020)},
		StoppedBy: StoppedBy{Part: "one thread of the server", Limit: "one processor", Evidence: "it was busy", Raise: "Divide its work."},
	}
	var text bytes.Buffer
	if err := c.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"web1 holds 2,000 messages/s with 5,000 connections (3 of 3 repeats)", "Stopped by one thread of the server", "it was busy", "Divide its work."} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q lacks %q", text.String(), want)
		}
	}
	if c.Failed() || c.Title() != "How many messages a second does web1 deliver?" {
		t.Errorf("failed %v, title %q", c.Failed(), c.Title())
	}
	// Nothing held, and a search that ended before it tried anything has not failed.
	none := &Capacity{Search: SearchConnections, Steps: []CapacityStep{{Load: 100}}}
	if !none.Failed() {
		t.Error("a search whose first step does not hold has not failed")
	}
	if begun := (&Capacity{Search: SearchConnections, Interrupted: true}); begun.Failed() {
		t.Error("a search that tried nothing has failed")
	}
}
