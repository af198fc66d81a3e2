package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/flood"
)

// warmUps is how many connections come and go before the memory at the start is
// read, so that what a server needs once is not charged to its connections.
const warmUps = 200

// warmUp opens connections as the floods will, publishes a message to each, and
// closes them.
type warmUp struct {
	streams flood.Config
	// publish sends the messages to so many connections; nil sends none.
	publish func(ctx context.Context, connections int) error
	// held is called with the number of connections before they are closed; nil is
	// not.
	held func(connections int)
	// arrival is how long the messages may take. must says that they arrive: not
	// every server passes on every message.
	arrival time.Duration
	must    bool
}

// run returns why some connections failed, and an error if all of them did, if
// messages are refused, or if they do not arrive and must.
func (w warmUp) run(ctx context.Context) (failures string, err error) {
	var latest, tried atomic.Pointer[flood.Sample]
	w.streams.SampleInterval = 20 * time.Millisecond
	w.streams.OnSample = func(s flood.Sample) {
		latest.Store(&s)
		if s.Connected != nil {
			tried.Store(&s)
		}
	}
	w.streams.Behavior = flood.Behavior{} // it comes and goes at once, whatever clients will do
	fl, err := flood.New(w.streams)
	if err != nil {
		return "", err
	}
	var running sync.WaitGroup
	defer running.Wait()
	inside, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	running.Go(func() {
		if _, err := fl.Run(inside); err != nil {
			leave(err)
		}
	})
	// A flood tries each connection only so long.
	for tried.Load() == nil {
		if err := fleet.Wait(inside, w.streams.SampleInterval); err != nil {
			return "", err
		}
	}
	connected := tried.Load().Connected
	if w.held != nil {
		defer func() { w.held(connected.Established()) }() // runs before what closes them
	}
	if connected.Established() == 0 {
		return "", fmt.Errorf("bench: warm-up: no connection: %s", connected.Explanation)
	}
	if w.publish == nil {
		return connected.Explanation, nil
	}
	before := latest.Load().Chunks
	if err := w.publish(inside, connected.Established()); err != nil {
		return connected.Explanation, err
	}
	arrived := func() bool { return latest.Load().Chunks >= before+uint64(connected.Established()) }
	return connected.Explanation, w.await(inside, arrived)
}

// await waits until the messages have arrived.
func (w warmUp) await(ctx context.Context, arrived func() bool) error {
	for begun := time.Now(); !arrived(); {
		if time.Since(begun) > w.arrival {
			if w.must {
				return errors.New("bench: warm-up: its messages did not arrive")
			}
			return nil
		}
		if err := fleet.Wait(ctx, w.streams.SampleInterval); err != nil {
			return err
		}
	}
	return nil
}
