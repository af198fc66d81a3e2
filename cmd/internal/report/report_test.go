package report

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/plots"
)

var update = flag.Bool("update", false, "write the golden files anew")

// pageOf returns the page of a result.
func pageOf(t *testing.T, r *result.Result, with Extras) string {
	t.Helper()
	var page bytes.Buffer
	if err := Write(&page, r, with); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

// figureNames returns the names of the figures of a page, in their order.
func figureNames(page string) (names []string) {
	for _, m := range regexp.MustCompile(`<figcaption><b>([^<]*)<`).FindAllStringSubmatch(page, -1) {
		names = append(names, m[1])
	}
	return names
}

// carried is a file that a page carries.
var carried = regexp.MustCompile(`href="data:([a-z/]+);base64,([A-Za-z0-9+/=]*)" download="([^"]*)"`)

func TestPageIsGolden(t *testing.T) {
	r := &result.Result{Connections: result.Connections{Asked: result.Of(300_000), Established: result.Of(300_000), Failed: result.Of(0), Closed: result.Of(0)}}
	r.Memory.BytesPerConnection, r.Memory.KernelBytesPerConnection = result.Of(72), result.Of(4210)
	r.Messages = result.Messages{AskedPerSecond: result.Of(50), Sent: result.Of(100), Delivered: result.Of(100), DeliveredPerSecond: result.Of(50), Missing: result.Of(0)}
	r.Latency = result.Latency{P50: result.Of(0.25), P99: result.Of(3.5), Max: result.Of(8.0)}
	r.Processes.Engine = "epoll"
	r.Environment = &result.Environment{Time: "2026-11-26T15:28:00+02:00"}
	r.Settings = map[string]any{"rate": "50", "url": ""}
	timeline := &result.Timeline{Moments: []result.Moment{
		{Seconds: 1, Phase: "connect", Connected: result.Of(150_000)},
		{Seconds: 2, Phase: "messages", Connected: result.Of(300_000), DeliveredPerSecond: result.Of(50), Delivered: result.Of(50)},
		{Seconds: 3, Phase: "messages", Connected: result.Of(300_000), DeliveredPerSecond: result.Of(50), Delivered: result.Of(100)},
	}}
	page := pageOf(t, r, Extras{Timeline: timeline, Command: []string{"comet", "bench", "-c", "300k"}})
	_, page, _ = strings.Cut(page, "<body>")
	page = carried.ReplaceAllString(page, `href="data:$1" download="$3"`) // which have keys that are no matter of the page
	golden := filepath.Join("testdata", "report.golden.html")
	if *update {
		if err := os.WriteFile(golden, []byte(page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if page != string(want) {
		t.Errorf("the page is another; if that is meant, run with -update:\n%s", page)
	}
}

// TestPagesHaveWhatWasMeasured: a figure for what was, none for what was not.
func TestPagesHaveWhatWasMeasured(t *testing.T) {
	const latency, overTime, delivered, open, back, memory, machine, cpu, connect = "Latency by percentile", "Latency over time", "Messages delivered per second",
		"Connections", "Connections that come back", "Memory of the server", "Memory of the machine", "CPU by part", "Time to connect by percentile"
	want := map[string][]string{
		"usual":     {latency, overTime, delivered, open, memory, cpu, connect},
		"million":   {latency, overTime, delivered, open, memory, machine, cpu, connect},
		"short":     {latency, overTime, delivered, open, memory, cpu, connect},
		"hour":      {latency, overTime, delivered, open, memory, machine, cpu, connect},
		"storm":     {latency, overTime, delivered, open, back, memory, cpu, connect},
		"quiet":     {open, memory, cpu, connect},
		"interrupt": {open, memory, cpu, connect},
		"foreign":   {latency, overTime, delivered, open, cpu, connect},
		"unpaced":   {"Service time by percentile", delivered, open, memory, cpu, connect},
	}
	tellAll(t, func(t *testing.T, r *result.Result, with Extras) {
		t.Helper()
		page := pageOf(t, r, with)
		name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
		if got := figureNames(page); !slices.Equal(got, want[name]) {
			t.Errorf("figures %q, want %q", got, want[name])
		}
		for _, unwanted := range []string{"<script", "http://", "https://", "ZgotmplZ", "NaN", "Inf "} {
			if strings.Contains(page, unwanted) {
				t.Errorf("the page has %s", unwanted)
			}
		}
		checkNested(t, page)
		if len(page) > 4<<20 {
			t.Errorf("it has %d bytes", len(page))
		}
	})
}

// checkNested checks that each element of a page is closed where it should be.
func checkNested(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page[strings.Index(page, "<body>"):strings.Index(page, "</html>")]))
	d.Entity = xml.HTMLEntity
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("the page: %v", err)
			return
		}
	}
}

