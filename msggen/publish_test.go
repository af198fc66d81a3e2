package msggen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// publisher stands for any HTTP endpoint that takes a message a request, at
// POST /pub/{id}.
type publisher struct {
	*httptest.Server
	// answer, if set, answers a request and tells whether the message counts.
	answer func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	messages []received
	conns    int
	flying   map[string]int // requests under way, by connection
	most     int            // under way at a time
	overlap  bool           // two at a time on one connection
}

func newPublisher(t *testing.T, change func(*publisher)) *publisher {
	t.Helper()
	p := &publisher{flying: map[string]int{}}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	listener, err := net.Listen("tcp", net.JoinHostPort(ownHost(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Listener.Close()
	p.Listener = listener
	p.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			p.mu.Lock()
			p.conns++
			p.mu.Unlock()
		}
	}
	if change != nil {
		change(p)
	}
	p.Start()
	t.Cleanup(p.stop)
	return p
}

func (p *publisher) stop() {
	_ = p.Listener.Close()
	p.CloseClientConnections()
	p.Close()
}

func (p *publisher) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	id, err := strconv.ParseInt(strings.TrimPrefix(r.URL.Path, "/pub/"), 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	p.mu.Lock()
	p.flying[r.RemoteAddr]++
	p.overlap = p.overlap || p.flying[r.RemoteAddr] > 1
	total := 0
	for _, n := range p.flying {
		total += n
	}
	p.most = max(p.most, total)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.flying[r.RemoteAddr]--
		p.mu.Unlock()
	}()
	if p.answer == nil || p.answer(w, r) {
		p.mu.Lock()
		p.messages = append(p.messages, received{id: id, message: string(body), at: time.Now()})
		p.mu.Unlock()
	}
}

func (p *publisher) got() []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]received(nil), p.messages...)
}

func newPublish(t *testing.T, c PublishConfig) *PublishSender {
	t.Helper()
	s, err := NewPublishSender(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ExamplePublishSender() {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // any server that publishes what is posted
	}))
	defer server.Close()

	sender, err := NewPublishSender(PublishConfig{
		URL:    server.URL + "/api/publish",
		Header: []string{"Content-Type: application/json"},
		Body:   `{"channel":"user-{id}","data":"{message}"}`,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	generator, err := New(Config{Sender: sender, Rate: 1000, Count: 50, MaxID: 5})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := generator.Run(context.Background())
	fmt.Println(result.Sent, result.Statuses, err)
	// Output: 50 map[200:50] <nil>
}

// TestPublishKeepsTheOrder over more connections than one, whatever their
// answers take.
func TestPublishKeepsTheOrder(t *testing.T) {
	for _, max := range []bool{false, true} {
		server := newPublisher(t, func(p *publisher) {
			p.answer = func(http.ResponseWriter, *http.Request) bool {
				if rand.IntN(20) == 0 {
					time.Sleep(time.Duration(rand.IntN(2_000_000)))
				}
				return true
			}
		})
		sender := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}", Connections: 5})
		// So few that a busy server answers those that wait at the end within closeGrace.
		const each = 200
		config := Config{Sender: sender, Senders: 3, Count: each, MaxID: 40, Max: max}
		if !max {
			config.Rate = 10_000
		}
		result := mustRun(t.Context(), t, config)
		checkOrder(t, server.got())
		if n := len(server.got()); n != 3*each || result.Sent != 3*each || result.Statuses[200] != 3*each || !result.ReachUnknown {
			t.Errorf("max=%v: the server got %d messages, the result says %+v", max, n, result)
		}
		if (result.Late == nil) != max || !max && result.Late.Count != 3*each {
			t.Errorf("max=%v: lateness is %+v", max, result.Late)
		}
		if server.conns != 5 || server.most > 5 || server.most < 2 || server.overlap {
			t.Errorf("max=%v: %d connections had up to %d requests under way (two on one: %v), want 5 and up to 5",
				max, server.conns, server.most, server.overlap)
		}
	}
}

// TestPublishIsNotHeldUpByOne: while one id's answer is missing, the others go
// on, and that id's messages wait and count as late.
func TestPublishIsNotHeldUpByOne(t *testing.T) {
	release := make(chan struct{})
	var others atomic.Int64
	server := newPublisher(t, func(p *publisher) {
		p.answer = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/pub/1" {
				<-release
			} else if others.Add(1) == 100 {
				close(release)
			}
			return true
		}
	})
	sender := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}"})
	// Sequential, so that id 1 is the first; 16 connections, so that some of 50
	// ids do not share the one that is held up.
	result := mustRun(t.Context(), t, Config{
		Sender: sender, Rate: 2000, Count: 200, MaxID: 50, Distribution: Distribution{Shape: Sequential},
	})
	checkOrder(t, server.got())
	if result.Sent != 200 || result.LateCount == 0 || result.Late.Max < 10 {
		t.Errorf("the result is %+v with lateness %+v, want 200 sent and some late by the wait", result, result.Late)
	}
}

