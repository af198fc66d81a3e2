package memlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/memlog/series"
)

func TestParseStats(t *testing.T) {
	const u = series.Unknown
	tests := []struct {
		body string
		want serverStats
		ok   bool
	}{
		{`{"connections":15000,"collections_forced":2}`, serverStats{15000, 2}, true},
		{`{"connections":1e4}`, serverStats{10000, u}, true},
		{`{"connections":0.0,"collections_forced":"many"}`, serverStats{}, false},
		{`{"connections":7,"collections_forced":-1}`, serverStats{7, u}, true},
		{`{"connections":-1}`, serverStats{}, false},
		{`{"connections":1.5}`, serverStats{}, false},
		{`{"connections":1e300}`, serverStats{}, false},
		{`{"connections":null}`, serverStats{}, false},
		{`{"clients":3}`, serverStats{}, false},
		{`[3]`, serverStats{}, false},
		{"Active connections: 291", serverStats{}, false}, // nginx's stub_status
		{"", serverStats{}, false},
	}
	for _, tt := range tests {
		got, err := parseStats([]byte(tt.body))
		if (err == nil) != tt.ok || got != tt.want || err != nil && !errors.Is(err, errNoCount) {
			t.Errorf("%s: %+v, %v", tt.body, got, err)
		}
	}
}

