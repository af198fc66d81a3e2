package result_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/sysctl"
)

// p50s returns runs that differ in their p50 alone. What is below zero was not
// measured.
func p50s(name string, values ...float64) result.Runs {
	runs := result.Runs{Name: name}
	for _, x := range values {
		r := &result.Result{Settings: map[string]any{"engine": "epoll", "connections": 100.0}, Environment: &result.Environment{Go: "go1"}}
		r.Connections.Asked, r.Messages.Missing = result.Of(100), result.Of(0)
		if x >= 0 {
			r.Latency.P50 = result.Of(x)
		}
		runs.Results = append(runs.Results, r)
	}
	return runs
}

// change sets something in every run.
func change(runs result.Runs, do func(i int, r *result.Result)) result.Runs {
	for i, r := range runs.Results {
		do(i, r)
	}
	return runs
}

// compared returns the comparison of two that compare, and one of its figures.
func compared(t *testing.T, a, b result.Runs, cfg result.CompareConfig, key string) (*result.Comparison, result.Change) {
	t.Helper()
	c, err := result.Compare(a, b, cfg)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(c.Figures, func(f result.Change) bool { return f.Key == key })
	if i < 0 {
		return c, result.Change{}
	}
	return c, c.Figures[i]
}

func limit(percent float64) result.CompareConfig {
	return result.CompareConfig{Limit: result.Of(percent / 100)}
}

func TestCompareJudges(t *testing.T) {
	const none = -1
	unlimited := result.CompareConfig{}
	for _, tt := range []struct {
		name   string
		a, b   []float64
		cfg    result.CompareConfig
		status result.Status
		fails  bool
		says   string
	}{
		{"the same", []float64{50, 51, 52}, []float64{50, 51, 52}, limit(0), result.Same, false, "No change: no figure differs by more than its spread."},
		{"a tenth more", []float64{50, 50.1, 50.2}, []float64{55, 55.1, 55.2}, limit(5), result.Worsened, true, "B is worse by more than 5 %: latency p50 +10 %."},
		{"within the limit", []float64{50, 50.1, 50.2}, []float64{55, 55.1, 55.2}, limit(15), result.Worsened, false, "B is worse, within the limit of 15 %: latency p50 +10 %."},
		{"without a limit", []float64{50, 50.1, 50.2}, []float64{55, 55.1, 55.2}, unlimited, result.Worsened, false, "B is worse: latency p50 +10 %."},
		{"better", []float64{55, 55.1, 55.2}, []float64{50, 50.1, 50.2}, limit(5), result.Improved, false, "B is better: latency p50 -9.1 %."},
		{"within the spread", []float64{40, 50, 60}, []float64{45, 55, 65}, limit(5), result.Same, false, "No change"},
		{"no chance, and too slight", []float64{50, 50, 50}, []float64{50.4, 50.4, 50.4}, unlimited, result.Same, false, "No change"},
		{"slight, and over the limit", []float64{50, 50, 50}, []float64{50.4, 50.4, 50.4}, limit(0.5), result.Worsened, true, "+0.8 %"},
		{"just the limit", []float64{0.3, 0.3, 0.3}, []float64{0.33, 0.33, 0.33}, limit(10), result.Worsened, false, "within the limit"},
		{"one run each, below the limit", []float64{50}, []float64{54}, limit(10), result.Same, false, "No change: no figure differs by more than 10 %."},
		{"one run each, above the limit", []float64{50}, []float64{54}, limit(5), result.Worsened, true, "+8 %"},
		{"one run each, a limit of 20 %", []float64{50}, []float64{58}, limit(20), result.Same, false, "more than 20 %"},
		{"one run each, no limit", []float64{50}, []float64{54}, unlimited, result.Same, false, "more than 10 %"},
		{"one run against many", []float64{50}, []float64{60, 60.1, 60.2}, limit(10), result.Worsened, true, "+20.2 %"},
		{"other numbers of repeats", []float64{50, 50.1}, []float64{60, 60.1, 60.2, 60.3, 60.4}, limit(10), result.Worsened, true, "+20.3 %"},
		{"an even number of repeats", []float64{50, 50, 51, 51}, []float64{60, 60, 61, 61}, limit(10), result.Worsened, true, "+19.8 %"},
		{"from nothing", []float64{0, 0, 0}, []float64{5, 5, 5}, limit(50), result.Worsened, true, "latency p50 +5.00 ms"},
		{"from nothing to some", []float64{0, 0, 0}, []float64{3, 5, 9}, limit(50), result.Worsened, true, "+5.00 ms"},
		{"from nothing to now and then some", []float64{0, 0, 0}, []float64{0, 0, 9}, limit(50), result.Same, false, "No change"},
		{"from nothing, one run each", []float64{0}, []float64{5}, limit(50), result.Worsened, true, "+5.00 ms"},
		{"to nothing", []float64{5, 5, 5}, []float64{0, 0, 0}, limit(50), result.Improved, false, "-100 %"},
		{"no longer measured", []float64{5, 5, 5}, []float64{none, none, none}, limit(50), result.Gone, true, "latency p50 no longer measured"},
		{"no longer measured, no limit", []float64{5, 5, 5}, []float64{none, none, none}, unlimited, result.Gone, false, "B is worse: latency p50 no longer measured"},
		{"not measured before", []float64{none}, []float64{5, 5, 5}, limit(50), result.Appeared, false, ""},
		{"measured now and then", []float64{50, none, 50.2}, []float64{none, 60, 60.2}, limit(10), result.Worsened, true, "+20"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, f := compared(t, p50s("a", tt.a...), p50s("b", tt.b...), tt.cfg, "latency_ms.p50")
			if f.Status != tt.status || f.Fails != tt.fails || c.Worse != tt.fails || (c.Failure() != "") != tt.fails {
				t.Errorf("%s, fails %t, worse %t, %q; want %s, %t", f.Status, f.Fails, c.Worse, c.Failure(), tt.status, tt.fails)
			}
			if !strings.Contains(c.Verdict, tt.says) {
				t.Errorf("the verdict is %q, want %q", c.Verdict, tt.says)
			}
		})
	}
}

