package flood

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/flood/pace"
	"example.org/comet/server/tlsclient"
)

// TestSlowReadersGetIn, however long the head of the answer, and the handshake.
func TestSlowReadersGetIn(t *testing.T) {
	long := strings.Replace(chunkedHead, "\r\n", "\r\nX-Long: "+strings.Repeat("y", 20_000)+"\r\n", 1)
	slow := Behavior{SlowReaders: SlowReaders{Share: 1, Rate: 100}}
	pair, ca := certified(t)
	for range 30 { // a chain of certificates that is longer than a slow reader reads at once
		pair.Certificate = append(pair.Certificate, pair.Certificate[0])
	}
	for name, cfg := range map[string]Config{
		"a head":      {URL: serve(t, stream(long)).url("/")},
		"a handshake": {URL: secureURL(serveTLS(t, &tls.Config{Certificates: []tls.Certificate{pair}}, func(c *tls.Conn, _ *http.Request) { say(c, chunkedHead); hold(c) })), TLS: tlsclient.Options{CAFile: ca}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.Connections, cfg.Behavior = 3, slow
			flooded(t, engines()[0], cfg, func(c Counts) bool { return c.Connected == 3 })
		})
	}
}

// TestLongRequests: what a socket does not take at once is sent as it takes more,
// also while more comes than is read at one go.
func TestLongRequests(t *testing.T) {
	body := strings.Repeat("x", 6<<20)
	srv := serve(t, func(c *net.TCPConn, r *http.Request) {
		if n, _ := io.Copy(io.Discard, r.Body); n == int64(len(body)) {
			say(c, chunkedHead)
			hold(c)
		}
	})
	r := flooded(t, engines()[0], Config{URL: srv.url("/"), Body: body, Connections: 2, ConnectTimeout: patience}, func(c Counts) bool { return c.Connected+int(c.Failed) == 2 })
	if r.Connected != 2 {
		t.Errorf("%+v: %s", r.Counts, r.Explanation)
	}
}

// idleLoop returns a loop that has not connected to anything.
func idleLoop(t *testing.T) *loop {
	t.Helper()
	f, err := New(Config{URL: "http://127.0.0.1:1/"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.closeAll)
	return l
}

// TestOutIsNotForgotten: the poller is asked for room for as long as something
// waits for it, also when it is asked to report again what is left to be read.
func TestOutIsNotForgotten(t *testing.T) {
	l := idleLoop(t)
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	l.opened(ends[0], conn{})
	slot := uint32(1)
	c := l.conns.At(slot)
	unix.Write(ends[1], []byte(chunkedHead+"ffff\r\n"+strings.Repeat("x", 0xffff)))
	l.readBuf = l.readBuf[:1<<10] // more has come than is read at one go
	if !l.send(slot, c, make([]byte, 4<<20)) || !l.hasOut(c) {
		t.Fatal("the socket took it all")
	}
	l.read(slot, c, false)
	for buf := make([]byte, 64<<10); err == nil; {
		_, err = unix.Read(ends[1], buf) // up to EAGAIN
	}
	events, err := l.poll.Wait(patience)
	if err != nil || len(events) != 1 || !events[0].Readable() || !events[0].Writable() {
		t.Errorf("%+v are reported, %v", events, err)
	}
}

// TestPollsComeBack: a long poll that is refused, at first or later, counts as failed
// until it is answered, and waits longer each time.
func TestPollsComeBack(t *testing.T) {
	var asked atomic.Int64
	srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
		switch n := asked.Add(1); {
		case n == 3:
			say(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
		case n <= 6:
			say(c, "HTTP/1.1 503 Service Unavailable\r\n\r\n")
		default:
			hold(c)
		}
	})
	cfg := Config{URL: srv.url("/"), Protocol: Poll, Behavior: Behavior{Reconnect: Reconnect{Min: 20 * time.Millisecond, Max: time.Second, Jitter: NoJitter}}}
	start := time.Now()
	r := flooded(t, engines()[0], cfg, func(c Counts) bool { return asked.Load() == 7 && c.Connected == 1 })
	if r.Connected != 1 || r.Failed != 0 || r.Closed != 0 || r.Reconnect.Attempts != 5 {
		t.Errorf("%+v: %s", r.Counts, r.Explanation)
	}
	if least := (20 + 40 + 20 + 40 + 80) * time.Millisecond; time.Since(start) < least {
		t.Errorf("it was back after %v, want %v at least", time.Since(start), least)
	}
}