func TestPageOfNothing(t *testing.T) {
	for name, with := range map[string]Extras{
		"no timeline": {}, "an empty one": {Timeline: &result.Timeline{}}, "one that knows nothing": {Timeline: &result.Timeline{Moments: []result.Moment{{Seconds: 1, Phase: "start"}, {Seconds: 2, Phase: "start"}}}},
	} {
		page := pageOf(t, new(result.Result), with)
		if strings.Contains(page, "<figure") || strings.Contains(page, "What held it back") || strings.Contains(page, "Run it again") || !strings.Contains(page, "Nothing was measured.") {
			t.Errorf("%s:\n%s", name, page)
		}
	}
}

// TestPageOfRepeats: medians have no course and no distribution, but percentiles, and
// the runs have pages of their own. The course of one of them is shown as such.
func TestPageOfRepeats(t *testing.T) {
	r, timeline := stories["usual"].tell()
	r.Histograms = result.Histograms{}
	const said = "; of run-2, the run nearest to the medians</span>"
	if page := pageOf(t, r, Extras{Runs: []string{"run-1", "run-2"}, Timeline: timeline, Course: "run-2"}); strings.Count(page, said) != len(figureNames(page))-2 || strings.Count(page, said) < 4 {
		t.Errorf("%d pictures of %q say whose course it is", strings.Count(page, said), figureNames(page))
	}
	page := pageOf(t, r, Extras{Runs: []string{"run-1", "run-2"}})
	if got := figureNames(page); !slices.Equal(got, []string{"Latency by percentile", "Time to connect by percentile"}) {
		t.Errorf("figures %q", got)
	}
	if !strings.Contains(page, `<a href="run-2/report.html">run-2</a>`) || strings.Count(page, "<circle") != 5+4 {
		t.Errorf("%d percentiles in\n%s", strings.Count(page, "<circle"), page)
	}
}

// TestPictureOfRefusals: what was sent and what was refused are lines where anything
// was refused, each message for all its deliveries.
func TestPictureOfRefusals(t *testing.T) {
	lines := func(refused ...int) map[string][]plots.Point {
		r := new(result.Result)
		r.Messages.Sent, r.Messages.Expected, r.Messages.Delivered = result.Of(100), result.Of(200), result.Of(200)
		line := timeline{new(result.Timeline)}
		for i, n := range refused {
			m := result.Moment{Seconds: float64(i), Phase: "messages", DeliveredPerSecond: result.Of(100), SentPerSecond: result.Of(50)}
			if n >= 0 {
				m.Refused = result.Of(n)
			}
			line.Moments = append(line.Moments, m)
		}
		found := make(map[string][]plots.Point)
		for _, l := range deliveredPicture(r, line).chart.Lines {
			found[l.Name] = l.Points
		}
		return found
	}
	if got := lines(-1, 0, 0, 10, 40); len(got["sent"]) != 5 || got["sent"][0].Y != 100 || !slices.Equal(got["refused"], []plots.Point{{X: 2, Y: 0}, {X: 3, Y: 20}, {X: 4, Y: 60}}) {
		t.Errorf("%v", got)
	}
	if got := lines(-1, 0, 0); len(got["sent"]) != 0 || len(got["delivered"]) != 3 {
		t.Errorf("nothing was refused: %v", got)
	}
}

func TestPageCarriesItsNumbers(t *testing.T) {
	r, timeline := stories["usual"].tell()
	page := pageOf(t, r, Extras{Timeline: timeline, Files: []File{{"mem.log", []byte("a line\n")}, {"flood.log", nil}, {"large.log", make([]byte, mostSaved+1)}}})
	files := map[string]string{}
	for _, m := range carried.FindAllStringSubmatch(page, -1) {
		content, err := base64.StdEncoding.DecodeString(m[2])
		if err != nil {
			t.Fatal(err)
		}
		files[m[3]] = string(content)
	}
	for file, begins := range map[string]string{
		"result.json": "{\n", "timeline.json": `{"started":1795716000`, "mem.log": "a line\n", "latency-by-percentile.csv": "share,milliseconds\n",
		"latency-over-time.csv": "seconds,p50,p99\n", "messages-delivered-per-second.csv": "seconds,delivered,asked\n", "memory-of-the-server.csv": "seconds,bytes\n",
		"connections.csv": "seconds,open\n", "cpu-by-part.csv": "seconds,server,clients,generator\n", "time-to-connect-by-percentile.csv": "share,first byte of the answer,connected\n",
	} {
		if !strings.HasPrefix(files[file], begins) {
			t.Errorf("%s begins %.60q, want %q", file, files[file], begins)
		}
		delete(files, file)
	}
	if len(files) > 0 {
		t.Errorf("it carries %v, too", files)
	}
}

