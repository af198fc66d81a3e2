package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

var large = strings.Repeat("s", 48<<10)

// stall opens a stream that is not read, and sends to it until its socket and
// its backlog are full. It answers how many messages were for it.
func (r *running) stall(id int64) (c *client, sent int) {
	r.t.Helper()
	c = r.dial()
	c.SetReadBuffer(256 << 10)
	c.send(fmt.Sprintf("GET /test/%d HTTP/1.1\r\nHost: h\r\n\r\n", id))
	c.expect(html11)
	// One drop may be a writer that has not had its turn. Several in a row, while
	// nothing is written, are a full socket.
	last, full := r.Stats(), 0
	r.waitFor("the backlog to be full", func(s Stats) bool {
		if s.DroppedSlow > last.DroppedSlow && s.Written == last.Written {
			full++
		} else {
			full = 0
		}
		last = s
		if full == 30 || s.Disconnected > 0 {
			return true
		}
		sent += r.publish(id, large)
		return false
	})
	return c, sent
}

// TestSlowDrop: a client that does not read loses messages, which are counted,
// and nothing else: it stays, others are not held up, and what it gets is whole
// and numbered without a gap.
func TestSlowDrop(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, SlowClient: Drop, Loops: 1})
		other := r.stream("2")
		slow, sent := r.stall(1)
		if r.publish(2, "Hello") != 1 {
			t.Error("the other one is gone")
		}
		other.expect(chunk(1, "Hello"))
		s := r.Stats()
		if s.Disconnected != 0 || s.Connections != 2 || s.BacklogBytes <= 0 || s.BacklogBytes > mostBacklog(t.engine) {
			t.Errorf("disconnected %d, connections %d, backlog %d bytes; want none, 2, up to %d", s.Disconnected, s.Connections, s.BacklogBytes, mostBacklog(t.engine))
		}
		// It wakes up, and reads all.
		kept := sent - int(s.DroppedSlow)
		for n := range kept {
			slow.expect(chunk(n+1, large))
		}
		r.waitFor("the backlog to be gone", func(s Stats) bool { return s.BacklogBytes == 0 && s.Written == uint64(kept)+1 })
		r.publish(1, "caught up")
		slow.expect(chunk(kept+1, "caught up"))
	})
}

// mostBacklog is what may wait for one connection of the default 64 KiB, with
// the last message that was let in, and the burst that a goroutine may hold.
func mostBacklog(engine Engine) int64 {
	if engine == Goroutine {
		return burstBytes + 64<<10
	}
	return 2 * 64 << 10
}

// TestBurstToWhoDoesNotRead: however much comes at once, no more than the
// backlog is kept.
func TestBurstToWhoDoesNotRead(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, SlowClient: Drop, Loops: 1})
		c := r.stream("1,2")
		c.SetReadBuffer(256 << 10)
		p := newPublisher(r.core)
		message := []byte(strings.Repeat("s", 8<<10))
		for id := range int64(2000) { // equal messages, to the same connection
			p.send(1+id%2, message)
			if id%100 == 0 {
				if err := p.flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := p.flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.waitFor("all to be dealt with", func(s Stats) bool {
			// What has a place is in the backlog or written; the rest is dropped.
			return s.DroppedSlow > 0 && s.Written+s.DroppedSlow+uint64(s.BacklogBytes)>>13+1 >= 2000
		})
		if s := r.Stats(); s.BacklogBytes > mostBacklog(t.engine) {
			t.Errorf("%d bytes wait, want %d at most", s.BacklogBytes, mostBacklog(t.engine))
		}
	})
}

// TestSlowDisconnect: a client that does not read is cut off, alone.
func TestSlowDisconnect(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, Loops: 1})
		other := r.stream("2")
		slow, _ := r.stall(1)
		r.waitFor("it to be gone", func(s Stats) bool { return s.Connections == 1 && s.Logins == 1 && s.Disconnected == 1 })
		slow.expectCut()
		if n := r.publish(1, "x"); n != 0 {
			t.Errorf("reached %d", n)
		}
		r.publish(2, "Hello")
		other.expect(chunk(1, "Hello"))
		// The other may have its message before that is counted.
		r.waitFor("no backlog of nobody", func(s Stats) bool { return s.BacklogBytes == 0 })
	})
}