// TestTimesLeaveOutAbsences: what is timed of a stream begins with its own request.
func TestTimesLeaveOutAbsences(t *testing.T) {
	const absence = 300 * time.Millisecond
	var asked atomic.Int64
	srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
		if asked.Add(1) <= 2 {
			say(c, chunkedHead+chunk("x")) // and is cut off
			return
		}
		say(c, chunkedHead+chunk("y")+"0\r\n\r\n")
	})
	cfg := Config{URL: srv.url("/"), Behavior: Behavior{Reconnect: Reconnect{Min: absence, Max: absence, Jitter: NoJitter}}}
	start := time.Now()
	r := flooded(t, engines()[0], cfg, func(c Counts) bool { return c.Completed == 1 })
	ms := float64(absence.Milliseconds())
	most := float64(time.Since(start).Milliseconds()) - 2*(ms-1) // what two absences leave
	if r.Stream == nil || r.FirstMessage == nil || r.Stream.Max > most || r.FirstMessage.Max > most || r.FirstMessage.Count != 3 || r.Offline.P50 < ms-1 {
		t.Errorf("streams lasted %+v, first messages came after %+v, offline %+v", r.Stream, r.FirstMessage, r.Offline)
	}
}

// TestConnectIsOfItsAttempt: the wait after a failure is no part of it.
func TestConnectIsOfItsAttempt(t *testing.T) {
	var asked atomic.Int64
	srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
		if asked.Add(1) == 1 {
			say(c, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n")
			return
		}
		say(c, chunkedHead)
		hold(c)
	})
	start := time.Now()
	r := flooded(t, engines()[0], Config{URL: srv.url("/"), Behavior: Behavior{Reconnect: quick}}, func(c Counts) bool { return c.Connected == 1 })
	most := float64(time.Since(start).Milliseconds()) - 900 // what the wait of a second leaves
	if r.Connect.Max > most || r.FirstByte.Max > most || r.ConnectSeconds < 0.9 {
		t.Errorf("connect %+v, first byte %+v, in all %v s", r.Connect, r.FirstByte, r.ConnectSeconds)
	}
}

// TestMessagesBeforeReady are timed from the request as well: each comes sooner than the
// last connection begins, unless the machine was busy all that time.
func TestMessagesBeforeReady(t *testing.T) {
	for _, e := range engines() {
		srv := serve(t, socket(func(p *peer) {
			say(p, text("hello"))
			time.Sleep(100 * time.Millisecond)
			say(p, text("go")+text("first"))
			hold(p)
		}))
		for _, apart := range []time.Duration{300 * time.Millisecond, 3 * time.Second} {
			cfg := Config{URL: srv.url("/"), Protocol: WebSocket, Connections: 3, Pace: pace.Every(apart), Talk: Talk{Ready: "go"}}
			r := flooded(t, e, cfg, func(c Counts) bool { return c.Chunks == 9 })
			if r.FirstMessage.Count == 3 && r.FirstMessage.Max < float64((2*apart).Milliseconds()) {
				break
			} else if apart >= time.Second {
				t.Errorf("%s: %+v, with connections %v apart", e.name, r.FirstMessage, apart)
			}
		}
	}
}

