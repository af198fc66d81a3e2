package plots

import (
	"bytes"
	"errors"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var none = math.NaN()

// series4 is a picture of four experiments, the last without a router's figure.
func series4() Scale {
	return Scale{
		Title: "From 10k to 2M connections, 1000 messages/s", Label: "Connections",
		At: []float64{10e3, 100e3, 1e6, 2e6},
		Panels: []ScalePanel{
			{Label: "Server memory per connection (bytes)", Lines: []ScaleLine{{"process", []float64{131, 118, 122, 124}}}},
			{Label: "Kernel memory per connection and end (bytes)", Lines: []ScaleLine{{"kernel", []float64{4380, 4660, 4820, 4905}}}},
			{Label: "CPU per message (µs)", Lines: []ScaleLine{
				{"server", []float64{14, 18.5, 31, 44}}, {"router", []float64{9, 11, 15, none}}, {"flood", []float64{17, none, 28, 39}},
			}},
			{Label: "p99 latency (ms)", Lines: []ScaleLine{{"p99", []float64{0.9, 2.1, 38, 94}}}},
		},
	}
}

func scaleBytes(t *testing.T, format string, s Scale) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := drawScale(&out, format, s); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestScaleGolden(t *testing.T) {
	got, golden := scaleBytes(t, SVG, series4()), filepath.Join("testdata", "scale.svg")
	if *update {
		if err := os.WriteFile(golden, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !sameSVG(string(got), strings.ReplaceAll(string(want), "\r\n", "\n")) {
		t.Errorf("the picture differs from %s: look at it, and if it is as it should be, run go test -update", golden)
	}
}

// inked tells whether a pixel of exactly that colour is in the picture.
func inked(t *testing.T, picture []byte, want color.Color) bool {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	r, g, b, _ := want.RGBA()
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if pr, pg, pb, _ := img.At(x, y).RGBA(); pr == r && pg == g && pb == b {
				return true
			}
		}
	}
	return false
}

func TestScaleShowsOnePointAlone(t *testing.T) {
	for name, s := range map[string]Scale{
		"one number":  {At: []float64{1e6}, Panels: []ScalePanel{{Label: "B", Lines: []ScaleLine{{"", []float64{120}}}}}},
		"a zero":      {At: []float64{1e6}, Panels: []ScalePanel{{Label: "B", Lines: []ScaleLine{{"", []float64{0}}}}}},
		"a negative":  {At: []float64{1e6}, Panels: []ScalePanel{{Label: "B", Lines: []ScaleLine{{"", []float64{-3}}}}}},
		"among nulls": {At: []float64{1, 1e3, 1e6}, Panels: []ScalePanel{{Label: "B", Lines: []ScaleLine{{"", []float64{none, 120, none}}}}}},
	} {
		if !inked(t, scaleBytes(t, PNG, s), palette[0]) {
			t.Errorf("%s: there is no dot", name)
		}
	}
}

func TestScaleLeavesOutWhatWasNotMeasured(t *testing.T) {
	s := series4()
	s.Panels[3].Lines[0].Values = []float64{none, none, none, none}
	out := string(scaleBytes(t, SVG, s))
	if strings.Contains(out, "p99 latency") || !strings.Contains(out, "CPU per message") {
		t.Error("the panel without a figure is there, or another is not")
	}
	// A gap on either side of a null: the flood's one number before it has no
	// line to the two after it.
	if lines := strings.Count(out, "stroke:#009E73"); lines != 2 { // in the key, and from 1M to 2M
		t.Errorf("%d lines in the flood's colour, want 2", lines)
	}
	s.Panels[2].Lines[1].Values = []float64{none, none, none, none}
	if out := string(scaleBytes(t, SVG, s)); strings.Contains(out, ">router<") || !strings.Contains(out, ">flood<") {
		t.Error("the key names a line that is not there, or does not name another")
	}
	for i := range s.Panels {
		s.Panels[i].Lines = nil
	}
	if err := drawScale(new(bytes.Buffer), PNG, s); !errors.Is(err, ErrNoData) {
		t.Errorf("%v, want ErrNoData", err)
	}
}

func TestScaleRefuses(t *testing.T) {
	one := []ScalePanel{{Label: "bytes", Lines: []ScaleLine{{"process", []float64{1, 2}}}}}
	for want, s := range map[string]Scale{
		"0 cannot be number 1":                      {At: []float64{0, 10}, Panels: one},
		"10 cannot be number 2":                     {At: []float64{10, 10}, Panels: one},
		`"process" has 2 values for 3 numbers`:      {At: []float64{1, 2, 3}, Panels: one},
		"too large to draw":                         {At: []float64{1}, Panels: []ScalePanel{{Lines: []ScaleLine{{"x", []float64{math.Inf(1)}}}}}},
		"a width of 100 pixels is outside":          {At: []float64{1, 2}, Panels: one, Width: 100},
		"no room for 8 panels: make the picture la": {At: []float64{1, 2}, Panels: slices.Repeat(one, 8), Height: 200},
	} {
		if err := drawScale(new(bytes.Buffer), PNG, s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
}

func TestScaleMarksEachNumberThatHasRoom(t *testing.T) {
	for want, at := range map[string][]float64{
		"10k 100k 1M 2M":   {10e3, 100e3, 1e6, 2e6},
		"1M":               {1e6},
		"1M 1.1M":          {1e6, 1.05e6, 1.06e6, 1.07e6, 1.1e6},
		"10k 1M":           {10e3, 990e3, 1e6}, // the last before those between
		"1k 100M":          {1e3, 1.001e3, 100e6},
		"500 2.5k 1M 2.5G": {500, 2500, 1e6, 2.5e9},
	} {
		width := 600.0
		if want == "1M 1.1M" {
			width = 90
		}
		var labels []string
		for _, tick := range (Scale{At: at}).xAxis(width).ticks {
			labels = append(labels, tick.label)
		}
		if got := strings.Join(labels, " "); got != want {
			t.Errorf("%v: %s, want %s", at, got, want)
		}
	}
}

func TestShortCount(t *testing.T) {
	for v, want := range map[float64]string{
		1: "1", 999: "999", 1000: "1k", 1500: "1.5k", 10_000: "10k", 12_345: "12.3k", 999_999: "1M", 1_000_000: "1M", 2_008_500: "2.01M", 2e9: "2G", 3e12: "3000G",
	} {
		if got := shortCount(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func TestWriteScaleKeepsTheOldFileOnFailure(t *testing.T) {
	name := filepath.Join(t.TempDir(), "scale.png")
	if err := WriteScale(name, series4()); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	if err := WriteScale(name, Scale{}); !errors.Is(err, ErrNoData) {
		t.Errorf("%v, want ErrNoData", err)
	}
	if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, good) {
		t.Errorf("the old picture is gone: %v", err)
	}
}