// TestCompareKnowsTheDirection judges less as worse of what had better be high, and what has no
// direction as neither.
func TestCompareKnowsTheDirection(t *testing.T) {
	set := func(runs result.Runs, rate, floods float64) result.Runs {
		return change(runs, func(_ int, r *result.Result) {
			r.Messages.DeliveredPerSecond, r.Processes.Floods, r.Connect.PerSecond = result.Of(rate), result.Of(floods), result.Of(rate)
		})
	}
	a, b := set(p50s("a", 1, 1, 1), 1000, 1), set(p50s("b", 1, 1, 1), 800, 2)
	for _, tt := range []struct {
		key    string
		a, b   result.Runs
		status result.Status
		fails  bool
	}{
		{"messages.delivered_per_second", a, b, result.Worsened, true},
		{"messages.delivered_per_second", b, a, result.Improved, false},
		{"connect.per_second", a, b, result.Worsened, false}, // not judged
		{"processes.floods", a, b, result.Changed, false},
	} {
		if _, f := compared(t, tt.a, tt.b, limit(10), tt.key); f.Status != tt.status || f.Fails != tt.fails {
			t.Errorf("%s is %s, fails %t; want %s, %t", tt.key, f.Status, f.Fails, tt.status, tt.fails)
		}
	}
}