// TestGapsOfPolls reach from one answer to the next, whether the connection is kept
// or not.
func TestGapsOfPolls(t *testing.T) {
	const pause = 60 * time.Millisecond
	for _, fields := range []string{"", "Connection: close\r\n"} {
		for _, e := range engines() {
			srv := listen(t, "127.0.0.1:0", func(c *net.TCPConn) {
				in := bufio.NewReader(c)
				for {
					if _, err := http.ReadRequest(in); err != nil {
						return
					}
					time.Sleep(pause)
					say(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"+fields+"\r\nx")
					if fields != "" {
						return
					}
				}
			})
			start := time.Now()
			r := flooded(t, e, Config{URL: srv.url("/"), Protocol: Poll}, func(c Counts) bool { return c.Chunks >= 6 })
			ms := float64(pause.Milliseconds())
			// Together they would be longer than the run, were they all timed from the first
			// request: half of them are as long as the median.
			most := float64(time.Since(start).Milliseconds()+1) / float64(r.Gap.Count/2)
			if r.FirstMessage.Count != 1 || r.Gap.P50 < ms-1 || r.Gap.P50 > most {
				t.Errorf("%s, %q: first %+v, gaps %+v", e.name, fields, r.FirstMessage, r.Gap)
			}
		}
	}
}

// TestFarRetryAfter: a time that is too far away for a clock is not now.
func TestFarRetryAfter(t *testing.T) {
	var asked atomic.Int64
	srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
		asked.Add(1)
		say(c, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n")
	})
	flooded(t, engines()[0], Config{URL: srv.url("/"), Duration: 200 * time.Millisecond, Behavior: Behavior{Reconnect: quick}}, nil)
	if n := asked.Load(); n > 1 {
		t.Errorf("it asked %d times", n)
	}
}

// TestAllAreTried: those that fail again and again do not keep the rest from their
// turn, nor from the account of connecting.
func TestAllAreTried(t *testing.T) {
	srv := listen(t, "127.0.0.1:0", func(c *net.TCPConn) { hold(c) })
	var told atomic.Bool
	cfg := Config{
		URL: srv.url("/"), Connections: 40, InFlight: 4, ConnectTimeout: 20 * time.Millisecond,
		Behavior: Behavior{Reconnect: Reconnect{Min: time.Millisecond, Max: time.Millisecond, Jitter: NoJitter}},
		OnSample: func(s Sample) { told.Store(told.Load() || s.Connected != nil) },
	}
	if r := flooded(t, engines()[0], cfg, func(Counts) bool { return told.Load() }); r.Failed != 40 {
		t.Errorf("%+v", r.Counts)
	}
}

// TestHalfOpenIsSilent: a client whose cable was cut says nothing more.
func TestHalfOpenIsSilent(t *testing.T) {
	var beats atomic.Int64
	srv := serve(t, socket(func(p *peer) {
		for {
			if op, _ := p.next(); op == 0 {
				return
			}
			beats.Add(1)
		}
	}))
	cfg := Config{
		URL: srv.url("/"), Protocol: WebSocket,
		Behavior: Behavior{HalfOpen: 1}, Talk: Talk{SendEvery: []string{"1ms=beat"}},
	}
	samples := 0 // since it is there
	r := flooded(t, engines()[0], cfg, func(c Counts) bool { samples += c.Connected; return samples > 60 })
	if n := beats.Load(); n > 1 || r.Connected != 1 { // it may say that it leaves
		t.Errorf("%d frames came, %+v", n, r.Counts)
	}
}

// TestSlowReadersAreSlow, also where they read less than a byte at a time.
func TestSlowReadersAreSlow(t *testing.T) {
	const rate = 3
	srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
		say(c, chunkedHead)
		time.Sleep(50 * time.Millisecond)
		say(c, chunk(strings.Repeat("x", 1000)))
		hold(c)
	})
	cfg := Config{URL: srv.url("/"), Behavior: Behavior{SlowReaders: SlowReaders{Share: 1, Rate: rate}}}
	start := time.Now()
	samples := 0 // since it is there
	r := flooded(t, engines()[0], cfg, func(c Counts) bool { samples += c.Connected; return samples > 300 })
	most := uint64(len(chunkedHead)) + uint64(rate*time.Since(start).Seconds()) + 1
	if r.Connected != 1 || r.Bytes > most {
		t.Errorf("%d bytes were read, want at most %d", r.Bytes, most)
	}
}

// TestLeavingIsNoFailure: a poll that leaves again and again, unanswered, does not
// wait longer each time.
func TestLeavingIsNoFailure(t *testing.T) {
	srv := listen(t, "127.0.0.1:0", func(c *net.TCPConn) { hold(c) })
	cfg := Config{URL: srv.url("/"), Protocol: Poll, Connections: 2, Behavior: Behavior{
		Churn: 20, Reconnect: Reconnect{Min: 5 * time.Millisecond, Max: time.Hour, Jitter: NoJitter},
	}}
	flooded(t, engines()[0], cfg, func(c Counts) bool { return c.Reconnect.Back > 40 })
}
