package pace_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"example.org/comet/flood/pace"
)

func Example() {
	pacer, err := pace.PerSecond(3)
	if err != nil {
		fmt.Println(err)
		return
	}
	for n := range uint64(4) {
		fmt.Println(n, pacer.Due(n))
	}
	fmt.Println(pacer.Count(time.Hour))
	// Output:
	// 0 0s
	// 1 333.333333ms
	// 2 666.666666ms
	// 3 1s
	// 10801
}

func TestDueAndCount(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	perSecond := func(rate float64) pace.Pacer {
		t.Helper()
		p, err := pace.PerSecond(rate)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	tests := []struct {
		name  string
		pacer pace.Pacer
		n     uint64
		due   time.Duration
		count uint64 // due by that moment
	}{
		{"first", perSecond(1000), 0, 0, 1},
		{"second", perSecond(1000), 1, time.Millisecond, 2},
		{"after an hour", perSecond(1000), 3_600_000, hour, 3_600_001},
		{"the article's 27 hours", pace.Pacer{Events: 100, Per: 100 * time.Millisecond}, 100_000_000, 100_000 * time.Second, 100_000_001},
		{"a rate that no nanosecond divides, after a day", perSecond(7), 7 * 86400, day, 7*86400 + 1},
		{"the same, one event on", perSecond(7), 7*86400 + 1, day + 142857142, 7*86400 + 2},
		{"several a nanosecond", pace.Pacer{Events: 3, Per: 1}, 7, 2, 9},
		{"half an event a second", perSecond(0.5), 3, 6 * time.Second, 4},
		{"a fraction", perSecond(2.5), 5, 2 * time.Second, 6},
		{"every 10 ms", pace.Every(10 * time.Millisecond), 9_999, 99_990 * time.Millisecond, 10_000},
		{"a million a second for 100 years", perSecond(1e6), 1e6 * 86400 * 36500, 36500 * day, 1e6*86400*36500 + 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if due := test.pacer.Due(test.n); due != test.due {
				t.Errorf("Due(%d) = %v, want %v", test.n, due, test.due)
			}
			if count := test.pacer.Count(test.due); count != test.count {
				t.Errorf("Count(%v) = %d, want %d", test.due, count, test.count)
			}
		})
	}
}

func TestMaxIsAllAtOnce(t *testing.T) {
	for _, pacer := range []pace.Pacer{{}, pace.Max, pace.Every(0), pace.Every(-1), {Events: 5}} {
		if !pacer.Unpaced() {
			t.Errorf("%+v is paced", pacer)
		}
		if due := pacer.Due(math.MaxUint64); due != 0 {
			t.Errorf("%+v: the last event is due at %v, want 0", pacer, due)
		}
		if count := pacer.Count(0); count != math.MaxUint64 {
			t.Errorf("%+v: %d events are due at the start, want all", pacer, count)
		}
		if count := pacer.Count(-1); count != 0 {
			t.Errorf("%+v: %d events are due before the start", pacer, count)
		}
		if !math.IsInf(pacer.Rate(), 1) {
			t.Errorf("%+v: rate %v, want +Inf", pacer, pacer.Rate())
		}
	}
}

func TestPerSecond(t *testing.T) {
	for _, rate := range []float64{1, 1000, 0.001, 33.3, 1e12, 12345678901.5} {
		pacer, err := pace.PerSecond(rate)
		if err != nil {
			t.Errorf("PerSecond(%v): %v", rate, err)
			continue
		}
		if got := pacer.Rate(); math.Abs(got-rate)/rate > 1e-9 {
			t.Errorf("PerSecond(%v) paces %v/s", rate, got)
		}
	}
	for _, rate := range []float64{0, -1, math.NaN(), math.Inf(1), math.Inf(-1), 1e-10, 1 << 53} {
		if pacer, err := pace.PerSecond(rate); err == nil {
			t.Errorf("PerSecond(%v) = %+v, want an error", rate, pacer)
		}
	}
}

// checkInverse holds Count against Due: the events due by t are exactly those
// that Due says. Beyond the range of a Duration there is nothing to compare.
func checkInverse(t *testing.T, pacer pace.Pacer, elapsed time.Duration) {
	t.Helper()
	count := pacer.Count(elapsed)
	if count == 0 {
		t.Fatalf("%+v: nothing is due at %v, not even the first", pacer, elapsed)
	}
	if last := pacer.Due(count - 1); last > elapsed {
		t.Errorf("%+v: %d events are due by %v, but the last of them at %v", pacer, count, elapsed, last)
	}
	if next := pacer.Due(count); next <= elapsed && count < math.MaxUint64 && next < math.MaxInt64 {
		t.Errorf("%+v: %d events are due by %v, but one more at %v", pacer, count, elapsed, next)
	}
}

func TestCountIsTheInverseOfDue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		pacer := pace.Pacer{
			Events: 1 + random.Uint64()>>random.UintN(64),
			Per:    time.Duration(1 + random.Uint64()>>(1+random.UintN(62))),
		}
		if pacer.Events == 0 || pacer.Per <= 0 {
			continue
		}
		checkInverse(t, pacer, time.Duration(random.Uint64()>>(1+random.UintN(62))))
	}
}

func FuzzCountIsTheInverseOfDue(f *testing.F) {
	f.Add(uint64(1000), int64(time.Second), int64(time.Hour))
	f.Add(uint64(7), int64(1e18), int64(math.MaxInt64))
	f.Add(uint64(math.MaxUint64), int64(1), int64(1))
	f.Fuzz(func(t *testing.T, events uint64, per, elapsed int64) {
		if events == 0 || per <= 0 || elapsed < 0 {
			t.Skip("no pace, or before the start: see TestMaxIsAllAtOnce")
		}
		checkInverse(t, pace.Pacer{Events: events, Per: time.Duration(per)}, time.Duration(elapsed))
	})
}

func BenchmarkDue(b *testing.B) {
	pacer := pace.Pacer{Events: 1000, Per: time.Second}
	var n uint64
	for b.Loop() {
		_ = pacer.Due(n)
		n++
	}
}
