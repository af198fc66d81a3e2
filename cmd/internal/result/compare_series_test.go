package result_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// series returns one with a step for each number of connections in p50, whose runs
// differ in their p50 alone.
func series(name string, asked []int, p50 map[int][]float64) result.Series {
	s := result.Series{Name: name, Asked: asked}
	for _, n := range asked {
		if values, made := p50[n]; made {
			runs := change(p50s(name, values...), func(_ int, r *result.Result) {
				r.Settings["connections"], r.Settings["steps"] = float64(n), asked
			})
			s.Steps = append(s.Steps, result.SeriesStep{Connections: n, Runs: runs})
		}
	}
	return s
}

func TestCompareSeries(t *testing.T) {
	quiet, slower := []float64{10, 10.1, 10.2}, []float64{15, 15.1, 15.2}
	three := []int{100, 1000, 2000}
	a := series("a", three, map[int][]float64{100: quiet, 1000: quiet, 2000: quiet})
	for _, c := range []struct {
		name           string
		b              result.Series
		percent        float64 // -1: no limit
		verdict, fails string
		onlyA, onlyB   []int
		missed         []int
	}{
		{"the same", a, 5, "No change in the figures that are judged, at any of 3 steps.", "", nil, nil, nil},
		{
			"worse at one", series("b", three, map[int][]float64{100: quiet, 1000: slower, 2000: quiet}), 5,
			"B is worse by more than 5 % at 1,000 connections.", "1,000 connections: worse by more than 5 %: latency_ms.p50 15.1 ms, was 10.1 ms (+49.5 %)", nil, nil, nil,
		},
		{"worse within the limit", series("b", three, map[int][]float64{100: slower, 1000: slower, 2000: quiet}), 60, "B is worse, within the limit of 60 %, at 100 and 1,000 connections.", "", nil, nil, nil},
		{"worse, without a limit", series("b", three, map[int][]float64{100: slower, 1000: quiet, 2000: quiet}), -1, "B is worse at 100 connections.", "", nil, nil, nil},
		{"better and worse", series("b", three, map[int][]float64{100: {5, 5.1, 5.2}, 1000: slower, 2000: quiet}), -1, "B is worse at 1,000 connections; better at 100 connections.", "", nil, nil, nil},
		{"other steps", series("b", []int{100, 500}, map[int][]float64{100: quiet, 500: slower}), 5, "No change in the figures that are judged, at any of 1 step.", "", []int{1000, 2000}, []int{500}, nil},
		{
			"a step that was not reached", series("b", three, map[int][]float64{100: quiet, 1000: quiet}), 5,
			"No change in the figures that are judged, at any of 2 steps; B did not come to 2,000 connections.", "B did not come to 2,000 connections",
			[]int{2000},
			nil,
			[]int{2000},
		},
		{"the same, without a limit", series("b", three, map[int][]float64{100: quiet, 1000: quiet}), -1, "No change in the figures that are judged, at any of 2 steps; B did not come to 2,000 connections.", "", []int{2000}, nil, []int{2000}},
	} {
		var cfg result.CompareConfig
		if c.percent >= 0 {
			cfg = limit(c.percent)
		}
		got, err := result.CompareSeries(a, c.b, cfg)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.Verdict != c.verdict || got.Failure() != c.fails || got.Worse != (c.fails != "") {
			t.Errorf("%s: %q, fails by %q (%v)\nwant %q, %q", c.name, got.Verdict, got.Failure(), got.Worse, c.verdict, c.fails)
		}
		if !slices.Equal(got.OnlyA, c.onlyA) || !slices.Equal(got.OnlyB, c.onlyB) || !slices.Equal(got.Missed, c.missed) {
			t.Errorf("%s: only A %v, only B %v, missed %v", c.name, got.OnlyA, got.OnlyB, got.Missed)
		}
	}
	if _, err := result.CompareSeries(a, series("b", []int{7}, map[int][]float64{7: quiet}), limit(5)); err == nil || !strings.Contains(err.Error(), "only A has 100, 1,000 and 2,000 connections; only B has 7 connections") {
		t.Errorf("nothing in common: %v", err)
	}
	if _, err := result.CompareSeries(a, series("b", three, nil), limit(5)); err == nil || !strings.Contains(err.Error(), "B has no step") {
		t.Errorf("no step: %v", err)
	}
}

// TestCompareSeriesRefuses: what two runs are refused for, steps are too.
func TestCompareSeriesRefuses(t *testing.T) {
	one := []int{100}
	a, b := series("a", one, map[int][]float64{100: {1}}), series("b", one, map[int][]float64{100: {1}})
	change(b.Steps[0].Runs, func(_ int, r *result.Result) { r.Settings["engine"] = "goroutine" })
	if _, err := result.CompareSeries(a, b, limit(5)); err == nil || !strings.Contains(err.Error(), "at 100 connections: ") || !strings.Contains(err.Error(), "engine epoll and goroutine") {
		t.Errorf("%v", err)
	}
	c, err := result.CompareSeries(a, b, result.CompareConfig{Force: true})
	if err != nil || len(c.Differences()) != 1 || len(c.Notes()) < 2 {
		t.Errorf("by force: %+v, %v", c, err)
	}
}

