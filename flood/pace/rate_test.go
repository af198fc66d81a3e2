package pace

import (
	"strings"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	for text, want := range map[string]struct {
		rate Rate
		text string
	}{
		"1000":  {1000, "1000"},
		"10k":   {10_000, "10000"},
		"10K":   {10_000, "10000"},
		"1.1k":  {1100, "1100"},
		"0.02k": {20, "20"},
		"1.5M":  {1_500_000, "1500000"},
		"2G":    {2_000_000_000, "2000000000"},
		"0.5":   {0.5, "0.5"},
		".5":    {0.5, "0.5"},
		"1e3":   {1000, "1000"},
		"max":   {MaxRate, "max"},
	} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want.rate || r.String() != want.text {
			t.Errorf("%q was read as %q (%v), want %q", text, r, err, want.text)
		}
		if pacer, err := r.Pacer(); err != nil || pacer.Unpaced() != (want.rate == MaxRate) {
			t.Errorf("the pacer of %q is %+v, %v", text, pacer, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "NaN", "Inf", "+Inf", "-max", "MAX", "fast", "k", "1e3k", "10 k", "1e300", "1e-20", "10kk", "0k"} {
		r := Rate(7)
		if err := r.UnmarshalText([]byte(text)); err == nil || r != 7 || !strings.Contains(err.Error(), "rate") {
			t.Errorf("%q was read as %v (%v), want an error and the old value", text, float64(r), err)
		}
	}
	if text, err := Rate(0).MarshalText(); err != nil || len(text) != 0 {
		t.Errorf("the zero value is written %q, %v, want nothing", text, err)
	}
	if _, err := Rate(0).Pacer(); err == nil {
		t.Error("a rate that was not set has a pacer")
	}
	if pacer, err := Rate(1000).Pacer(); err != nil || pacer.Due(1000) != time.Second {
		t.Errorf("the pacer of 1000 is %+v, %v", pacer, err)
	}
}

// FuzzRate: what is read can be paced, and its text is read as the same rate.
func FuzzRate(f *testing.F) {
	for _, text := range []string{"1000", "10k", "0.5", "1.1M", "max", "1e-9", "9007199254740991"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var r, again Rate
		if r.UnmarshalText([]byte(text)) != nil {
			t.Skip("it is no rate")
		}
		if _, err := r.Pacer(); err != nil {
			t.Errorf("%q was read as %v, but %v", text, float64(r), err)
		}
		written, err := r.MarshalText()
		if err != nil || again.UnmarshalText(written) != nil || again != r {
			t.Errorf("%q was read as %v, written as %q (%v) and read as %v", text, float64(r), written, err, float64(again))
		}
	})
}
