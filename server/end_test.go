package server

import (
	"context"
	"io"
	"math"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestEndIsBounded: whatever clients do, Run ends within DrainDelay,
// DrainTimeout and a second.
func TestEndIsBounded(t *testing.T) {
	clients := map[string]func(r *running){
		"that do not read": func(r *running) {
			for range 3 {
				c := r.stream("1")
				c.SetReadBuffer(4 << 10)
			}
			for range 8 { // more than sockets take
				r.publish(1, strings.Repeat("m", 1<<20))
			}
		},
		"that poll": func(r *running) { r.connect("GET /poll/1 HTTP/1.1\r\nHost: h\r\n\r\n") },
		"of WebSockets that do not answer the close": func(r *running) {
			r.connect(wsRequest).expect("HTTP/1.1 101")
		},
		"in the middle of a head": func(r *running) { r.connect("GET /test/1 HTTP/1.1\r\nHost:") },
		"that say nothing":        func(r *running) { r.dial() },
		"that stay after their answer": func(r *running) {
			r.connect("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").expect("HTTP/1.1 404")
		},
		"that publish without end": func(r *running) {
			c := dial(r.t, r.AdminAddr().String())
			c.send("POST /send HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n1 a\n\r\n")
			r.waitFor("its line", func(s Stats) bool { return s.Sent == 1 })
		},
		"that hold the admin listener up": func(r *running) {
			c := dial(r.t, r.AdminAddr().String())
			c.send("GET /debug/pprof/trace?seconds=30 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
			c.expect("HTTP/1.1 200")
		},
		"that are in the middle of an admin head": func(r *running) {
			dial(r.t, r.AdminAddr().String()).send("GET /stats HTTP/1.1\r\n")
		},
	}
	for what, come := range clients {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			bothEngines(t, func(t engineT) {
				for _, cfg := range []Config{
					{DrainTimeout: 300 * time.Millisecond},
					{DrainTimeout: -1},
					{DrainTimeout: 100 * time.Millisecond, DrainDelay: 100 * time.Millisecond},
				} {
					cfg.Engine, cfg.BacklogBytes, cfg.HeadTimeout = t.engine, 64<<20, time.Hour
					r := open(t, cfg)
					if what == "that stay after their answer" {
						r.core.lingerTime = time.Hour
					}
					r.run()
					come(r)
					began := time.Now()
					r.cancel()
					r.ended()
					// Far more than that, for a slow day; a wait that is not bounded takes patience.
					if took := time.Since(began); took > patience/2 {
						t.Errorf("with a drain of %v and %v it took %v", cfg.DrainDelay, cfg.DrainTimeout, took)
					}
				}
			})
		})
	}
}

// TestEndWithStuckLog: a reader of the access log that has stopped holds the end
// up for half a second at most.
func TestEndWithStuckLog(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	stuck := struct{ io.Writer }{writer} // it has no deadline to be set
	r := start(t, Config{AccessLog: stuck, AccessLogSample: 1})
	long := "GET /" + strings.Repeat("x", accessRequest) + " HTTP/1.1\r\nHost: h\r\n\r\n"
	for range 400 { // more than a pipe holds
		c := r.connect(long)
		c.rest()
		c.Close()
	}
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > patience/2 {
		t.Errorf("it took %v", took)
	}
	writer.SetWriteDeadline(time.Unix(1, 0)) // now its goroutine ends, too
}

// stuckExchange takes all the time that it gets to be left.
type stuckExchange struct{ fakeExchange }

func (x *stuckExchange) Leave(ctx context.Context) {
	<-ctx.Done()
	x.fakeExchange.Leave(ctx)
}

// TestEndWhileExchangeIsStuck: leaving an exchange that does not answer takes
// half of the time, and what it leaves is for the clients.
func TestEndWhileExchangeIsStuck(t *testing.T) {
	bothEngines(t, func(t engineT) {
		x := &stuckExchange{fakeExchange{settled: 1 << 20}}
		r := start(t, Config{Engine: t.engine, Exchange: x, DrainTimeout: 400 * time.Millisecond})
		c := r.stream("1")
		began := time.Now()
		r.cancel()
		if got := c.rest(); !strings.HasSuffix(got, lastOne) {
			t.Errorf("the client got %q", got)
		}
		r.ended()
		if took := time.Since(began); took > patience/2 {
			t.Errorf("it took %v", took)
		}
	})
}

// TestLongestDrain: the longest DrainTimeout that there is does not end before it begins.
func TestLongestDrain(t *testing.T) {
	c := core{Config: Config{DrainTimeout: math.MaxInt64}, started: time.Now().Add(-time.Minute)}
	c.beginDrain()
	if left := time.Until(c.drainEnd()); left < c.DrainTimeout/2 {
		t.Errorf("of %v there are %v left", c.DrainTimeout, left)
	}
}

// TestAcceptGoesOn: an error of one accept does not end the server.
func TestAcceptGoesOn(t *testing.T) {
	r := open(t, Config{Engine: Goroutine})
	e := r.engine.(*stdEngine)
	e.listener = &failsOnce{TCPListener: e.listener.(*net.TCPListener)}
	r.run()
	r.stream("1")
	if s := r.Stats(); s.AcceptPauses != 1 || !strings.Contains(r.log.String(), "no route to host") {
		t.Errorf("it paused %d times, and the log says %s", s.AcceptPauses, r.log.String())
	}
}

// failsOnce is a listener whose first accept fails.
type failsOnce struct {
	*net.TCPListener
	failed bool
}

func (f *failsOnce) Accept() (net.Conn, error) {
	if !f.failed {
		f.failed = true
		return nil, syscall.EHOSTUNREACH
	}
	return f.TCPListener.Accept()
}

func TestSleep(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	sleep(ctx, 0)
	sleep(ctx, -time.Hour)
	sleep(ctx, time.Millisecond)
	cancel()
	sleep(ctx, time.Hour)
}
