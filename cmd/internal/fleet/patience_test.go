package fleet

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A step that is far too long was a suspension, and is not counted.
func TestClock(t *testing.T) {
	var c Clock
	c.add(heartbeat)
	c.add(time.Second)
	c.add(time.Hour)
	if c.Ran() != time.Second+2*heartbeat || c.Missed() != time.Hour-heartbeat {
		t.Errorf("ran %v, missed %v", c.Ran(), c.Missed())
	}
}

func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("hung")
		begun := time.Now()
		ctx, cancel := withPatience(t.Context(), 20*time.Second, cause)
		defer cancel()
		<-ctx.Done()
		if took := time.Since(begun); took != 20*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}