// TestSlowKinds: whatever a stream speaks, in clear and over TLS, a client that does
// not read is cut off, alone.
func TestSlowKinds(t *testing.T) {
	cert, key, trust := testCert(t)
	requests := []string{getWith("/test/1"), getWith("/events/1"), wsStart + "\r\n"}
	bothEngines(t, func(t engineT) {
		for name, cfg := range map[string]Config{"in clear": {}, "over TLS": {TLSCertFile: cert, TLSKeyFile: key}} {
			cfg.Engine, cfg.Loops = t.engine, 1
			r := start(t, cfg)
			open := func(request string) io.ReadCloser {
				c := r.dial()
				c.SetReadBuffer(16 << 10)
				if cfg.TLSCertFile == "" {
					c.send(request)
					return c
				}
				secure := tls.Client(c, trust)
				if _, err := io.WriteString(secure, request); err != nil {
					t.Fatal(err)
				}
				return secure
			}
			other := open(getWith("/test/2"))
			for _, request := range requests {
				open(request)
			}
			r.waitForLogins(len(requests) + 1)
			r.waitFor(name+", all who do not read to be cut off", func(s Stats) bool {
				if s.Disconnected < uint64(len(requests)) {
					r.publish(1, large+large+large)
				}
				return s.Disconnected == uint64(len(requests)) && s.Connections == 1
			})
			r.publish(2, "Hello")
			want := html11 + chunk(1, "Hello")
			got := make([]byte, len(want))
			if _, err := io.ReadFull(other, got); err != nil || string(got) != want {
				t.Errorf("%s, the other one got %q, error %v", name, got, err)
			}
			other.Close()
			r.stop()
		}
	})
}

// TestSlowCloses: what waited for one who leaves is counted as dropped.
func TestSlowCloses(t *testing.T) {
	for name, leave := range map[string]func(*client){
		"closes": func(c *client) { c.Close() },
		"resets": func(c *client) { c.reset() },
	} {
		t.Run(name, func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				r := start(t, Config{Engine: t.engine, SlowClient: Drop})
				c, _ := r.stall(1)
				leave(c)
				r.waitFor("it to be gone", func(s Stats) bool { return s.Connections == 0 && s.BacklogBytes == 0 })
				if s := r.Stats(); s.DroppedClosed == 0 || s.DroppedSlow == 0 {
					t.Errorf("dropped_closed %d, dropped_slow %d, want some of both", s.DroppedClosed, s.DroppedSlow)
				}
			})
		})
	}
}

// TestBurst: a burst that is far more than the backlog, to a client that reads,
// is no reason to call it slow.
func TestBurst(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, BacklogBytes: 8 << 10, Loops: 1})
		c := r.stream("1")
		c.SetReadBuffer(1 << 20)
		const messages = 1000
		r.ask("POST", "/send", strings.Repeat("1 "+strings.Repeat("b", 100)+"\n", messages))
		for n := range messages {
			c.expect(chunk(n+1, strings.Repeat("b", 100)))
		}
	})
}

// TestBroadcast: one large message to many is one message in memory while it
// waits, not one for each.
func TestBroadcast(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		var clients []*client
		for range 50 {
			clients = append(clients, r.stream("1"))
		}
		message := strings.Repeat("m", 100_000)
		if code, answer := r.ask("POST", "/send/1", message); code != http.StatusOK || answer != "{\"reached\":50}\n" {
			t.Fatalf("%d %s", code, answer)
		}
		want := chunk(1, message)
		for _, c := range clients {
			c.expect(want)
		}
	})
}

// TestLastBytesStuck: an answer that its client does not take does not keep a
// file for good. It counts against no limit, so nothing else would end it.
func TestLastBytesStuck(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := open(t, Config{Engine: t.engine})
		r.core.lastBytesTime = 50 * time.Millisecond
		r.run()
		c := r.dial()
		c.SetReadBuffer(256 << 10)
		c.send("GET /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForLogins(1)
		r.publish(1, strings.Repeat("m", 16<<20)) // more than any socket takes
		r.waitFor("the backlog to be given up", func(s Stats) bool {
			return s.Connections == 0 && s.Logins == 0 && s.DroppedClosed == 1 && s.BacklogBytes == 0
		})
		c.expectCut()
	})
}

// TestDrain: everything that was accepted arrives, then the last chunk, and Run
// ends without waiting for its time to be over.
func TestDrain(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, DrainTimeout: time.Hour})
		var clients []*client
		for i := range 20 {
			clients = append(clients, r.stream(fmt.Sprint(i)))
		}
		asking := r.connect("GET /test/1 HT")
		r.waitFor("all to be there", func(s Stats) bool { return s.Accepted == 21 })
		for i := range int64(20) {
			r.publish(i, "last words")
		}
		r.cancel()
		for _, c := range clients {
			c.expect(chunk(1, "last words") + lastOne)
			c.expectEnd()
			c.Close()
		}
		asking.expectEnd() // without an answer: it had not asked yet
		r.ended()
		if _, err := (&http.Client{}).Get("http://" + r.Addr().String() + "/test/1"); err == nil {
			t.Error("somebody still listens")
		}
	})
}

// TestDrainStuck: a client that reads nothing does not keep the server from
// ending in its time, however short.
func TestDrainStuck(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{1, time.Millisecond, 50 * time.Millisecond} {
		t.Run(timeout.String(), func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				r := start(t, Config{Engine: t.engine, SlowClient: Drop, DrainTimeout: timeout})
				stuck, _ := r.stall(1)
				r.stop()
				if s := r.Stats(); s.DroppedClosed == 0 {
					t.Error("what the stuck client did not take is not counted")
				}
				stuck.expectCut()
			})
		})
	}
}

