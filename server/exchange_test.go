package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/comet/server/router"
	"example.org/comet/server/wire"
)

// fakeExchange settles what the test says, when it says so.
type fakeExchange struct {
	mu        sync.Mutex
	home      router.Home
	wanted    map[int64]int
	ticket    uint64
	settled   uint64
	away      bool
	left      time.Time // when Leave was called
	closed    bool
	published []string
	refuse    error // what Publish and Confirm say
	unsure    error // what Confirm says
	leaving   func()
}

func (f *fakeExchange) Start(h router.Home) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.home = h
	if h.Linked != nil {
		h.Linked(true)
	}
}

func (f *fakeExchange) Post(string, []byte) error { return nil }

func (f *fakeExchange) Want(ids []int64) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wanted == nil {
		f.wanted = map[int64]int{}
	}
	for _, id := range ids {
		f.wanted[id]++
	}
	f.ticket++
	return f.ticket
}

func (f *fakeExchange) Drop(ids []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		if f.wanted[id]--; f.wanted[id] == 0 {
			delete(f.wanted, id)
		}
	}
}

func (f *fakeExchange) Settled() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.settled
}

func (f *fakeExchange) Up() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.away
}

func (f *fakeExchange) Ready() error {
	if !f.Up() {
		return errors.New("the router at nowhere is away")
	}
	return nil
}

func (f *fakeExchange) Reports(context.Context) ([]json.RawMessage, error) {
	if !f.Up() {
		return nil, errors.New("the router is away")
	}
	return []json.RawMessage{[]byte(`{"name":"fake"}`), []byte(`{"name":"other"}`)}, nil
}

func (f *fakeExchange) Stats() router.ExchangeStats {
	return router.ExchangeStats{Name: "fake", Connected: f.Up()}
}

func (f *fakeExchange) Leave(context.Context) {
	f.mu.Lock()
	f.left = time.Now()
	leaving := f.leaving
	f.mu.Unlock()
	if leaving != nil {
		leaving()
	}
	f.settle(1<<64 - 1)
}

func (f *fakeExchange) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

func (f *fakeExchange) Publisher() router.Publisher { return f }

func (f *fakeExchange) PublishEvent(publisher int64, message []byte) error {
	return f.Publish(publisher, append([]byte("event "), message...))
}

func (f *fakeExchange) Publish(id int64, message []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse == nil {
		f.published = append(f.published, fmt.Sprintf("%d %s", id, message))
	}
	return f.refuse
}

func (f *fakeExchange) Confirm(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.unsure
}

// settle acknowledges all tickets up to one.
func (f *fakeExchange) settle(ticket uint64) {
	f.mu.Lock()
	f.settled = ticket
	notify := f.home.Settled
	f.mu.Unlock()
	if notify != nil { // the server has begun
		notify()
	}
}

func (f *fakeExchange) goAway(away bool) {
	f.mu.Lock()
	f.away = away
	notify := f.home.Settled
	f.mu.Unlock()
	notify()
}

func (f *fakeExchange) wants() map[int64]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.wanted)
}

// waitForWants waits until exactly ids are wanted, each as often as it stands there.
func (r *running) waitForWants(f *fakeExchange, ids ...int64) {
	r.t.Helper()
	want := map[int64]int{}
	for _, id := range ids {
		want[id]++
	}
	for deadline := time.Now().Add(patience); !maps.Equal(f.wants(), want); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("wanted are %v, want %v", f.wants(), want)
		}
	}
}

// isSilent tells that nothing has come so far.
func (c *client) isSilent() {
	c.t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	b := make([]byte, 100)
	if n, _ := c.Read(b); n > 0 {
		c.t.Errorf("got %q before its time", b[:n])
	}
	c.SetReadDeadline(time.Now().Add(patience))
}

