package flood

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReconnects has connections lost in each way, which come back and count once.
func TestReconnects(t *testing.T) {
	first := func(text string, then answer) func(n int64) answer {
		return func(n int64) answer {
			if n == 1 {
				return once(text)
			}
			return then
		}
	}
	held := stream(chunkedHead + messages(chunk, 3))
	for name, c := range map[string]struct {
		each   func(n int64) answer // what the n-th request of a client gets
		socket bool
		// stamped is how many messages have come once all are back.
		stamped uint64
		want    func(c Counts) string
	}{
		"cut off": {each: first(chunkedHead+messages(chunk, 1), held), stamped: 6, want: func(c Counts) string {
			return fmt.Sprint(c.Reconnect.Lost == 3, c.Reconnect.Back == 3, c.Reconnect.Failed == 0, c.Completed == 0, c.Missing == 3, c.Reconnect.MissedOffline == 3)
		}},
		"ended": {each: first(chunkedHead+messages(chunk, 1, 2)+"0\r\n\r\n", held), stamped: 9, want: func(c Counts) string {
			return fmt.Sprint(c.Reconnect.Lost == 0, c.Reconnect.Back == 3, c.Completed == 3, c.CompletedMessages == 6, c.Missing == 0, c.Reconnect.MissedOffline == 0)
		}},
		"refused at first": {each: first("HTTP/1.1 503 Service Unavailable\r\n\r\n", held), stamped: 3, want: func(c Counts) string {
			return fmt.Sprint(c.Reconnect.Lost == 0, c.Reconnect.Back == 0, c.Reconnect.Failed == 0, c.Failed == 0, c.Reconnect.Attempts == 3)
		}},
		"refused as they come back": {each: func(n int64) answer {
			switch n {
			case 1:
				return once(chunkedHead)
			case 2:
				return once("HTTP/1.1 503 Service Unavailable\r\n\r\n")
			}
			return held
		}, stamped: 3, want: func(c Counts) string {
			return fmt.Sprint(c.Reconnect.Lost == 3, c.Reconnect.Failed == 3, c.Reconnect.Back == 3, c.Reconnect.Attempts == 6)
		}},
		"a WebSocket": {socket: true, each: func(n int64) answer {
			if n == 1 {
				return func(c *net.TCPConn, r *http.Request) { upgrade(c, r, ""); say(c, text("half")[:4]) }
			}
			return sends(messages(text, 3), 1<<10)
		}, stamped: 3, want: func(c Counts) string { return fmt.Sprint(c.Reconnect.Lost == 3, c.Reconnect.Back == 3) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var each [4]atomic.Int64
			srv := serve(t, func(conn *net.TCPConn, r *http.Request) {
				c.each(each[idOf(r)].Add(1))(conn, r)
			})
			cfg := Config{URL: srv.url("/{id}"), Connections: 3, Behavior: Behavior{Reconnect: quick}}
			if c.socket {
				cfg.Protocol = WebSocket
			}
			r := flooded(t, engines()[0], cfg, func(got Counts) bool { return got.Connected == 3 && got.Stamped == c.stamped })
			if got := c.want(r.Counts); strings.Contains(got, "false") || r.Established() != 3 || r.Closed != 0 || r.Failed != 0 {
				t.Errorf("%s: %+v; %s", got, r.Counts, r.Explanation)
			}
			if r.Reconnect.Back > 0 && (r.Offline == nil || r.Offline.Count != 3) {
				t.Errorf("%+v were away", r.Offline)
			}
		})
	}
}

// TestReconnectIsBounded: whoever never gets in has failed once.
func TestReconnectIsBounded(t *testing.T) {
	srv := serve(t, once("HTTP/1.1 503 Service Unavailable\r\n\r\n"))
	r := flooded(t, engines()[0], Config{URL: srv.url("/"), Connections: 3, Behavior: Behavior{Reconnect: quick}}, func(c Counts) bool { return c.Reconnect.Failed >= 30 })
	want := fmt.Sprintf("connections failed %d times, %[1]d of them with \"status\": the server answered with status 503", r.Failures["status"])
	if r.Failed != 3 || r.Established() != 0 || r.Failures["status"] < 30 || !strings.HasPrefix(r.Explanation, want) {
		t.Errorf("%+v, %v: %s", r.Counts, r.Failures, r.Explanation)
	}
}