// TestShutdownAnswersSenders: a stream of messages that is under way when the
// server ends is told how much of it was taken, and all that is delivered.
func TestShutdownAnswersSenders(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine})
		c := r.stream("1")
		body, lines := io.Pipe()
		defer lines.Close()
		half, halfMessage := io.Pipe()
		defer halfMessage.Close()
		type answer struct {
			code int
			text string
			err  error
		}
		// The body is read from when the server asks for it.
		asked := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: patience}}
		defer asked.CloseIdleConnections()
		post := func(path string, body io.Reader, to chan answer) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.AdminAddr().String()+path, body)
			if err != nil {
				to <- answer{err: err}
				return
			}
			req.Header.Set("Content-Type", "text/plain")
			req.Header.Set("Expect", "100-continue")
			resp, err := asked.Do(req)
			if err != nil {
				to <- answer{err: err}
				return
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			to <- answer{resp.StatusCode, string(text), err}
		}
		streaming, single := make(chan answer, 1), make(chan answer, 1)
		go post("/send", body, streaming)
		go post("/send/1", half, single)
		io.WriteString(halfMessage, "half a mess")
		for n := range 3 {
			fmt.Fprintf(lines, "1 message %d\n", n)
			c.expect(chunk(n+1, fmt.Sprintf("message %d", n))) // as it comes
		}
		io.WriteString(lines, "1 without an end of li")
		r.cancel()
		if a := <-streaming; a.err != nil || a.code != http.StatusServiceUnavailable || !strings.HasPrefix(a.text, `{"sent":3,"reached":3,"unaddressed":0,"error":"the server is shutting down`) {
			t.Errorf("the stream was answered %+v", a)
		}
		if a := <-single; a.err != nil || a.code != http.StatusServiceUnavailable || !strings.Contains(a.text, "not taken") {
			t.Errorf("half a message was answered %+v", a)
		}
		if got := c.rest(); got != lastOne {
			t.Errorf("then came %q", got)
		}
		c.Close()
		r.ended()
	})
}

// TestDrainWaitsForIntake: the engine does not drain while a request may still
// hand over what it has accepted.
func TestDrainWaitsForIntake(t *testing.T) {
	r := open(t, Config{Engine: Goroutine})
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	a := newAdmin(ctx, r.Server)
	ended := a.intakeEnded(ctx)
	a.intake.RLock()
	cancel()
	select {
	case <-ended.Done():
		t.Error("a request is still at it")
	case <-time.After(20 * time.Millisecond): // nothing happens, which takes a while to see
	}
	answered := make(chan int, 1)
	go func() {
		answer := httptest.NewRecorder()
		a.beginIntake(answer)
		answered <- answer.Code
	}()
	select {
	case code := <-answered:
		if code != http.StatusServiceUnavailable {
			t.Errorf("another request is answered %d", code)
		}
	case <-time.After(patience):
		t.Error("another request waits for it")
	}
	a.intake.RUnlock()
	<-ended.Done()
}

// TestDrainStopsLines: of the lines that were read in one piece, those that are still to be
// sent to many are not taken, and the answer says so.
func TestDrainStopsLines(t *testing.T) {
	const streams, lines = 200, 10_000
	r := start(t, Config{Engine: Goroutine})
	for range streams {
		c := r.stream("1")
		go io.Copy(io.Discard, c)
	}
	stop := make(chan struct{})
	close(stop)
	p := newPublisher(r.core)
	p.stop = stop
	err := p.readLines(t.Context(), strings.NewReader(strings.Repeat("1 m\n", lines)))
	if want := uint64(flushAfter/streams + 1); !errors.Is(err, errStopped) || p.Sent != want {
		t.Errorf("%d lines were sent, then %v; want %d", p.Sent, err, want)
	}
}

// TestFilesReturn: a server that has ended has given every file back.
func TestFilesReturn(t *testing.T) {
	bothEngines(t, func(t engineT) {
		start(t, Config{Engine: t.engine}).stop() // what the runtime opens once
		before := openFiles(t)
		r := start(t, Config{Engine: t.engine, DrainTimeout: time.Millisecond})
		for i := range 10 {
			r.stream(fmt.Sprint(i)).Close()
		}
		r.connect("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").Close()
		c := r.stream("1") // still there at the end
		r.ask("GET", "/stats", "")
		r.stop()
		c.Close()
		waitForFiles(t, before)
	})
}

// openFiles counts this process's file descriptors.
func openFiles(tb testing.TB) int {
	tb.Helper()
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if files, err := os.ReadDir(dir); err == nil {
			return len(files)
		}
	}
	tb.Skip("this system does not list a process's open files")
	return 0
}

// waitForFiles waits until as many files are open as before. Those of the
// clients, in this process as well, close a little later.
func waitForFiles(tb testing.TB, before int) {
	tb.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		now := openFiles(tb)
		if now <= before {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("%d files are open, %d before", now, before)
		}
	}
}