// TestHeadWaits: the head of a stream comes when its messages do, in the order
// in which they asked, and not before.
func TestHeadWaits(t *testing.T) {
	bothEngines(t, func(t engineT) {
		f := &fakeExchange{}
		r := start(t, Config{Engine: t.engine, Exchange: f, Loops: 1})
		one := r.connect("GET /test/1,2,3 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForWants(f, 1, 2, 3)
		two := r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForWants(f, 1, 1, 2, 3)
		one.isSilent()
		if s := r.Stats(); s.Logins != 0 || s.Connections != 2 || s.Streams != 0 {
			t.Errorf("%d logins, %d connections, %d streams, want 0, 2, 0", s.Logins, s.Connections, s.Streams)
		}
		if n := r.publish(1, "nobody has a head yet"); n != 0 {
			t.Errorf("a message before the head reached %d", n)
		}
		f.settle(1)
		one.expect(html11)
		two.isSilent()
		r.publish(2, "a")
		one.expect(chunk(1, "a"))
		f.settle(2)
		two.expect(html11)
		r.publish(1, "b")
		one.expect(chunk(2, "b"))
		two.expect(chunk(1, "b"))
		one.Close()
		r.waitForWants(f, 1)
		two.Close()
		r.waitForWants(f)
	})
}

// TestLeaveWhileWaiting: a client that goes before its head leaves nothing, and
// makes room at once.
func TestLeaveWhileWaiting(t *testing.T) {
	bothEngines(t, func(t engineT) {
		f := &fakeExchange{}
		r := start(t, Config{Engine: t.engine, Exchange: f, MaxConnections: 2})
		gone, reset := r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n"), r.connect("GET /ws/2 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nunread")
		r.waitForWants(f, 1, 2)
		r.connect("GET /test/9 HTTP/1.1\r\nHost: h\r\n\r\n").expect(answer503)
		gone.Close()
		reset.reset()
		r.waitFor("no connection", func(s Stats) bool { return s.Connections == 0 })
		stays := r.connect("GET /test/3 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitFor("a connection", func(s Stats) bool { return s.Connections == 1 })
		f.settle(10)
		stays.expect(html11)
		r.waitForWants(f, 3)
	})
}

// TestRouterAway: those that wait, and those that come, get what the policy
// says, and those that are open stay open.
func TestRouterAway(t *testing.T) {
	away := string(wire.RouterAway.Bytes())
	for _, policy := range []RouterPolicy{"", RefuseAway} {
		t.Run("policy="+string(policy), func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				f := &fakeExchange{}
				var access logBuffer
				r := start(t, Config{Engine: t.engine, Exchange: f, WithoutRouter: policy, AccessLog: &access, AccessLogSample: 1})
				open := r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
				r.waitForWants(f, 1)
				f.settle(1)
				open.expect(html11)
				waits := r.connect("GET /test/2 HTTP/1.1\r\nHost: h\r\n\r\n")
				r.waitForWants(f, 1, 2)
				f.goAway(true)
				if code, text := r.ask("GET", "/readyz", ""); code != 503 || !strings.Contains(text, "router at nowhere is away") {
					t.Errorf("/readyz says %d %q", code, text)
				}
				if policy == RefuseAway {
					waits.expect(away)
					waits.expectEnd()
					r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n").expect(away)
					r.waitForWants(f, 1)
					r.waitFor("two refusals in the access log", func(Stats) bool { return strings.Count(access.String(), `"status":503`) == 2 })
					if s := r.Stats(); s.RefusedAway != 2 || s.Connections != 1 {
						t.Errorf("%d refused, %d connections, want 2, 1", s.RefusedAway, s.Connections)
					}
				} else {
					waits.expect(html11)
					r.connect("GET /test/3 HTTP/1.1\r\nHost: h\r\n\r\n").expect(html11)
					r.waitForWants(f, 1, 2, 3)
				}
				r.publish(1, "still there")
				open.expect(chunk(1, "still there"))
				f.goAway(false)
				if code, text := r.ask("GET", "/readyz", ""); code != 200 {
					t.Errorf("/readyz says %d %q", code, text)
				}
			})
		})
	}
}

