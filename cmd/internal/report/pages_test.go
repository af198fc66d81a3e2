package report

import (
	"bytes"
	"errors"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// evil is a text that may not become part of a page.
const evil = `</title></svg></style><script>alert(1)</script>" onload="x`

// written returns the page that write makes.
func written(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var page bytes.Buffer
	if err := write(&page); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

// checkHas checks that a page has each of the texts, and nothing of what is evil.
func checkHas(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	for _, unwanted := range []string{"<script", `" onload="`, "ZgotmplZ", `href="javascript:`} {
		if i := strings.Index(page, unwanted); i >= 0 {
			t.Errorf("the page has %s: %.200s", unwanted, page[max(0, i-100):])
		}
	}
}

// TestPageHasEachRow: the page has the table that a terminal gets, row by row, and what
// limits the trust in it.
func TestPageHasEachRow(t *testing.T) {
	tellAll(t, func(t *testing.T, r *result.Result, with Extras) {
		t.Helper()
		page := pageOf(t, r, with)
		rows := 0
		for _, s := range r.Sections() {
			rows += len(s.Rows)
			checkHas(t, page, "<h3>"+s.Title+"</h3>")
		}
		if got := strings.Count(page, `class="number"`); got != rows {
			t.Errorf("%d figures, want %d", got, rows)
		}
		if got, want := strings.Contains(page, "What held it back"), len(r.Doubts()) > 0 || !r.Nothing(); got != want {
			t.Errorf("what held it back is told: %v, want %v", got, want)
		}
	})
}

func TestPageNamesTargetsCaveatsAndProcesses(t *testing.T) {
	r, _ := stories["usual"].tell()
	r.Processes.Lost = []string{"comet memlog (pid 9) ended"}
	r.Messages.Faults = []string{"5 more were delivered than sent"}
	r.Notes = []string{"Memory per connection is not known: it was warm."}
	r.LimitedBy = result.Limits{{Part: "the flood", Evidence: "busy 99 % of the time"}}
	r.Processes.List = []result.Process{{Role: "flood", Number: 4, Agent: "web3", Lost: true, RSSIdle: result.Of(20 << 20)}}
	checkHas(t, pageOf(t, r, Extras{}),
		"comet memlog (pid 9) ended", "does not add up: 5 more were delivered than sent", "it was warm.", "busy 99 %",
		`<li class="missed">✗ p99 was 18.9 ms`, `<li class="held">✓ loss`, "<h3>Targets</h3>",
		"flood 4 on web3 (lost)", "<td>20.0 MiB</td>", `<th scope="col">RSS idle</th>`)
}

func TestPageOfASeries(t *testing.T) {
	s := series()
	s.Interrupted, s.InterruptedBy = true, evil
	s.Settings["connections"] = 3
	page := written(t, func(w io.Writer) error { return WriteScale(w, s, Extras{Command: []string{"comet", "it's"}}) })
	checkHas(t, page,
		"<title>From 100 to 1,000,000 connections, 1,000 messages/s - comet", `<a href="steps/10,000/report.html">10,000</a>`,
		"<th scope=\"col\">server <span>µs/msg</span></th>", ">0.800</td>", "&lt;script&gt;", "little more than noise", "AMD EPYC", "--paper:", `comet &#39;it&#39;\&#39;&#39;s&#39;`)
	checkNested(t, page)
	if strings.Contains(page, `<th scope="row" class="name">connections</th>`) {
		t.Error("the flag's own number of connections is shown")
	}
	if got, want := figureNames(page), []string{"Server memory per connection", "Kernel memory per connection and end", "CPU per message delivered", "Latency p99"}; !slices.Equal(got, want) {
		t.Errorf("figures %q, want %q", got, want)
	}
}

// TestDrawScale: the picture shows the metrics of the table, and a gap where nothing was
// measured.
func TestDrawScale(t *testing.T) {
	small, large := new(result.Result), new(result.Result)
	small.Connections = result.Connections{Asked: result.Of(10_000), Established: result.Of(10_000)}
	small.Memory.BytesPerConnection = result.Of(131.4)
	large.Connections = result.Connections{Asked: result.Of(1_000_000), Established: result.Of(999_990)}
	large.Memory.BytesPerConnection, large.Memory.KernelBytesPerConnection = result.Of(24_965), result.Of(4_820)
	large.Messages.Delivered, large.Latency.P99 = result.Of(60_000), result.Of(38)
	large.CPU = result.CPU{Server: result.Of(1.5), Router: result.Of(0.6), Flood: result.Of(3)}
	s := &result.Scale{Asked: []int{10_000, 1_000_000}}
	s.Add("10000", small)
	s.Add("1000000", large)
	picture := DrawScale(s)
	if picture.Title != "From 10,000 to 1,000,000 connections" || !slices.Equal(picture.At, []float64{10_000, 1_000_000}) {
		t.Errorf("%q at %v", picture.Title, picture.At)
	}
	got := map[string][]float64{}
	for _, panel := range picture.Panels {
		for _, line := range panel.Lines {
			got[line.Name] = line.Values
		}
	}
	nan := math.NaN()
	for name, want := range map[string][]float64{
		"process": {131.4, 24_965}, "kernel": {nan, 4_820}, "server": {nan, 25}, "router": {nan, 10}, "flood": {nan, 50}, "p99": {nan, 38},
	} {
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		if !slices.EqualFunc(got[name], want, same) {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if err := picture.Validate(); err != nil {
		t.Error(err)
	}
	unpaced := &result.Scale{Steps: []result.Step{{Service: &result.Quantiles{P99: result.Of(7)}}}}
	if last := DrawScale(unpaced).Panels[3]; last.Lines[0].Values[0] != 7 || !strings.HasPrefix(last.Label, "Service time") {
		t.Errorf("without a pace it shows %+v", last)
	}
}

// search returns a search with a load that was tried twice.
func search() *result.Capacity {
	return &result.Capacity{
		Search: result.SearchConnections, Server: "web1 <b>", Answer: result.Of(200), Held: 3, Repeats: 3, Targets: []string{"p99<50ms"},
		Steps: []result.CapacityStep{
			{Load: 100, OK: true, P99: result.Of(1.5), HoldSeconds: 5},
			{Load: 400, HoldSeconds: 5, Loss: result.Of(0.02)},
			{Load: 100, OK: true, P99: result.Of(2.5), HoldSeconds: 30},
		},
	}
}

func TestPageOfASearch(t *testing.T) {
	c := search()
	page := written(t, func(w io.Writer) error { return WriteCapacity(w, c, Extras{}) })
	checkHas(t, page, "web1 &lt;b&gt; holds 200 connections (3 of 3 repeats).", "p99&lt;50ms", ">fails<", ">1.50<", ">2.50<", ">2.00 %<")
	checkNested(t, page)
	if got := figureNames(page); !slices.Equal(got, []string{"Latency"}) {
		t.Errorf("figures %q: nothing else was measured, and nothing failed", got)
	}
	c.Search, c.Steps[1].Errors = result.SearchRate, result.Of(7)
	page = written(t, func(w io.Writer) error { return WriteCapacity(w, c, Extras{}) })
	checkHas(t, page, "<h1>How many messages a second does web1 &lt;b&gt; deliver?</h1>", "<th scope=\"col\">rate <span>/s</span></th>")
	if got := figureNames(page); !slices.Equal(got, []string{"Latency", "Errors"}) {
		t.Errorf("figures %q, with errors", got)
	}
}

// TestPagesShowEachAgent: that of a search, and that of a bench.
func TestPagesShowEachAgent(t *testing.T) {
	agents := []result.Agent{
		{Name: "web2", Host: "h2", Cores: 4, Connections: result.Of(15_000), MessagesCPU: result.Of(1.5), ClockOffset: result.Of(101.25), ClockError: result.Of(0.05)},
		{Name: evil, Host: evil, Connections: result.Of(77), Lost: evil},
	}
	of := func(agents []result.Agent) map[string]string {
		c, r := search(), new(result.Result)
		c.Agents, r.Processes.Agents = agents, agents
		return map[string]string{
			"search": written(t, func(w io.Writer) error { return WriteCapacity(w, c, Extras{}) }),
			"bench":  written(t, func(w io.Writer) error { return Write(w, r, Extras{}) }),
		}
	}
	const title = "<h2>The agents one by one</h2>"
	for name, page := range of(agents) {
		t.Run(name, func(t *testing.T) {
			escaped := template.HTMLEscapeString(evil)
			checkHas(t, page, title, "<th scope=\"col\">clock ahead</th>",
				"<tr><td>web2</td><td>h2</td><td>4</td><td>15,000</td><td>-</td><td>1.50 s</td><td>101 ms</td><td>0.050 ms</td><td>no</td></tr>",
				"<tr><td>"+escaped+"</td><td>"+escaped+"</td><td>0</td><td>77</td><td>-</td><td>-</td><td>-</td><td>-</td><td>"+escaped+"</td></tr>")
			checkNested(t, page)
		})
	}
	for name, page := range of(nil) {
		if strings.Contains(page, title) {
			t.Errorf("%s: a table of no agents", name)
		}
	}
}

func TestDrawCapacity(t *testing.T) {
	c := search()
	d := DrawCapacity(c)
	if err := d.Validate(); err != nil || !slices.Equal(d.At, []float64{100, 400}) || d.Panels[0].Lines[1].Values[0] != 2.5 || !math.IsNaN(d.Panels[0].Lines[1].Values[1]) {
		t.Errorf("%+v, %v: want a point for each load, by its last trial", d, err)
	}
	if c.Search = result.SearchRate; d.Label != "Connections" || DrawCapacity(c).Label != "Messages per second" {
		t.Errorf("the loads are called %q and %q", d.Label, DrawCapacity(c).Label)
	}
}

// differing returns two sides: b is slower, and what comes from elsewhere is evil.
func differing(t *testing.T) *result.Comparison {
	t.Helper()
	side := func(name string, p99 ...float64) result.Runs {
		runs := result.Runs{Name: name}
		for _, ms := range p99 {
			r, _ := stories["usual"].tell()
			r.Latency.P99, r.Settings["url"] = result.Of(ms), name
			runs.Results = append(runs.Results, r)
		}
		return runs
	}
	c, err := result.Compare(side("<b>a|*", 5, 5, 6), side(evil, 8, 9, 10), result.CompareConfig{Limit: result.Of(0.1)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPageOfAComparison(t *testing.T) {
	c := differing(t)
	page := written(t, func(w io.Writer) error { return WriteComparison(w, c) })
	checkHas(t, page, "<h1 class=\"worse\">B is worse by more than 10 %", "&lt;b&gt;a|*", "&lt;script&gt;alert(1)&lt;/script&gt;", "worse: too much", "<details>",
		"prefers-color-scheme: dark", "@media print",
		// The medians, 5 and 9 of at most 10 ms, and from the least to the most.
		`<rect class="a" y="2" width="50.0" height="7"/><rect class="span" x="50.0" y="2" width="10.0" height="7"/><rect class="b" y="11" width="90.0" height="7"/><rect class="span" x="80.0" y="11" width="20.0" height="7"/>`,
		"<small>8.00 ms to 10.0 ms</small>")
	for _, unwanted := range []string{"src=", "href="} {
		if strings.Contains(page, unwanted) {
			t.Errorf("the page has %s", unwanted)
		}
	}
}

// TestPageOfTwoSeries: each step has what a comparison has.
func TestPageOfTwoSeries(t *testing.T) {
	page := written(t, func(w io.Writer) error { return WriteSeriesComparison(w, twoSeries(t)) })
	checkHas(t, page, "<h1 class=\"worse\">B is worse by more than 10 % at 2,000 connections", "B: "+template.HTMLEscapeString(evil), "<h2>1,000 connections</h2>", "<h2>2,000 connections</h2>",
		"worse: too much", "<summary>What did not change with 2,000 connections</summary>", "<li>Only A has 5,000 connections.</li>", "prefers-color-scheme: dark", "@media print")
}

// twoSeries returns what changed from one series to another: it is slower at the second
// step, and has no third.
func twoSeries(t *testing.T) *result.SeriesComparison {
	t.Helper()
	step := func(connections int, p99 float64) result.SeriesStep {
		r, _ := stories["usual"].tell()
		r.Latency.P99 = result.Of(p99)
		return result.SeriesStep{Connections: connections, Runs: result.Runs{Results: []*result.Result{r, r, r}}}
	}
	a := result.Series{Name: "before", Steps: []result.SeriesStep{step(1000, 5), step(2000, 5), step(5000, 5)}}
	b := result.Series{Name: evil, Steps: []result.SeriesStep{step(1000, 5), step(2000, 9)}}
	c, err := result.CompareSeries(a, b, result.CompareConfig{Limit: result.Of(0.1)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBarsNeedAScale: there is nothing to draw below zero, of nothing, or of one side.
func TestBarsNeedAScale(t *testing.T) {
	sample := func(runs ...float64) result.Sample {
		s := result.Sample{Runs: runs}
		if len(runs) > 0 {
			s.Median, s.Least, s.Most = result.Of(runs[0]), result.Of(slices.Min(runs)), result.Of(slices.Max(runs))
		}
		return s
	}
	for name, c := range map[string]result.Change{
		"below zero": {A: sample(1), B: sample(-1)}, "only zeros": {A: sample(0, 0), B: sample(0)}, "gone": {A: sample(1)}, "appeared": {B: sample(1)},
	} {
		if bars := barsOf(&c); bars != nil {
			t.Errorf("%s: %+v", name, bars)
		}
	}
	if bars := barsOf(&result.Change{A: sample(0), B: sample(4)}); len(bars) != 2 || bars[0].Length != 0 || bars[1].Length != 100 {
		t.Errorf("from nothing: %+v", bars)
	}
}

// broken fails to take what is written.
type broken struct{}

var errBroken = errors.New("nobody reads")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWritersFail(t *testing.T) {
	for name, err := range map[string]error{
		"report":     Write(broken{}, new(result.Result), Extras{}),
		"series":     WriteScale(broken{}, series(), Extras{}),
		"search":     WriteCapacity(broken{}, search(), Extras{}),
		"comparison": WriteComparison(broken{}, differing(t)),
		"two series": WriteSeriesComparison(broken{}, twoSeries(t)),
	} {
		if !errors.Is(err, errBroken) || !strings.HasPrefix(err.Error(), "report: cannot write the ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
