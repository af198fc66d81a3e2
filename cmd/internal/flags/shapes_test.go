package flags

import (
	"strings"
	"testing"
	"time"

	"example.org/comet/msggen"
)

func TestShapes(t *testing.T) {
	const bad = "bad"
	check := func(t *testing.T, text string, got, want any, err error) {
		t.Helper()
		switch {
		case want == bad && (err == nil || !strings.Contains(err.Error(), "write ")):
			t.Errorf("%q was read as %+v (%v), want an error that says what to write", text, got, err)
		case want != bad && (err != nil || got != want):
			t.Errorf("%q was read as %+v (%v), want %+v", text, got, err, want)
		}
	}
	for text, want := range map[string]any{
		"uniform":    msggen.Distribution{Shape: msggen.Uniform},
		"sequential": msggen.Distribution{Shape: msggen.Sequential},
		"zipf":       msggen.Distribution{Shape: msggen.Zipf},
		"zipf:0.8":   msggen.Distribution{Shape: msggen.Zipf, Exponent: 0.8},
		"hot":        msggen.Distribution{Shape: msggen.Hot},
		"hot:80/20":  msggen.Distribution{Shape: msggen.Hot, HotMessages: 0.8, HotIDs: 0.2},
		"hot:50%/1%": msggen.Distribution{Shape: msggen.Hot, HotMessages: 0.5, HotIDs: 0.01},
		"":           bad, "bell": bad, "uniform:1": bad, "zipf:": bad, "zipf:0": bad, "zipf:-1": bad, "zipf:NaN": bad,
		"hot:": bad, "hot:90": bad, "hot:90/0": bad, "hot:101/10": bad, "hot:NaN/1": bad, "constant": bad, "sequential:": bad,
	} {
		got, err := parseDistribution(text)
		check(t, text, got, want, err)
	}
	for text, want := range map[string]any{
		"constant":    msggen.Arrivals{Shape: msggen.Constant},
		"poisson":     msggen.Arrivals{Shape: msggen.Poisson},
		"bursts":      msggen.Arrivals{Shape: msggen.Bursts},
		"bursts:1k":   msggen.Arrivals{Shape: msggen.Bursts, Burst: 1000},
		"ramp:30s":    msggen.Arrivals{Shape: msggen.Ramp, Over: 30 * time.Second},
		"ramp:1d,.5":  msggen.Arrivals{Shape: msggen.Ramp, Over: 24 * time.Hour, From: 0.5},
		"ramp:1m,10k": msggen.Arrivals{Shape: msggen.Ramp, Over: time.Minute, From: 10_000},
		"":            bad, "constant:5": bad, "poisson:": bad, "bursts:0": bad, "bursts:x": bad,
		"ramp": bad, "ramp:": bad, "ramp:30": bad, "ramp:0s": bad, "ramp:30s,": bad, "ramp:30s,-1": bad, "uniform": bad,
	} {
		got, err := parseArrivals(text)
		check(t, text, got, want, err)
	}
	for text, want := range map[string]any{
		"0":              msggen.Size{Shape: msggen.Fixed},
		"100":            msggen.Size{Shape: msggen.Fixed, Bytes: 100},
		"fixed:10k":      msggen.Size{Shape: msggen.Fixed, Bytes: 10_000},
		"uniform:50-500": msggen.Size{Shape: msggen.Uniform, Min: 50, Max: 500},
		"exp:200":        msggen.Size{Shape: msggen.Exponential, Bytes: 200},
		"exponential:1k": msggen.Size{Shape: msggen.Exponential, Bytes: 1000},
		"":               bad, "-1": bad, "x": bad, "uniform": bad, "uniform:": bad, "uniform:5": bad, "uniform:500-50": bad,
		"exp:": bad, "exp:-2": bad, "zipf:2": bad, "9999999999999": bad,
	} {
		got, err := parseMessageSize(text)
		check(t, text, got, want, err)
	}
}

func FuzzShapes(f *testing.F) {
	for _, text := range []string{"hot:90/10", "zipf:0.8", "ramp:30s,500", "bursts:10", "uniform:50-500", "exp:200"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// What is read, the generator takes, unless it is out of its bounds, of
		// which the sizes and the exponent alone are left to it.
		if d, err := parseDistribution(text); err == nil && d.Exponent <= 1000 {
			c := msggen.Config{To: "http://127.0.0.1", MaxID: 1, Distribution: d}
			if err := c.Validate(); err != nil {
				t.Errorf("%q was read as %+v, but %v", text, d, err)
			}
		}
		if z, err := parseMessageSize(text); err == nil && (z.Min > z.Max || z.Bytes < 0 || z.Min < 0) {
			t.Errorf("%q was read as %+v", text, z)
		}
		if a, err := parseArrivals(text); err == nil && (a.Over < 0 || !(a.From >= 0)) {
			t.Errorf("%q was read as %+v", text, a)
		}
	})
}
