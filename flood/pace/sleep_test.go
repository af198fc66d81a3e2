package pace_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"example.org/comet/flood/pace"
)

func TestSleepUntilNeverWakesEarly(t *testing.T) {
	for _, wait := range []time.Duration{time.Microsecond, 700 * time.Microsecond, 4 * time.Millisecond, 30 * time.Millisecond} {
		until := time.Now().Add(wait)
		if err := pace.SleepUntil(t.Context(), until); err != nil {
			t.Fatal(err)
		}
		if early := time.Until(until); early > 0 {
			t.Errorf("a wait of %v ended %v early", wait, early)
		}
	}
}

func TestSleepUntilThePastReturnsAtOnce(t *testing.T) {
	if err := pace.SleepUntil(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Error(err)
	}
}

func TestSleepUntilEndsWithItsContext(t *testing.T) {
	for _, wait := range []time.Duration{-time.Second, time.Millisecond, time.Hour} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := pace.SleepUntil(ctx, time.Now().Add(wait)); !errors.Is(err, context.Canceled) {
			t.Errorf("a wait of %v with an ended context returned %v", wait, err)
		}
	}
	// Cancelled in mid-sleep, an hour must not pass: the test's own time limit
	// would tell.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := pace.SleepUntil(ctx, time.Now().Add(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled sleep returned %v", err)
	}
}

// BenchmarkSleepUntil says how late a wake-up is, on a thread of its own.
func BenchmarkSleepUntil(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var late []time.Duration
	for b.Loop() {
		until := time.Now().Add(time.Millisecond)
		if err := pace.SleepUntil(b.Context(), until); err != nil {
			b.Fatal(err)
		}
		late = append(late, time.Since(until))
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2].Microseconds()), "p50-late-us")
	b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "p99-late-us")
}
