package flood

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.org/comet/flood/pace"
)

func TestLatencyCountsFromWhenAMessageWasDue(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
				say(c, chunkedHead+chunk(message(7, 1, time.Now().Add(-50*time.Millisecond))))
				hold(c)
			})
			var recent []int64 // messages in the samples that have a latency
			r := flooded(t, e, Config{URL: srv.url("/"), Connections: 4, SampleInterval: 30 * time.Millisecond, OnSample: func(s Sample) {
				if s.Latency != nil {
					recent = append(recent, s.Latency.Count)
				}
			}}, func(c Counts) bool { return c.Stamped == 4 })
			if r.Latency == nil || r.Latency.Count != 4 || r.Latency.P50 < 50 || r.Latency.Max < r.Latency.P50 {
				t.Errorf("latency %+v, want 4 of 50 ms or more", r.Latency)
			}
			sum := int64(0)
			for _, n := range recent {
				sum += n
			}
			if sum < 1 || sum > 4 { // what comes after a sample with a latency is in the next one, a second later
				t.Errorf("the samples tell of %v messages, want those of the first that came", recent)
			}
		})
	}
}

func TestFirstByteCountsFromTheConnect(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			const delay = 30 * time.Millisecond
			srv := serve(t, func(c *net.TCPConn, r *http.Request) { time.Sleep(delay); stream(chunkedHead)(c, r) })
			r := flooded(t, e, Config{URL: srv.url("/"), Connections: 4}, func(c Counts) bool { return c.Connected == 4 })
			if q := r.FirstByte; q == nil || q.Count != 4 || q.P50 < 30 || r.Connect.Count != 4 || r.Connect.Max > q.Max {
				t.Errorf("connect %+v, first byte %+v; the answer took %v", r.Connect, q, delay)
			}
			if r.ConnectSeconds < delay.Seconds() {
				t.Errorf("connecting took %v s", r.ConnectSeconds)
			}
		})
	}
}

// TestPace: the first k connections are never there before the k-th was due.
func TestPace(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			const conns = 25
			var (
				mu      sync.Mutex
				arrived []time.Time
			)
			srv := listen(t, "127.0.0.1:0", func(c *net.TCPConn) {
				mu.Lock()
				arrived = append(arrived, time.Now())
				mu.Unlock()
				say(c, chunkedHead)
				hold(c)
			})
			cfg := Config{URL: srv.url("/"), Connections: conns, Pace: pace.Every(4 * time.Millisecond)}
			start := time.Now()
			r := flooded(t, e, cfg, func(c Counts) bool { return c.Connected == conns })
			mu.Lock()
			defer mu.Unlock()
			slices.SortFunc(arrived, time.Time.Compare)
			for k, at := range arrived {
				if early := cfg.Pace.Due(uint64(k)) - at.Sub(start); early > 0 {
					t.Errorf("connection %d came %v early", k, early)
				}
			}
			if len(arrived) != conns || r.Connect.Count != conns {
				t.Errorf("%d came, want %d", len(arrived), conns)
			}
		})
	}
}

// TestInFlight: a server that answers only when as many wait as may. With fewer
// it would never answer, and with more it sees them.
func TestInFlight(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			const limit, conns = 5, 20
			var (
				mu            sync.Mutex
				waiting, most int
			)
			var seen atomic.Int64
			full := make(chan chan struct{}, conns)
			srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
				answer := make(chan struct{})
				mu.Lock()
				waiting++
				most = max(most, waiting)
				mu.Unlock()
				full <- answer
				<-answer
				mu.Lock()
				waiting--
				mu.Unlock()
				say(c, chunkedHead)
				hold(c)
			})
			var answering sync.WaitGroup
			answering.Go(func() {
				for range conns / limit {
					var batch []chan struct{}
					for range limit {
						select {
						case a := <-full:
							batch = append(batch, a)
						case <-t.Context().Done():
							return
						}
					}
					time.Sleep(10 * time.Millisecond) // for one too many to come
					for seen.Load() < limit && t.Context().Err() == nil {
						time.Sleep(time.Millisecond)
					}
					for _, a := range batch {
						close(a)
					}
				}
			})
			r := flooded(t, e, Config{URL: srv.url("/"), Connections: conns, InFlight: limit, OnSample: func(s Sample) {
				seen.Store(max(seen.Load(), int64(s.InFlight)))
			}}, func(c Counts) bool { return c.Connected == conns })
			answering.Wait()
			if most != limit || seen.Load() != limit || r.InFlight != 0 {
				t.Errorf("%d waited at most, the samples say %d, in the end %d; want %d, %d and 0", most, seen.Load(), r.InFlight, limit, limit)
			}
		})
	}
}