// TestCompareIsBlindToMemory wants a note: a server that was not started anew has no memory
// per connection.
func TestCompareIsBlindToMemory(t *testing.T) {
	set := func(runs result.Runs, perConnection result.Figure) result.Runs {
		return change(runs, func(_ int, r *result.Result) {
			r.Memory.RSSPeak, r.Memory.BytesPerConnection = result.Of(1e6), perConnection
		})
	}
	for _, known := range []bool{false, true} {
		var per result.Figure
		if known {
			per = result.Of(100)
		}
		c, err := result.Compare(set(p50s("a", 1, 1, 1), per), set(p50s("b", 1, 1, 1), per), result.CompareConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(strings.Join(c.Notes, "\n"), "Memory per connection was measured on neither side"); said == known {
			t.Errorf("memory per connection is known: %v; the notes are %q", known, c.Notes)
		}
	}
}

func TestCompareJudgesWhatIsAskedFor(t *testing.T) {
	metric := func(name string) result.Metric {
		m, ok := result.Lookup(name)
		if !ok {
			t.Fatal(name)
		}
		return m
	}
	a, b := p50s("a", 1, 1, 1), p50s("b", 1, 1, 1)
	change(b, func(_ int, r *result.Result) { r.Latency.Max = result.Of(9) })
	change(a, func(_ int, r *result.Result) { r.Latency.Max = result.Of(5) })
	cfg := limit(10)
	if c, f := compared(t, a, b, cfg, "latency_ms.max"); c.Worse || f.Judged || !strings.Contains(c.Verdict, "No change in the figures that are judged; 1 other figure changed.") {
		t.Errorf("the maximum was judged: %q", c.Verdict)
	}
	cfg.Metrics = []result.Metric{metric("max")}
	if c, f := compared(t, a, b, cfg, "latency_ms.max"); !c.Worse || !f.Fails || !strings.Contains(c.Failure(), "latency_ms.max 9.00 ms, was 5.00 ms (+80 %)") {
		t.Errorf("the maximum was not judged: %q", c.Failure())
	}
	cfg.Metrics = []result.Metric{metric("rss")}
	if c, f := compared(t, a, a, cfg, "memory.rss_peak_bytes"); !c.Worse || f.Status != result.Unknown || c.Verdict != "Measured on neither side: memory server at its peak." || c.Failure() != "memory.rss_peak_bytes was measured on neither side" {
		t.Errorf("what neither has is not worse: %q, %v", c.Verdict, f)
	}
	cfg.Metrics = []result.Metric{metric("messages.expected")}
	if _, err := result.Compare(a, b, cfg); err == nil || !strings.Contains(err.Error(), "messages.expected cannot be judged") {
		t.Errorf("a figure without a direction: %v", err)
	}
}

// A comparison in which nothing judged was measured twice does not pass.
func TestCompareOfNothingFails(t *testing.T) {
	bare := func(name string) result.Runs { return result.Runs{Name: name, Results: []*result.Result{{}}} }
	c, _ := compared(t, bare("a"), bare("b"), limit(10), "")
	if !c.Worse || !strings.Contains(c.Failure(), "Nothing that is judged was measured in both") {
		t.Errorf("%t %q", c.Worse, c.Failure())
	}
	if c, _ = compared(t, bare("a"), bare("b"), result.CompareConfig{}, ""); c.Worse {
		t.Error("without a limit nothing fails")
	}
	if _, err := result.Compare(bare("a"), result.Runs{Name: "b"}, limit(1)); err == nil {
		t.Error("no run was compared")
	}
}

func TestCompareTakesServiceTimeForLatency(t *testing.T) {
	set := func(runs result.Runs, ms float64) result.Runs {
		return change(runs, func(_ int, r *result.Result) { r.Service = &result.Quantiles{P99: result.Of(ms)} })
	}
	_, f := compared(t, set(p50s("a", -1, -1, -1), 10), set(p50s("b", -1, -1, -1), 20), limit(10), "service_ms.p99")
	if !f.Judged || !f.Fails {
		t.Errorf("%+v", f)
	}
}

func TestCompareRefusesAnotherLoad(t *testing.T) {
	set := func(runs result.Runs, name string, value any) result.Runs {
		return change(runs, func(_ int, r *result.Result) { r.Settings[name] = value })
	}
	defaults := map[string]any{"ramp": "", "rate": "1000", "senders": int64(100)}
	a := func() result.Runs { return p50s("a", 1, 1, 1) }
	b := func() result.Runs { return p50s("b", 1, 1, 1) }
	for _, tt := range []struct {
		name    string
		a, b    result.Runs
		refused string
		row     string
	}{
		{"nothing", a(), b(), "", ""},
		{"engine", a(), set(b(), "engine", "goroutine"), "engine epoll and goroutine", "engine"},
		{"engine, of an old result", a(), change(b(), func(_ int, r *result.Result) {
			delete(r.Settings, "engine")
			r.Processes.Engine = "goroutine"
		}), "engine epoll and goroutine", "engine"},
		{"connections", a(), set(b(), "connections", 200.0), "connections 100 and 200", "connections"},
		{"a setting that was not given", a(), set(b(), "ramp", "30s"), "ramp not given and 30s", "ramp"},
		{"a setting that was not there yet", a(), set(b(), "rate", "1000"), "", ""},
		{"a number out of a file", set(a(), "senders", 100.0), b(), "", ""},
		{"a setting that is new", a(), set(b(), "new", "on"), "new not given and on", "new"},
		{"url", set(a(), "url", "http://a/{id}"), set(b(), "url", "http://b/{id}"), "", "url"},
		{"publish", set(a(), "publish", "http://a/{id}"), set(b(), "publish", "http://b/{id}"), "", "publish"},
		{"seed", set(a(), "seed", 1.0), set(b(), "seed", 2.0), "", "seed"},
		{"pid", set(a(), "pid", "[1]"), set(b(), "pid", "[2]"), "", "pid"},
		{"match", a(), set(b(), "match", "nginx"), "", "match"},
		{"out", a(), set(b(), "out", "x"), "", "out"},
		{"targets", a(), set(b(), "slo", "[p99<50ms]"), "", "slo"},
		{"repeats", set(a(), "repeat", "3"), set(b(), "repeat", "5"), "", "repeat"},
		{"the machine", a(), change(b(), func(_ int, r *result.Result) { r.Environment.CPU = "X" }), "", "CPU"},
		{"the kernel", change(a(), func(_ int, r *result.Result) { r.Environment.Kernel = "5" }), change(b(), func(_ int, r *result.Result) { r.Environment.Kernel = "6" }), "", "kernel"},
		{"no environment", a(), change(b(), func(_ int, r *result.Result) { r.Environment = nil }), "", "go system cores memory open files per process"},
		{"seeds of each run", change(a(), func(i int, r *result.Result) { r.Settings["seed"] = i }), change(b(), func(i int, r *result.Result) { r.Settings["seed"] = 9 - i }), "", ""},
		{"runs of another load", change(a(), func(i int, r *result.Result) { r.Settings["rate"] = i }), change(b(), func(i int, r *result.Result) { r.Settings["rate"] = i }), "rate differs from run to run", "rate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := result.CompareConfig{Defaults: defaults}
			_, err := result.Compare(tt.a, tt.b, cfg)
			var load *result.LoadError
			if errors.As(err, &load) != (tt.refused != "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("%v, want %q", err, tt.refused)
			}
			cfg.Force = true
			c, err := result.Compare(tt.a, tt.b, cfg)
			if err != nil {
				t.Fatal(err)
			}
			var rows []string
			for _, d := range c.Differences {
				rows = append(rows, d.Name)
			}
			if strings.Join(rows, " ") != tt.row {
				t.Errorf("rows %q, want %q", rows, tt.row)
			}
			if forced := strings.Contains(strings.Join(c.Notes, "\n"), "not the same"); forced != (tt.refused != "") {
				t.Errorf("the notes are %q", c.Notes)
			}
		})
	}
}

