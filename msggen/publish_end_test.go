package msggen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPublishOutage has the server die and come back.
func TestPublishOutage(t *testing.T) {
	server := newPublisher(t, nil)
	address := server.Listener.Addr().String()
	sender := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}"})
	generator, err := New(Config{Sender: sender, Rate: 2000, MaxID: 20})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	wait := func(what string, is func(Stats) bool) {
		t.Helper()
		for !is(generator.Stats()) {
			if ctx.Err() != nil {
				t.Errorf("%s: still %+v", what, generator.Stats())
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	again := &publisher{flying: map[string]int{}}
	go func() {
		defer cancel()
		wait("at first", func(s Stats) bool { return s.Sent > 100 })
		server.stop()
		wait("after the server died", func(s Stats) bool { return s.Away && s.Refused > 10 })
		var err error
		if again.Server, err = serveOn(address, again.serve); err != nil {
			t.Error(err)
			return
		}
		sent := generator.Stats().Sent
		wait("after it came back", func(s Stats) bool { return !s.Away && s.Sent > sent+100 })
	}()
	result, err := generator.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer again.stop()
	checkSum(t, result.Stats)
	got := uint64(len(server.got()) + len(again.got()))
	if got < result.Sent || got > result.Sent+result.Unknown || result.Refused == 0 {
		t.Errorf("the servers got %d messages, the result says %+v", got, result.Receipt)
	}
}

func TestPublishToNobody(t *testing.T) {
	server := newPublisher(t, nil)
	server.stop()
	sender := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}"})
	if err := sender.Open(t.Context()); !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "nothing listens there") {
		t.Errorf("Open: %v, want an ErrAway that says that nothing listens", err)
	}
	if err := sender.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestPublishToWhatNeverAnswers: a listener that takes requests and closes, or
// says nothing, or something else.
func TestPublishToWhatNeverAnswers(t *testing.T) {
	for name, reply := range map[string]func(net.Conn){
		"closes":        func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) },
		"another tune":  func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example.org ESMTP\r\n") },
		"never answers": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var serving sync.WaitGroup
			defer serving.Wait()
			defer listener.Close()
			serving.Go(func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					serving.Go(func() { defer conn.Close(); reply(conn) })
				}
			})
			sender := newPublish(t, PublishConfig{
				URL: "http://" + listener.Addr().String() + "/pub/{id}", Connections: 2, AnswerTimeout: 100 * time.Millisecond,
			})
			generator, err := New(Config{Sender: sender, Rate: 1000, MaxID: 100})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			result, err := generator.Run(ctx)
			if err == nil || errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "has never answered") {
				t.Errorf("Run: %v, want that it has never answered", err)
			}
			checkSum(t, result.Stats)
			if result.Sent != 0 || result.Unknown == 0 || result.Unanswered != 0 {
				t.Errorf("the result is %+v", result.Receipt)
			}
		})
	}
}

// TestPublishGivesUpAtTheEnd: an answer that does not come by the end of Close
// leaves its message unknown, and what waits behind it refused.
func TestPublishGivesUpAtTheEnd(t *testing.T) {
	came, release := make(chan struct{}), make(chan struct{})
	server := newPublisher(t, func(p *publisher) {
		p.answer = func(http.ResponseWriter, *http.Request) bool { close(came); <-release; return true }
	})
	defer close(release)
	sender := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}"})
	if err := sender.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := sender.Send(1, []byte("m")); err != nil {
			t.Fatal(err)
		}
	}
	if err := sender.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-came
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := sender.Close(ctx); err == nil || !strings.Contains(err.Error(), "not answered 1 requests") {
		t.Errorf("Close: %v, want that one request has no answer", err)
	}
	if got, want := sender.Receipt(), (Receipt{Unknown: 1, Refused: 2, ReachUnknown: true}); got != want {
		t.Errorf("the receipt is %+v, want %+v", got, want)
	}
}

// TestPublishWaitsWhenTooManyWait, so that a server which is slower than the
// rate does not fill the memory.
func TestPublishWaitsWhenTooManyWait(t *testing.T) {
	server := newPublisher(t, nil)
	sender := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}", Connections: 1})
	if err := sender.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range maxWaiting + 500 {
		if err := sender.Send(1, []byte("m")); err != nil {
			t.Fatal(err)
		}
	}
	if err := sender.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	// One is on the wire, and one more may have been answered that is not booked yet.
	if got := sender.Receipt().Unanswered; got > maxWaiting+2 {
		t.Errorf("after a Flush %d messages wait, want at most %d", got, maxWaiting+2)
	}
	if err := sender.Close(t.Context()); err != nil || sender.Receipt().Sent != maxWaiting+500 {
		t.Errorf("Close: %v with %+v", err, sender.Receipt())
	}
}
