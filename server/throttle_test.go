package server

import (
	"context"
	"testing"
	"testing/synctest"
)

// TestThrottle: who waits goes on when nothing holds it shut any more, and not later
// than ctx.
func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		th.wait(t.Context()) // it is open
		for range 3 {
			th.hold()
			th.hold()
			ctx, cancel := context.WithCancel(t.Context())
			passed := make(chan string, 3)
			for range 2 {
				go func() {
					th.wait(t.Context())
					passed <- "opened"
				}()
			}
			go func() {
				th.wait(ctx)
				passed <- "ended"
			}()
			synctest.Wait()
			th.release()
			synctest.Wait()
			if len(passed) > 0 || !th.isShut() {
				t.Errorf("%s, while it is held shut: %t", <-passed, th.isShut())
			}
			cancel()
			if got := <-passed; got != "ended" {
				t.Errorf("%s, and ctx has ended", got)
			}
			th.release()
			for range 2 {
				if got := <-passed; got != "opened" {
					t.Error(got)
				}
			}
		}
	})
}
