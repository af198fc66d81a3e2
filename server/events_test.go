package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"example.org/comet/server/router"
	"example.org/comet/server/subscriptions"
)

// friends returns the path of a file of who follows whom.
func friends(tb testing.TB, edges string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "friends.db")
	if _, err := subscriptions.Import(tb.Context(), path, subscriptions.NewEdges(strings.NewReader(edges), "edges"), false); err != nil {
		tb.Fatal(err)
	}
	return path
}

// TestEvent: an event goes to the connections of the followers who are there, to
// each once, between the messages of the same sender.
func TestEvent(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, Subscriptions: friends(t, "1 7\n2 7\n3 7\n4 8\n5 9\n")})
		one, both, other, stranger := r.stream("1"), r.stream("2,3"), r.stream("1"), r.stream("4,7")
		for _, c := range []struct {
			path, body string
			code       int
			answer     string
		}{
			{"/event/7", "Hello", 200, `{"followers":3,"reached":3}`},
			{"/event/9", "nobody there", 200, `{"followers":1,"reached":0}`},
			{"/event/10", "nobody follows", 200, `{"followers":0,"reached":0}`},
			{"/send/1", "a message", 200, `{"reached":2}`},
			{"/event/8", "", 200, `{"followers":1,"reached":1}`},
			{"/event/-1", "x", 400, `{"error":"the publisher must be a whole number from 0 to 9223372036854775807, as in /event/123"}`},
			{"/event/7", strings.Repeat("x", router.MaxMessage+1), 413, `{"error":"a message may have 1 MiB"}`},
		} {
			code, answer := r.ask("POST", c.path, c.body)
			if code != c.code || answer != c.answer+"\n" {
				t.Errorf("%s %.20q: %d %s, want %d %s", c.path, c.body, code, answer, c.code, c.answer)
			}
		}
		one.expect(chunk(1, "Hello") + chunk(2, "a message"))
		other.expect(chunk(1, "Hello") + chunk(2, "a message"))
		both.expect(chunk(1, "Hello"))
		stranger.expect(chunk(1, ""))
		if s := r.Stats(); s.Sent != 5 || s.Events != 4 || s.Routed != 6 || s.Unaddressed != 2 {
			t.Errorf("sent %d, events %d, routed %d, unaddressed %d; want 5, 4, 6, 2", s.Sent, s.Events, s.Routed, s.Unaddressed)
		}
		if _, page := r.ask("GET", "/metrics", ""); !strings.Contains(page, "\ncomet_events_sent_total 4\n") {
			t.Errorf("the metrics do not count events:\n%s", page)
		}
	})
}

// TestEventLines: events and messages in one body, in their order, and lines that
// are neither.
func TestEventLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body                 string
		code                       int
		sent, reached, unaddressed int
		err                        string
		got                        []string // by 1, who follows 7
	}{
		{"an event", `{"from":7,"message":"a"}`, 200, 1, 1, 0, "", []string{"a"}},
		{"mixed", "1 a\n{\"from\":7,\"message\":\"b\"}\n1 c\n{\"message\":\"d\",\"from\":7}\n", 200, 4, 4, 0, "", []string{"a", "b", "c", "d"}},
		{"nobody", `{"from":8,"message":"a"}`, 200, 1, 0, 1, "", nil},
		{"both", `{"id":1,"from":7,"message":"a"}`, 400, 0, 0, 0, `line 1: a line has an "id" or is "from" a publisher, not both`, nil},
		{"no message", "1 a\n{\"from\":7}", 400, 1, 1, 0, `line 2: "from" must be`, []string{"a"}},
		{"a publisher as text", `{"from":"7","message":"a"}`, 400, 0, 0, 0, `line 1: this is not {"id":1,"message":"…"}: "from" is a JSON string`, nil},
		{"half a publisher", `{"from":7.5,"message":"a"}`, 400, 0, 0, 0, `line 1: this is not {"id":1,"message":"…"}: "from" is a JSON number 7.5`, nil},
		{"a negative publisher", `{"from":-7,"message":"a"}`, 400, 0, 0, 0, `line 1: "from" must be`, nil},
		{"too long", `{"from":7,"message":"` + strings.Repeat("x", router.MaxMessage+1) + `"}`, 400, 0, 0, 0, "line 1: a message may have 1 MiB", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				r := start(t, Config{Engine: t.engine, Subscriptions: friends(t, "1 7\n")})
				stream := r.stream("1")
				code, answer := r.ask("POST", "/send", c.body)
				var got sendReceipt
				if err := json.Unmarshal([]byte(answer), &got); err != nil {
					t.Fatalf("%q: %v", answer, err)
				}
				want := sendReceipt{Sent: uint64(c.sent), Reached: uint64(c.reached), Unaddressed: uint64(c.unaddressed), Error: got.Error}
				if code != c.code || got != want || !strings.HasPrefix(got.Error, c.err) || (got.Error == "") != (c.err == "") {
					t.Errorf("%d %s; want %d %+v, error %q", code, answer, c.code, want, c.err)
				}
				for i, m := range c.got {
					stream.expect(chunk(i+1, m))
				}
			})
		})
	}
}

