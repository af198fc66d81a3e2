package msggen

import (
	"encoding"
	"strings"
	"testing"
	"time"
)

// grammar is a value that a person writes.
type grammar[T any] interface {
	*T
	encoding.TextUnmarshaler
}

// roundTrip reads text, and holds what it writes against what is read from that.
func roundTrip[T interface {
	comparable
	encoding.TextMarshaler
}, P grammar[T]](t *testing.T, text string) (value T, err error) {
	t.Helper()
	if err := P(&value).UnmarshalText([]byte(text)); err != nil {
		var zero T
		if value != zero {
			t.Errorf("%q was refused and left %+v", text, value)
		}
		return value, err
	}
	written, err := value.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var again T
	if err := P(&again).UnmarshalText(written); err != nil || again != value {
		t.Errorf("%q was read as %+v, written as %q and read as %+v (%v)", text, value, written, again, err)
	}
	return value, nil
}

const bad = "bad"

// check holds what a text was read as against what it means.
func check(t *testing.T, text string, got, want any, err error) {
	t.Helper()
	switch {
	case want == bad && (err == nil || !strings.Contains(err.Error(), "write ")):
		t.Errorf("%q was read as %+v (%v), want an error that says what to write", text, got, err)
	case want != bad && (err != nil || got != want):
		t.Errorf("%q was read as %+v (%v), want %+v", text, got, err, want)
	}
}

func TestDistributionText(t *testing.T) {
	for text, want := range map[string]any{
		"uniform":          Distribution{Shape: Uniform},
		"sequential":       Distribution{Shape: Sequential},
		"zipf":             Distribution{Shape: Zipf},
		"zipf:0.8":         Distribution{Shape: Zipf, Exponent: 0.8},
		"zipf:1e-3":        Distribution{Shape: Zipf, Exponent: 0.001},
		"hot":              Distribution{Shape: Hot},
		"hot:80/20":        Distribution{Shape: Hot, HotMessages: 0.8, HotIDs: 0.2},
		"hot:50%/1%":       Distribution{Shape: Hot, HotMessages: 0.5, HotIDs: 0.01},
		"hot:7/100":        Distribution{Shape: Hot, HotMessages: 0.07, HotIDs: 1},
		"hot:1e1/0.000001": Distribution{Shape: Hot, HotMessages: 0.1, HotIDs: 1e-8},
		"":                 bad, "bell": bad, "Uniform": bad, "uniform:1": bad, "zipf:": bad, "zipf:0": bad, "zipf:-1": bad, "zipf:NaN": bad,
		"hot:": bad, "hot:90": bad, "hot:90/0": bad, "hot:101/10": bad, "hot:NaN/1": bad, "constant": bad, "sequential:": bad,
	} {
		got, err := roundTrip[Distribution](t, text)
		check(t, text, got, want, err)
	}
	var d Distribution
	if err := d.UnmarshalText([]byte("zipf:1001")); err == nil || !strings.Contains(err.Error(), "up to 1000") {
		t.Errorf("zipf:1001: %v, want its bound", err)
	}
	if err := d.UnmarshalText([]byte("bell")); err == nil || !strings.HasPrefix(err.Error(), `unknown distribution "bell": `) {
		t.Errorf("bell: %v, want that it is unknown", err)
	}
}

func TestArrivalsText(t *testing.T) {
	for text, want := range map[string]any{
		"constant":     Arrivals{Shape: Constant},
		"poisson":      Arrivals{Shape: Poisson},
		"bursts":       Arrivals{Shape: Bursts},
		"bursts:1k":    Arrivals{Shape: Bursts, Burst: 1000},
		"ramp:30s":     Arrivals{Shape: Ramp, Over: 30 * time.Second},
		"ramp:1d12h":   Arrivals{Shape: Ramp, Over: 36 * time.Hour},
		"ramp:1d,.5":   Arrivals{Shape: Ramp, Over: 24 * time.Hour, From: 0.5},
		"ramp:1m,10k":  Arrivals{Shape: Ramp, Over: time.Minute, From: 10_000},
		"ramp:1ms,1.5": Arrivals{Shape: Ramp, Over: time.Millisecond, From: 1.5},
		"":             bad, "constant:5": bad, "poisson:": bad, "bursts:0": bad, "bursts:x": bad, "bursts:-1": bad, "bursts:10000001": bad,
		"ramp": bad, "ramp:": bad, "ramp:30": bad, "ramp:0s": bad, "ramp:0": bad, "ramp:-1s": bad, "ramp:30s,": bad, "ramp:30s,-1": bad,
		"ramp:30s,max": bad, "ramp:36500d2562047h": bad, "ramp:NaNd": bad, "uniform": bad,
	} {
		got, err := roundTrip[Arrivals](t, text)
		check(t, text, got, want, err)
	}
}

func TestSizeText(t *testing.T) {
	for text, want := range map[string]any{
		"0":              Size{Shape: Fixed},
		"100":            Size{Shape: Fixed, Bytes: 100},
		"10k":            Size{Shape: Fixed, Bytes: 10_000},
		"fixed:1.5k":     Size{Shape: Fixed, Bytes: 1500},
		"uniform:50-500": Size{Shape: Uniform, Min: 50, Max: 500},
		"uniform:1k-1k":  Size{Shape: Uniform, Min: 1000, Max: 1000},
		"exp:200":        Size{Shape: Exponential, Bytes: 200},
		"exponential:1k": Size{Shape: Exponential, Bytes: 1000},
		"":               bad, "-1": bad, "x": bad, "uniform": bad, "uniform:": bad, "uniform:5": bad, "uniform:500-50": bad,
		"exp:": bad, "exp:-2": bad, "zipf:2": bad, "9999999999999": bad, "1.5": bad, "0.0005k": bad,
	} {
		got, err := roundTrip[Size](t, text)
		check(t, text, got, want, err)
	}
	var z Size
	for _, text := range []string{"2M", "exp:0", "exp:1M", "uniform:1-2M"} {
		if err := z.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), "it must") {
			t.Errorf("%s: %v, want its bounds", text, err)
		}
	}
}

// TestZeroValuesHaveATextOfTheirOwn, which means the same.
func TestZeroValuesHaveATextOfTheirOwn(t *testing.T) {
	for want, value := range map[string]encoding.TextMarshaler{
		"uniform": Distribution{}, "constant": Arrivals{}, "0": Size{},
	} {
		if text, err := value.MarshalText(); err != nil || string(text) != want {
			t.Errorf("the zero %T is written %q, %v, want %q", value, text, err, want)
		}
	}
	hot := Distribution{Shape: Hot, HotIDs: 0.5}
	if text, err := hot.MarshalText(); err != nil || string(text) != "hot:90/50" {
		t.Errorf("%+v is written %q, %v, want its default beside it", hot, text, err)
	}
}

// FuzzTexts: what is read, the generator takes, and its text means the same.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{
		"hot:90/10", "hot:33.333333333333336/0.0007", "zipf:0.8", "ramp:30s,500", "ramp:1d12h", "ramp:1s,100000010", "bursts:10", "uniform:50-500", "exp:200", "10k",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := Config{To: "http://127.0.0.1", MaxID: 1, Rate: 1}
		c.Distribution, _ = roundTrip[Distribution](t, text)
		c.Arrivals, _ = roundTrip[Arrivals](t, text)
		c.Size, _ = roundTrip[Size](t, text)
		if err := c.Validate(); err != nil {
			t.Errorf("%q was read as %+v, but %v", text, c, err)
		}
	})
}