// TestPageIsHarmless: nothing that comes from elsewhere becomes part of the page.
func TestPageIsHarmless(t *testing.T) {
	r, timeline := stories["usual"].tell()
	r.Processes.Engine, r.Processes.Target = "", evil
	r.Notes, r.InterruptedBy, r.Interrupted = []string{evil}, evil, true
	r.LimitedBy, r.Settings = result.Limits{{Part: evil, Evidence: evil}}, map[string]any{evil: evil}
	r.Environment.CPU, r.Environment.Time, r.Environment.Kernel, r.Environment.OS = evil, evil, evil, evil
	for i := range timeline.Moments {
		timeline.Moments[i].Phase = evil
	}
	page := pageOf(t, r, Extras{Timeline: timeline, Command: []string{evil}, Runs: []string{"javascript:alert(1)//" + evil}, Files: []File{{evil, []byte(evil)}}})
	for _, unwanted := range []string{"<script", `" onload="`, "ZgotmplZ", `href="javascript:`} {
		if i := strings.Index(page, unwanted); i >= 0 {
			t.Errorf("%.200s", page[max(0, i-100):])
		}
	}
	checkNested(t, page)
}

func TestCommandLineIsWhatAShellReads(t *testing.T) {
	words := []string{"comet", "bench", "--header=TE: chunked", "it's", `a"b`, "$HOME `x` \\", "", "*", "two\nlines", "--url=http://h/{id}?a=1&b=2", "~", "#", "é"}
	line := commandLine(words)
	if !strings.HasPrefix(line, "comet bench '--header=TE: chunked' ") {
		t.Errorf("%s", line)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh")
	}
	out, err := exec.CommandContext(t.Context(), sh, "-c", `printf '%s\0' `+line).Output()
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); err != nil || !slices.Equal(got, words) {
		t.Errorf("a shell reads %q, %v", got, err)
	}
}

func TestPercentiles(t *testing.T) {
	r, _ := stories["usual"].tell()
	h, err := hdrhistogram.Decode([]byte(r.Histograms.Latency))
	if err != nil {
		t.Fatal(err)
	}
	points := percentiles(r.Histograms.Latency, result.Figure{})
	for i, p := range points {
		if i > 0 && (p.X < points[i-1].X || p.Y < points[i-1].Y) {
			t.Errorf("%v comes after %v", p, points[i-1])
		}
		// The end of a step, or its beginning.
		low, high := float64(h.ValueAtQuantile(100*p.X-0.02))/1000, float64(h.ValueAtQuantile(100*p.X+0.02))/1000
		if p.X > 0.0002 && p.X < 0.999 && (p.Y < low*0.999 || p.Y > high*1.001) {
			t.Errorf("%v of the messages came within %v ms, by the distribution %v to %v", p.X, p.Y, low, high)
		}
	}
	if last := points[len(points)-1]; last.X != 1 || math.Abs(last.Y-float64(h.Max())/1000) > 0.001*last.Y {
		t.Errorf("the last is %v, the most %v µs", last, h.Max())
	}
	if len(points) < 50 || len(points) > 800 {
		t.Errorf("%d points", len(points))
	}
	for _, p := range percentiles(r.Histograms.Latency, result.Of(1)) {
		if p.Y < 1 {
			t.Errorf("%v is below what the clocks can tell", p)
		}
	}
	for _, broken := range []result.Histogram{"", "nonsense", "HISTFAAA", r.Histograms.Latency[:40]} {
		if points := percentiles(broken, result.Figure{}); points != nil {
			t.Errorf("%q: %v", broken, points)
		}
	}
	one := hdrhistogram.New(1, 1000, 3)
	_ = one.RecordValue(500) // within its range
	text, _ := one.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if points := percentiles(result.Histogram(text), result.Figure{}); len(points) != 2 || points[1].X != 1 || points[1].Y != 0.5 {
		t.Errorf("of one message: %v", points)
	}
}

// TestTileOfMemory: it says so where the memory is little more than noise.
func TestTileOfMemory(t *testing.T) {
	r := &result.Result{Connections: result.Connections{Established: result.Of(1000)}, Memory: result.Memory{BytesPerConnection: result.Of(72), KernelBytesPerConnection: result.Of(300)}}
	if got := memoryTile(r).Below; !strings.Contains(got, "± 131 B") {
		t.Errorf("72 kB are told from noise: %q", got)
	}
	r.Connections.Established = result.Of(100_000)
	if got := memoryTile(r).Below; !strings.Contains(got, "kernel") {
		t.Errorf("7 MB are not told from noise: %q", got)
	}
	r.Memory = result.Memory{}
	if got := memoryTile(r); got != (tile{}) {
		t.Errorf("%+v of what was not measured", got)
	}
	values := DrawScale(series()).Panels[0].Lines[0].Values
	if !math.IsNaN(values[0]) || math.IsNaN(values[1]) || math.IsNaN(values[2]) {
		t.Errorf("drawn are %v", values)
	}
}
