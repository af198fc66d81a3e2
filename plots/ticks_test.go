package plots

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func labels(ticks []tick) string {
	var all []string
	for _, t := range ticks {
		all = append(all, t.label)
	}
	return strings.Join(all, " ")
}

func TestZoomedAxis(t *testing.T) {
	tests := []struct {
		name      string
		low, high float64
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
			a := zoomedAxis(extent{low: tt.low, high: tt.high, known: true}, tt.max)
			if got := labels(a.ticks); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestZoomedAxisHoldsAnything(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		low := random.Int64N(1 << (1 + random.IntN(50)))
		high := low + random.Int64N(1<<(1+random.IntN(50)))
		most := 2 + random.IntN(7)
		a := zoomedAxis(extent{low: float64(low), high: float64(high), known: true}, most)
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

func TestMillisAxis(t *testing.T) {
	for _, tt := range []struct {
		name             string
		low, least, high float64
		max              int
		want             string
	}{
		{"below a millisecond", 0.05, 0.05, 0.6, 5, "0.0 0.2 0.4 0.6"},
		{"milliseconds", 0.3, 0.3, 25, 8, "0 5 10 15 20 25"},
		{"a stall of seconds", 0.3, 0.3, 2400, 8, "0.1 1 10 100 1,000 10,000"},
		{"little room", 0.3, 0.3, 2400, 3, "0.1 100 100,000"},
		{"no room", 0.3, 0.3, 2400, 1, "0.1 10,000"},
		{"zeros among them", 0, 0.5, 100, 8, "0.1 1 10 100"},
		{"nothing but zeros", 0, 0, 0, 8, "0.000 0.001"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := millisAxis(extent{low: tt.low, high: tt.high, least: tt.least, known: true}, tt.max)
			if got := labels(a.ticks); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			for _, v := range []float64{tt.low, tt.high} {
				if at := a.position(v); at < 0 || at > 1 {
					t.Errorf("%v lies at %v", v, at)
				}
			}
		})
	}
}

func TestClockAxis(t *testing.T) {
	// A zone that is half an hour off, so that rounds are those of its clock.
	zone := time.FixedZone("IST", 5*3600+1800)
	origin := time.Date(2008, 10, 20, 16, 57, 24, 0, zone)
	tests := []struct {
		name    string
		minutes float64
		max     int
		want    string
		label   string
	}{
		{"seconds", 0.5, 8, "16:57:25 16:57:30 16:57:35 16:57:40 16:57:45 16:57:50", "Mon Oct 20 2008 (IST)"},
		{"minutes", 15, 8, "16:58 17:00 17:02 17:04 17:06 17:08 17:10 17:12", "Mon Oct 20 2008 (IST)"},
		{"a day", 1440, 8, "18:00 21:00 Oct 21 03:00 06:00 09:00 12:00 15:00", "Oct 20 – Oct 21 2008 (IST)"},
		{"a week", 7 * 1440, 8, "Oct 21 Oct 22 Oct 23 Oct 24 Oct 25 Oct 26 Oct 27", "Oct 20 – Oct 27 2008 (IST)"},
		{"over a new year", 100 * 1440, 6, "Oct 21 Nov 10 Nov 30 Dec 20 Jan 9", "Oct 20 2008 – Jan 28 2009 (IST)"},
		{"too short for a mark", 0.001, 8, "", "Mon Oct 20 2008 (IST)"},
		{"a thousand years", 1000 * 365.2425 * 1440, 2, "Oct 2008 May 2556", "Oct 20 2008 – Oct 21 3008 (IST)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start := origin
			if tt.minutes < 0.01 {
				start = origin.Add(time.Second / 2)
			}
			a := clockAxis(start, tt.minutes, func(l []tick) bool { return len(l) <= tt.max })
			if got := labels(a.ticks); got != tt.want || a.label != tt.label {
				t.Errorf("got %s under %q, want %s under %q", got, a.label, tt.want, tt.label)
			}
			for _, tick := range a.ticks {
				if tick.value < 0 || tick.value > a.high {
					t.Errorf("mark %q at %v lies outside", tick.label, tick.value)
				}
			}
		})
	}
}

func TestElapsedAxis(t *testing.T) {
	atMost := func(n int) func([]tick) bool { return func(l []tick) bool { return len(l) <= n } }
	tests := []struct {
		name    string
		minutes float64
		max     int
		article bool
		want    string
		label   string
	}{
		{"the article's 15 minutes", 15.0167, 10, false, "0 2 4 6 8 10 12 14", "Minutes Elapsed"},
		{"four hours", 240, 8, false, "0 60 120 180 240", "Minutes Elapsed"},
		{"24 hours", 1440, 8, false, "0:00 4:00 8:00 12:00 16:00 20:00 24:00", "Time Elapsed (h:mm)"},
		{"the article's 24 hours", 1440, 8, true, "0 240 480 720 960 1,200 1,440", "Minutes Elapsed"},
		{"five hours", 300, 12, false, "0:00 0:30 1:00 1:30 2:00 2:30 3:00 3:30 4:00 4:30 5:00", "Time Elapsed (h:mm)"},
		{"a minute", 1, 12, false, "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0", "Minutes Elapsed"},
		{"12 seconds", 0.2, 6, false, "0.00 0.05 0.10 0.15 0.20", "Minutes Elapsed"},
		{"a week", 7 * 1440, 8, false, "0 1 2 3 4 5 6 7", "Days Elapsed"},
		{"a week in minutes", 7 * 1440, 8, true, "0 1,440 2,880 4,320 5,760 7,200 8,640 10,080", "Minutes Elapsed"},
		{"a year", 365 * 1440, 4, false, "0 100 200 300", "Days Elapsed"},
		{"nothing fits", 100, 0, false, "0 60", "Minutes Elapsed"},
		{"a moment", 1e-7, 12, false, "0.00000000 0.00000001 0.00000002 0.00000003 0.00000004 0.00000005 0.00000006 0.00000007 0.00000008 0.00000009 0.00000010", "Minutes Elapsed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := elapsedAxis(tt.minutes, tt.article, atMost(tt.max))
			if got := labels(a.ticks); got != tt.want || a.label != tt.label {
				t.Errorf("got %s under %q, want %s under %q", got, a.label, tt.want, tt.label)
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
