package flood

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestLap runs a flood of four connections, to which a message came before the lap and
// two after it, when one is cut off.
func TestLap(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			var served atomic.Int32
			srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
				say(c, chunkedHead+chunk(message(7, 1, time.Now().Add(-50*time.Millisecond))))
				<-release
				say(c, chunk(message(7, 2, time.Now().Add(-200*time.Millisecond)))+chunk(message(7, 4, time.Now())))
				if served.Add(1) == 1 {
					return
				}
				hold(c)
			})
			laps := make(chan *Result, 4)
			var latest atomic.Pointer[Sample]
			fl, err := New(Config{URL: srv.url("/"), Connections: 4, SampleInterval: 20 * time.Millisecond, OnSample: func(s Sample) {
				latest.Store(&s)
				if s.Lap != nil {
					laps <- s.Lap
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, end := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := e.run(fl, ctx)
				ended <- err
			}()
			until := func(reached func(Counts) bool) {
				for latest.Load() == nil || !reached(latest.Load().Counts) {
					time.Sleep(5 * time.Millisecond)
				}
			}
			until(func(c Counts) bool { return c.Stamped == 4 })
			fl.Lap()
			first := <-laps
			if first.Established() != 4 || first.Delivered != 4 || first.Latency.Count != 4 || first.Latency.Histogram == "" || first.FirstByte.Count != 4 || first.Missing != 0 {
				t.Errorf("the first lap: %+v", first)
			}
			close(release)
			until(func(c Counts) bool { return c.Stamped == 12 && c.Closed == 1 })
			fl.Lap()
			second := <-laps
			if second.Connected != 3 || second.Established() != 4 || second.Closed != 1 || second.Delivered != 8 || second.Latency.Count != 8 || second.Missing != 4 || second.FirstByte != nil {
				t.Errorf("the second lap: %+v", second)
			}
			if n := second.Failures; len(n) != 1 || second.Latency.Max < 200 {
				t.Errorf("the second lap: failures %v, latency %+v", n, second.Latency)
			}
			if second.MessageSeconds < 0 || second.MessageSeconds > time.Hour.Seconds() {
				t.Errorf("the second lap's messages took %v s", second.MessageSeconds)
			}
			fl.Lap()
			if third := <-laps; third.MessageSeconds != 0 || third.Closed != 0 || third.Established() != 3 || third.Latency != nil || len(third.Failures) != 0 || third.Missing != 0 {
				t.Errorf("the third lap: %+v", third)
			}
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if c := latest.Load().Counts; c.Delivered != 12 || c.Closed != 1 {
				t.Errorf("in all %+v", c)
			}
		})
	}
}