// TestSubscriptions: a change is answered once it is there, and the next event goes
// by it.
func TestSubscriptions(t *testing.T) {
	bothEngines(t, func(t engineT) {
		path := filepath.Join(t.TempDir(), "friends.db") // is made
		r := start(t, Config{Engine: t.engine, Subscriptions: path})
		if log := r.log.String(); !strings.Contains(log, "this one is new") || !strings.Contains(log, path) {
			t.Errorf("the log of a server that made its file: %q", log)
		}
		stream := r.stream("1")
		for _, c := range []struct {
			method, path, body string
			code               int
			answer             string
		}{
			{"GET", "/subscriptions/1", "", 200, `{"publishers":[]}`},
			{"PUT", "/subscriptions/1/7", "", 200, `{"added":1,"removed":0}`},
			{"PUT", "/subscriptions/1/7", "", 200, `{"added":0,"removed":0}`},
			{"POST", "/event/7", "a", 200, `{"followers":1,"reached":1}`},
			{"GET", "/subscriptions/1/7", "", 200, `{"follows":true}`},
			{"GET", "/subscriptions/1/6", "", 200, `{"follows":false}`},
			{"PUT", "/subscriptions/1", `{"publishers":[8,9,8]}`, 200, `{"added":2,"removed":1}`},
			{"GET", "/subscriptions/1", "", 200, `{"publishers":[8,9]}`},
			{"POST", "/event/7", "b", 200, `{"followers":0,"reached":0}`},
			{"POST", "/event/9", "c", 200, `{"followers":1,"reached":1}`},
			{"DELETE", "/subscriptions/1/9", "", 200, `{"added":0,"removed":1}`},
			{"DELETE", "/subscriptions/1/9", "", 200, `{"added":0,"removed":0}`},
			{"DELETE", "/subscriptions/1", "", 200, `{"added":0,"removed":1}`},
			{"GET", "/subscriptions/1", "", 200, `{"publishers":[]}`},
			{"PUT", "/subscriptions/1", `{"publishers":[]}`, 200, `{"added":0,"removed":0}`},
			{"PUT", "/subscriptions/1", `{}`, 400, `{"error":"the body must be {\"publishers\":[7,8]}, with whole numbers from 0"}`},
			{"PUT", "/subscriptions/1", `{"publishers":[-1]}`, 400, `{"error":"the body must be {\"publishers\":[7,8]}, with whole numbers from 0"}`},
			{"PUT", "/subscriptions/1", `{"publishers":[7,null]}`, 400, `{"error":"the body must be {\"publishers\":[7,8]}, with whole numbers from 0"}`},
			{"PUT", "/subscriptions/bob", `{"publishers":[1]}`, 400, `{"error":"follower and publisher must be whole numbers from 0 to 9223372036854775807, as in /subscriptions/1/7"}`},
			{"PUT", "/subscriptions/1/bob", "", 400, `{"error":"follower and publisher must be whole numbers from 0 to 9223372036854775807, as in /subscriptions/1/7"}`},
		} {
			code, answer := r.ask(c.method, c.path, c.body)
			if code != c.code || answer != c.answer+"\n" {
				t.Errorf("%s %s %s: %d %s, want %d %s", c.method, c.path, c.body, code, answer, c.code, c.answer)
			}
		}
		for body, says := range map[string]string{
			"[7]": `: it is a JSON array"}`, "": "the body is not",
		} {
			if code, answer := r.ask("PUT", "/subscriptions/1", body); code != 400 || !strings.Contains(answer, says) {
				t.Errorf("PUT %.20q: %d %s, want %q", body, code, answer, says)
			}
		}
		long := `{"publishers":[` + strings.Repeat("1,", mostPublishers/2) + "1]}"
		if code, answer := r.ask("PUT", "/subscriptions/1", long); code != 413 || !strings.Contains(answer, "the list is longer than 8 MiB") {
			t.Errorf("PUT %.20q, %d bytes: %d %s", long, len(long), code, answer)
		}
		stream.expect(chunk(1, "a") + chunk(2, "c"))
	})
}

