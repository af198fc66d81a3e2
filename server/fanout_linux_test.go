package server

import (
	"io"
	"strings"
	"sync"
	"testing"
)

// TestFanOut has one message go to streams of all kinds, some further than the
// others, some with several ids and some that have just gone.
func TestFanOut(t *testing.T) {
	r := start(t, Config{Engine: Epoll, Loops: 1})
	var plain, ahead, both, events, polls, sockets, gone []*client
	for range fanOutFrom {
		plain = append(plain, r.stream("7"))
		ahead = append(ahead, r.stream("7,9"))
		both = append(both, r.stream("8,7"))
		gone = append(gone, r.stream("7"))
		events = append(events, r.connect("GET /events/7 HTTP/1.1\r\nHost: h\r\n\r\n"))
		polls = append(polls, r.connect("GET /poll/7 HTTP/1.1\r\nHost: h\r\n\r\n"))
		sockets = append(sockets, r.connect(strings.Replace(wsStart, "/ws/1", "/ws/7", 1)+"\r\n"))
	}
	r.waitForLogins(9 * fanOutFrom)
	r.publish(9, "before")
	for _, c := range gone {
		c.reset()
	}
	p := newPublisher(r.core)
	p.send(7, []byte("m"))
	p.send(8, []byte("m")) // the same bytes, to some of them again
	p.send(7, []byte("next"))
	if err := p.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range fanOutFrom {
		plain[i].expect(chunk(1, "m") + chunk(2, "next"))
		ahead[i].expect(chunk(1, "before") + chunk(2, "m") + chunk(3, "next"))
		both[i].expect(chunk(1, "m") + chunk(2, "m") + chunk(3, "next"))
		events[i].expect(sse11 + "f\r\nid: 1\ndata: m\n\n\r\n" + "12\r\nid: 2\ndata: next\n\n\r\n")
		sockets[i].expect(wsHead + "\r\n\x81\x01m\x81\x04next")
		if got := polls[i].rest(); !strings.HasSuffix(got, "\r\n\r\nm") {
			t.Fatalf("a long poll got %q", got)
		}
	}
	r.waitFor("those that have gone to be logged out", func(s Stats) bool { return s.Logins == 7*fanOutFrom })
}

// TestFanOutSlow: of many that get one message, one does not read. What its socket
// does not take waits, and comes whole.
func TestFanOutSlow(t *testing.T) {
	r := start(t, Config{Engine: Epoll, Loops: 1, SlowClient: Drop})
	slow := r.dial()
	slow.SetReadBuffer(256 << 10)
	slow.send("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
	slow.expect(html11)
	var readers sync.WaitGroup
	var others []*client
	for range fanOutFrom {
		c := r.stream("1")
		others = append(others, c)
		readers.Go(func() { io.Copy(io.Discard, c) })
	}
	sent := 0
	for r.Stats().BacklogBytes == 0 {
		sent += r.publish(1, large) / (1 + fanOutFrom)
		r.waitFor("the message to be dealt with", func(s Stats) bool {
			return s.Written+s.DroppedSlow == uint64(sent*(1+fanOutFrom)) || s.BacklogBytes > 0
		})
	}
	r.publish(1, "behind it")
	for n := range sent {
		slow.expect(chunk(n+1, large))
	}
	slow.expect(chunk(sent+1, "behind it"))
	r.waitFor("the backlog to be gone", func(s Stats) bool { return s.BacklogBytes == 0 })
	if s := r.Stats(); s.Disconnected > 0 || s.Connections != 1+fanOutFrom || s.DroppedSlow > 0 {
		t.Errorf("%d disconnected, %d connections, %d messages dropped", s.Disconnected, s.Connections, s.DroppedSlow)
	}
	for _, c := range others {
		c.CloseWrite()
	}
	readers.Wait()
}

// TestFanOutMany has more streams than go out in one call.
func TestFanOutMany(t *testing.T) {
	r := start(t, Config{Engine: Epoll, Loops: 1})
	var clients []*client
	for range fanOutSends + fanOutFrom {
		clients = append(clients, r.stream("1"))
	}
	for n := range 3 {
		if reached := r.publish(1, "m"); reached != len(clients) {
			t.Fatalf("reached %d", reached)
		}
		for _, c := range clients {
			c.expect(chunk(n+1, "m"))
		}
	}
}

// TestFanOutMixed has different messages in one batch, with one between them that
// goes another way: streams that are equally far do not get each other's.
func TestFanOutMixed(t *testing.T) {
	r := start(t, Config{Engine: Epoll, Loops: 1})
	var clients []*client
	for range fanOutFrom {
		clients = append(clients, r.stream("1"))
	}
	poll := r.connect("GET /poll/2 HTTP/1.1\r\nHost: h\r\n\r\n")
	r.waitForLogins(fanOutFrom + 1)
	other := r.stream("2")
	p := newPublisher(r.core)
	p.send(1, []byte("a"))
	p.send(2, []byte("b"))
	if err := p.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		c.expect(chunk(1, "a"))
	}
	other.expect(chunk(1, "b"))
	if got := poll.rest(); !strings.HasSuffix(got, "\r\n\r\nb") {
		t.Errorf("the long poll got %q", got)
	}
}
