package plots

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func labels(ticks []tick) string {
	var all []string
	for _, t := range ticks {
		all = append(all, t.label)
	}
	return strings.Join(all, " ")
}

func TestValueAxis(t *testing.T) {
	tests := []struct {
		name      string
		low, high int64
		max       int
		want      string
	}{
		{"the article's", 40388, 125360, 8, "0 20,000 40,000 60,000 80,000 100,000 120,000 140,000"},
		{"fewer marks", 40388, 125360, 4, "0 50,000 100,000 150,000"},
		{"two marks at least", 40388, 125360, 0, "0 200,000"},
		{"no e+06", 0, 1_400_000_000, 6, "0 500,000,000 1,000,000,000 1,500,000,000"},
		{"a slow leak is seen", 900_000, 1_000_000, 6, "900,000 920,000 940,000 960,000 980,000 1,000,000"},
		{"a constant is no mountain", 90964, 90980, 8, "88,000 89,000 90,000 91,000 92,000 93,000 94,000"},
		{"zeros", 0, 0, 8, "0 1"},
		{"a single connection", 1, 1, 8, "0 1 2"},
		{"whole numbers only", 0, 3, 8, "0 1 2 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := valueAxis(extent{tt.low, tt.high, true}, tt.max)
			if got := labels(a.ticks); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestValueAxisHoldsAnything(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		low := random.Int64N(1 << (1 + random.IntN(50)))
		high := low + random.Int64N(1<<(1+random.IntN(50)))
		most := 2 + random.IntN(7)
		a := valueAxis(extent{low, high, true}, most)
		if a.low > float64(low) || a.high < float64(high) || a.low < 0 {
			t.Fatalf("%d to %d lie outside %v to %v", low, high, a.low, a.high)
		}
		if len(a.ticks) < 2 || len(a.ticks) > most {
			t.Fatalf("%d to %d: %d marks, at most %d wanted", low, high, len(a.ticks), most)
		}
		if a.ticks[0].value != a.low || a.ticks[len(a.ticks)-1].value != a.high {
			t.Fatalf("%d to %d: axis %v to %v ends between marks %s", low, high, a.low, a.high, labels(a.ticks))
		}
		seen := map[string]bool{}
		for _, tick := range a.ticks {
			if seen[tick.label] || strings.ContainsAny(tick.label, "eE.-") {
				t.Fatalf("%d to %d: marks %s", low, high, labels(a.ticks))
			}
			seen[tick.label] = true
		}
	}
}

func TestMinuteAxis(t *testing.T) {
	atMost := func(n int) func([]tick) bool { return func(l []tick) bool { return len(l) <= n } }
	tests := []struct {
		name    string
		minutes float64
		max     int
		want    string
	}{
		{"the article's 15 minutes", 15.0167, 10, "0 2 4 6 8 10 12 14"},
		{"24 hours by hours", 1440, 8, "0 240 480 720 960 1,200 1,440"},
		{"a minute", 1, 12, "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0"},
		{"12 seconds", 0.2, 6, "0.00 0.05 0.10 0.15 0.20"},
		{"a week by days", 7 * 1440, 8, "0 1,440 2,880 4,320 5,760 7,200 8,640 10,080"},
		{"a year", 365 * 1440, 4, "0 144,000 288,000 432,000"},
		{"nothing fits", 100, 0, "0 60"},
		{"a moment", 1e-7, 12, "0.00000000 0.00000001 0.00000002 0.00000003 0.00000004 0.00000005 0.00000006 0.00000007 0.00000008 0.00000009 0.00000010"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := minuteAxis(tt.minutes, atMost(tt.max))
			if got := labels(a.ticks); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if a.low != 0 || a.high != tt.minutes {
				t.Errorf("the axis goes from %v to %v", a.low, a.high)
			}
			for _, tick := range a.ticks {
				if tick.value > a.high {
					t.Errorf("mark %q lies beyond the end", tick.label)
				}
			}
		})
	}
}

func TestNice(t *testing.T) {
	for v, want := range map[float64]float64{1: 1, 1.1: 2, 2: 2, 2.1: 5, 5: 5, 5.1: 10, 0.3: 0.5, 0.05: 0.05, 1e6: 1e6, 999_999: 1e6} {
		if got := nice(v); math.Abs(got-want) > want*1e-9 {
			t.Errorf("nice(%v) = %v, want %v", v, got, want)
		}
	}
}

func TestThousands(t *testing.T) {
	for in, want := range map[string]string{"0": "0", "999": "999", "1000": "1,000", "1234567": "1,234,567", "1234.5678": "1,234.5678", "-1000": "-1,000", "-100": "-100", "0.25": "0.25"} {
		if got := thousands(in); got != want {
			t.Errorf("thousands(%s) = %s, want %s", in, got, want)
		}
	}
}