func FuzzParseStats(f *testing.F) {
	f.Add([]byte(`{"connections":15000,"collections_forced":2}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := parseStats(body)
		if err == nil && (s.connections < 0 || s.forced < series.Unknown) || err != nil && s != (serverStats{}) {
			t.Fatalf("%q gives %+v, %v", body, s, err)
		}
	})
}

func TestStatsURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://127.0.0.1:8001":            "http://127.0.0.1:8001/stats",
		"http://127.0.0.1:8001/":           "http://127.0.0.1:8001/stats",
		"https://a.example/api/status?x=1": "https://a.example/api/status?x=1",
		"127.0.0.1:8001":                   "",
		"ftp://127.0.0.1/stats":            "",
		"http:///stats":                    "",
		"stats":                            "",
	} {
		got, err := statsURL(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
		verr := Config{PIDs: []int32{1}, StatsURL: in, OnSample: func(series.Sample) {}}.Validate()
		if (verr == nil) != (want != "") {
			t.Errorf("Validate with %q: %v", in, verr)
		}
	}
}

func TestStatsClient(t *testing.T) {
	var answer http.HandlerFunc
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer server.Close()
	client, err := newStatsClient(server.URL, "secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.close()
	tests := []struct {
		name   string
		answer http.HandlerFunc
		err    string
	}{
		{"good", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/stats" && r.Header.Get("Authorization") == "Bearer secret" {
				io.WriteString(w, `{"connections":42}`)
			}
		}, ""},
		{"refused", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, "401 Unauthorized"},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }, "no JSON object"},
		{"endless", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "no JSON object"},
		{"cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	}
	for _, tt := range tests {
		answer = tt.answer
		got, err := client.ask(t.Context())
		if tt.err == "" && (err != nil || got.connections != 42) ||
			tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: %+v, %v", tt.name, got, err)
		}
	}
	server.Close()
	if _, err := client.ask(t.Context()); err == nil {
		t.Error("a server that is gone answers")
	}
}

// TestUnaskedIsExplained by the number that the system gives, on Unix and on Windows.
func TestUnaskedIsExplained(t *testing.T) {
	for number, says := range map[syscall.Errno]string{
		syscall.ECONNREFUSED: "nothing listens there", 10061: "nothing listens there",
		syscall.EHOSTUNREACH: "no route", 10065: "no route",
		syscall.EPERM: "firewall", 10013: "firewall",
		syscall.EMFILE: "ulimit -n", 10024: "ulimit -n",
		syscall.ETIMEDOUT: "did not respond in time", 10060: "did not respond in time",
	} {
		err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", number)}
		if got := adviseUnasked(false, err); !strings.Contains(got, says) {
			t.Errorf("of %v it says %q, want %q", err, got, says)
		}
	}
}

// fakeServer answers what it is told to, after as long as it is told to.
type fakeServer struct {
	mu     sync.Mutex
	stats  serverStats
	err    error
	delay  time.Duration
	inside int // requests under way
	most   int
}

func (f *fakeServer) ask(ctx context.Context) (serverStats, error) {
	f.mu.Lock()
	f.inside++
	f.most = max(f.most, f.inside)
	stats, err, delay := f.stats, f.err, f.delay
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.inside--
		f.mu.Unlock()
	}()
	select {
	case <-time.After(delay):
		return stats, err
	case <-ctx.Done():
		return serverStats{}, ctx.Err()
	}
}

// TestServerCount samples each second while at second k the server becomes what
// change says, half a second before the sample.
func TestServerCount(t *testing.T) {
	tests := []struct {
		name   string
		change func(k int, f *fakeServer)
		want   string // server_conns, and ! where event=gc
	}{
		{"steady", func(k int, f *fakeServer) { f.stats.connections = int64(k) }, "0 1 2 3 4 5"},
		{"too slow for once", func(k int, f *fakeServer) {
			f.stats.connections, f.delay = int64(k), 0
			if k == 2 {
				f.delay = 10 * time.Second
			}
		}, "0 1 - 3 4 5"}, // it is given up in time for the sample after
		{"always late", func(k int, f *fakeServer) {
			f.stats.connections, f.delay = int64(k), 300*time.Millisecond
		}, "0 0 1 2 3 4"},
		{"dead", func(_ int, f *fakeServer) { f.err = io.ErrUnexpectedEOF }, "- - - - - -"},
		{"dead, then back", func(k int, f *fakeServer) {
			f.err, f.stats.connections = nil, int64(k)
			if k < 3 {
				f.err = io.ErrUnexpectedEOF
			}
		}, "- - - 3 4 5"},
		{"collections", func(k int, f *fakeServer) { f.stats.forced = []int64{1, 1, 2, 2, 5, 5}[k] }, "0 0 0! 0 0! 0"},
		{"started anew", func(k int, f *fakeServer) { f.stats.forced = []int64{3, 0, 1, 1, 0, 0}[k] }, "0 0 0! 0 0 0"},
		{"does not tell collections", func(_ int, f *fakeServer) { f.stats.forced = series.Unknown }, "0 0 0 0 0 0"},
		{"tells them later", func(k int, f *fakeServer) { f.stats.forced = []int64{-1, -1, 4, 4, 5, 5}[k] }, "0 0 0 0 0! 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				server := &fakeServer{}
				tt.change(0, server)
				var k int
				var got []string
				var at []time.Duration
				var start time.Time
				l := fakeLog(Config{
					Match: "x", Interval: time.Second, Duration: 5 * time.Second,
					OnSample: func(s series.Sample) {
						value, _ := s.Field("server_conns")
						if event, ok := s.Field("event"); ok && event == "gc" {
							value += "!"
						}
						got = append(got, value)
						at = append(at, s.Time.Sub(start))
						k++
						if next := k; next < 6 {
							time.AfterFunc(500*time.Millisecond, func() {
								server.mu.Lock()
								defer server.mu.Unlock()
								tt.change(next, server)
							})
						}
					},
				}, func(int) (time.Duration, error) { return 0, nil })
				l.stats = startStats(ctx, server.ask)
				start = time.Now()
				if err := l.run(ctx); err != nil {
					t.Fatal(err)
				}
				l.stats.end()
				if s := strings.Join(got, " "); s != tt.want {
					t.Errorf("%s, want %s", s, tt.want)
				}
				if want := []time.Duration{0, 1e9, 2e9, 3e9, 4e9, 5e9}; !slices.Equal(at, want) {
					t.Errorf("samples at %v: the server delays them", at)
				}
				if server.most > 1 {
					t.Errorf("%d requests at once", server.most)
				}
			})
		})
	}
}

// A server that never answers holds up the first sample for a moment, and
// neither later ones nor the end.
func TestServerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		server := &fakeServer{delay: 24 * time.Hour}
		l := fakeLog(Config{
			Match: "x", Interval: 300 * time.Millisecond, Duration: 1200 * time.Millisecond,
			OnSample: func(s series.Sample) { at = append(at, s.Time.Sub(start)) },
		}, func(int) (time.Duration, error) { return 0, nil })
		l.stats = startStats(t.Context(), server.ask)
		if err := l.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.stats.end()
		const first = statsFirst
		want := []time.Duration{first, first + 3e8, first + 6e8, first + 9e8, first + 12e8}
		if !slices.Equal(at, want) || time.Since(start) != first+12e8 {
			t.Errorf("samples at %v, end at %v; want %v", at, time.Since(start), want)
		}
	})
}

// TestRunAsksTheServer does it over a real connection, with one that dies.
func TestRunAsksTheServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"connections":7,"collections_forced":0}`)
	}))
	defer server.Close()
	var said bytes.Buffer
	var got []string
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	l, err := New(Config{
		PIDs: []int32{int32(os.Getpid())}, NoChildren: true, Interval: 10 * time.Millisecond,
		StatsURL: server.URL, Logger: slog.New(slog.NewTextHandler(&said, nil)),
		OnSample: func(s series.Sample) {
			value, _ := s.Field("server_conns")
			if len(got) == 0 {
				if value == "-" { // a busy machine: the first answer is not here yet
					return
				}
				said.Reset()
			}
			if n := len(got); n == 0 || got[n-1] != value {
				got = append(got, value)
			}
			switch value {
			case "7":
				if len(got) == 1 {
					go server.Close()
				}
			case "-":
				cancel()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if want := []string{"7", "-"}; !slices.Equal(got, want) {
		t.Errorf("server_conns %v, want %v", got, want)
	}
	if n := strings.Count(said.String(), "figure=server_conns"); n != 1 {
		t.Errorf("said %d times: %s", n, said.String())
	}
	if _, err := New(Config{PIDs: []int32{1}, StatsURL: "x", OnSample: func(series.Sample) {}}); err == nil {
		t.Error("New takes anything for a URL")
	}
}
