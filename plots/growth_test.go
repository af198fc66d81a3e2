package plots

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func TestGrowthOf(t *testing.T) {
	series := func(n int, at func(i float64) float64) (values []float64) {
		for i := range n {
			values = append(values, at(float64(i)))
		}
		return values
	}
	for name, c := range map[string]struct {
		values         []float64
		rise, scatter  float64
		rises, falling bool
	}{
		"flat":             {series(100, func(float64) float64 { return 50 }), 0, 0, false, false},
		"nothing":          {series(100, func(float64) float64 { return 0 }), 0, 0, false, false},
		"a line":           {series(101, func(i float64) float64 { return 50 + i }), 100, 0, true, false},
		"falls":            {series(101, func(i float64) float64 { return 500 - i }), -100, 0, false, true},
		"within its noise": {series(1000, func(i float64) float64 { return 500 + i/100 + 10*math.Sin(i) }), 10, 7, false, false},
		"above its noise":  {series(1000, func(i float64) float64 { return 500 + i/10 + 10*math.Sin(i) }), 100, 7, true, false},
		"a step":           {series(1000, func(i float64) float64 { return 500 + 100*math.Floor(i/500) }), 150, 25, true, false},
		"within the share": {series(101, func(i float64) float64 { return 100_000 + i }), 100, 0, false, false},
	} {
		at := series(len(c.values), func(i float64) float64 { return 1e9 + 10*i })
		g := GrowthOf("x", at, c.values)
		if math.Abs(g.To-g.From-c.rise) > 1 || math.Abs(g.Scatter-c.scatter) > 1 || g.Rises() != c.rises || g.Falls() != c.falling {
			t.Errorf("%s: %+v, rises %t, falls %t; want a rise of %.1f with scatter %.1f", name, g, g.Rises(), g.Falls(), c.rise, c.scatter)
		}
		if want := time.Duration(len(c.values)-1) * 10 * time.Second; g.Over.Round(time.Millisecond) != want {
			t.Errorf("%s: over %v, want %v", name, g.Over, want)
		}
	}
	for name, g := range map[string]Growth{
		"two values": GrowthOf("x", []float64{1, 2}, []float64{1, 2}),
		"one moment": GrowthOf("x", []float64{1, 1, 1}, []float64{1, 2, 3}),
	} {
		if !g.Rises() || !math.IsNaN(g.To) {
			t.Errorf("%s are taken for steady: %+v", name, g)
		}
	}
}

// TestLogGrowth gives it logs: what the first quarter and an earlier process did does
// not count.
func TestLogGrowth(t *testing.T) {
	lines := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "-\t%d\t%s\n", 1_700_000_000+10*i, line(i))
		}
		return b.String()
	}
	for _, c := range []struct {
		name, log string
		want      string // of each figure: name, from, to
	}{
		{"up in the first quarter", lines(101, func(i int) string { return fmt.Sprintf("%d\t5\tpid=1\tfds=7", 1000+min(i, 25)*100) }), "memory 3584000 3584000, connections 5 5, open files 7 7"},
		{"all of the time", lines(101, func(i int) string { return fmt.Sprintf("%d\t5\tpid=1\tfds=%d", 1000+i, i) }), "memory 1049600 1126400, connections 5 5, open files 25 100"},
		{"of an earlier process", lines(202, func(i int) string { return fmt.Sprintf("%d\t-\tpid=%d", 2000+max(101-i, 0), 1+i/101) }), "memory 2048000 2048000"},
		{"backwards", "-\t1600000000\t9999999\t5\n" + lines(101, func(int) string { return "1000\t5" }) + "-\t1700000005\t1000\t5\n", "memory 1024000 1024000, connections 5 5"},
		{"of another program", lines(101, func(int) string { return "1000\t-" }), "memory 1024000 1024000"},
		{"too short", lines(20, func(int) string { return "1000\t5" }), "fewer than 20 samples"},
		{"one moment", strings.Repeat("-\t1700000000\t1000\t5\n", 50), "or all of one moment"},
		{"no memory", lines(101, func(int) string { return "-\t5" }), "fewer than 20 samples"},
	} {
		log, _, err := Read(strings.NewReader(c.log), "mem.log", "mem.log", true)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		growth, err := log.Growth()
		for _, g := range growth {
			got = append(got, fmt.Sprintf("%s %.0f %.0f", g.Figure, g.From, g.To))
		}
		switch {
		case err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v", c.name, err)
		case err == nil && strings.Join(got, ", ") != c.want:
			t.Errorf("%s: %s, want %s", c.name, strings.Join(got, ", "), c.want)
		}
	}
}
