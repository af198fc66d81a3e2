package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/comet/server/adminhttp"
)

// post is a request with one message.
func post(id int, message string) string {
	return fmt.Sprintf("POST /send/%d HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", id, len(message), message)
}

// publisher connects to the admin listener.
func (r *running) publisher() *client {
	r.t.Helper()
	return dial(r.t, r.AdminAddr().String())
}

// streams opens n streams of id 1, and reads what comes in the background.
func (r *running) streams(n int) {
	r.t.Helper()
	for range n {
		c := r.stream("1")
		go io.Copy(io.Discard, c)
	}
}

// answers reads the bodies of n answers, which must be 200.
func (c *client) answers(n int) (bodies []string) {
	c.t.Helper()
	r := bufio.NewReader(c)
	for i := range n {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			c.t.Fatalf("answer %d of %d: %v", i+1, n, err)
		}
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			c.t.Fatalf("answer %d of %d: %s %s", i+1, n, resp.Status, body)
		}
		bodies = append(bodies, string(body))
	}
	return bodies
}

// TestIntakeWaitsForInboxes: whoever publishes more than the loops can take waits,
// and loses nothing: with requests in a row, and with lines to very many.
func TestIntakeWaitsForInboxes(t *testing.T) {
	for name, c := range map[string]struct{ streams, requests, lines int }{
		"requests": {streams: 400, requests: 900},
		"to many":  {streams: wideFrom + 90, requests: 500},
		"lines":    {streams: wideFrom + 90, lines: 500},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, Config{Engine: Epoll, Loops: 1})
			r.streams(c.streams)
			var all strings.Builder
			answers := c.requests
			for n := range c.requests {
				all.WriteString(post(1, fmt.Sprint(n)))
			}
			if c.lines > 0 {
				var lines strings.Builder
				for n := range c.lines {
					fmt.Fprintf(&lines, "1 %d\n", n)
				}
				fmt.Fprintf(&all, "POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", lines.Len(), lines.String())
				answers = 1
			}
			p := r.publisher()
			p.send(all.String())
			p.answers(answers)
			messages := uint64(c.requests + c.lines)
			if s := r.Stats(); s.Sent != messages || s.DroppedOverrun != 0 || s.Routed != messages*uint64(c.streams) {
				t.Errorf("of %d messages to %d streams sent %d, routed %d, lost %d to full inboxes", messages, c.streams, s.Sent, s.Routed, s.DroppedOverrun)
			}
		})
	}
}