// TestTalkWhileWaiting: what a WebSocket client says before the answer to its
// handshake is heard after it.
func TestTalkWhileWaiting(t *testing.T) {
	bothEngines(t, func(t engineT) {
		f := &fakeExchange{}
		r := start(t, Config{Engine: t.engine, Exchange: f})
		const ping = "\x89\x81\x00\x00\x00\x00" // masked with zeros
		c := r.connect("GET /ws/7 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + ping + "a")
		r.waitForWants(f, 7)
		c.send(ping + "b")
		c.isSilent()
		f.settle(1)
		b := make([]byte, 1)
		var got strings.Builder
		for !strings.HasSuffix(got.String(), "\r\n\r\n\x8a\x01a\x8a\x01b") {
			if _, err := c.Read(b); err != nil {
				t.Fatalf("after %q: %v", got.String(), err)
			}
			got.Write(b)
		}
		loud := r.connect("GET /ws/8 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		r.waitForWants(f, 7, 8)
		go func() { // until it is cut off
			for {
				if _, err := loud.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}()
		loud.expectCut()
		f.settle(2)
		r.waitForWants(f, 7)
	})
}

// TestRetire: the server goes on until the exchange has been left, which is not
// before DrainDelay; what waits then gets its head and its end.
func TestRetire(t *testing.T) {
	bothEngines(t, func(t engineT) {
		begun, release := make(chan struct{}), make(chan struct{})
		f := &fakeExchange{leaving: func() { close(begun); <-release }}
		r := start(t, Config{Engine: t.engine, Exchange: f, DrainDelay: 50 * time.Millisecond})
		waits := r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitForWants(f, 1)
		cancelled := time.Now()
		r.cancel()
		<-begun
		if took := f.left.Sub(cancelled); took < 50*time.Millisecond {
			t.Errorf("left after %v, want the drain delay before", took)
		}
		if code, text := r.ask("GET", "/readyz", ""); code != 503 || text != "draining\n" {
			t.Errorf("/readyz says %d %q", code, text)
		}
		if code, answer := r.ask("POST", "/send/1", "hello"); code != 200 {
			t.Errorf("a message is answered %d %s", code, answer)
		}
		late := r.connect("GET /test/2 HTTP/1.1\r\nHost: h\r\n\r\n")
		r.waitFor("the refusal", func(s Stats) bool { return s.RefusedLeaving == 1 })
		r.waitForWants(f, 1)
		close(release)
		waits.expect(html11 + lastOne)
		late.expect(leaving)
		r.ended()
		r.waitForWants(f)
		if !f.closed {
			t.Error("the exchange is not closed")
		}
	})
}

// TestSendElsewhere: what is sent to a server that is not alone goes to the
// others as well, and its answer says whether it has.
func TestSendElsewhere(t *testing.T) {
	f := &fakeExchange{settled: 100}
	r := start(t, Config{Exchange: f})
	stream := r.stream("1")
	gone, unsure := errors.New("the router is away"), errors.New("the router went away")
	for _, c := range []struct {
		name           string
		path, body     string
		refuse, unsure error
		code           int
		answer         string
		published      []string
	}{
		{"one", "/send/1", "a", nil, nil, 200, `{"reached":1,"here":1,"published":true}`, []string{"1 a"}},
		{"one elsewhere", "/send/2", "b", nil, nil, 200, `{"reached":0,"here":0,"published":true}`, []string{"2 b"}},
		{"one while it is away", "/send/1", "c", gone, nil, 503, `{"reached":1,"here":1,"published":false,"error":"the message was not published to the other servers, or not for certain: the router is away"}`, nil},
		{"one that is lost", "/send/1", "d", nil, unsure, 503, `{"reached":1,"here":1,"published":false,"error":"the message was not published to the other servers, or not for certain: the router went away"}`, []string{"1 d"}},
		{"lines", "/send", "1 e\n2 f\n", nil, nil, 200, `{"sent":2,"reached":1,"unaddressed":0,"here":1,"published":2,"unpublished":0}`, []string{"1 e", "2 f"}},
		{"lines while it is away", "/send", "1 g\n2 h\n", gone, nil, 503, `{"sent":2,"reached":1,"unaddressed":0,"here":1,"published":0,"unpublished":2,"error":"2 of 2 messages were not published to the other servers, or not for certain: the router is away"}`, nil},
		{"lines that are lost", "/send", "1 i\n2 j\n", nil, unsure, 503, `{"sent":2,"reached":1,"unaddressed":0,"here":1,"published":0,"unpublished":2,"error":"2 of 2 messages were not published to the other servers, or not for certain: the router went away"}`, []string{"1 i", "2 j"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.mu.Lock()
			f.published, f.refuse, f.unsure = nil, c.refuse, c.unsure
			f.mu.Unlock()
			code, answer := r.ask("POST", c.path, c.body)
			if code != c.code || answer != c.answer+"\n" {
				t.Errorf("answered %d %s; want %d %s", code, answer, c.code, c.answer)
			}
			if !slices.Equal(f.published, c.published) {
				t.Errorf("published %q, want %q", f.published, c.published)
			}
		})
	}
	for i, message := range []string{"a", "c", "d", "e", "g", "i"} {
		stream.expect(chunk(i+1, message))
	}
	if n := r.Stats().Unaddressed; n != 0 {
		t.Errorf("%d are counted as unaddressed, which nobody here can know", n)
	}
}

// TestExchangeStats: /stats and /metrics tell of the router, and say nothing of
// it where there is none.
func TestExchangeStats(t *testing.T) {
	for _, x := range []router.Exchange{nil, &fakeExchange{}} {
		r := start(t, Config{Exchange: x})
		_, answer := r.ask("GET", "/stats", "")
		var stats map[string]any
		if err := json.Unmarshal([]byte(answer), &stats); err != nil {
			t.Fatal(err)
		}
		_, metrics := r.ask("GET", "/metrics", "")
		object, told := stats["router"].(map[string]any)
		if told != (x != nil) || told && (object["connected"] != true || object["name"] != "fake") {
			t.Errorf("with exchange %v, /stats says %v", x, stats["router"])
		}
		if strings.Contains(metrics, "\ncomet_router_connected 1\n") != (x != nil) {
			t.Errorf("with exchange %v, /metrics says\n%s", x, metrics)
		}
	}
}

// TestReports: /nodes has what the servers on the router report, says so where it is
// unreachable, and is not there without one.
func TestReports(t *testing.T) {
	for _, c := range []struct {
		x    router.Exchange
		code int
		want string
	}{
		{nil, http.StatusNotFound, "not on a router"},
		{&fakeExchange{}, http.StatusOK, `{"nodes":[{"name":"fake"},{"name":"other"}]}`},
		{&fakeExchange{away: true}, http.StatusServiceUnavailable, "the router is away"},
	} {
		r := start(t, Config{Exchange: c.x})
		if code, body := r.ask("GET", "/nodes", ""); code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("with exchange %v it is answered %d %q", c.x, code, body)
		}
	}
}

// TestManyWait: a thousand streams that wait, and a third that go, leave nothing
// behind.
func TestManyWait(t *testing.T) {
	bothEngines(t, func(t engineT) {
		f := &fakeExchange{}
		r := start(t, Config{Engine: t.engine, Exchange: f})
		var stay []*client
		var ids []int64
		for i := range int64(300) {
			c := r.connect(fmt.Sprintf("GET /test/%d,%d HTTP/1.1\r\nHost: h\r\n\r\n", i, i+1000))
			if i%3 == 0 {
				c.reset()
				continue
			}
			stay = append(stay, c)
			ids = append(ids, i, i+1000)
			if i%50 == 0 {
				f.settle(uint64(i / 2))
			}
		}
		f.settle(1000)
		for _, c := range stay {
			c.expect(html11)
		}
		r.waitForWants(f, ids...)
		r.waitForLogins(len(ids))
		for i, c := range stay {
			r.publish(ids[2*i+1], "m")
			c.expect(chunk(1, "m"))
		}
	})
}
