package fleet

import (
	"testing"
	"time"
)

// Only steps that are far too long, or long ones that the signal came with, are
// suspensions, each of which is reported once.
func TestPauseWatch(t *testing.T) {
	type wake struct {
		after    time.Duration
		signaled bool
		want     time.Duration
	}
	const beat = heartbeat
	for name, wakes := range map[string][]wake{
		"running":              {{beat, false, 0}, {beat, false, 0}},
		"a busy machine":       {{2 * time.Second, false, 0}, {beat, false, 0}, {beat, true, 0}, {beat, true, 0}},
		"a signal alone":       {{beat / 2, true, 0}, {beat / 2, false, 0}},
		"signal, then tick":    {{2 * time.Second, true, 2 * time.Second}, {beat, false, 0}},
		"tick, then signal":    {{2 * time.Second, false, 0}, {beat / 8, true, 2 * time.Second}, {beat, true, 0}},
		"without a signal":     {{time.Minute, false, time.Minute}, {beat, true, 0}},
		"two of them":          {{time.Minute, false, time.Minute}, {2 * time.Second, true, 2 * time.Second}},
		"a signal much later":  {{2 * time.Second, false, 0}, {beat, false, 0}, {beat, false, 0}, {beat, false, 0}, {beat, true, 0}},
		"too short to be sure": {{noticed / 2, true, 0}},
	} {
		now := time.Now()
		w := pauseWatch{last: now}
		for i, step := range wakes {
			before := now
			now = now.Add(step.after)
			since, d := w.wake(now, step.signaled)
			if d != step.want {
				t.Errorf("%s: step %d is a suspension of %v, want %v", name, i, d, step.want)
			}
			if d == step.after && since != before {
				t.Errorf("%s: step %d began at %v, want %v", name, i, since, before)
			}
		}
	}
}
