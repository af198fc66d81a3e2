//go:build system

package main

import (
	"syscall"
	"testing"
	"time"
)

// TestSystemDrainNode ends one of two nodes as a rolling update does: it says
// that it is not ready, goes on for --drain-delay, takes in what was under way,
// and ends its streams with their last chunk. The other loses nothing.
func TestSystemDrainNode(t *testing.T) {
	t.Parallel() // it waits more than it works
	curl := need(t, "curl")
	for _, engine := range []string{"epoll", "goroutine"} {
		t.Run(engine, func(t *testing.T) {
			_, at := startRouter(t, "--listen", someAddress()+":0")
			const each = 1000
			a := startNode(t, at.URL, "--engine", engine, "--drain-delay", "3s")
			b := startNode(t, at.URL, "--engine", engine)
			floodA, floodB := startFlood(t, streams(a.addr, 1, each)), startFlood(t, streams(b.addr, each+1, 2*each))
			stream, _ := background(t, curl, "-sfN", "http://"+a.addr+"/test/1")
			eventually(t, "curl is connected", func() bool { return a.stats(t).Connections == each+1 })

			// The generator to a ends within the delay, the one to b long after.
			genA := startMsggen(t, at.URL, 2, each, "--rate", "500", "-d", "2s")
			genB := startMsggen(t, at.URL, each+1, 2*each, "--rate", "500", "-d", "6s")
			eventually(t, "messages flow", func() bool { return floodA.now(t).Delivered > 100 })
			told := time.Now()
			a.Process.Signal(syscall.SIGTERM)
			until(t, "the node is not ready", func() bool { return !a.ready(t) })
			red := time.Since(told)
			if s := a.stats(t); s.Connections != each+1 || s.Router.Subscriptions != each || ended(stream) {
				t.Errorf("not ready yet serving, the node says %+v", s)
			}
			if s := startFlood(t, streams(a.addr, 1, 1)).end(t); s.Connected != 1 {
				t.Errorf("not ready yet serving, the node was asked for a stream: %+v", s)
			}
			sentA := genA.result(t)
			inTime := !ended(a.Cmd) && floodA.now(t).Connected == each
			eventually(t, "the node has ended", func() bool { return ended(a.Cmd) && ended(stream) })
			gone := time.Since(told)
			gotA := floodA.settle(t)
			sentB, gotB := genB.result(t), floodB.settle(t)

			t.Logf("not ready %v after SIGTERM, and gone after %v of which the delay is 3 s", red.Round(time.Millisecond), gone.Round(time.Millisecond))
			t.Logf("a: %s, delivered %d, connections closed %d; b: %s, delivered %d, connections lost %d", sentA, gotA.Delivered, gotA.Closed, sentB, gotB.Delivered, gotB.Closed)
			if a.ProcessState.ExitCode() != 0 || stream.ProcessState.ExitCode() != 0 {
				t.Errorf("exit codes: comet serve %d; curl %d, which wants a last chunk", a.ProcessState.ExitCode(), stream.ProcessState.ExitCode())
			}
			if gotA.Closed != each {
				t.Errorf("%d of its %d streams are closed", gotA.Closed, each)
			}
			if inTime && (gotA.Delivered != sentA.Sent || sentA.Refused+sentA.Unknown > 0) {
				t.Errorf("to the node that ended, before it did: %s, delivered %d", sentA, gotA.Delivered)
			} else if !inTime {
				t.Log("the machine was too slow for the first generator to end before the node did: what came there is not judged")
			}
			if gotB.Delivered != sentB.Sent || sentB.Refused+sentB.Unknown+gotB.Closed+gotB.Duplicated+gotA.Duplicated > 0 {
				t.Errorf("to the other node: %s, and the flood says %+v", sentB, gotB)
			}
		})
	}
}
