package fleet

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A step that is far too long was a suspension, and is not counted.
func TestRunning(t *testing.T) {
	for step, want := range map[time.Duration]time.Duration{heartbeat: heartbeat, time.Second: time.Second, time.Hour: heartbeat} {
		if got := running(step); got != want {
			t.Errorf("%v of a step of %v, want %v", got, step, want)
		}
	}
}

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("hung")
		begun := time.Now()
		ctx, cancel := WithPatience(t.Context(), 20*time.Second, cause)
		defer cancel()
		<-ctx.Done()
		if took := time.Since(begun); took != 20*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}
