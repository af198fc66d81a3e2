//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"syscall"
	"testing"
)

// returnedCounts is what a flood says of connections that came back.
type returnedCounts struct {
	Connected, Failed, Delivered, Duplicated, Missing int
	UnknownTracks                                     int `json:"unknown_tracks"`
	Reconnect                                         struct {
		Lost, Attempts, Failed, Back int
		PeakPerSecond                int `json:"peak_per_second"`
		MissedOffline                int `json:"missed_offline"`
	}
}

// startReturning starts a flood of the streams of ids first to last, half of them at
// each of two nodes, which come back when they are lost.
func startReturning(t *testing.T, scheme, path string, a, b *serverNode, first, last int) *floodRun {
	t.Helper()
	var urls []string
	for id := first; id <= last; id++ {
		addr := []string{a.addr, b.addr}[id%2]
		urls = append(urls, fmt.Sprintf("%s://%s/%s/%d", scheme, addr, path, id))
	}
	f := startFloodBy(t, []string{"comet"}, urls, "--reconnect", "min=200ms,max=1s,jitter=full")
	f.await(t, len(urls))
	return f
}

func (f *floodRun) returned(t *testing.T) (c returnedCounts) {
	t.Helper()
	f.Process.Signal(syscall.SIGINT)
	if err := json.Unmarshal([]byte(f.out.await(t, `\{"type":"result".*\}`)), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSystemRollingRestart: two front ends on one router are restarted in turn, under
// load. Each turns unready first, and its clients come back at times of their own. What
// they missed while they were away is counted, and it is all that is missing.
func TestSystemRollingRestart(t *testing.T) {
	t.Parallel() // it waits more than it works
	const each = 500
	for _, engine := range []string{"epoll", "goroutine"} {
		t.Run(engine, func(t *testing.T) {
			_, at := startRouter(t, "--listen", someAddress()+":0")
			args := []string{"--engine", engine, "--drain-delay", "300ms", "--drain-spread", "2s"}
			nodes := []*serverNode{startNode(t, at.URL, args...), startNode(t, at.URL, args...)}
			events := startReturning(t, "http", "events", nodes[0], nodes[1], 1, each)
			sockets := startReturning(t, "ws", "ws", nodes[0], nodes[1], each+1, 2*each)
			reaches(t, at.URL, 2*each, 1)
			// In turn each id gets two messages a second, so that who was away hears of more.
			gen := startMsggen(t, at.URL, 1, 2*each, "--rate", "2000", "--distribution", "sequential")
			eventually(t, "each has had a message", func() bool { return events.now(t).Delivered >= each && sockets.now(t).Delivered >= each })
			for i, node := range nodes {
				node.Process.Signal(syscall.SIGTERM)
				until(t, "the node is not ready", func() bool { return ended(node.Cmd) || !node.ready(t) })
				eventually(t, "the node has ended", func() bool { return ended(node.Cmd) })
				if code := node.ProcessState.ExitCode(); code != 0 {
					t.Errorf("node %d ended with code %d", i, code)
				}
				nodes[i] = startNodeAt(t, node.addr, node.admin, at.URL, args...)
				for _, f := range []*floodRun{events, sockets} {
					f.await(t, each)
				}
			}
			before := events.now(t).Delivered + sockets.now(t).Delivered
			eventually(t, "each has had two messages more", func() bool {
				return events.now(t).Delivered+sockets.now(t).Delivered > before+3*2*each
			})
			sent := gen.stop(t)
			events.settle(t)
			sockets.settle(t)
			var all returnedCounts
			for who, f := range map[string]*floodRun{"events": events, "WebSockets": sockets} {
				c := f.returned(t)
				t.Logf("%s: delivered %d, missed offline %d; came back %d, in %d attempts, at most %d per second", who, c.Delivered, c.Reconnect.MissedOffline, c.Reconnect.Back, c.Reconnect.Attempts, c.Reconnect.PeakPerSecond)
				if c.Connected != each || c.Failed != 0 || c.Duplicated != 0 || c.UnknownTracks != 0 || c.Reconnect.Back != each {
					t.Errorf("%s: %+v; want %d connected, and that each came back once", who, c, each)
				}
				all.Delivered += c.Delivered
				all.Missing += c.Missing
				all.Reconnect.MissedOffline += c.Reconnect.MissedOffline
			}
			t.Logf("%s; delivered %d + missed offline %d", sent, all.Delivered, all.Reconnect.MissedOffline)
			if missed := all.Reconnect.MissedOffline; sent.Refused+sent.Unknown > 0 || sent.Sent != all.Delivered+missed || all.Missing != missed || missed == 0 {
				t.Errorf("%s, delivered %d, missed offline %d of %d missing: that does not add up", sent, all.Delivered, missed, all.Missing)
			}
		})
	}
}
