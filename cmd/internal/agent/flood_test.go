package agent

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood"
	"example.org/comet/server/wire"
)

// streamer has streams on which each id gets a message when it connects, that was due
// 50 ms before.
type streamer struct {
	*httptest.Server
	mu  sync.Mutex
	ids map[string]int
}

func startStreamer(t *testing.T) *streamer {
	t.Helper()
	s := &streamer{ids: make(map[string]int)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.TrimPrefix(r.URL.Path, "/")
		s.mu.Lock()
		s.ids[id]++
		s.mu.Unlock()
		var n int64
		fmt.Sscan(id, &n)
		stamp := wire.Stamp{Run: 1, Sequence: wire.Sequence(n), N: 1, Due: time.Now().Add(-50 * time.Millisecond).UnixNano()}
		_, _ = w.Write(append(wire.AppendStamped(nil, 1, stamp), '\n'))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	return s
}

// TestFloodOnTwoHosts: the output is that of one flood.
func TestFloodOnTwoHosts(t *testing.T) {
	t.Parallel()
	servers, s := startRouter(t), startStreamer(t)
	startAgent(t, servers, "web1", "")
	startAgent(t, servers, "web2", "")
	c := muster(t, servers, flags.Agents{Count: 2})
	ctx, end := context.WithCancel(t.Context())
	var last atomic.Pointer[flood.Sample]
	var told atomic.Pointer[flood.Result]
	var delivered uint64
	f := Flood{Crew: c, Say: func(line string) { t.Log(line) }, Config: flood.Config{
		URL: s.URL + "/{id}", Connections: 21, FirstID: 5, SampleInterval: 20 * time.Millisecond,
		OnSample: func(one flood.Sample) {
			last.Store(&one)
			if one.Connected != nil {
				told.Store(one.Connected)
			}
			if one.Spread != nil {
				delivered += one.Spread.Count()
			}
			if one.Delivered == 21 && told.Load() != nil {
				end()
			}
		},
	}}
	o, err := f.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if o.Established() != 21 || o.Delivered != 21 || o.Failed != 0 || o.Missing != 0 || len(o.Lost) != 0 || o.Asked != 21 {
		t.Errorf("%+v", o)
	}
	if q := o.Latency; q == nil || q.Count != 21 || q.Histogram == "" || q.P50 < 49-o.ClockError.Seconds()*1000 || o.FirstByte.Count != 21 || o.ConnectSeconds <= 0 {
		t.Errorf("%+v, %+v", o.Latency, o.FirstByte)
	}
	if o.ClockTrouble != nil || o.ClockError <= 0 {
		t.Errorf("clocks %v, %v", o.ClockError, o.ClockTrouble)
	}
	if r := told.Load(); r == nil || r.Established() != 21 {
		t.Errorf("connected: %+v", r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ids) != 21 || s.ids["5"] != 1 || s.ids["25"] != 1 {
		t.Errorf("ids %v, want each from 5 to 25 once", s.ids)
	}
}

// TestFloodLosesAHost: it is named, its connections count as closed, and the others go
// on.
func TestFloodLosesAHost(t *testing.T) {
	t.Parallel()
	servers, s := startRouter(t), startStreamer(t)
	startAgent(t, servers, "web1", "")
	endSecond := startAgent(t, servers, "web2", "")
	c := muster(t, servers, flags.Agents{Count: 2})
	ctx, end := context.WithCancel(t.Context())
	var once sync.Once
	var said []string
	f := Flood{Crew: c, Say: func(line string) { said = append(said, line) }, Config: flood.Config{
		URL: s.URL + "/{id}", Connections: 20, SampleInterval: 20 * time.Millisecond,
		OnSample: func(one flood.Sample) {
			if one.Delivered == 20 {
				once.Do(func() { go endSecond() })
			}
			if one.Closed == 10 {
				end()
			}
		},
	}}
	o, err := f.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Lost) != 1 || !strings.Contains(o.Lost[0], "on web2)") || len(said) == 0 {
		t.Errorf("lost %q, said %q", o.Lost, said)
	}
	if o.Asked != 20 || o.Established() != 20 || o.Closed != 10 || o.Connected != 10 || o.Delivered != 20 {
		t.Errorf("%+v", o.Counts)
	}
}

// TestFloodCannotBegin: what is wrong with it is told, and nothing goes on.
func TestFloodCannotBegin(t *testing.T) {
	t.Parallel()
	servers := startRouter(t)
	startAgent(t, servers, "web1", "dies")
	c := muster(t, servers, flags.Agents{Count: 1})
	f := Flood{Crew: c, Say: func(string) {}, Config: flood.Config{URL: "http://127.0.0.1:1/{id}"}}
	if _, err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "the last words") {
		t.Errorf("%v, want how it ended", err)
	}
}
