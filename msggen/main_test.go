package msggen

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is one message as a server or a sender got it.
type received struct {
	id      int64
	message string
	at      time.Time
}

// stampOf takes a generated message apart, by the book rather than by the code.
var stampFormat = regexp.MustCompile(`^Fake message Num = (\d+) s=([0-9a-f]{8})\.(\d+) f=(\d+) t=(\d+)( ?\.*)$`)

type stamp struct {
	num    uint64
	run    string
	n      uint64
	id     int64 // whose sequence it is
	due    int64
	filler string
}

func stampOf(t *testing.T, message string) stamp {
	t.Helper()
	parts := stampFormat.FindStringSubmatch(message)
	if parts == nil {
		t.Fatalf("%q is not a generated message", message)
	}
	num, _ := strconv.ParseUint(parts[1], 10, 64)
	n, _ := strconv.ParseUint(parts[3], 10, 64)
	id, _ := strconv.ParseInt(parts[4], 10, 64)
	due, _ := strconv.ParseInt(parts[5], 10, 64)
	return stamp{num, parts[2], n, id, due, parts[6]}
}

// checkOrder holds the messages of each id against their stamps: 1, 2, 3…
func checkOrder(t *testing.T, messages []received) {
	t.Helper()
	last := map[int64]uint64{}
	for i, m := range messages {
		s := stampOf(t, m.message)
		if s.n != last[m.id]+1 || s.id != m.id {
			t.Fatalf("message %d is number %d of id %d, and is for id %d, after number %d", i, s.n, s.id, m.id, last[m.id])
		}
		last[m.id] = s.n
	}
}

// server stands for comet's admin listener: POST /send with lines. Ids up to
// connected are connected.
type server struct {
	*httptest.Server
	connected int64
	// refuse, if set, answers a request itself and returns true.
	refuse func(http.ResponseWriter, *http.Request) bool
	// accept, if set, tells whether a line is accepted.
	accept func(id int64) bool

	mu       sync.Mutex
	messages []received
	requests int
	news     chan struct{}
}

func newServer(t *testing.T, change func(*server)) *server {
	t.Helper()
	s := &server{connected: 1 << 62, news: make(chan struct{}, 1)}
	if change != nil {
		change(s)
	}
	s.listen(t, net.JoinHostPort(ownHost(), "0"))
	t.Cleanup(s.stop)
	return s
}

// ownHost returns a loopback address of a test's own, where the system has more than
// one: nobody else is given a port there that the test gives back for a while.
func ownHost() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
}

// serveOn serves a handler at an address.
func serveOn(addr string, handler http.HandlerFunc) (*httptest.Server, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := httptest.NewUnstartedServer(handler)
	_ = s.Listener.Close()
	s.Listener = listener
	s.Start()
	return s, nil
}

func (s *server) listen(t *testing.T, addr string) {
	t.Helper()
	var err error
	if s.Server, err = serveOn(addr, s.serve); err != nil {
		t.Fatal(err)
	}
}

// listenAgain serves on the address that the server had before.
func (s *server) listenAgain(t *testing.T) {
	t.Helper()
	s.listen(t, s.Listener.Addr().String())
}

// stop cuts all connections, as the end of a process does.
func (s *server) stop() {
	_ = s.Listener.Close()
	s.CloseClientConnections()
	s.Close()
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	if s.refuse != nil && s.refuse(w, r) {
		return
	}
	s.mu.Lock()
	s.requests++
	s.mu.Unlock()
	var sent, reached, unaddressed int
	lines := bufio.NewReader(r.Body)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			break
		}
		if err != nil {
			return
		}
		m := received{at: time.Now()}
		if m.id, m.message, err = parseLine(r, strings.TrimSuffix(line, "\n")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if s.accept != nil && !s.accept(m.id) {
			continue
		}
		sent++
		if m.id <= s.connected {
			reached++
		} else {
			unaddressed++
		}
		s.mu.Lock()
		s.messages = append(s.messages, m)
		s.mu.Unlock()
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
	fmt.Fprintf(w, `{"sent":%d,"reached":%d,"unaddressed":%d}`, sent, reached, unaddressed)
}

func parseLine(r *http.Request, line string) (int64, string, error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-ndjson") {
		var m struct {
			ID      int64
			Message string
		}
		err := json.Unmarshal([]byte(line), &m)
		return m.ID, m.Message, err
	}
	id, message, _ := strings.Cut(line, " ")
	n, err := strconv.ParseInt(id, 10, 64)
	return n, message, err
}

func (s *server) got() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.messages...)
}

// waitFor waits until the server has n messages.
func (s *server) waitFor(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for len(s.got()) < n {
		select {
		case <-s.news:
		case <-ctx.Done():
			t.Fatalf("the server has %d messages, want %d", len(s.got()), n)
		}
	}
}

// recorder is a Sender that keeps what it is given.
type recorder struct {
	messages []received
	flushed  int
	receipt  Receipt
	closed   bool
	// fail, if set, may fail an Open or a Flush.
	fail func(verb string) error
	// unconnected ids reach nobody.
	unconnected func(id int64) bool
	addressed   uint64
}

func (r *recorder) failing(verb string) error {
	if r.fail == nil {
		return nil
	}
	return r.fail(verb)
}

func (r *recorder) Open(context.Context) error { return r.failing("open") }

func (r *recorder) Send(id int64, message []byte) error {
	r.messages = append(r.messages, received{id: id, message: string(message)})
	r.receipt.Unanswered++
	if r.unconnected == nil || !r.unconnected(id) {
		r.addressed++
	}
	return nil
}

func (r *recorder) Flush(ctx context.Context) error {
	if err := r.failing("flush"); err != nil {
		r.receipt.Unknown += r.receipt.Unanswered
		r.receipt.Unanswered = 0
		return err
	}
	r.flushed = len(r.messages)
	return ctx.Err()
}

func (r *recorder) Settle(ctx context.Context) error {
	if err := r.Flush(ctx); err != nil {
		return err
	}
	r.receipt.Sent += r.receipt.Unanswered
	r.receipt.Unanswered = 0
	r.receipt.Reached = r.addressed
	r.receipt.Unaddressed = r.receipt.Sent - r.addressed
	return nil
}

func (r *recorder) Receipt() Receipt { return r.receipt }

func (r *recorder) Close(ctx context.Context) error {
	r.closed = true
	return r.Settle(ctx)
}
