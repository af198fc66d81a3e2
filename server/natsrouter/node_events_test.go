//go:build !nonats

package natsrouter

import (
	"path/filepath"
	"strings"
	"testing"

	"example.org/comet/server"
	"example.org/comet/server/subscriptions"
)

// friends returns the path of a file of who follows whom.
func friends(t *testing.T, edges string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "friends.db")
	if _, err := subscriptions.Import(t.Context(), path, subscriptions.NewEdges(strings.NewReader(edges), "edges"), false); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEvents: followers on two nodes get each event once, wherever it comes in and
// whatever the interest, before and after the router was away; a node without a file
// has no part in it.
func TestEvents(t *testing.T) {
	const edges = "1 7\n2 7\n3 7\n5000 7\n"
	for _, interest := range []Interest{Exact, Block, All} {
		t.Run("interest="+string(interest), func(t *testing.T) {
			s := startNATSApart(t)
			config := NodeConfig{Servers: at(s), Interest: interest, Events: true}
			a := startWeb(t, config, server.Config{Subscriptions: friends(t, edges)})
			b := startWeb(t, config, server.Config{Subscriptions: friends(t, edges), Engine: server.Goroutine})
			none := startWeb(t, NodeConfig{Servers: at(s), Interest: interest}, server.Config{})
			for _, w := range []*web{a, b, none} {
				w.waitReady(true)
			}
			streams := []*client{a.stream("1"), b.stream("1"), a.stream("2,3"), b.stream("5000,9,2")}
			stranger, elsewhere := b.stream("7"), none.stream("1")
			if code, answer := a.ask("POST", "/event/7", "from a"); code != 200 || answer != `{"followers":4,"reached":2,"here":2,"published":true}`+"\n" {
				t.Errorf("answered %d %s", code, answer)
			}
			expectAll(streams, chunk(1, "from a"))
			if code, answer := b.ask("POST", "/send", `{"from":7,"message":"from b"}`); code != 200 || answer != `{"sent":1,"reached":2,"unaddressed":0,"here":2,"published":1,"unpublished":0}`+"\n" {
				t.Errorf("answered %d %s", code, answer)
			}
			expectAll(streams, chunk(2, "from b"))
			stopNATS(s)
			a.waitReady(false)
			b.waitReady(false)
			if code, answer := a.ask("POST", "/event/7", "away"); code != 503 || !strings.Contains(answer, `"reached":2,"here":2,"published":false,"error":"the event was not published`) {
				t.Errorf("answered %d %s", code, answer)
			}
			streams[0].expect(chunk(3, "away"))
			streams[2].expect(chunk(3, "away"))
			s = startNATSAt(t, s)
			a.waitReady(true)
			b.waitReady(true)
			from := dialNATS(t, s)
			if err := from.Publish(string(appendEventSubject(nil, DefaultSubjectPrefix, 7)), []byte("from NATS")); err != nil {
				t.Fatal(err)
			}
			for i, n := range []int{4, 3, 4, 3} {
				streams[i].expect(chunk(n, "from NATS"))
			}
			// What a node has delivered is counted when it has handed on all that came.
			waitFor(t, "both events to be counted", func() bool { return b.Stats().Router.Routed >= 4 })
			if x := b.Stats().Router; x.Received != 2 || x.Routed != 4 || x.Unaddressed != 0 {
				t.Errorf("b received %d, routed %d, unaddressed %d; want 2, 4, 0", x.Received, x.Routed, x.Unaddressed)
			}
			for _, w := range []*web{a, b, none} {
				w.cancel()
			}
			for _, c := range append(streams, stranger, elsewhere) {
				if rest := c.rest(); rest != last {
					t.Errorf("what nobody sent: %q", rest)
				}
			}
		})
	}
}

func expectAll(streams []*client, text string) {
	for _, c := range streams {
		c.t.Helper()
		c.expect(text)
	}
}

func TestEventSubjects(t *testing.T) {
	for subject, want := range map[string]int64{
		string(appendEventSubject(nil, DefaultSubjectPrefix, 0)):       0,
		string(appendEventSubject(nil, DefaultSubjectPrefix, 1<<63-1)): 1<<63 - 1,
		"comet.msg.event.follow.7":                                     7,
		"comet.msg.event.follow.07":                                    -1,
		"comet.msg.event.follow.-7":                                    -1,
		"comet.msg.event.follow.":                                      -1,
		"comet.msg.event.follow":                                       -1,
		"comet.msg.event.follow.7.7":                                   -1,
		"comet.msg.event.follow.*":                                     -1,
		"comet.msg.0.7":                                                -1,
		"other.event.follow.7":                                         -1,
		"comet.msgs.event.follow.7":                                    -1,
	} {
		got, ok := subjectPublisher(DefaultSubjectPrefix, subject)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%s: %d, %v; want %d", subject, got, ok, want)
		}
		if _, message := subjectID(DefaultSubjectPrefix, subject); message && ok {
			t.Errorf("%s is a message and an event", subject)
		}
	}
}
