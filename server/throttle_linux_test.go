package server

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestThrottled: while the throttle is shut a message to many waits, in whatever form it
// comes, with all that its client sends behind it; those of others go on.
func TestThrottled(t *testing.T) {
	const room, other = 1, 900000
	lines := func(text string) string {
		return fmt.Sprintf("POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
	}
	long := strings.Repeat("l", maxSingle+1)
	event := "POST /event/7 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\ne"
	for name, c := range map[string]struct {
		sends   string
		answers int
		before  int // messages that go first
		after   int
	}{
		"a message":               {post(room, "m"), 1, 0, 1},
		"a message behind others": {post(other, "a") + post(room, "m") + post(other, "b"), 3, 1, 2},
		"a long message":          {post(room, long), 1, 0, 1},
		"an event":                {event, 1, 0, 1},
		"a line":                  {lines("1 m\n"), 1, 0, 1},
		"a line behind others":    {lines("900000 a\n900000 b\n1 m\n900000 c\n"), 1, 2, 2},
		"a line without its end":  {lines("900000 a\n1 m"), 1, 1, 1},
		"a line of an event":      {lines("900000 a\n{\"from\":7,\"message\":\"e\"}\n900000 c\n"), 1, 1, 2},
		"lines in chunks":         {"POST /send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n900000 a\n\r\n3\r\n1 m\r\n0\r\n\r\n", 1, 1, 1},
		"two, both held":          {post(room, "m") + post(room, "n"), 2, 0, 2},
		"to few of the followers": {post(other, "a") + strings.Replace(event, "/7", "/8", 1), 2, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var edges strings.Builder
			for follower := range manyFrom {
				fmt.Fprintf(&edges, "%d 7\n", follower+1000)
			}
			for follower := range 10 * manyFrom { // of whom one is online
				fmt.Fprintf(&edges, "%d 8\n", follower+1000+manyFrom-1)
			}
			r := start(t, Config{Engine: Epoll, Subscriptions: friends(t, edges.String())})
			for i := range manyFrom {
				stream := r.stream(fmt.Sprintf("%d,%d", room, 1000+i))
				go io.Copy(io.Discard, stream)
			}
			r.stream(fmt.Sprint(other))
			sent := func(want int) {
				t.Helper()
				for end := time.Now().Add(patience); r.Stats().Sent < uint64(want); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%d messages were taken, want %d", r.Stats().Sent, want)
					}
				}
			}
			throttle := &r.core.throttle
			throttle.hold()
			open := sync.OnceFunc(throttle.release)
			defer open()
			p, q := r.publisher(), r.publisher()
			p.send(c.sends)
			sent(c.before)
			q.send(post(other, "q"))
			q.answers(1)
			sent(c.before + 1)
			time.Sleep(20 * time.Millisecond) // time to do what it must not
			if s := r.Stats(); s.Sent != uint64(c.before+1) {
				t.Errorf("%d messages were taken, want %d", s.Sent, c.before+1)
			}
			open()
			p.answers(c.answers)
			sent(c.before + c.after + 1)
			if s := r.Stats(); s.Sent != uint64(c.before+c.after+1) {
				t.Errorf("%d messages were taken, want %d", s.Sent, c.before+c.after+1)
			}
		})
	}
}

// TestThrottledAtTheEnd: a shutdown does not wait for what waits at the throttle, and says
// which messages were not taken; a client who has gone keeps nobody up.
func TestThrottledAtTheEnd(t *testing.T) {
	r := start(t, Config{Engine: Epoll})
	r.streams(manyFrom)
	r.core.throttle.hold()
	single, lines, gone := r.publisher(), r.publisher(), r.publisher()
	gone.send(post(1, "m"))
	gone.Close()
	single.send(post(1, "m"))
	lines.send("POST /send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n2 a\n1 m\n")
	for r.Stats().Sent == 0 {
		time.Sleep(time.Millisecond)
	}
	r.stop()
	for name, got := range map[string]string{"single": single.rest(), "lines": lines.rest()} {
		if !strings.Contains(got, " 503 ") || !strings.Contains(got, "shutting down") {
			t.Errorf("%s is answered %q", name, got)
		}
	}
	if s := r.Stats(); s.Sent != 1 {
		t.Errorf("%d messages were taken, want 1", s.Sent)
	}
}
