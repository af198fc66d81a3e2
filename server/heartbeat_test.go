package server

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	beatChunk = "d\r\n: heartbeat\n\n\r\n"
	sse10     = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nServer: comet\r\nConnection: close\r\n\r\n"
	wsRequest = "GET /ws/4 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)

// TestPulse: whatever the table's size, and however it grows, each row is
// looked at once a period, in slices that are spread over it.
func TestPulse(t *testing.T) {
	for _, c := range []struct {
		period  time.Duration
		rows    uint32
		grow    uint32 // rows that join at each slice
		atOnce  uint32 // the most rows of a slice
		perPass int    // slices
	}{
		{time.Second, 1, 0, 1, 1},
		{time.Second, 255, 0, 255, 1},
		{time.Second, 1000, 0, 256, 4},
		{4 * time.Second, 200_000, 0, 256, 782},
		{4 * time.Second, 1_000_000, 0, 1250, 800}, // 5 ms apart
		{2500 * time.Microsecond, 5000, 0, 5000, 1},
		{time.Second, 10, 3, 1000, 3},
	} {
		now := time.Unix(1e9, 0)
		p := pulse{period: c.period, began: now} // as if not for the first time
		rows := c.rows
		seen := make([]time.Time, 1+rows+c.grow*10_000)
		looks := make([]int, len(seen))
		slices, passes := 0, 0
		for passes < 5 {
			after, last := p.slice(now, rows)
			if after == 0 {
				slices = 0
			}
			slices++
			if got := last - after; got > c.atOnce+rows-c.rows {
				t.Errorf("%+v: a slice of %d rows", c, got)
			}
			for row := after + 1; row <= last; row++ {
				// A growing table moves a row forward in its period, never back by
				// more than one step.
				if gap := now.Sub(seen[row]); looks[row] > 0 && (gap > c.period+c.period/2 || c.grow == 0 && gap < c.period-time.Microsecond) {
					t.Fatalf("%+v: row %d was looked at %v after the last time", c, row, gap)
				}
				seen[row] = now
				looks[row]++
			}
			if last == rows {
				if passes++; c.grow == 0 && slices != c.perPass {
					t.Errorf("%+v: %d slices", c, slices)
				}
			}
			rows += c.grow
			if a, l := p.slice(now, rows); a != l {
				t.Fatalf("%+v: rows %d to %d at once after", c, a, l)
			}
			if !p.due.After(now) {
				t.Fatalf("%+v: due at %v, it is %v", c, p.due, now)
			}
			now = p.due
		}
		for row := range c.rows {
			if looks[row+1] != passes {
				t.Fatalf("%+v: row %d was looked at %d times in %d passes", c, row+1, looks[row+1], passes)
			}
		}
	}
}

// TestPulseLate: after a sleep nobody is looked at twice in a row.
func TestPulseLate(t *testing.T) {
	for _, rows := range []uint32{1, 1000} {
		p := pulse{period: time.Second}
		now := time.Unix(1e9, 0)
		for range 10 {
			if after, last := p.slice(now, rows); last != rows && after == last {
				t.Fatalf("rows %d to %d of %d after a sleep", after, last, rows)
			}
			if after, last := p.slice(now, rows); after != last {
				t.Errorf("rows %d to %d once more", after, last)
			}
			now = now.Add(time.Hour)
		}
	}
	if after, last := new(pulse).slice(time.Now(), 0); after != 0 || last != 0 {
		t.Error("an empty table has something to look at")
	}
}