func TestCompareDoubts(t *testing.T) {
	a, b := p50s("a", 1, 1, 1), p50s("b", 2, 2, 2)
	for _, tt := range []struct {
		name string
		a, b result.Runs
		cfg  result.CompareConfig
		note string
	}{
		{"two runs", a, p50s("b", 1, 2), result.CompareConfig{}, "A has 3 runs and B 2 runs: fewer than 3 cannot tell"},
		{"one run", p50s("a", 1), b, result.CompareConfig{}, "A has 1 run and B 3 runs"},
		{"the same", a, a, result.CompareConfig{}, "the same result"},
		{"noise", p50s("a", 1, 2, 3), b, limit(10), "A change of 10 % is within the spread of latency p50:"},
		{"the generator", a, change(p50s("b", 1, 1, 1), func(_ int, r *result.Result) {
			r.LimitedBy = result.Limits{{Part: "flood", Evidence: "it was busy"}}
		}), result.CompareConfig{}, "B: Limited by flood: it was busy"},
		{"interrupted", a, change(p50s("b", 1, 1, 1), func(i int, r *result.Result) {
			r.Interrupted, r.InterruptedBy = i == 2, "a signal"
		}), result.CompareConfig{Force: true}, "b stopped early: a signal: its figures are of a part of a run."},
	} {
		c, err := result.Compare(tt.a, tt.b, tt.cfg)
		if err != nil || !strings.Contains(strings.Join(c.Notes, "\n"), tt.note) {
			t.Errorf("%s: %v %q, want %q", tt.name, err, c.Notes, tt.note)
		}
	}
	if c, _ := compared(t, a, b, limit(10), ""); len(c.Notes) > 0 {
		t.Errorf("three repeats without noise are doubted: %q", c.Notes)
	}
	stopped := change(p50s("b", 1, 1, 1), func(i int, r *result.Result) { r.Interrupted = i == 2 })
	if _, err := result.Compare(a, stopped, result.CompareConfig{}); err == nil || !strings.Contains(err.Error(), "b stopped early") || !strings.Contains(err.Error(), "--force") {
		t.Errorf("an interrupted run: %v", err)
	}
}

