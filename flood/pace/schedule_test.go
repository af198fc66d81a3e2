package pace_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.org/comet/flood/pace"
)

func ExampleBursts() {
	bursts := pace.Bursts{Pacer: pace.Pacer{Events: 3, Per: time.Second}, Size: 3}
	for n := range uint64(5) {
		fmt.Print(bursts.Due(n), " ")
	}
	fmt.Println(bursts.Count(999*time.Millisecond), bursts.Count(time.Second))
	// Output: 0s 0s 0s 1s 1s 3 6
}

func ExampleRamp() {
	ramp, err := pace.NewRamp(0, 100, 10*time.Second)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Half of the time gives a quarter of the events; then it is 100 a second.
	fmt.Println(ramp.Due(125), ramp.Due(500), ramp.Due(600))
	// Output: 5s 10s 11s
}

func TestBursts(t *testing.T) {
	for _, size := range []uint64{0, 1, 2, 7, 1000} {
		bursts := pace.Bursts{Pacer: pace.Pacer{Events: 1000, Per: time.Second}, Size: size}
		step := max(size, 1)
		for n := range uint64(3000) {
			if got, want := bursts.Due(n), bursts.Pacer.Due(n/step*step); got != want {
				t.Fatalf("size %d: event %d is due at %v, want %v", size, n, got, want)
			}
		}
		for range 1000 {
			checkCount(t, bursts, time.Duration(rand.Int64N(int64(time.Hour))))
		}
		if got := bursts.Count(-1); got != 0 {
			t.Errorf("size %d: %d events are due before the start", size, got)
		}
	}
	all := pace.Bursts{Pacer: pace.Max, Size: 7}
	if got := all.Count(0); got != math.MaxUint64 {
		t.Errorf("without a pace %d events are due at the start, want all", got)
	}
}

// checkCount holds a schedule's Count against its Due.
func checkCount(t *testing.T, s pace.Schedule, elapsed time.Duration) {
	t.Helper()
	count := s.Count(elapsed)
	if count == 0 {
		t.Fatalf("%+v: nothing is due at %v", s, elapsed)
	}
	if last := s.Due(count - 1); last > elapsed {
		t.Errorf("%+v: %d events are due by %v, but the last of them at %v", s, count, elapsed, last)
	}
	if next := s.Due(count); next <= elapsed && next < math.MaxInt64 {
		t.Errorf("%+v: %d events are due by %v, but one more at %v", s, count, elapsed, next)
	}
}

func TestRampFollowsItsFormula(t *testing.T) {
	tests := []struct {
		from, to float64
		over     time.Duration
		n        uint64
		due      time.Duration
	}{
		{0, 1000, 10 * time.Second, 0, 0},
		{0, 1000, 10 * time.Second, 50, time.Second}, // 50 = 100/s² * 1² / 2
		{0, 1000, 10 * time.Second, 5000, 10 * time.Second},
		{0, 1000, 10 * time.Second, 5001, 10*time.Second + time.Millisecond},
		{0, 1000, 10 * time.Second, 5000 + 1000*86400, 10*time.Second + 24*time.Hour},
		{100, 300, 2 * time.Second, 150, time.Second}, // 100*1 + 100*1²/2
		{100, 300, 2 * time.Second, 400, 2 * time.Second},
		{300, 100, 2 * time.Second, 250, time.Second}, // 300*1 - 100*1²/2
		{300, 100, 2 * time.Second, 400, 2 * time.Second},
		{300, 100, 2 * time.Second, 500, 3 * time.Second},
		{50, 50, time.Minute, 100, 2 * time.Second},
		{7, 50, 0, 100, 2 * time.Second},
	}
	for _, test := range tests {
		ramp, err := pace.NewRamp(test.from, test.to, test.over)
		if err != nil {
			t.Fatal(err)
		}
		// The roots are irrational: a nanosecond for the rounding of each.
		if got := ramp.Due(test.n); (got - test.due).Abs() > 1 {
			t.Errorf("from %v/s to %v/s over %v: event %d is due at %v, want %v",
				test.from, test.to, test.over, test.n, got, test.due)
		}
	}
}

func TestRampIsInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		from, to := math.Exp(random.Float64()*18), math.Exp(random.Float64()*18)
		if random.IntN(4) == 0 {
			from = 0
		}
		over := time.Duration(random.Int64N(int64(30 * 24 * time.Hour)))
		ramp, err := pace.NewRamp(from, to, over)
		if err != nil {
			t.Fatal(err)
		}
		if got := ramp.Count(-1); got != 0 {
			t.Errorf("%+v: %d events are due before the start", ramp, got)
		}
		for range 20 {
			at := time.Duration(random.Int64N(int64(2*over + time.Second)))
			checkCount(t, ramp, at)
			n := ramp.Count(at)
			for i := range uint64(20) {
				if ramp.Due(n+i+1) < ramp.Due(n+i) {
					t.Fatalf("%+v: event %d is due at %v, the next at %v", ramp, n+i, ramp.Due(n+i), ramp.Due(n+i+1))
				}
			}
		}
	}
}

