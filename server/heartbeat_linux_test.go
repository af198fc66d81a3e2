package server

import (
	"testing"
	"time"
)

// TestLoopHeartbeat has a loop turn by hand, by a clock of the test's own: the
// heartbeat comes after four looks without a byte, not to a full socket, and
// not twice for one silence.
func TestLoopHeartbeat(t *testing.T) {
	r := open(t, Config{Engine: Epoll, Loops: 1, Heartbeat: 4 * time.Second})
	defer r.Close()
	l := r.engine.(*epollEngine).loops[0]
	clock := time.Now()
	look := func(n int) {
		for range n {
			clock = clock.Add(time.Second)
			l.now = clock
			l.beat()
		}
	}
	look(1) // nobody is there
	c := r.connect("GET /events/1 HTTP/1.1\r\nHost: h\r\n\r\n")
	for l.conns.Len() == 0 {
		if err := l.turn(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	c.expect(sse11)
	l.pulse = pulse{period: time.Second}
	beats := func(want uint64) {
		t.Helper()
		if n := l.counters.heartbeats.Load(); n != want {
			t.Fatalf("%d heartbeats, want %d", n, want)
		}
	}
	_, row, ok := l.conns.Lookup(l.conns.Token(1))
	if !ok {
		t.Fatal("the connection is not in the first row")
	}
	row.flags &^= looks
	look(3)
	beats(0)
	r.publish(1, "a")
	l.deliver()
	look(3)
	beats(0)
	look(1)
	beats(1)
	look(3)
	beats(1)
	look(1)
	beats(2)
	c.expect("f\r\nid: 1\ndata: a\n\n\r\n" + beatChunk + beatChunk)
	// What waits for a full socket is no silence.
	l.extraOf(row).out.addBytes([]byte("x"))
	look(10)
	beats(2)
	l.extras.at(row.extra).out.reset()
	l.rest(row)
	// The end of a stream is the end of its heartbeats.
	l.end(1, row)
	look(10)
	beats(2)
	c.expect(lastOne)
}