// TestCompareSeriesSpread: of many steps some differ by chance, so that each must
// differ by more than it would have to alone.
func TestCompareSeriesSpread(t *testing.T) {
	noisy := []float64{10, 10.5, 11}
	spread := func(steps ...int) float64 {
		p50 := make(map[int][]float64)
		for _, n := range steps {
			p50[n] = noisy
		}
		c, err := result.CompareSeries(series("a", steps, p50), series("b", steps, p50), limit(5))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Steps[0].Figures {
			if f.Key == "latency_ms.p50" {
				half, _ := f.Spread.Value()
				return half
			}
		}
		t.Fatal("there is no p50")
		return 0
	}
	_, alone := compared(t, p50s("a", noisy...), p50s("b", noisy...), limit(5), "latency_ms.p50")
	half, _ := alone.Spread.Value()
	if one, ten := spread(1), spread(1, 2, 3, 4, 5, 6, 7, 8, 9, 10); one != half || ten < 1.2*half {
		t.Errorf("the spread is %v alone, %v of one step and %v of ten", half, one, ten)
	}
}

func TestCompareSeriesTexts(t *testing.T) {
	steps := []int{100, 1000}
	a := series("before", steps, map[int][]float64{100: {10, 10.1, 10.2}, 1000: {10}})
	b := series("after", []int{100, 1000, 5000}, map[int][]float64{100: {15, 15.1, 15.2}, 1000: {10}, 5000: {1}})
	c, err := result.CompareSeries(a, b, limit(5))
	if err != nil {
		t.Fatal(err)
	}
	var table, markdown strings.Builder
	if err := c.Table(&table); err != nil {
		t.Fatal(err)
	}
	if err := c.Markdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"B is worse by more than 5 % at 100 connections.\n", "A  before\n", "\n100 connections: 3 runs and 3 runs. B is worse", "10.1 ms  15.1 ms", "\n1,000 connections: 1 run and 1 run. No change", "Only B has 5,000 connections.\n", "1,000 connections: A has 1 run", "  steps\n"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("%q is not in\n%s", want, table.String())
		}
	}
	for _, want := range []string{"**B is worse by more than 5 % at 100 connections.**", "\n**100 connections**: B is worse", "| 10.1 ms | 15.1 ms |", "- Only B has 5,000 connections.\n", "| steps |"} {
		if !strings.Contains(markdown.String(), want) {
			t.Errorf("%q is not in\n%s", want, markdown.String())
		}
	}
	text, err := json.Marshal(c)
	for _, want := range []string{`"worse":true`, `"only_a":[]`, `"only_b":[5000]`, `"missed":[]`, `"steps":[{"connections":100,"schema":1,"verdict":"B is worse`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s (%v)", want, text, err)
		}
	}
}

func TestReadSeries(t *testing.T) {
	const scale = `{"schema":1,"asked":[500,1000,2000],"steps":[{"folder":"500","connections":{"asked":500}},{"folder":"1000","connections":{"asked":1000}}]}`
	for _, c := range []struct {
		name  string
		files map[string]string
		path  string
		want  string // what the error says, "" for none
	}{
		{"a folder", map[string]string{"a/scale.json": scale, "a/500/result.json": early, "a/1000/run-1/result.json": early, "a/1000/run-2/result.json": late}, "a", ""},
		{"its file", map[string]string{"a/scale.json": scale, "a/500/result.json": early, "a/1000/run-1/result.json": early, "a/1000/run-2/result.json": late}, "a/scale.json", ""},
		{"a step of an older series", map[string]string{"a/scale.json": scale, "a/300/result.json": early, "a/500/result.json": early, "a/1000/run-1/result.json": early, "a/1000/run-2/result.json": late}, "a", ""},
		{"a step whose folder is gone", map[string]string{"a/scale.json": scale, "a/500/result.json": early}, "a", "there is no result in "},
		{"a folder elsewhere", map[string]string{"a/scale.json": `{"schema":1,"steps":[{"folder":"../b","connections":{"asked":5}}]}`, "b/result.json": early}, "a", "no folder in it"},
		{"no number", map[string]string{"a/scale.json": `{"schema":1,"steps":[{"folder":"5"}]}`, "a/5/result.json": early}, "a", "no number of connections"},
		{"no JSON", map[string]string{"a/scale.json": "{"}, "a", "is not a series"},
		{"a newer schema", map[string]string{"a/scale.json": `{"schema":2}`}, "a", "schema 2"},
		{"no series", map[string]string{"a/result.json": early}, "a", "there is no series in "},
	} {
		path := filepath.Join(lay(t, c.files), filepath.FromSlash(c.path))
		s, err := result.ReadSeries(path)
		if err != nil || c.want != "" {
			if err == nil || c.want == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
			continue
		}
		if !result.IsSeries(path) || s.Name != path || len(s.Asked) != 3 || len(s.Steps) != 2 || s.Steps[0].Connections != 500 || len(s.Steps[0].Runs.Results) != 1 || len(s.Steps[1].Runs.Results) != 2 {
			t.Errorf("%s: %+v", c.name, s)
		}
	}
	if result.IsSeries(t.TempDir()) || result.IsSeries("-") {
		t.Error("what has no scale.json is no series")
	}
}
