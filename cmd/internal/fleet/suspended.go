package fleet

import (
	"os"
	"os/signal"
	"time"
)

// OnSuspension calls suspended each time that this process has been suspended and
// goes on, as after Ctrl-Z, SIGSTOP or with a container that was paused: with the
// moment when it was last seen to run, and for how long it was not. Short ones
// may go unnoticed. stop returns when the last call has.
func OnSuspension(suspended func(since time.Time, d time.Duration)) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	continued := make(chan os.Signal, 1)
	if len(continues) > 0 { // all signals, for none
		signal.Notify(continued, continues...)
	}
	go func() {
		defer close(ended)
		beat := time.NewTicker(heartbeat)
		defer beat.Stop()
		w := pauseWatch{last: time.Now()}
		for {
			signaled := false
			select {
			case <-done:
				return
			case <-continued:
				signaled = true
			case <-beat.C:
			}
			if since, d := w.wake(time.Now(), signaled); d > 0 {
				suspended(since, d)
			}
		}
	}()
	return func() {
		signal.Stop(continued)
		close(done)
		<-ended
	}
}

// pauseWatch finds suspensions among the moments at which this process ran. The
// signal that ends one comes before or after the late tick that shows it.
type pauseWatch struct {
	last     time.Time
	from, to time.Time // of the last late tick
}

// noticed is how long a step is that, with the signal, shows a suspension.
const noticed = 500 * time.Millisecond

// wake takes a moment, and whether the signal came then, and returns the
// suspension that it shows; 0 if none.
func (w *pauseWatch) wake(now time.Time, signaled bool) (since time.Time, d time.Duration) {
	step := now.Sub(w.last)
	if step > noticed {
		w.from, w.to = w.last, now
	}
	w.last = now
	late := w.to.Sub(w.from)
	told := signaled && now.Sub(w.to) < noticed
	if w.to.IsZero() || !told && running(late) == late {
		return since, 0
	}
	since, w.from, w.to = w.from, time.Time{}, time.Time{}
	return since, late
}