// TestIntakePlaces: a connection that has sent lines, and waits for its next request,
// keeps no place of those that may take long.
func TestIntakePlaces(t *testing.T) {
	r := start(t, Config{Engine: Epoll})
	r.streams(50)
	lines := strings.Repeat("1 m\n", 400) // the loop gives way, and has read all by the end
	for range leastAdmins - 1 {
		p := r.publisher()
		p.send(fmt.Sprintf("POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(lines), lines))
		p.answers(1)
	}
}

// TestIntakeMadeRoom: what came from a connection that had to make room for others is
// not taken, since its answer would reach nobody.
func TestIntakeMadeRoom(t *testing.T) {
	r, l, turn := byHand(t)
	p := r.publisher()
	for l.intakes.rows.Len() == 0 {
		turn()
	}
	var first *adminhttp.Conn
	for _, it := range l.intakes.rows.All {
		first = it.conn
	}
	p.send(post(1, "m"))
	for range mostAdmins {
		r.publisher()
	}
	p.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := p.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("%d bytes, %v; want the end", n, err)
	}
	isThere := func() (there bool) {
		for _, it := range l.intakes.rows.All {
			there = there || it.conn == first
		}
		return there
	}
	for end := time.Now().Add(20 * time.Second); isThere() && time.Now().Before(end); {
		turn()
	}
	if s := r.Stats(); isThere() || s.Sent+s.Unaddressed != 0 {
		t.Errorf("it is there, or its message was taken, of which nobody will be told: %+v", s)
	}
}

// TestIntakeUnreadAtTheEnd: a client that reads no answer does not hold up the end of
// the server.
func TestIntakeUnreadAtTheEnd(t *testing.T) {
	r := start(t, Config{Engine: Epoll})
	p := r.publisher()
	p.SetReadBuffer(4 << 10)
	batch := strings.Repeat(post(9, ""), 500)
	for err := error(nil); err == nil; {
		p.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err = io.WriteString(p, batch); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	r.stop()
}

// byHand is a loop that the test turns, with the connections to the admin listener.
func byHand(t *testing.T) (r *running, l *loop, turn func()) {
	t.Helper()
	r = open(t, Config{Engine: Epoll, Loops: 1})
	stop, cancel := context.WithCancel(t.Context())
	a := newAdmin(stop, r.Server)
	r.engine.takeIntake(a)
	l = r.engine.(*epollEngine).loops[0]
	served := make(chan error, 1)
	go func() { served <- a.Serve() }()
	turn = func() {
		t.Helper()
		if err := l.turn(time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		cancel()
		for !l.intakes.over {
			turn()
		}
		if err := errors.Join(a.Shutdown(), <-served); err != nil {
			t.Error(err)
		}
		r.engine.close()
	})
	return r, l, turn
}

// TestIntakeKeepsLittle: of a client that sends faster than its lines are taken, what
// is too much stays in its socket.
func TestIntakeKeepsLittle(t *testing.T) {
	r, l, turn := byHand(t)
	for n := range 600 {
		c := r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		go io.Copy(io.Discard, c)
		for n%50 == 49 && r.Stats().Connections <= int64(n) {
			turn()
		}
	}
	p := r.publisher()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		io.WriteString(p, "POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
		for lines := strings.Repeat("1 m\n", 10_000); ; {
			if _, err := io.WriteString(p, lines); err != nil {
				return
			}
		}
	}()
	for turns := 0; turns < 300; {
		turn()
		if r.Stats().Sent > 0 {
			turns++
		}
		for _, it := range l.intakes.rows.All {
			if kept := len(it.in); kept > 2*len(l.readBuf) {
				t.Fatalf("%d bytes are kept after %d messages", kept, r.Stats().Sent)
			}
		}
		if len(l.intakes.again) > 1 {
			t.Fatalf("one client has %d turns", len(l.intakes.again))
		}
	}
	p.Close()
	<-sent
}

// TestIntakeLooksAgain: a connection that has sent lines for a while is not kept for
// good without a request.
func TestIntakeLooksAgain(t *testing.T) {
	r, l, turn := byHand(t)
	p := r.publisher()
	p.send("POST /send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1 a\n\r\n")
	for r.Stats().Sent == 0 || !l.intakes.due.IsZero() {
		turn()
	}
	p.send("0\r\n\r\n")
	for !p.hasCome() {
		turn()
	}
	if l.intakes.due.IsZero() {
		t.Error("nobody looks at it any more")
	}
}

// TestIntakePatience: of clients who say nothing more, who do not end a request, or who do
// not read their answers a loop keeps none for good, and little of the latter.
func TestIntakePatience(t *testing.T) {
	many := strings.Repeat(post(9, ""), 1000)
	for name, c := range map[string]struct {
		sends string
		since time.Duration
		waits func(it *intake) bool // it has come so far
		rest  string                // of its request, that net/http waits for
	}{
		"says nothing more":      {post(9, ""), restTime, func(it *intake) bool { return it.posted && len(it.out) == 0 }, ""},
		"does not end a request": {"POST /send/9 HTTP/1.1\r\nHo", partTime, func(it *intake) bool { return len(it.in) > 0 }, "st: localhost\r\nContent-Length: 0\r\n\r\n"},
		"does not read":          {"", roomTime, func(it *intake) bool { return len(it.out) > maxAnswers }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, l, turn := byHand(t)
			p := r.publisher()
			p.SetReadBuffer(4 << 10)
			var writing sync.WaitGroup
			writing.Go(func() {
				io.WriteString(p, c.sends)
				for err := error(nil); c.sends == "" && err == nil; {
					_, err = io.WriteString(p, many) // until it is cut off
				}
			})
			var it *intake
			for it == nil || !c.waits(it) {
				turn()
				for _, one := range l.intakes.rows.All {
					it = one
				}
			}
			for range 20 {
				turn()
			}
			if kept := len(it.out); kept > 2*maxAnswers {
				t.Errorf("%d bytes of answers are kept", kept)
			}
			if l.intakes.due.IsZero() {
				t.Error("nobody looks at it")
			}
			it.since, l.intakes.due = time.Now().Add(-c.since), time.Now()
			for deadline := time.Now().Add(patience); l.intakes.rows.Len() > 0; turn() {
				if time.Now().After(deadline) {
					t.Fatal("it is kept")
				}
			}
			writing.Wait()
			if c.rest != "" {
				p.send(c.rest)
				p.answers(1)
			}
		})
	}
}

// hasCome reports whether there is something to read, and reads some of it.
func (c *client) hasCome() bool {
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	n, _ := c.Read(make([]byte, 1))
	return n > 0
}