// TestServersSayWhen: Retry-After and the retry of server-sent events are obeyed,
// and the id of the last event is sent.
func TestServersSayWhen(t *testing.T) {
	var mu sync.Mutex
	var came []time.Time
	var ids []string
	srv := serve(t, func(c *net.TCPConn, r *http.Request) {
		mu.Lock()
		came, ids = append(came, time.Now()), append(ids, r.Header.Get("Last-Event-ID"))
		n := len(came)
		mu.Unlock()
		switch n {
		case 1:
			say(c, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n")
		case 2:
			say(c, eventsHead+"retry: 300\nid: seven\ndata: x\n\nid: eight\ndata: cut o")
			c.SetLinger(0) // the head says that the end of the connection is the end of the body
		default:
			say(c, eventsHead)
			hold(c)
		}
	})
	flooded(t, engines()[0], Config{URL: srv.url("/"), Behavior: Behavior{Reconnect: quick}}, func(c Counts) bool { return c.Reconnect.Back == 1 })
	mu.Lock()
	defer mu.Unlock()
	if len(came) < 3 || came[1].Sub(came[0]) < 700*time.Millisecond || came[2].Sub(came[1]) < 150*time.Millisecond {
		t.Errorf("came at %v, want a second and then 300 ms apart", came)
	}
	if got := strings.Join(ids, ","); got != ",,seven" {
		t.Errorf("the ids of the last events are %q", got)
	}
}

func TestStorm(t *testing.T) {
	var asked atomic.Int64
	srv := serve(t, func(c *net.TCPConn, _ *http.Request) { asked.Add(1); say(c, chunkedHead); hold(c) })
	for _, share := range []Share{1, 0.5} {
		asked.Store(0)
		cfg := Config{URL: srv.url("/"), Connections: 100, Behavior: Behavior{Storm: Storm{After: 10 * time.Millisecond, Share: share}, Reconnect: quick}}
		n := uint64(100 * share)
		r := flooded(t, engines()[0], cfg, func(c Counts) bool { return c.Reconnect.Back == n })
		if r.Reconnect.Left != n || r.Connected != 100 || r.Closed != 0 || asked.Load() != 100+int64(n) {
			t.Errorf("%v: %+v, %d requests", share, r.Counts, asked.Load())
		}
	}
}

// TestStormWaitsForItsMark, where there is to be one.
func TestStormWaitsForItsMark(t *testing.T) {
	srv := serve(t, stream(chunkedHead))
	cfg := Config{URL: srv.url("/"), Connections: 10, StormAfterMark: true, Behavior: Behavior{Storm: Storm{Share: 1}}}
	var f *Flood
	marked, samples := false, 0
	cfg.OnSample = func(s Sample) {
		if samples++; samples > 20 && !marked {
			if s.Reconnect.Left > 0 {
				t.Errorf("%+v before the mark", s.Counts)
			}
			marked = true
			f.Mark()
		}
	}
	f, ctx, cancel := prepared(t, cfg, func(c Counts) bool { return c.Reconnect.Back == 10 })
	defer cancel()
	if r := ran(ctx, t, engines()[0], f); r.Reconnect.Left != 10 || r.Connected != 10 {
		t.Errorf("%+v", r.Counts)
	}
}

func TestChurn(t *testing.T) {
	srv := serve(t, stream(chunkedHead))
	cfg := Config{URL: srv.url("/"), Connections: 50, Behavior: Behavior{Churn: 1}} // 50 each second
	start := time.Now()
	r := flooded(t, engines()[0], cfg, func(c Counts) bool { return c.Reconnect.Left >= 25 })
	if took := time.Since(start); took < 400*time.Millisecond || r.Reconnect.Lost != 0 || r.Established() != 50 || len(r.Failures) > 0 {
		t.Errorf("after %v: %+v, %v", took, r.Counts, r.Failures)
	}
}

// TestStreamTimes: to the first message, between messages, and to the end.
func TestStreamTimes(t *testing.T) {
	const pause = 50 * time.Millisecond
	for name, c := range map[string]struct {
		head, end string
		wrap      func(string) string
	}{
		"chunks":            {chunkedHead, "0\r\n\r\n", chunk},
		"events":            {eventsHead, "", func(s string) string { return "event: token\ndata: " + s + "\n\n" }},
		"events in chunks":  {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\n\r\n", func(s string) string { return chunk("data: "+s) + chunk("\n\n") }},
		"comments are none": {eventsHead, "", func(s string) string { return ": ping\n\ndata: " + s + "\n\n: ping\n\n" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				srv := serve(t, func(conn *net.TCPConn, _ *http.Request) {
					say(conn, c.head)
					for _, token := range []string{"a", "b", "c"} {
						time.Sleep(pause)
						say(conn, c.wrap(token))
					}
					time.Sleep(pause)
					say(conn, c.end)
				})
				r := flooded(t, e, Config{URL: srv.url("/"), Connections: 2}, func(got Counts) bool { return got.Completed == 2 })
				ms := float64(pause.Milliseconds())
				switch {
				case r.CompletedMessages != 6, r.FirstMessage == nil, r.Gap == nil, r.Stream == nil:
					t.Fatalf("%s: %+v, %+v, %+v, %+v", e.name, r.Counts, r.FirstMessage, r.Gap, r.Stream)
				case r.FirstMessage.Count != 2, r.Gap.Count != 4, r.Stream.Count != 2:
					t.Errorf("%s: %d first messages, %d gaps, %d ends", e.name, r.FirstMessage.Count, r.Gap.Count, r.Stream.Count)
				case r.FirstMessage.P50 < ms-1, r.FirstMessage.Max+2*r.Gap.Max < 3*ms-1, r.Stream.P50 < 4*ms-2, r.FirstMessage.P50 > r.Stream.P50: // whoever reads one late finds the next one early
					t.Errorf("%s: first %v, gap %v, end %v", e.name, r.FirstMessage, r.Gap, r.Stream)
				}
			}
		})
	}
}

// TestSlowReaders: the share that is slow reads as slowly as it is to, and the rest
// as ever.
func TestSlowReaders(t *testing.T) {
	body, stamps := filled(200_000)
	srv := serve(t, stream(chunkedHead+chunk(body)))
	cfg := Config{URL: srv.url("/"), Connections: 1, Behavior: Behavior{SlowReaders: SlowReaders{Share: 1, Rate: 50_000}}}
	start := time.Now()
	r := flooded(t, engines()[0], cfg, func(c Counts) bool { return c.Bytes > 150_000 })
	if took := time.Since(start); took < 2*time.Second {
		t.Errorf("%d bytes were read in %v, want 50,000 each second", r.Bytes, took)
	}
	cfg.SlowReaders.Share, cfg.Connections = 0.0001, 4
	if r := flooded(t, engines()[0], cfg, figures{established: 4, stamped: 4 * stamps}.reached); r.Delivered != 4*stamps {
		t.Errorf("%+v", r.Counts)
	}
}

// TestHalfOpen: what is sent to such an end is never acknowledged.
func TestHalfOpen(t *testing.T) {
	connected, sent := make(chan struct{}), make(chan int, 1)
	srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
		say(c, chunkedHead)
		select {
		case <-connected:
		case <-t.Context().Done():
		}
		c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
		n, _ := c.Write(make([]byte, 64<<20)) // until its buffer is full
		sent <- n
	})
	cfg := Config{URL: srv.url("/"), Connections: 1, Behavior: Behavior{HalfOpen: 1}, OnSample: func(s Sample) {
		if s.Connected != nil {
			close(connected)
		}
	}}
	r := flooded(t, engines()[0], cfg, func(Counts) bool { return len(sent) == 1 })
	if n := <-sent; n > 32<<20 || r.Connected != 1 || r.Bytes > 1000 {
		t.Errorf("%d bytes were taken, %+v", n, r.Counts)
	}
}

// TestEachWebSocketHasItsKey, also those of a client that comes back (RFC 6455,
// section 4.1).
func TestEachWebSocketHasItsKey(t *testing.T) {
	var mu sync.Mutex
	keys := make(map[string]bool)
	srv := serve(t, func(c *net.TCPConn, r *http.Request) {
		mu.Lock()
		keys[r.Header.Get("Sec-WebSocket-Key")] = true
		mu.Unlock()
		upgrade(c, r, "")
	})
	cfg := Config{URL: srv.url("/{id}"), Protocol: WebSocket, Connections: 3, Behavior: Behavior{Reconnect: quick}}
	r := flooded(t, engines()[0], cfg, func(c Counts) bool { return c.Reconnect.Back >= 30 })
	srv.stop()
	if uint64(len(keys)) < 3+r.Reconnect.Back {
		t.Errorf("%d keys for 3 connections that came back %d times", len(keys), r.Reconnect.Back)
	}
}