// wild returns a comparison with everything in it that may not reach a terminal or a page as it is.
func wild(t *testing.T) *result.Comparison {
	t.Helper()
	r, s := full(), full()
	r.Settings["\x1bload"] = "1"
	s.Latency.P99, s.Memory.RSSPeak, s.FanOut.First = result.Of(9e9), result.Figure{}, result.Of(-5)
	s.Settings["url"], s.Environment.Environment = "http://b|c/`<i>`\x1b[2J\n", sysctl.Environment{OS: "plan9", Arch: "mips"}
	c, err := result.Compare(result.Runs{Name: "<b>a|*", Results: []*result.Result{&r}}, result.Runs{Name: "b\x1b[31m\n", Results: []*result.Result{&s}}, result.CompareConfig{Limit: result.Of(0.1), Force: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompareTable(t *testing.T) {
	var b bytes.Buffer
	if err := wild(t).Table(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > 80 || strings.TrimRight(line, " ") != line || strings.ContainsAny(line, "\x1b\r") {
			t.Errorf("%q is over 80 columns, ends in a space, or moves the cursor", line)
		}
	}
	for _, want := range []string{"Latency, from due to received\n", "  p99 ", " worse\n", " gone\n", "kernel\n    A  6.1\n    B  not given\n", "system\n    A  linux/amd64\n    B  plan9/mips\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
}

func TestCompareMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := wild(t).Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if strings.HasPrefix(line, "|") && cells != 7 && cells != 4 || !strings.HasPrefix(line, "|") && cells > 0 {
			t.Errorf("%q has %d bars", line, cells)
		}
	}
	for _, want := range []string{"**B is worse by more than 10 %: ", `\<b\>a\|\*`, `http://b\|c/`, "| Latency, from due to received: p99 | "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
}

// TestCompareRows: what is judged or changed is shown, the rest is quiet, and each has
// its median, its span where the repeats differ, and its spread.
func TestCompareRows(t *testing.T) {
	side := func(name string, p99 []float64, peak float64) result.Runs {
		runs := p50s(name, p99...)
		for i, r := range runs.Results {
			r.Latency.P99, r.Memory.RSSPeak, r.Memory.RSSEnd = result.Of(p99[i]), result.Of(peak), result.Of(2048)
		}
		return runs
	}
	c, err := result.Compare(side("a", []float64{10, 10, 11}, 1000), side("b", []float64{20, 20, 20}, 5000), limit(10))
	if err != nil {
		t.Fatal(err)
	}
	find := func(rows []result.ChangeRow, section, label string) (row result.ChangeRow) {
		for _, r := range rows {
			if r.Section == section && r.Label == label {
				return r
			}
		}
		return row
	}
	p99 := find(c.Shown(), "Latency, from due to received", "p99")
	if p99.A != "10.0 ms" || p99.B != "20.0 ms" || p99.SpanA != "10.0 ms to 11.0 ms" || p99.SpanB != "" || p99.Mark != "worse" || !p99.Fails || !strings.HasPrefix(p99.Spread, "±") || p99.Of == nil || p99.Of.Key != "latency_ms.p99" {
		t.Errorf("p99 is %+v", p99)
	}
	if peak := find(c.Shown(), "Memory", "server at its peak"); peak.A != "1,000 B" || peak.B != "5,000 B" || peak.Fails {
		t.Errorf("the peak, which changed and is not judged, is %+v", peak)
	}
	if end := find(c.Quiet(), "Memory", "server at the end"); end.A != "2,048 B" || end.Mark != "" {
		t.Errorf("the end, which is the same, is %+v", end)
	}
	for _, r := range c.Quiet() {
		if find(c.Shown(), r.Section, r.Label).Label != "" {
			t.Errorf("%s is shown, and quiet", r.Label)
		}
	}
}

func TestCompareJSON(t *testing.T) {
	c, _ := compared(t, p50s("a", 0, 0), p50s("b", -1, 3), limit(10), "")
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"schema":1,"verdict":"`, `"worse":true,"limit":0.1,"a":{"name":"a",`, `"differences":[]`,
		`{"key":"latency_ms.p50","judged":true,"a":{"median":0,"least":0,"most":0,"runs":[0,0]},"b":{"median":3,"least":3,"most":3,"runs":[3]},"change":null,"spread":0,"status":"worse","fails":true}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

func ExampleCompare() {
	runs := func(name string, p99 ...float64) result.Runs {
		side := result.Runs{Name: name}
		for _, ms := range p99 {
			r := new(result.Result)
			r.Latency.P99 = result.Of(ms)
			side.Results = append(side.Results, r)
		}
		return side
	}
	c, err := result.Compare(runs("before", 10, 10.2, 9.9), runs("after", 12, 12.1, 11.8), result.CompareConfig{Limit: result.Of(0.1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Verdict, c.Worse)
	// Output: B is worse by more than 10 %: latency p99 +20 %. true
}
