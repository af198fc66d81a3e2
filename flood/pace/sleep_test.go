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

// sleeps are the ways to sleep.
var sleeps = map[string]func(context.Context, time.Time) error{"SleepUntil": pace.SleepUntil, "HoldUntil": pace.HoldUntil}

func TestSleepsNeverEndEarly(t *testing.T) {
	for name, sleep := range sleeps {
		for _, wait := range []time.Duration{time.Microsecond, 700 * time.Microsecond, 4 * time.Millisecond, 30 * time.Millisecond} {
			until := time.Now().Add(wait)
			if err := sleep(t.Context(), until); err != nil {
				t.Fatal(err)
			}
			if early := time.Until(until); early > 0 {
				t.Errorf("%s: a wait of %v ended %v early", name, wait, early)
			}
		}
	}
}

func TestSleepsUntilThePastReturnAtOnce(t *testing.T) {
	for name, sleep := range sleeps {
		if err := sleep(t.Context(), time.Now().Add(-time.Hour)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSleepsEndWithTheirContext(t *testing.T) {
	for name, sleep := range sleeps {
		for _, wait := range []time.Duration{-time.Second, time.Millisecond, time.Hour} {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := sleep(ctx, time.Now().Add(wait)); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: a wait of %v with an ended context returned %v", name, wait, err)
			}
		}
		// Cancelled in mid-sleep, an hour must not pass: the test's own time limit
		// would tell.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := sleep(ctx, time.Now().Add(time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: a cancelled sleep returned %v", name, err)
		}
	}
}

// TestHoldUntilHoldsNobodyUp: the world can be stopped and others run, on one
// processor too, while a goroutine holds one again and again.
func TestHoldUntilHoldsNobodyUp(t *testing.T) {
	for _, processors := range []int{1, 2} {
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan bool)
			go func() {
				defer close(ended)
				for {
					until := time.Now().Add(2 * time.Millisecond)
					if pace.HoldUntil(ctx, until) != nil {
						return
					}
					if early := time.Until(until); early > 0 {
						t.Errorf("on %d processors a wait ended %v early", processors, early)
					}
				}
			}()
			for range 10 {
				runtime.GC()
			}
			cancel()
			<-ended
		}()
	}
}

// BenchmarkSleep measures how late a wake-up is, on a thread of its own.
func BenchmarkSleep(b *testing.B) {
	for name, sleep := range sleeps {
		b.Run("by="+name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			var late []time.Duration
			for b.Loop() {
				until := time.Now().Add(time.Millisecond)
				if err := sleep(b.Context(), until); err != nil {
					b.Fatal(err)
				}
				late = append(late, time.Since(until))
			}
			slices.Sort(late)
			b.ReportMetric(float64(late[len(late)/2].Microseconds()), "p50-late-us")
			b.ReportMetric(float64(late[len(late)*99/100].Microseconds()), "p99-late-us")
		})
	}
}
