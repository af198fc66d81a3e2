package server

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Those that run beside others hardly use the processor: they wait for a server
	// that waits.
	_ = flag.Set("test.parallel", "8") // the flag is there; a command line overrides it
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what must come. It is only ever
// reached by a failure.
const patience = 20 * time.Second

// engineT is a test of one engine.
type engineT struct {
	*testing.T
	engine Engine
}

// bothEngines runs one test over each engine.
func bothEngines(t *testing.T, test func(t engineT)) {
	t.Helper()
	for _, engine := range []Engine{Epoll, Goroutine} {
		t.Run("engine="+string(engine), func(t *testing.T) {
			if engine != defaultEngine && defaultEngine != Epoll {
				t.Skipf("the epoll engine needs Linux, this is %s", runtime.GOOS)
			}
			test(engineT{t, engine})
		})
	}
}

// running is a server on ports that the kernel chose.
type running struct {
	*Server
	t      testing.TB
	log    logBuffer
	cancel context.CancelFunc
	done   chan error
	web    *http.Client // of the admin listener
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// open makes a server that is not run yet.
func open(tb testing.TB, cfg Config) *running {
	tb.Helper()
	r := &running{t: tb, done: make(chan error, 1), web: &http.Client{Transport: &http.Transport{}}}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Admin == "" {
		cfg.Admin = "127.0.0.1:0"
	}
	if cfg.Loops == 0 {
		cfg.Loops = 2 // wherever the test runs
	}
	if cfg.DrainSpread == 0 {
		cfg.DrainSpread = -1 // so that all streams of a kind end with the same bytes
	}
	cfg.Logger = slog.New(slog.NewTextHandler(&r.log, nil))
	s, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	r.Server = s
	return r
}

// start runs a server for the rest of the test. Clients that are still
// connected when it ends see it drain.
func start(tb testing.TB, cfg Config) *running {
	tb.Helper()
	r := open(tb, cfg)
	r.run()
	return r
}

func (r *running) run() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.done <- r.Run(ctx) }()
	r.t.Cleanup(r.stop)
}

// stop ends the server, and holds it to what must be true of any server that
// has ended: it says nil, every message has been accounted for, and nobody is
// logged in.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	r.ended()
}

func (r *running) ended() {
	r.t.Helper()
	if r.done == nil {
		return
	}
	select {
	case err := <-r.done:
		if err != nil {
			r.t.Errorf("Run returned %v", err)
		}
	case <-time.After(patience):
		buf := make([]byte, 1<<20)
		r.t.Fatalf("Run does not return; stats %+v\n%s", r.Stats(), buf[:runtime.Stack(buf, true)])
	}
	r.done = nil
	r.web.CloseIdleConnections()
	if a := r.core.addresses; a != nil && (len(a.places) != 0 || a.rows != nil) {
		r.t.Errorf("in the end %d addresses have streams", len(a.places))
	}
	s := r.Stats()
	if s.Connections != 0 || s.Logins != 0 || s.BacklogBytes != 0 {
		r.t.Errorf("in the end %d connections, %d logins, %d bytes of backlog, want none", s.Connections, s.Logins, s.BacklogBytes)
	}
	if s.Routed != s.Written+s.DroppedClosed+s.DroppedSlow {
		r.t.Errorf("routed %d, but written %d + dropped_closed %d + dropped_slow %d", s.Routed, s.Written, s.DroppedClosed, s.DroppedSlow)
	}
}

// waitFor waits until the statistics are as they should become.
func (r *running) waitFor(what string, ok func(Stats) bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); !ok(r.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited for %s in vain: %+v", what, r.Stats())
		}
	}
}

func (r *running) waitForLogins(n int) {
	r.t.Helper()
	r.waitFor(fmt.Sprintf("%d logins", n), func(s Stats) bool { return s.Logins == n })
}

// publish sends a message to id without the admin listener.
func (r *running) publish(id int64, message string) (reached int) {
	r.t.Helper()
	p := newPublisher(r.core)
	reached = p.send(id, []byte(message))
	if err := p.flush(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return reached
}

// ask makes an admin request.
func (r *running) ask(method, path, body string, fields ...string) (code int, answer string) {
	r.t.Helper()
	resp, answer := r.askFull(method, path, strings.NewReader(body), fields...)
	return resp.StatusCode, answer
}

func (r *running) askFull(method, path string, body io.Reader, fields ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.AdminAddr().String()+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Set(name, value)
	}
	resp, err := r.web.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, string(answer)
}

