package server

import (
	"net"
	"testing"
	"time"
)

// TestAcceptQueue: who waits to be accepted is counted, of several sockets together.
func TestAcceptQueue(t *testing.T) {
	queue := func(listeners ...net.Listener) (q AcceptQueue) {
		for _, ln := range listeners {
			raw, err := ln.(*net.TCPListener).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			if err := raw.Control(func(fd uintptr) { acceptQueue(int(fd), &q) }); err != nil {
				t.Fatal(err)
			}
		}
		return q
	}
	var listeners []net.Listener
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		listeners = append(listeners, ln)
	}
	if q := queue(listeners...); *q.Waiting != 0 || *q.Most < 2 {
		t.Errorf("%d of %d wait where nobody has come", *q.Waiting, *q.Most)
	}
	for i, n := range []int{1, 4} {
		for range n {
			conn, err := net.Dial("tcp", listeners[i].Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
		}
	}
	for end := time.Now().Add(patience); *queue(listeners...).Waiting != 5; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d wait, not 5", *queue(listeners...).Waiting)
		}
	}
}

// TestAcceptQueueOfServer: both engines tell of theirs until they accept no more.
func TestAcceptQueueOfServer(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		if s := r.Stats(); s.Waiting == nil || *s.Most < 1 {
			t.Errorf("%+v", s.AcceptQueue)
		}
		r.stop()
		if s := r.Stats(); s.Waiting != nil {
			t.Errorf("%d wait at a socket that is closed", *s.Waiting)
		}
	})
}