func TestNewRampRefuses(t *testing.T) {
	for _, test := range []struct {
		from, to float64
		over     time.Duration
	}{
		{-1, 1, 1},
		{math.NaN(), 1, 1},
		{1, 0, 1},
		{1, -1, 1},
		{1, math.NaN(), 1},
		{1, math.Inf(1), 1},
		{1e9, 1, 1},
		{1, 1e9, 1},
		{1, 1, -1},
		{1, 1, 31 * 24 * time.Hour},
	} {
		if ramp, err := pace.NewRamp(test.from, test.to, test.over); err == nil {
			t.Errorf("%+v made %+v", test, ramp)
		}
	}
	if due := (pace.Ramp{}).Due(5); due != 0 || (pace.Ramp{}).Count(5) != 0 {
		t.Error("the zero Ramp has events")
	}
}

func TestOfCountsOn(t *testing.T) {
	pacer := pace.Pacer{Events: 1000, Per: time.Second}
	next := pace.Of(pacer)
	for n := range uint64(10) {
		if got := next(); got != pacer.Due(n) {
			t.Errorf("moment %d is %v, want %v", n, got, pacer.Due(n))
		}
	}
}

// TestPoissonGapsAreExponential compares 100,000 gaps with P(gap <= x) = 1 -
// e^(-rate*x) by Kolmogorov and Smirnov: the largest distance exceeds 1.95/√n
// once in a thousand seeds. The seed is fixed.
func TestPoissonGapsAreExponential(t *testing.T) {
	const n = 100_000
	for _, rate := range []float64{0.01, 1, 1000, 250_000} {
		next, err := pace.Poisson(rate, rand.NewPCG(1, 2))
		if err != nil {
			t.Fatal(err)
		}
		gaps := make([]float64, n)
		var last time.Duration
		for i := range gaps {
			due := next()
			if due < last {
				t.Fatalf("at %v/s event %d is due at %v, the one before at %v", rate, i, due, last)
			}
			gaps[i], last = (due - last).Seconds(), due
		}
		slices.Sort(gaps)
		distance := 0.0
		for i, gap := range gaps {
			p := 1 - math.Exp(-rate*gap)
			distance = max(distance, math.Abs(p-float64(i)/n), math.Abs(p-float64(i+1)/n))
		}
		if limit := 1.95 / math.Sqrt(n); distance > limit {
			t.Errorf("at %v/s the gaps are %.5f away from exponential, above %.5f", rate, distance, limit)
		}
	}
}

// TestPoissonCounts looks at the events in each second: their mean is the rate,
// and so is their variance, which would be 0 for constant arrivals.
func TestPoissonCounts(t *testing.T) {
	const rate, seconds = 100, 10_000
	next, err := pace.Poisson(rate, rand.NewPCG(5, 6))
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, seconds)
	for due := next(); due < seconds*time.Second; due = next() {
		counts[due/time.Second]++
	}
	var mean, variance float64
	for _, c := range counts {
		mean += c / seconds
	}
	for _, c := range counts {
		variance += (c - mean) * (c - mean) / seconds
	}
	// Their standard errors are 0.1 and 1.4.
	if math.Abs(mean-rate) > 0.33 || math.Abs(variance-rate) > 4.7 {
		t.Errorf("a second has %.2f events with a variance of %.1f, want %d and %d", mean, variance, rate, rate)
	}
}

func TestPoissonDependsOnItsStreamAlone(t *testing.T) {
	draw := func(seed uint64) (moments [50]time.Duration) {
		next, err := pace.Poisson(1000, rand.NewPCG(seed, 0))
		if err != nil {
			t.Fatal(err)
		}
		for i := range moments {
			moments[i] = next()
		}
		return moments
	}
	first, again, other := draw(1), draw(1), draw(2)
	if first != again {
		t.Error("the same stream gave other moments")
	}
	if first == other {
		t.Error("another stream gave the same moments")
	}
}

// lowest is a stream that gives the longest gaps there are.
type lowest struct{}

func (lowest) Uint64() uint64 { return 0 }

func TestPoissonEnds(t *testing.T) {
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := pace.Poisson(rate, rand.NewPCG(1, 2)); err == nil {
			t.Errorf("a rate of %v/s was taken", rate)
		}
	}
	next, err := pace.Poisson(1e-9, lowest{}) // 36 billion seconds: over 292 years
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if due := next(); due != math.MaxInt64 {
			t.Errorf("an event after 1,100 years is due at %v, want the most that a Duration holds", due)
		}
	}
}

func BenchmarkMoments(b *testing.B) {
	ramp, err := pace.NewRamp(0, 1e6, time.Minute)
	if err != nil {
		b.Fatal(err)
	}
	poisson, err := pace.Poisson(1e6, rand.NewPCG(1, 2))
	if err != nil {
		b.Fatal(err)
	}
	pacer := pace.Pacer{Events: 1e6, Per: time.Second}
	for _, arrivals := range []struct {
		name string
		next pace.Moments
	}{
		{"constant", pace.Of(pacer)},
		{"bursts", pace.Of(pace.Bursts{Pacer: pacer, Size: 100})},
		{"ramp", pace.Of(ramp)},
		{"poisson", poisson},
	} {
		b.Run("arrivals="+arrivals.name, func(b *testing.B) {
			for b.Loop() {
				arrivals.next()
			}
		})
	}
}