// TestHeartbeat: silent streams of server-sent events and WebSockets get
// heartbeats, to the byte the same from both engines; others nothing but their
// messages; and a heartbeat is not a message.
func TestHeartbeat(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, Heartbeat: 20 * time.Millisecond})
		html := r.stream("1")
		events := r.connect("GET /events/2 HTTP/1.1\r\nHost: h\r\n\r\n")
		events10 := r.connect("GET /events/3 HTTP/1.0\r\n\r\n")
		socket := r.connect(wsRequest)
		poll := r.connect("GET /poll/5 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForLogins(5)
		events.expect(sse11 + strings.Repeat(beatChunk, 5))
		events10.expect(sse10 + strings.Repeat(": heartbeat\n\n", 3))
		head := make([]byte, len("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"))
		if _, err := io.ReadFull(socket, head); err != nil {
			t.Fatal(err)
		}
		socket.expect("\x89\x00\x89\x00")
		socket.send("\x8a\x80\x00\x00\x00\x00") // its pong is nothing to us
		socket.expect("\x89\x00")
		if s := r.Stats(); s.Heartbeats < 11 || s.Written != 0 || s.Routed != 0 || s.Connections != 5 {
			t.Errorf("%d heartbeats, %d written, %d routed, %d connections; want 11 or more, 0, 0, 5", s.Heartbeats, s.Written, s.Routed, s.Connections)
		}
		for id := range int64(5) {
			r.publish(id+1, "a")
		}
		html.expect(chunk(1, "a"))
		r.cancel()
		if got := html.rest(); got != lastOne {
			t.Errorf("then came %q", got)
		}
		if got := poll.rest(); !strings.HasSuffix(got, "\r\n\r\na") {
			t.Errorf("the poll was answered %q", got)
		}
		if got := strings.ReplaceAll(events.rest(), beatChunk, ""); got != "f\r\nid: 1\ndata: a\n\n\r\n"+lastOne {
			t.Errorf("the events were %q", got)
		}
		if got := strings.ReplaceAll(events10.rest(), ": heartbeat\n\n", ""); got != "id: 1\ndata: a\n\n" {
			t.Errorf("the events of HTTP/1.0 were %q", got)
		}
		if got := strings.ReplaceAll(socket.rest(), "\x89\x00", ""); got != "\x81\x01a"+restart {
			t.Errorf("the frames were %q", got)
		}
	})
}

// TestNoHeartbeat: off, which is the default, nothing of it happens.
func TestNoHeartbeat(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		c := r.connect("GET /events/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		c.expect(sse11)
		time.Sleep(30 * time.Millisecond) // in which TestHeartbeat has some
		r.cancel()
		if got := c.rest(); got != lastOne {
			t.Errorf("got %q", got)
		}
		r.ended()
		if s := r.Stats(); s.Heartbeats != 0 {
			t.Errorf("%d heartbeats", s.Heartbeats)
		}
	})
}

// TestHeartbeatCountsFromTheLastBytes: the looks of a goroutine connection
// begin anew with each message.
func TestHeartbeatCountsFromTheLastBytes(t *testing.T) {
	r := start(t, Config{Engine: Goroutine, Heartbeat: time.Hour})
	c := r.connect("GET /events/1 HTTP/1.1\r\nHost: h\r\n\r\n")
	c.expect(sse11)
	look := func(n int) {
		for range n {
			for _, c := range r.engine.(*stdEngine).all() {
				c.beat()
			}
		}
	}
	look(heartbeatParts - 1)
	r.publish(1, "a")
	c.expect("f\r\nid: 1\ndata: a\n\n\r\n")
	// Its bytes are counted before the writer knows that it has nothing more to write.
	writes := func(c *stdConn) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.pending.waiting()+c.inFlight > 0
	}
	r.waitFor("the writer to be done", func(Stats) bool { return !slices.ContainsFunc(r.engine.(*stdEngine).all(), writes) })
	look(heartbeatParts - 1)
	if n := r.Stats().Heartbeats; n != 0 {
		t.Errorf("%d heartbeats, though it was not silent for long", n)
	}
	look(1)
	c.expect(beatChunk)
	if n := r.Stats().Heartbeats; n != 1 {
		t.Errorf("%d heartbeats, want 1", n)
	}
}
