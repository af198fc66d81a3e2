package flood

import (
	"net"
	"net/http"
	"testing"
	"time"
)

// TestLatencyIsOfArrival: a message came when the kernel had it, however late the loop
// reads it.
func TestLatencyIsOfArrival(t *testing.T) {
	const (
		count = 20
		late  = 100 * time.Millisecond
	)
	srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
		say(c, chunkedHead)
		for n := range uint64(count) {
			time.Sleep(late)
			say(c, chunk(message(7, n+1, time.Now())))
		}
		hold(c)
	})
	f, ctx, cancel := prepared(t, Config{URL: srv.url("/"), Connections: 1}, func(c Counts) bool { return c.Stamped == count })
	defer cancel()
	l, err := newLoop(f)
	if err != nil {
		t.Fatal(err)
	}
	r, err := l.run(ctx, func() error {
		time.Sleep(late)
		return l.turn()
	})
	if err != nil || r.Stamped != count || r.Latency.P50 > late.Seconds()*1000/4 {
		t.Errorf("%d messages, latency %+v, %v", r.Stamped, r.Latency, err)
	}
}

// TestNaps: the loop sleeps where some messages have come, and where the times of others
// do not suffer by it.
func TestNaps(t *testing.T) {
	l := idleLoop(t)
	f := l.flood
	for what, change := range map[string]func() (timeout time.Duration){
		"some came":        func() time.Duration { return time.Second },
		"none came":        func() time.Duration { l.arrivals.bytes = 0; return time.Second },
		"they are rare":    func() time.Duration { l.arrivals.rate--; return time.Second },
		"much came":        func() time.Duration { l.arrivals.bytes = napBytes + 1; return time.Second },
		"due soon":         func() time.Duration { return napTime },
		"still connecting": func() time.Duration { l.connected = false; return time.Second },
		"one comes back":   func() time.Duration { l.obs.counts.InFlight = 1; return time.Second },
		"unknown times":    func() time.Duration { l.arrivals.unknown = true; return time.Second },
		"two at once":      func() time.Duration { l.arrivals.noteMessages(2); return time.Second },
		"of few": func() time.Duration {
			l.arrivals.noteMessages(2)
			l.arrivals.recent += napShare - 3
			return time.Second
		},
		"of many": func() time.Duration {
			l.arrivals.noteMessages(2)
			l.arrivals.recent += napShare - 2
			return time.Second
		},
		"two at once without a nap": func() time.Duration {
			l.arrivals.napped = false
			l.arrivals.noteMessages(2)
			return time.Second
		},
		"a long poll": func() time.Duration { f.cfg.Protocol = Poll; return time.Second },
	} {
		l.arrivals = arrivals{bytes: 1, rate: napRate, napped: true}
		l.connected, l.obs.counts.InFlight, f.cfg.Protocol = true, 0, Stream
		want := what == "some came" || what == "of many" || what == "two at once without a nap"
		if got := l.mayNap(change()); got != want {
			t.Errorf("%s: naps %t", what, got)
		}
	}
}

// TestArrivalsAreCounted: the rate is that of the last window, and an arrival was not before
// the turn before.
func TestArrivalsAreCounted(t *testing.T) {
	a := arrivals{napped: true}
	at := time.Now()
	a.begin(at)
	for range 50 {
		a.noteMessages(2)
	}
	a.begin(at.Add(napWindow / 2))
	if a.rate != 0 || a.messages != 100 || a.together != 50 {
		t.Errorf("before the window is over: %+v", a)
	}
	if a.begin(at.Add(napWindow)); a.rate != 1000 || a.recent >= 100 || a.together >= 50 {
		t.Errorf("100 messages in %v: %+v", napWindow, a)
	}
	if a.begin(at.Add(3 * napWindow)); a.rate != 0 {
		t.Errorf("none since: %v/s", a.rate)
	}
	now := time.Now()
	l := loop{arrivals: arrivals{before: now.Add(-time.Second)}}
	for _, c := range []struct{ came, want time.Duration }{{-time.Millisecond, -time.Millisecond}, {-time.Hour, -time.Second}, {time.Hour, 0}} {
		l.arrivals.came = now.Add(c.came).UnixNano()
		const slack = time.Millisecond / 2 // the two clocks are not read at once
		if got := l.cameAt(); got.Sub(now) < c.want-slack || got.Sub(now) > c.want+time.Since(now)+slack {
			t.Errorf("what came after %v, came after %v", c.came, got.Sub(now))
		}
	}
}