func TestSources(t *testing.T) {
	sources := loopbacks(t)
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			from := make(map[netip.Addr]int)
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				mu.Lock()
				from[netip.MustParseAddrPort(c.RemoteAddr().String()).Addr()]++
				mu.Unlock()
				stream(chunkedHead)(c, r)
			})
			r := flooded(t, e, Config{URL: srv.url("/"), Connections: 30, Sources: sources}, func(c Counts) bool { return c.Connected == 30 })
			mu.Lock()
			defer mu.Unlock()
			for _, a := range sources {
				if from[a] < 9 || len(from) != len(sources) { // a port or two may be somebody's
					t.Errorf("connections came from %v; want about 10 from each of %v", from, sources)
				}
			}
			if r.Failed != 0 {
				t.Error(r.Explanation)
			}
		})
	}
}

func TestRequestsAsTheServerSeesThem(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			var (
				mu  sync.Mutex
				got []string
			)
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				mu.Lock()
				got = append(got, r.Method+" "+r.RequestURI+" "+r.Host+" "+r.Header.Get("X-Key")+" "+r.UserAgent())
				mu.Unlock()
				stream(chunkedHead)(c, r)
			})
			flooded(t, e, Config{
				URLs:        []string{srv.url("/a/{id}?x={y}"), srv.url("/b")},
				Connections: 5, FirstID: 7, LastID: 9, Header: []string{"X-Key: value"},
			}, func(c Counts) bool { return c.Connected == 5 })
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(got)
			rest := " " + srv.Addr().String() + " value comet-flood"
			want := []string{"GET /a/7?x={y}" + rest, "GET /a/8?x={y}" + rest, "GET /a/9?x={y}" + rest, "GET /b" + rest, "GET /b" + rest}
			if !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// TestDurationEndsTheRun with nothing else to wake the client.
func TestDurationEndsTheRun(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, stream(chunkedHead))
			for long := 60 * time.Millisecond; ; long *= 2 { // until all come in that time
				start := time.Now()
				r := flooded(t, e, Config{URL: srv.url("/"), Connections: 3, Duration: long, SampleInterval: time.Hour, Pace: pace.Every(time.Millisecond)}, nil)
				if took := time.Since(start); took < long {
					t.Errorf("the run took %v, want %v", took, long)
				}
				if r.Failed != 0 || r.Closed != 0 {
					t.Errorf("%+v: those that the flood closes itself did not end or fail", r)
				}
				if r.Connected == 3 {
					return
				}
			}
		})
	}
}

func TestContextEndsTheRun(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				if idOf(r) == 1 {
					say(c, chunkedHead)
				}
				hold(c)
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f, err := New(Config{URL: srv.url("/{id}"), Connections: 3, Pace: pace.Every(time.Hour), SampleInterval: time.Millisecond, OnSample: func(s Sample) {
				if s.Counts.Connected == 1 {
					cancel() // the second connection is due in an hour
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if r, err := e.run(f, ctx); err != nil || r.Connected != 1 || r.Failed != 0 {
				t.Errorf("%+v, %v", r, err)
			}
			if r, err := e.run(f, ctx); err != nil || r.Established() != 0 || r.Failed != 0 {
				t.Errorf("with an ended context: %+v, %v", r, err)
			}
		})
	}
}

func TestConnectedIsToldOnce(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				if idOf(r)%2 == 0 {
					say(c, "HTTP/1.1 503 x\r\n\r\n")
					return
				}
				stream(chunkedHead)(c, r)
			})
			var told []*Result
			after := 0 // samples since
			flooded(t, e, Config{URL: srv.url("/{id}"), Connections: 10, OnSample: func(s Sample) {
				if s.Connected != nil {
					told = append(told, s.Connected)
				}
				if len(told) > 0 {
					after++
				}
			}}, func(Counts) bool { return after > 10 })
			if len(told) != 1 || told[0].Established() != 5 || told[0].Failed != 5 || told[0].FirstByte.Count != 5 || told[0].Statuses[503] != 5 {
				t.Errorf("told %d times: %+v", len(told), told)
			}
		})
	}
}

