package result_test

import (
	"os"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// run is a bench of comet's own server in which all went well.
func run() *result.Result {
	r := &result.Result{Processes: result.Processes{Engine: "epoll", Servers: result.Of(1), Floods: result.Of(1)}}
	r.Connections = result.Connections{Asked: result.Of(10_000), Established: result.Of(10_000), Failed: result.Of(0), Closed: result.Of(0)}
	r.Connect.Seconds, r.Connect.PerSecond = result.Of(0.5), result.Of(20_000)
	r.Memory.BytesPerConnection, r.Memory.KernelBytesPerConnection = result.Of(67), result.Of(4190)
	r.Messages = result.Messages{
		AskedPerSecond: result.Of(1000), Sent: result.Of(60_000), Delivered: result.Of(60_000),
		DeliveredPerSecond: result.Of(1000), Missing: result.Of(0),
	}
	r.Latency.P99 = result.Of(0.76)
	return r
}

func text(t *testing.T, r *result.Result) string {
	t.Helper()
	var b strings.Builder
	if err := r.Table(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestVerdict(t *testing.T) {
	none := result.Figure{}
	for _, tt := range []struct {
		name   string
		change func(r *result.Result)
		want   string
	}{
		{"all well", func(*result.Result) {}, "Held 10,000 connections at 67 bytes each (and 4,190 bytes in the kernel), delivered 1,000 messages/s with p99 0.760 ms; nothing limited it."},
		{"one connection", func(r *result.Result) {
			r.Connections.Asked, r.Connections.Established, r.Memory.KernelBytesPerConnection = result.Of(1), result.Of(1), none
			r.Messages, r.Memory.BytesPerConnection = result.Messages{}, result.Of(1<<20)
		}, "Held 1 connection at 1.0 MiB; nothing limited it."},
		{"too few to tell", func(r *result.Result) {
			r.Connections.Asked, r.Connections.Established, r.Messages = result.Of(1000), result.Of(1000), result.Messages{}
		}, "Held 1,000 connections; nothing limited it."},
		{"memory unknown", func(r *result.Result) { r.Memory = result.Memory{} }, "Held 10,000 connections, delivered 1,000 messages/s with p99 0.760 ms; nothing limited it."},
		{"much memory", func(r *result.Result) { r.Memory = result.Memory{BytesPerConnection: result.Of(24_965)} }, "Held 10,000 connections at 24.4 KiB each, delivered 1,000 messages/s with p99 0.760 ms; nothing limited it."},
		{"no messages asked", func(r *result.Result) { r.Messages = result.Messages{} }, "Held 10,000 connections at 67 bytes each (and 4,190 bytes in the kernel); nothing limited it."},
		{"some failed, some left", func(r *result.Result) {
			r.Memory = result.Memory{}
			r.Connections.Established, r.Connections.Closed = result.Of(9_000), result.Of(7)
		}, "Held 9,000 of 10,000 connections, 7 of them closed early, delivered 1,000 messages/s with p99 0.760 ms; nothing limited it."},
		{"too slow, and limited", func(r *result.Result) {
			r.Memory = result.Memory{}
			r.Messages.DeliveredPerSecond, r.Latency.P99 = result.Of(540), result.Of(1000)
			r.LimitedBy = result.Limits{{Part: "the flood", Evidence: "busy"}, {Part: "an accept queue", Evidence: "full"}, {Part: "the flood", Evidence: "again"}}
		}, "Held 10,000 connections, delivered 540 of 1,000 messages/s with p99 1,000 ms; limited by the flood and by an accept queue."},
		{"too slow for its rooms", func(r *result.Result) {
			r.Memory = result.Memory{}
			r.Messages.AskedPerSecond, r.Messages.Sent, r.Messages.Expected = result.Of(15), result.Of(900), result.Of(9_000_000)
			r.Messages.DeliveredPerSecond = result.Of(120_000)
		}, "Held 10,000 connections, delivered 120,000 of 150,000 messages/s with p99 0.760 ms; nothing limited it."},
		{"events of which few have followers here", func(r *result.Result) {
			r.Memory, r.FanOut.First = result.Memory{}, result.Of(0.3)
			r.Messages.AskedPerSecond, r.Messages.Sent, r.Messages.Expected = result.Of(100), result.Of(500), result.Of(24)
			r.Messages.DeliveredPerSecond = result.Of(5.2)
		}, "Held 10,000 connections, delivered 5.20 messages/s with p99 0.760 ms; nothing limited it."},
		{"as fast as possible", func(r *result.Result) {
			r.Memory, r.Messages.AskedPerSecond, r.Latency = result.Memory{}, none, result.Latency{}
			r.Messages.DeliveredPerSecond, r.Service = result.Of(121_000.4), &result.Quantiles{P99: result.Of(3.2)}
		}, "Held 10,000 connections, delivered 121,000 messages/s with service time p99 3.20 ms; nothing limited it."},
		{"less than one a second", func(r *result.Result) {
			r.Memory, r.Latency = result.Memory{}, result.Latency{}
			r.Messages.AskedPerSecond, r.Messages.DeliveredPerSecond = result.Of(0.5), result.Of(0.5)
		}, "Held 10,000 connections, delivered 0.500 messages/s; nothing limited it."},
		{"some missing", func(r *result.Result) {
			r.Memory, r.Messages.Missing = result.Memory{}, result.Of(30)
		}, "Held 10,000 connections, delivered 1,000 messages/s with p99 0.760 ms, 30 of 60,000 missing; nothing limited it."},
		{"none arrived", func(r *result.Result) {
			r.Memory, r.Messages.Delivered = result.Memory{}, result.Of(0)
		}, "Held 10,000 connections, delivered none of 60,000 messages; nothing limited it."},
		{"suspended on the way", func(r *result.Result) {
			r.Memory, r.Messages.DeliveredPerSecond = result.Memory{}, none
			r.Suspended = []result.Suspension{{Phase: "messages", Seconds: result.Of(12.34)}}
		}, "Held 10,000 connections, delivered 60,000 messages with p99 0.760 ms; it was suspended meanwhile."},
		{"interrupted on the way", func(r *result.Result) {
			r.Memory, r.Messages = result.Memory{}, result.Messages{}
			r.Interrupted, r.InterruptedBy = true, "the server (pid 7) has ended.\nits last words: none"
		}, "Stopped early: the server (pid 7) has ended.; its last words: none; until then it held 10,000 connections."},
		{"nothing connected", func(r *result.Result) {
			r.Interrupted, r.InterruptedBy = true, "no connection was established: refused"
			r.Connections.Established, r.Messages = result.Of(0), result.Messages{}
		}, "Held none of 10,000 connections: no connection was established: refused."},
		{"failed at the start", func(r *result.Result) {
			*r = result.Result{Interrupted: true, InterruptedBy: "the server cannot listen"}
		}, "Nothing was measured: the server cannot listen."},
		{"interrupted at the start", func(r *result.Result) { *r = result.Result{Interrupted: true} }, "Nothing was measured: it was interrupted."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := run()
			tt.change(r)
			lines := strings.SplitN(text(t, r), "\n", 4)
			if lines[1] != "" || lines[2] != tt.want {
				t.Errorf("got  %s\nwant %s", lines[2], tt.want)
			}
			folder := t.TempDir()
			if err := r.Write(folder); err != nil {
				t.Fatal(err)
			}
			if read, err := result.Read(folder); err != nil || read.Verdict != tt.want {
				t.Errorf("the file says %q, %v", read.Verdict, err)
			}
		})
	}
}

func TestHeadline(t *testing.T) {
	for want, change := range map[string]func(r *result.Result){
		"10,000 connections, 1,000 messages/s, epoll engine": func(*result.Result) {},
		"10,000 connections, 1,000 messages/s, web1:80":      func(r *result.Result) { r.Processes.Engine, r.Processes.Target = "", "web1:80" },
		"10,000 connections, as many messages as possible": func(r *result.Result) {
			r.Processes.Engine, r.Messages.AskedPerSecond, r.Service = "", result.Figure{}, new(result.Quantiles)
		},
		"1 connection": func(r *result.Result) {
			r.Processes.Engine, r.Connections.Asked, r.Messages = "", result.Of(1), result.Messages{}
		},
		"Connections": func(r *result.Result) { *r = result.Result{} },
	} {
		r := run()
		change(r)
		if got, _, _ := strings.Cut(text(t, r), "\n"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A run that was suspended says when and for how long, as does a median of runs.
func TestASuspendedRunSaysSo(t *testing.T) {
	r := run()
	r.Suspended = []result.Suspension{{Phase: "messages", Seconds: result.Of(12.34)}}
	for _, r := range []*result.Result{r, result.Median(run(), r)} {
		if got := text(t, r); !strings.Contains(got, "The bench was suspended for 12.3 s in phase messages, ") {
			t.Errorf("got\n%s", got)
		}
	}
}

// Who was told why a run ended early is not told again.
func TestWithoutTheReason(t *testing.T) {
	r := run()
	r.Interrupted, r.InterruptedBy = true, "in phase connect: refused"
	r.Processes.Lost = []string{"flood 2: killed"}
	r.LimitedBy = result.Limits{{Part: "connecting", Evidence: "refused"}, {Part: "an accept queue", Evidence: "full"}}
	if got := text(t, r); strings.Count(got, "refused") != 2 {
		t.Errorf("got\n%s", got)
	}
	got := text(t, r.Without("in phase connect: refused\nflood 2: killed"))
	if strings.Contains(got, "refused") || strings.Contains(got, "killed") || !strings.Contains(got, "\nStopped early; until then it held 10,000") || !strings.Contains(got, "full") {
		t.Errorf("got\n%s", got)
	}
	if got := text(t, r.Without("another reason")); got != text(t, r) {
		t.Errorf("got\n%s", got)
	}
}

// A run that failed gives the reason first, and no table of dashes.
func TestAFailedRunHasNoTableOfDashes(t *testing.T) {
	r := &result.Result{Interrupted: true, InterruptedBy: "in phase start: no file for the log"}
	r.Connections.Asked, r.Messages.AskedPerSecond = result.Of(10_000), result.Of(1000)
	r.Processes.Servers, r.Processes.Floods = result.Of(1), result.Of(1)
	const want = "10,000 connections, 1,000 messages/s\n\nNothing was measured: in phase start: no file for the log.\n"
	if got := text(t, r); got != want {
		t.Errorf("got\n%s", got)
	}
	r.Connections.Established, r.Memory.RSSStart = result.Of(500), result.Of(1<<20)
	r.Processes.Lost = []string{"flood 2: killed"}
	got := text(t, r)
	for _, line := range []string{"Lost on the way: flood 2: killed\n", "  established             500\n", "  server at the start     1.0 MiB\n", "  servers                   1\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
	if strings.Contains(got, " -\n") || strings.Contains(got, "Latency") {
		t.Errorf("it has rows of what was not measured:\n%s", got)
	}
}

// Rows of parts that did not exist are left out; what could have been measured
// and was not has a dash.
func TestRowsOfPartsThatDidNotExist(t *testing.T) {
	got := text(t, run())
	for _, row := range []string{"router", "Service time", "refused", "replayed", "after a collection", "PSS", "before they were due"} {
		if strings.Contains(got, row) {
			t.Errorf("%q is in\n%s", row, got)
		}
	}
	for _, row := range []string{"server CPU  ", "server at the start", "p99.9"} {
		_, rest, _ := strings.Cut(got, "  "+row)
		if line, _, _ := strings.Cut(rest, "\n"); !strings.HasSuffix(line, " -") {
			t.Errorf("%q has no dash in\n%s", row, got)
		}
	}
	if strings.Contains(text(t, new(result.Result)), "-") {
		t.Error("an empty result has dashes")
	}
	r := run()
	r.Messages, r.Latency = result.Messages{}, result.Latency{}
	if got := text(t, r); strings.Contains(got, "Messages") || strings.Contains(got, "Latency") || strings.Contains(got, "CPU while") {
		t.Errorf("there were no messages:\n%s", got)
	}
}

func ExampleResult_Table() {
	r := run()
	r.Connect, r.Memory, r.Messages, r.Latency = result.Connect{}, result.Memory{}, result.Messages{}, result.Latency{}
	_ = r.Table(os.Stdout)
	// Output:
	// 10,000 connections, epoll engine
	//
	// Held 10,000 connections; nothing limited it.
	//
	// Connections
	//   asked                10,000
	//   established          10,000
	//   failed                    0
	//   closed early              0
	//   time to connect           -
	//   connection rate           -
	//   connect latency p50       -
	//   connect latency p90       -
	//   connect latency p99       -
	//   connect latency max       -
	//   server CPU                -
	//
	// Processes
	//   servers                   1
	//   floods                    1
}

// TestTitleOfEvents: what is published to followers is called an event.
func TestTitleOfEvents(t *testing.T) {
	r := result.Result{Settings: map[string]any{"subscriptions": "friends.db"}}
	r.Connections.Asked, r.Messages.AskedPerSecond = result.Of(500), result.Of(50)
	s := result.Scale{Asked: []int{500}, Settings: r.Settings, Steps: []result.Step{{Messages: r.Messages}}}
	if r.Title() != "500 connections, 50.0 events/s" || s.Title() != r.Title() {
		t.Errorf("%q, %q", r.Title(), s.Title())
	}
	r.Settings, s.Settings = nil, nil
	if r.Title() != "500 connections, 50.0 messages/s" || s.Title() != r.Title() {
		t.Errorf("%q, %q", r.Title(), s.Title())
	}
}
