package live

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.org/comet/cmd/internal/result"
)

// patience is how long something may take. Only a failure reaches it.
const patience = 20 * time.Second

// start serves a page for the rest of the test, or until stop.
func start(t *testing.T, cfg Config) (s *Server, stop func()) {
	t.Helper()
	if cfg.Address == "" {
		cfg.Address = "127.0.0.1:0"
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = func() {
		cancel()
		serving.Wait()
	}
	t.Cleanup(stop)
	return s, stop
}

// moment returns one with a figure of each kind, and the CPU not measured.
func moment(seconds float64, phase string) result.Moment {
	f := result.Of(seconds)
	return result.Moment{Seconds: seconds, Phase: phase, Connected: f, DeliveredPerSecond: f, Memory: f, Latency: result.Quantiles{P50: f, P99: f}, CPU: map[string]result.Figure{"server": f}}
}

// heard is what a viewer reads of an event.
type heard struct {
	Type    string
	Title   string
	Verdict string
	Phases  []phase
	Moment  result.Moment
	Moments []result.Moment
	SoFar   result.Quantiles `json:"so_far_ms"`
}

// watcher reads /events.
type watcher struct {
	t    *testing.T
	body io.ReadCloser
	in   *bufio.Reader
}

func watch(t *testing.T, s *Server) *watcher {
	t.Helper()
	answer := ask(t, s, "GET", "/events", nil)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	return &watcher{t, answer.Body, bufio.NewReaderSize(answer.Body, 1<<20)}
}

// ask makes a request on a connection of its own.
func ask(t *testing.T, s *Server, method, path string, head http.Header) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host := head.Get("Host"); host != "" {
		request.Host = host
	}
	request.Header = head
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// next returns the next event; the type is empty at the end.
func (w *watcher) next() (h heard) {
	w.t.Helper()
	for {
		line, err := w.in.ReadString('\n')
		if err != nil {
			return heard{}
		}
		text, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			w.t.Fatalf("%v: %.200s", err, text)
		}
		return h
	}
}

// TestFollow: a viewer gets all that was seen, then each moment, then the end; one who
// comes later, or after the end, has missed nothing.
func TestFollow(t *testing.T) {
	s, stop := start(t, Config{Title: "a run"})
	first := watch(t, s)
	if h := first.next(); h.Type != "history" || h.Title != "a run" || len(h.Moments) != 0 {
		t.Errorf("before the first moment: %+v", h)
	}
	s.Add(moment(1, "connect"), result.Quantiles{})
	s.Add(moment(2, "messages"), result.Quantiles{P99: result.Of(7)})
	if h := first.next(); h.Type != "moment" || h.Moment.Phase != "connect" || h.SoFar.P99 != (result.Figure{}) {
		t.Errorf("%+v", h)
	}
	if h := first.next(); h.Moment.Connected != result.Of(2) || h.SoFar.P99 != result.Of(7) {
		t.Errorf("%+v", h)
	}
	second := watch(t, s)
	if h := second.next(); len(h.Moments) != 2 || h.SoFar.P99 != result.Of(7) || !slices.Equal(h.Phases, []phase{{"connect", 1}, {"messages", 1}}) {
		t.Errorf("%+v", h)
	}
	s.End("It held.")
	s.End("It did not.")
	s.Add(moment(3, "messages"), result.Quantiles{})
	third := watch(t, s)
	if h := third.next(); len(h.Moments) != 2 {
		t.Errorf("after the end there are %d moments", len(h.Moments))
	}
	var stopped sync.WaitGroup
	stopped.Go(stop)
	for i, w := range []*watcher{first, second, third} {
		if h := w.next(); h.Type != "end" || h.Verdict != "It held." {
			t.Errorf("viewer %d: %+v", i, h)
		}
		if h := w.next(); h.Type != "" {
			t.Errorf("viewer %d is told %+v after the end", i, h)
		}
	}
	stopped.Wait()
}

// TestSeries: the moments of several runs, which begin again, stand behind each other.
func TestSeries(t *testing.T) {
	s, _ := start(t, Config{})
	for range 3 {
		for n := range 5 {
			s.Add(moment(float64(n), "connect"), result.Quantiles{})
		}
	}
	h := watch(t, s).next()
	if len(h.Moments) != 15 || !slices.IsSortedFunc(h.Moments, func(a, b result.Moment) int { return int(math.Copysign(1, a.Seconds-b.Seconds)) }) {
		t.Errorf("%d moments: %+v", len(h.Moments), h.Moments)
	}
}

// TestSlowViewer: one who does not read is given up, the run waits for nobody, and
// what is kept for the others is complete.
func TestSlowViewer(t *testing.T) {
	s, _ := start(t, Config{})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	await(t, "the viewer is there", func() bool { return s.watching() == 1 })
	n := 0
	await(t, "the viewer is given up", func() bool {
		for range 1000 { // which is more than all buffers on the way take, sooner or later
			n++
			s.Add(moment(float64(n), "messages"), result.Quantiles{})
		}
		return s.watching() == 0
	})
	if h := watch(t, s).next(); h.Moments[len(h.Moments)-1].Seconds != float64(n) {
		t.Errorf("the history ends at %v, not %d", h.Moments[len(h.Moments)-1].Seconds, n)
	}
}