// TestSubscriptionsShared: one server can change a file; several can read it.
func TestSubscriptionsShared(t *testing.T) {
	path := friends(t, "1 7\n")
	a := start(t, Config{Subscriptions: path, SubscriptionsReadOnly: true})
	b := start(t, Config{Subscriptions: path, SubscriptionsReadOnly: true})
	for _, r := range []*running{a, b} {
		if code, answer := r.ask("POST", "/event/7", "m"); code != 200 || answer != "{\"followers\":1,\"reached\":0}\n" {
			t.Errorf("%d %s", code, answer)
		}
		if code, answer := r.ask("PUT", "/subscriptions/1/8", ""); code != 403 || !strings.Contains(answer, "only reads the file") {
			t.Errorf("%d %s", code, answer)
		}
	}
	_, err := New(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Subscriptions: path})
	if err == nil || !strings.Contains(err.Error(), "another process has "+path+" open") {
		t.Errorf("a server that would change it: %v", err)
	}
	a.stop()
	b.stop()
	start(t, Config{Subscriptions: path}) // the file is free again
}

func TestNoSubscriptions(t *testing.T) {
	r := start(t, Config{})
	for _, c := range [][2]string{{"POST", "/event/7"}, {"GET", "/subscriptions/1"}, {"PUT", "/subscriptions/1/7"}, {"DELETE", "/subscriptions/1"}} {
		if code, answer := r.ask(c[0], c[1], ""); code != http.StatusNotFound || !strings.Contains(answer, "comet serve --subscriptions FILE") {
			t.Errorf("%s %s: %d %s", c[0], c[1], code, answer)
		}
	}
	if code, answer := r.ask("POST", "/send", `{"from":7,"message":"m"}`); code != 400 || !strings.Contains(answer, "comet serve --subscriptions FILE") {
		t.Errorf("%d %s", code, answer)
	}
	folder := t.TempDir()
	text := filepath.Join(folder, "edges.tsv")
	if err := os.WriteFile(text, []byte("1 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{text: "is not a file of subscriptions", folder: "is not a file"} {
		if _, err := New(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Subscriptions: path}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", path, err, says)
		}
	}
	if err := (Config{SubscriptionsReadOnly: true}).Validate(); err == nil || !strings.Contains(err.Error(), "name one") {
		t.Errorf("read-only of nothing: %v", err)
	}
}

// TestEventLarge: an event to more connections than a slice has reaches all of them,
// also when its sender has gone meanwhile, and the messages of others come through.
func TestEventLarge(t *testing.T) {
	const followers = 3*flushAfter + 7
	var edges strings.Builder
	for id := range followers {
		fmt.Fprintf(&edges, "%d 7\n", id)
	}
	c := &core{}
	file, err := subscriptions.Open(friends(t, edges.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c.subscriptions = file
	in := &inbox{wake: func() {}}
	m := c.router.Join(in)
	for id := range followers {
		m.Login(router.Conn{Slot: uint32(id), Gen: 1}, int64(id))
	}
	taken := 0
	ended, end := context.WithCancel(t.Context())
	end()
	for _, ctx := range []context.Context{t.Context(), ended} {
		var taking sync.WaitGroup
		stop := make(chan struct{})
		taking.Go(func() {
			for {
				taken += len(in.take().items)
				select {
				case <-stop:
					taken += len(in.take().items)
					return
				default:
				}
			}
		})
		p := newPublisher(c)
		answer, err := p.event(ctx, 7, []byte("m"))
		if err != nil || answer != (eventAnswer{Followers: followers, Reached: followers}) {
			t.Errorf("%+v, %v; want all of %d", answer, err, followers)
		}
		_ = p.flush(ctx)
		close(stop)
		taking.Wait()
	}
	if taken != 2*followers || c.routed.Load() != 2*followers || c.events.Load() != 2 || c.sent.Load() != 2 || c.unaddressed.Load() != 0 {
		t.Errorf("taken %d, routed %d, events %d, sent %d, unaddressed %d", taken, c.routed.Load(), c.events.Load(), c.sent.Load(), c.unaddressed.Load())
	}
}