// TestASlowConsumerKeepsNobody: the first call of OnSample returns only when
// every connection has come and many samples are due.
func TestASlowConsumerKeepsNobody(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			const conns = 30
			var come sync.WaitGroup
			come.Add(conns)
			srv := serve(t, func(c *net.TCPConn, _ *http.Request) {
				say(c, chunkedHead)
				come.Done()
				hold(c)
			})
			told, calls := 0, 0
			r := flooded(t, e, Config{URL: srv.url("/"), Connections: conns, Pace: pace.Every(2 * time.Millisecond), SampleInterval: time.Millisecond, OnSample: func(s Sample) {
				if calls++; calls == 1 {
					come.Wait()
					time.Sleep(20 * time.Millisecond)
				}
				if s.Connected != nil {
					told++
				}
			}}, func(c Counts) bool { return c.Connected == conns && told == 1 })
			if told != 1 || r.Connected != conns {
				t.Errorf("told %d times; %+v", told, r)
			}
		})
	}
}

// TestConnectionsDoNotWaitForTheConsumer: they are closed before the last call
// of OnSample is over.
func TestConnectionsDoNotWaitForTheConsumer(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			left := make(chan struct{})
			srv := serve(t, func(c *net.TCPConn, r *http.Request) {
				stream(chunkedHead)(c, r)
				close(left)
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f, err := New(Config{URL: srv.url("/"), SampleInterval: time.Millisecond, OnSample: func(s Sample) {
				if s.Counts.Connected == 1 {
					cancel()
					select {
					case <-left:
					case <-time.After(patience):
						t.Error("the connection was kept for as long as OnSample ran")
					}
				}
			}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.run(f, ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBusyIsAShare(t *testing.T) {
	for _, e := range engines() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			srv := serve(t, stream(chunkedHead))
			samples := 0
			r := flooded(t, e, Config{URL: srv.url("/"), OnSample: func(s Sample) {
				samples++
				if measured := s.Busy != nil; measured != (e.name == "epoll") || measured && (*s.Busy < 0 || *s.Busy > 1) {
					t.Errorf("busy: %v", s.Busy)
				}
			}}, func(Counts) bool { return samples > 20 })
			if r.Connected != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// openFiles counts the files of this process.
func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip("open files cannot be counted here: ", err)
	}
	return len(files)
}

// TestNothingIsLeft: connections in every state are closed, and their numbers
// are free again. It has the process for itself: no t.Parallel.
func TestNothingIsLeft(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no /dev/fd")
	}
	flood := func(e engine) {
		srv := serve(t, func(c *net.TCPConn, r *http.Request) {
			switch idOf(r) % 6 {
			case 0: // says nothing
			case 1:
				say(c, chunkedHead[:20])
			case 2:
				say(c, chunkedHead+"5\r\nhel")
			case 3:
				say(c, chunkedHead+messages(chunk, 1)+"0\r\n\r\n")
			case 4:
				c.SetLinger(0)
				return
			case 5:
				say(c, rawHead+messages(asIs, 1))
			}
			hold(c)
		})
		r := flooded(t, e, Config{URL: srv.url("/{id}"), Connections: 60, LastID: 59}, func(c Counts) bool {
			return c.Established() == 30 && c.Closed == 10 && c.Failed == 10 && c.InFlight == 20
		})
		if r.Connected != 20 {
			t.Errorf("%+v", r)
		}
		srv.stop()
	}
	for _, e := range engines() {
		flood(e) // opens what Go keeps
		before := openFiles(t)
		flood(e)
		if after := openFiles(t); after != before {
			t.Errorf("%s: %d files were open before, %d are after", e.name, before, after)
		}
	}
}