func TestPublishCountsRefusals(t *testing.T) {
	server := newPublisher(t, func(p *publisher) {
		p.answer = func(w http.ResponseWriter, r *http.Request) bool {
			switch r.URL.Path {
			case "/pub/2":
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, "slow down\nplease")
			case "/pub/3":
				w.WriteHeader(http.StatusNoContent)
				return true
			default:
				w.WriteHeader(http.StatusCreated)
				return true
			}
			return false
		}
	})
	sender := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}"})
	result := mustRun(t.Context(), t, Config{
		Sender: sender, Rate: 5000, Count: 100, MaxID: 4, Distribution: Distribution{Shape: Sequential},
	})
	if result.Sent != 75 || result.Refused != 25 || result.Statuses[201] != 50 || result.Statuses[204] != 25 || result.Statuses[429] != 25 {
		t.Errorf("the result is %+v", result)
	}
	if want := "/pub/2 was answered 429 Too Many Requests (slow down): the server limits the rate"; !strings.Contains(result.Refusal, want) {
		t.Errorf("the refusal reads %q, want that it says %q", result.Refusal, want)
	}
}

func TestPublishExplainsWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		status int
		says   string
	}{
		{301, "name http://elsewhere/ itself"},
		{401, "401 Unauthorized (text): give what it asks for as a header"},
		{403, "as a header"},
		{404, "see that the path"},
		{405, "choose another method, of PUT"},
		{415, "Content-Type: application/json"},
		{500, "was answered 500 Internal Server Error (text)"},
	} {
		server := newPublisher(t, func(p *publisher) {
			p.answer = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Location", "http://elsewhere/")
				w.Header().Set("Allow", "PUT")
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, "text")
				return false
			}
		})
		// Without end, it ends after some refusals; with one, at that.
		for _, count := range []uint64{0, 3} {
			sender := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}"})
			generator, err := New(Config{Sender: sender, Rate: 5000, Count: count, MaxID: 100})
			if err != nil {
				t.Fatal(err)
			}
			result, err := generator.Run(t.Context())
			checkSum(t, result.Stats)
			if err == nil || errors.Is(err, ErrAway) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%d: Run: %v\nwant that it says %q", test.status, err, test.says)
			}
			if strings.Count(err.Error(), "was answered") != 1 {
				t.Errorf("%d: it is said more than once: %v", test.status, err)
			}
			if result.Sent != 0 || result.Refused == 0 || result.Statuses[test.status] == 0 {
				t.Errorf("%d: the result is %+v", test.status, result)
			}
		}
	}
}

// TestPublishSurvivesClosedConnections: a server may close a connection with any
// answer, or while nothing is under way, and neither costs a message.
func TestPublishSurvivesClosedConnections(t *testing.T) {
	var n atomic.Int64
	server := newPublisher(t, func(p *publisher) {
		p.answer = func(w http.ResponseWriter, _ *http.Request) bool {
			if n.Add(1)%10 == 0 {
				w.Header().Set("Connection", "close")
			}
			return true
		}
		p.Config.IdleTimeout = 200 * time.Millisecond
	})
	sender := newPublish(t, PublishConfig{URL: server.URL + "/pub/{id}", Connections: 3})
	if err := sender.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	count := map[int64]uint64{}
	for i := range 100 {
		id := int64(i % 30) // enough that each connection has some
		count[id]++
		if err := sender.Send(id, fmt.Appendf(nil, "Fake message Num = 1 s=00000000.%d f=%d t=1", count[id], id)); err != nil {
			t.Fatal(err)
		}
		if i%50 != 49 {
			continue
		}
		if err := sender.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); ; { // until all idle connections are closed
			open := 0
			for _, l := range sender.lanes {
				l.mu.Lock()
				if l.conn != nil {
					open++
				}
				l.mu.Unlock()
			}
			if open == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d idle connections are still open", open)
			}
			time.Sleep(time.Millisecond)
		}
	}
	if err := sender.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkOrder(t, server.got())
	if r := sender.Receipt(); r.Sent != 100 || len(server.got()) != 100 {
		t.Errorf("of 100 messages the server got %d; the receipt is %+v", len(server.got()), r)
	}
}

func TestPublishByTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the stranger's handshakes
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	url := server.URL + "/pub/{id}"
	sender := newPublish(t, PublishConfig{URL: url, TLS: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}})
	result := mustRun(t.Context(), t, Config{Sender: sender, Rate: 1000, Count: 50, MaxID: 5})
	if result.Sent != 50 {
		t.Errorf("the result is %+v", result)
	}
	stranger := newPublish(t, PublishConfig{URL: url})
	if err := stranger.Open(t.Context()); err == nil || errors.Is(err, ErrAway) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("Open: %v, want that the certificate is not trusted", err)
	}
}

// TestPublishByGET has the message in the URL, and HEAD no body in its answer.
func TestPublishByGET(t *testing.T) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		var got atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == method && strings.HasPrefix(r.URL.Query().Get("m"), "Fake message Num = ") && r.URL.Query().Get("to") == "1" {
				got.Add(1)
			}
			w.Header().Set("Content-Length", "2")
			_, _ = io.WriteString(w, "ok")
		}))
		sender := newPublish(t, PublishConfig{URL: server.URL + "/?to={id}&m={message}", Method: method, Connections: 1})
		result := mustRun(t.Context(), t, Config{Sender: sender, Rate: 1000, Count: 20, MaxID: 1})
		if got.Load() != 20 || result.Sent != 20 {
			t.Errorf("%s: the server got %d messages, the result says %+v", method, got.Load(), result)
		}
		server.Close()
	}
}

// BenchmarkPublish is how many a second a whole generator publishes to a server
// of net/http in the same process.
func BenchmarkPublish(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	sender, err := NewPublishSender(PublishConfig{URL: server.URL + "/{id}"})
	if err != nil {
		b.Fatal(err)
	}
	g, err := New(Config{Sender: sender, MaxID: 10_000, Max: true, Count: uint64(b.N)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	result, err := g.Run(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(result.Sent)/result.Seconds, "msgs/s")
}
