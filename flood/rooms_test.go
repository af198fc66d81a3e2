package flood

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRooms(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			asked := make(map[string]int)
			all := make(chan struct{})
			due := time.Now().Add(-30 * time.Millisecond)
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				say(c, chunkedHead)
				mu.Lock()
				if asked[r.URL.Path]++; asked["/5"]+asked["/6"]+asked["/7"] == 11 {
					close(all)
				}
				mu.Unlock()
				<-all
				say(c, chunk(messageOf(7, 5, 1, due))+chunk(messageOf(7, 5, 2, due)))
				hold(c)
			})
			// Another flood has one of the first room, and one of the last.
			r := flooded(t, e, Config{URL: srv.url("/{id}"), Connections: 11, Subscribers: 4, Skip: 1, FirstID: 5, LastID: 7},
				func(c Counts) bool { return c.Stamped == 22 })
			mu.Lock()
			defer mu.Unlock()
			if asked["/5"] != 3 || asked["/6"] != 4 || asked["/7"] != 4 {
				t.Errorf("the ids were asked for %v times, want 3, 4 and 4", asked)
			}
			f := r.FanOut
			if f == nil || f.Messages != 2 || f.First < 30 || f.P50 < f.First || f.P99 < f.P50 || f.Last < f.P99 || f.Sample == "" {
				t.Errorf("%+v, want 2 messages with their times", f)
			}
			if r.Delivered != 22 || r.Duplicated != 0 || r.Reordered != 0 || r.Missing != 0 {
				t.Errorf("%+v, want 22 messages", r.Counts)
			}
		})
	}
}

func TestAConnectionForEachIDHasNoFanOut(t *testing.T) {
	srv := serve(t, stream(chunkedHead+chunk(message(7, 1, time.Now()))))
	r := flooded(t, engines()[0], Config{URL: srv.url("/{id}"), Connections: 3}, func(c Counts) bool { return c.Stamped == 3 })
	if r.FanOut != nil {
		t.Errorf("%+v", r.FanOut)
	}
}

// TestFanOutOfOneMessageToSeveralIDs: the times of a message are kept, whatever the id
// is that it comes to.
func TestFanOutOfOneMessageToSeveralIDs(t *testing.T) {
	due := time.Now().Add(-30 * time.Millisecond)
	srv := serve(t, stream(chunkedHead+chunk(messageOf(7, 5, 1, due))))
	r := flooded(t, engines()[0], Config{URL: srv.url("/{id}"), Connections: 3, FanOut: true}, func(c Counts) bool { return c.Stamped == 3 })
	if f := r.FanOut; f == nil || f.Messages != 1 || f.First < 30 || f.Last < f.First {
		t.Errorf("%+v, want one message", f)
	}
}

func TestRoomsBesideTheOtherSettings(t *testing.T) {
	const url = "http://127.0.0.1:1/{id}"
	for _, c := range []struct {
		name string
		cfg  Config
		// connections, first and last id
		connections int
		first, last int64
		want        string // of the error
	}{
		{"ids follow from connections", Config{URL: url, Connections: 200, Subscribers: 20}, 200, 1, 10, ""},
		{"connections follow from ids", Config{URL: url, FirstID: 5, LastID: 9, Subscribers: 20}, 100, 5, 9, ""},
		{"a room", Config{URL: url, Subscribers: 20}, 20, 1, 1, ""},
		{"each URL is a room", Config{URLs: []string{url, url}, Subscribers: 20}, 40, 1, 2, ""},
		{"a part of two rooms", Config{URL: url, Connections: 6, Subscribers: 4, Skip: 3, FirstID: 8, LastID: 10}, 6, 8, 10, ""},
		{"too few ids", Config{URL: url, Connections: 200, FirstID: 1, LastID: 5, Subscribers: 20}, 0, 0, 0, "take 10 ids, and there are 5: open 100, or give more ids"},
		{"too few URLs", Config{URLs: []string{url}, Connections: 200, Subscribers: 20}, 0, 0, 0, "take 10 URLs, and there are 1: open 20"},
		{"fewer than none", Config{URL: url, Connections: 200, Subscribers: -1}, 0, 0, 0, "-1 subscribers: use 1 or more"},
		{"the whole first room is elsewhere", Config{URL: url, Connections: 2, Subscribers: 4, Skip: 4}, 0, 0, 0, "of the first id's 4 subscribers 4 are skipped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.cfg.Validate()
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.cfg.withDefaults(); got.Connections != c.connections || got.FirstID != c.first || got.LastID != c.last {
				t.Errorf("%d connections, ids %d-%d; want %d, %d-%d", got.Connections, got.FirstID, got.LastID, c.connections, c.first, c.last)
			}
		})
	}
}

func TestCheckSubscribers(t *testing.T) {
	for _, c := range []struct {
		connections, subscribers int
		want                     string
	}{
		{7, 0, ""},
		{7, 1, ""},
		{200, 20, ""},
		{10_000, 3, "10000 connections are no whole number of rooms of 3: open 9999 or 10002"},
		{7, 20, "7 connections are no whole number of rooms of 20: open 20"},
	} {
		err := CheckSubscribers(c.connections, c.subscribers)
		if (err == nil) != (c.want == "") || err != nil && err.Error() != c.want {
			t.Errorf("%d, %d: %v, want %q", c.connections, c.subscribers, err, c.want)
		}
	}
}