// watching returns how many viewers there are.
func (s *Server) watching() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.viewers)
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// TestManyViewers: as many as may are let in, the next is told to come again, and
// /metrics is answered all the same. Who leaves makes room.
func TestManyViewers(t *testing.T) {
	s, _ := start(t, Config{})
	var all []*watcher
	for range maxViewers {
		all = append(all, watch(t, s))
	}
	if answer := ask(t, s, "GET", "/events", nil); answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("one more is answered %d", answer.StatusCode)
	}
	if answer := ask(t, s, "GET", "/metrics", nil); answer.StatusCode != http.StatusOK {
		t.Errorf("/metrics is answered %d", answer.StatusCode)
	}
	all[0].body.Close()
	await(t, "the one who left is forgotten", func() bool { return s.watching() == maxViewers-1 })
	watch(t, s)
	s.Add(moment(1, "connect"), result.Quantiles{})
	for _, w := range all[1:] {
		if w.next(); w.next().Type != "moment" {
			t.Fatal("a viewer missed a moment")
		}
	}
}

// TestWhoMayAsk: the rules are those of the admin listener.
func TestWhoMayAsk(t *testing.T) {
	open, _ := start(t, Config{Token: "sesame"}) // on loopback no browser sends one
	locked, err := New(Config{Address: "0.0.0.0:0", Token: "sesame"})
	if err != nil {
		t.Fatal(err)
	}
	locked.Close()
	closed, _ := start(t, Config{Address: "0.0.0.0:0", Token: "sesame"})
	for _, c := range []struct {
		s      *Server
		method string
		path   string
		head   http.Header
		status int
	}{
		{open, "GET", "/", nil, 200},
		{open, "HEAD", "/", nil, 200},
		{open, "GET", "/live.js", nil, 200},
		{open, "GET", "/common.css", nil, 200},
		{open, "GET", "/metrics", http.Header{"Host": {"localhost:9100"}}, 200},
		{open, "GET", "/nothing", nil, 404},
		{open, "POST", "/", nil, 405},
		{open, "POST", "/events", nil, 405},
		{open, "GET", "/", http.Header{"Host": {"evil.example"}}, 403},
		{open, "GET", "/metrics", http.Header{"Host": {"evil.example"}}, 403},
		{open, "GET", "/events", http.Header{"Host": {"evil.example"}}, 403},
		{open, "GET", "/events", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		{open, "GET", "/events", http.Header{"Origin": {"http://evil.example"}}, 403},
		{closed, "GET", "/", nil, 401},
		{closed, "GET", "/metrics", nil, 401},
		{closed, "GET", "/events", http.Header{"Authorization": {"Bearer wrong"}}, 401},
		{closed, "GET", "/metrics", http.Header{"Authorization": {"Bearer sesame"}}, 200},
		{closed, "GET", "/", http.Header{"Authorization": {"Bearer sesame"}, "Host": {"host.example"}}, 200},
	} {
		if answer := ask(t, c.s, c.method, c.path, c.head); answer.StatusCode != c.status {
			t.Errorf("%s %s with %v is answered %d, want %d", c.method, c.path, c.head, answer.StatusCode, c.status)
		}
	}
}

// TestNew: what cannot be listened on is refused with a sentence that says why.
func TestNew(t *testing.T) {
	taken, _ := start(t, Config{})
	for address, want := range map[string]string{
		":0":                       "the live page on :0 can be reached from other machines: give it a token (--admin-token-file FILE, or COMET_ADMIN_TOKEN)",
		"9100":                     "missing port",
		"127.0.0.1:99999":          "cannot open the live page on 127.0.0.1:99999",
		taken.Addr().String():      "another program listens there",
		"[2001:db8::1]:9100":       "can be reached from other machines",
		"host.invalid.example:910": "can be reached from other machines",
	} {
		if s, err := New(Config{Address: address}); err == nil {
			s.Close()
			t.Errorf("%s is taken", address)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}

// TestListenError: the number is explained that the system gives, on Unix and on
// Windows.
func TestListenError(t *testing.T) {
	for number, says := range map[syscall.Errno]string{
		syscall.EADDRINUSE: "another program listens there", 10048: "another program listens there",
		syscall.EADDRNOTAVAIL: "no such address", 10049: "no such address",
		syscall.EACCES: "ports below 1024",
	} {
		err := listenError("127.0.0.1:9100", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", number)})
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

// TestDirections: where the page is, as a line to paste.
func TestDirections(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:0": `^live page  http://127\.0\.0\.1:(\d+)/\n  from another machine: ssh -L (\d+):127\.0\.0\.1:(\d+) \S+, and then http://127\.0\.0\.1:\d+/\n$`,
		"0.0.0.0:0":   `^live page  http://[^:/]+:\d+/ and /metrics, with the token .*\n.* --metrics 127\.0\.0\.1:\d+, and ssh -L \d+:127\.0\.0\.1:\d+ \S+\n$`,
	} {
		s, err := New(Config{Address: address, Token: "t"})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Directions(); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: %q", address, got)
		}
		s.Close()
	}
}