// client is a raw connection to the streams.
type client struct {
	*net.TCPConn
	t testing.TB
}

func (r *running) dial() *client {
	r.t.Helper()
	return dial(r.t, r.Addr().String())
}

func dial(tb testing.TB, address string) *client {
	tb.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	tb.Cleanup(func() { conn.Close() })
	return &client{conn.(*net.TCPConn), tb}
}

// ask dials and sends b.
func (r *running) connect(b string) *client {
	r.t.Helper()
	c := r.dial()
	c.send(b)
	return c
}

// stream opens GET /test/{ids} and reads its head.
func (r *running) stream(ids string) *client {
	r.t.Helper()
	c := r.connect("GET /test/" + ids + " HTTP/1.1\r\nHost: h\r\n\r\n")
	c.expect(html11)
	return c
}

func (c *client) send(b string) {
	c.t.Helper()
	if _, err := io.WriteString(c, b); err != nil {
		c.t.Fatalf("writing %.60q: %v", b, err)
	}
}

// expect reads exactly want.
func (c *client) expect(want string) {
	c.t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != want {
		c.t.Fatalf("got %.300q, error %v, want %.300q", b[:n], err, want)
	}
}

// expectEnd reads the orderly end of the connection.
func (c *client) expectEnd() {
	c.t.Helper()
	if rest, err := io.ReadAll(c); err != nil || len(rest) > 0 {
		c.t.Fatalf("got %.300q, error %v, want the end", rest, err)
	}
}

// rest reads to the orderly end of the connection.
func (c *client) rest() string {
	c.t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		c.t.Fatalf("after %.300q: %v", b, err)
	}
	return string(b)
}

// expectCut reads to an end that need not be orderly.
func (c *client) expectCut() {
	c.t.Helper()
	if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("the connection is still open")
	}
}

// reset ends the connection by an RST.
func (c *client) reset() {
	c.t.Helper()
	if err := errors.Join(c.SetLinger(0), c.Close()); err != nil {
		c.t.Fatal(err)
	}
}

const (
	html11  = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nServer: comet\r\n\r\n"
	html10  = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nServer: comet\r\nConnection: close\r\n\r\n"
	sse11   = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nServer: comet\r\n\r\n"
	lastOne = "0\r\n\r\n"
	// restart is a close frame with 1012.
	restart = "\x88\x15\x03\xf4the server restarts"
)

// chunk is the n-th message as an HTTP/1.1 stream has it.
func chunk(n int, escaped string) string {
	body := fmt.Sprintf("Recvd msg #%d: '%s'<br/>", n, escaped)
	return fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
}

// text is an answer that is not a stream.
func text(status, fields, sentence string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nServer: comet\r\nConnection: close\r\n%s\r\n%s\n",
		status, len(sentence)+1, fields, sentence)
}

var (
	answer400 = text("400 Bad Request", "", "This is not a request in HTTP/1.0 or HTTP/1.1.")
	answerID  = text("400 Bad Request", "", "The id must be a whole number from 0 to 9223372036854775807, as in /test/123; several are separated by commas.")
	answer404 = text("404 Not Found", "", "There is nothing here. Streams are at GET /test/{id}, /events/{id}, /poll/{id} and /ws/{id}.")
	answer408 = text("408 Request Timeout", "", "No complete request head came in time.")
	answer431 = text("431 Request Header Fields Too Large", "", "The request head is longer than 32 KiB.")
	answer501 = text("501 Not Implemented", "", "Only GET and HEAD are understood here.")
	answer503 = text("503 Service Unavailable", "Retry-After: 1\r\n", "The server holds as many connections as it may. Try again shortly.")
	leaving   = text("503 Service Unavailable", "Retry-After: 1\r\n", "This server is about to end. Try again shortly, or another server.")
	answer204 = "HTTP/1.1 204 No Content\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nServer: comet\r\nConnection: close\r\n\r\n"
)
