//go:build !nonats

package natsrouter

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"example.org/comet/server/natsrouter/natstest"
	"example.org/comet/server/router"
)

// witness counts what arrives of numbered messages.
type witness struct {
	*nats.Conn
	mu       sync.Mutex
	arrivals map[int]int // how often each number came
	backward int         // numbers below the one before
	last     int
}

func newWitness(t *testing.T, url string) *witness {
	t.Helper()
	w := &witness{arrivals: map[int]int{}}
	var err error
	if w.Conn, err = nats.Connect(url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	if _, err := w.Subscribe(allSubject(DefaultSubjectPrefix), w.take); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Subscribe("ready", func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *witness) take(m *nats.Msg) {
	number, _, _ := strings.Cut(string(m.Data), " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		n = -1
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrivals[n]++
	if n < w.last {
		w.backward++
	}
	w.last = n
}

// seen is how many different messages arrived, and the most that one did.
func (w *witness) seen() (different uint64, most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.arrivals {
		most = max(most, n)
	}
	return uint64(len(w.arrivals)), most
}

// awaitThat waits for what needs no other word.
func awaitThat(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not after 20 s: %s", what)
		}
	}
}

// agree waits until the witness has all that was sent, and holds it against the
// receipt of given messages.
func (w *witness) agree(t *testing.T, given uint64, r router.Receipt) {
	t.Helper()
	if sum := r.Sent + r.Refused + r.Unknown + r.Unanswered; sum != given {
		t.Errorf("%d messages were given to the sender, and its receipt has %d: %+v", given, sum, r)
	}
	awaitThat(t, fmt.Sprintf("all that was sent arrived (%+v)", r), func() bool {
		different, _ := w.seen()
		return different >= r.Sent
	})
	different, most := w.seen()
	if different > r.Sent+r.Unknown || most > 1 {
		t.Errorf("%d different messages arrived, one of them %d times, by the receipt %+v", different, most, r)
	}
	if w.backward > 0 {
		t.Errorf("%d messages arrived before an earlier one", w.backward)
	}
}

// numbered is a sender of numbered messages.
type numbered struct {
	*Sender
	number uint64
}

func newNumbered(t *testing.T, servers Servers, change func(*Sender)) *numbered {
	t.Helper()
	s, err := NewSender(servers)
	if err != nil {
		t.Fatal(err)
	}
	s.askEvery = time.Hour // only Settle asks
	if change != nil {
		change(s)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return &numbered{Sender: s}
}

// batch sends and flushes n messages, filled up to size.
func (s *numbered) batch(t *testing.T, n, size int) error {
	t.Helper()
	for range n {
		s.number++
		message := fmt.Appendf(nil, "%d ", s.number)
		message = append(message, make([]byte, max(0, size-len(message)))...)
		if err := s.Send(int64(s.number%5000), message); err != nil {
			t.Fatal(err)
		}
	}
	return s.Flush(t.Context())
}

func mustAway(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, router.ErrAway) {
		t.Fatalf("error %v, want an ErrAway", err)
	}
}

// TestReceipt follows messages from Send to Close.
func TestReceipt(t *testing.T) {
	url := natstest.Start(t, nil).ClientURL()
	w := newWitness(t, url)
	s := newNumbered(t, Servers{URLs: []string{url}}, nil)
	for _, step := range []struct {
		do   func() error
		want router.Receipt
	}{
		{func() error { return s.Settle(t.Context()) }, router.Receipt{}},
		{func() error { return s.batch(t, 1000, 0) }, router.Receipt{Unanswered: 1000}},
		{func() error { return s.Settle(t.Context()) }, router.Receipt{Sent: 1000}},
		{func() error { return s.batch(t, 5000, 100) }, router.Receipt{Sent: 1000, Unanswered: 5000}},
		{func() error { return s.Close(t.Context()) }, router.Receipt{Sent: 6000}},
		{func() error { return s.Close(t.Context()) }, router.Receipt{Sent: 6000}},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if step.want.ReachUnknown = true; s.Receipt() != step.want {
			t.Fatalf("the receipt is %+v, want %+v", s.Receipt(), step.want)
		}
	}
	w.agree(t, 6000, s.Receipt())
}

// TestAsksByItself: what a router has taken is known soon, and that it hangs,
// without a Settle.
func TestAsksByItself(t *testing.T) {
	url := natstest.Start(t, nil).ClientURL()
	w := newWitness(t, url)
	p := newProxy(t, url)
	s := newNumbered(t, Servers{URLs: []string{p.url()}}, func(s *Sender) {
		s.askEvery = 0
	})
	if err := s.batch(t, 1000, 0); err != nil {
		t.Fatal(err)
	}
	awaitThat(t, "the router said that it has them", func() bool { return s.Receipt().Sent == 1000 })

	s.answerTimeout = 200 * time.Millisecond
	p.hold()
	awaitThat(t, "a router that hangs is left", func() bool {
		err := s.batch(t, 1, 0)
		if err != nil {
			mustAway(t, err)
		}
		return err != nil
	})
	if r := s.Receipt(); r.Sent != 1000 || r.Unknown == 0 || r.Unanswered != 0 {
		t.Errorf("the receipt is %+v, want 1000 sent and the rest unknown", r)
	}
	s.answerTimeout = answerTimeout
	p.cut()
	if err := errors.Join(s.Open(t.Context()), s.batch(t, 10, 0), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	w.agree(t, s.number, s.Receipt())
}

// proxy stands between a sender and its router, and can fail in ways that a
// process cannot be made to by its own code.
type proxy struct {
	net.Listener
	to string

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
	held  chan struct{}
}

func newProxy(t *testing.T, url string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: ln, to: strings.TrimPrefix(url, "nats://"), held: make(chan struct{})}
	close(p.held)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", p.to)
			if err != nil {
				in.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			running.Go(func() { p.carry(out, in) })
			running.Go(func() { p.carry(in, out) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		p.cut()
		running.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.Addr().String() }

func (p *proxy) carry(to, from net.Conn) {
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		held := p.held
		p.mu.Unlock()
		<-held
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// hold has nothing go through any more.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = make(chan struct{})
}

// cut ends all connections; new ones work.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.held:
	default:
		close(p.held)
	}
	for _, conn := range p.conns {
		conn.Close()
	}
	p.conns = nil
}

// TestUnnoticedReconnect: what went over one connection is not confirmed by
// another, also if the client has found the other before anybody looked.
func TestUnnoticedReconnect(t *testing.T) {
	for _, seen := range []bool{true, false} {
		url := natstest.Start(t, nil).ClientURL()
		w := newWitness(t, url)
		p := newProxy(t, url)
		s := newNumbered(t, Servers{URLs: []string{p.url()}}, nil)
		if err := errors.Join(s.batch(t, 100, 0), s.Settle(t.Context()), s.batch(t, 50, 0)); err != nil {
			t.Fatal(err)
		}
		p.cut()
		awaitThat(t, "the client reconnected", func() bool { return s.conn.Stats().Reconnects > s.acks.epoch && s.conn.IsConnected() })
		if !seen {
			for len(s.breaks) > 0 {
				<-s.breaks
			}
		}
		err := s.Settle(t.Context())
		mustAway(t, err)
		if want := (router.Receipt{Sent: 100, Unknown: 50, ReachUnknown: true}); s.Receipt() != want || !strings.Contains(err.Error(), "50 messages is unknown") {
			t.Fatalf("the receipt is %+v, want %+v; error %v", s.Receipt(), want, err)
		}
		if err := errors.Join(s.Open(t.Context()), s.batch(t, 10, 0), s.Settle(t.Context())); err != nil {
			t.Fatal(err)
		}
		if s.Receipt().Sent != 110 {
			t.Errorf("the receipt is %+v, want 110 sent", s.Receipt())
		}
		w.agree(t, s.number, s.Receipt())
	}
}

// TestSendAfterTheBreak: messages are not kept for a router that may come back.
func TestSendAfterTheBreak(t *testing.T) {
	url := natstest.Start(t, nil).ClientURL()
	w := newWitness(t, url)
	p := newProxy(t, url)
	s := newNumbered(t, Servers{URLs: []string{p.url()}}, nil)
	p.cut()
	awaitThat(t, "the client noticed", func() bool { return len(s.breaks) > 0 })
	mustAway(t, s.batch(t, 20, 0))
	if want := (router.Receipt{Refused: 20, ReachUnknown: true}); s.Receipt() != want {
		t.Errorf("the receipt is %+v, want %+v", s.Receipt(), want)
	}
	if err := errors.Join(s.Open(t.Context()), s.batch(t, 10, 0), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	w.agree(t, s.number, s.Receipt())
}

// TestHangingRouter: a router that neither answers nor reads is left.
func TestHangingRouter(t *testing.T) {
	for name, messages := range map[string]int{"does not answer": 10, "does not read": 100_000} {
		t.Run(name, func(t *testing.T) {
			url := natstest.Start(t, nil).ClientURL()
			w := newWitness(t, url)
			p := newProxy(t, url)
			s := newNumbered(t, Servers{URLs: []string{p.url()}}, func(s *Sender) { s.answerTimeout = 200 * time.Millisecond })
			p.hold()
			var err error
			for i := 0; i < messages && err == nil; i += 10 {
				err = s.batch(t, 10, 16<<10)
			}
			if err == nil {
				err = s.Settle(t.Context())
			}
			mustAway(t, err)
			if r := s.Receipt(); r.Sent != 0 || r.Unknown == 0 || r.Unanswered != 0 {
				t.Errorf("the receipt is %+v, want all unknown or refused", r)
			}
			s.answerTimeout = answerTimeout
			p.cut()
			if err := errors.Join(s.Open(t.Context()), s.batch(t, 10, 0), s.Close(t.Context())); err != nil {
				t.Fatal(err)
			}
			w.agree(t, s.number, s.Receipt())
		})
	}
}

// TestCloseOfAHangingRouter gives up when its context ends.
func TestCloseOfAHangingRouter(t *testing.T) {
	url := natstest.Start(t, nil).ClientURL()
	p := newProxy(t, url)
	s := newNumbered(t, Servers{URLs: []string{p.url()}}, nil)
	p.hold()
	if err := s.batch(t, 10, 0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, router.ErrAway) || s.Receipt().Unanswered != 10 {
		t.Errorf("Settle: %v with %+v, want that its context ended", err, s.Receipt())
	}
	err := s.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "10 messages is unknown") || s.Receipt().Unknown != 10 {
		t.Errorf("Close: %v with %+v, want 10 unknown", err, s.Receipt())
	}
}

// TestRestartedRouter: Open waits for a router that comes back.
func TestRestartedRouter(t *testing.T) {
	first := startNATSApart(t)
	s := newNumbered(t, Servers{URLs: []string{first.ClientURL()}}, nil)
	if err := errors.Join(s.batch(t, 10, 0), s.Settle(t.Context())); err != nil {
		t.Fatal(err)
	}
	first.Shutdown()
	first.WaitForShutdown()
	awaitThat(t, "the client noticed", func() bool { return len(s.breaks) > 0 })
	mustAway(t, s.batch(t, 10, 0))

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	mustAway(t, s.Open(ctx))

	back := make(chan error, 1)
	go func() { back <- s.Open(t.Context()) }()
	w := newWitness(t, startNATSAt(t, first).ClientURL())
	if err := <-back; err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.batch(t, 10, 0), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if want := (router.Receipt{Sent: 20, Refused: 10, ReachUnknown: true}); s.Receipt() != want {
		t.Errorf("the receipt is %+v, want %+v", s.Receipt(), want)
	}
	awaitThat(t, "what came after arrived", func() bool {
		different, _ := w.seen()
		return different == 10
	})
}

func clustered(routes ...string) func(*server.Options) {
	return func(o *server.Options) {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: server.RANDOM_PORT}
		o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
	}
}

// TestRouterProcess is the router that TestKilledRouter kills, in a process of
// its own; by itself it does nothing.
func TestRouterProcess(t *testing.T) {
	if os.Getenv("NATSROUTER_TEST_PROCESS") == "" {
		t.Skip("it is a part of TestKilledRouter")
	}
	s := natstest.Start(t, clustered())
	fmt.Printf("router %s nats://%s\n", s.ClientURL(), s.ClusterAddr())
	_, _ = os.Stdin.Read(make([]byte, 1)) // until the test that started it ends
}

// startProcess starts TestRouterProcess.
func startProcess(t *testing.T) (process *exec.Cmd, clients, routes string) {
	t.Helper()
	process = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRouterProcess$")
	process.Env = append(os.Environ(), "NATSROUTER_TEST_PROCESS=1")
	stdin, err1 := process.StdinPipe()
	stdout, err2 := process.StdoutPipe()
	if err := errors.Join(err1, err2, process.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = process.Wait()
	})
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if n, _ := fmt.Sscanf(lines.Text(), "router %s %s", &clients, &routes); n == 2 {
			return process, clients, routes
		}
	}
	t.Fatal("the router's process ended before it said where it is")
	return nil, "", ""
}

// TestKilledRouter kills one of three routers, the only one that the sender was
// told of.
func TestKilledRouter(t *testing.T) {
	process, clients, routes := startProcess(t)
	second := natstest.Start(t, clustered(routes))
	natstest.Start(t, clustered(routes))
	w := newWitness(t, second.ClientURL())
	s := newNumbered(t, Servers{URLs: []string{clients}}, nil)
	awaitThat(t, "the sender was told of the others", func() bool { return len(s.conn.DiscoveredServers()) >= 2 })
	awaitThat(t, "the witness is known everywhere", func() bool {
		_, err := s.conn.Request("ready", nil, 50*time.Millisecond)
		return err == nil
	})
	if err := errors.Join(s.batch(t, 1000, 0), s.Settle(t.Context())); err != nil {
		t.Fatal(err)
	}
	// A router that is killed takes with it what it has not passed on.
	w.agree(t, s.number, s.Receipt())

	if err := s.batch(t, 200, 0); err != nil {
		t.Fatal(err)
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	for s.Receipt().Unknown+s.Receipt().Refused == 0 {
		if err := s.batch(t, 1, 0); err != nil {
			mustAway(t, err)
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("a router was there again %v after the other was killed", time.Since(killed))
	if s.where == clients {
		t.Errorf("the sender is at %s, which was killed", s.where)
	}
	if err := errors.Join(s.batch(t, 1000, 0), s.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if r := s.Receipt(); r.Sent != 2000 || r.Unknown < 200 {
		t.Errorf("the receipt is %+v, want 2000 sent and at least 200 unknown", r)
	}
	w.agree(t, s.number, s.Receipt())
	t.Logf("%+v of %d", s.Receipt(), s.number)
}

func TestNobodyToSendTo(t *testing.T) {
	gone := natstest.Start(t, nil)
	gone.Shutdown()
	gone.WaitForShutdown()
	closed := natstest.Start(t, func(o *server.Options) { o.Username, o.Password = "comet", "secret" })
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	for _, c := range []struct {
		name, url, says string
		away            bool
	}{
		{"no router", gone.ClientURL(), "comet router", true},
		{"no credentials", closed.ClientURL(), "check the credentials", false},
		{"no NATS", "nats://" + mute.Addr().String(), "does not answer as a NATS server", true},
	} {
		t.Run("Open with "+c.name, func(t *testing.T) {
			t.Parallel()
			s, err := NewSender(Servers{URLs: []string{c.url}})
			if err != nil {
				t.Fatal(err)
			}
			err = s.Open(t.Context())
			if err == nil || errors.Is(err, router.ErrAway) != c.away || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one with %q, away %v", err, c.says, c.away)
			}
			if err := s.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		t.Run("Publish with "+c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Publish(t.Context(), Servers{URLs: []string{c.url}}, 1, nil)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one with %q", err, c.says)
			}
		})
	}
}

// mayOnly lets a user in who may publish and listen on these subjects only.
func mayOnly(publish, listen string) func(*server.Options) {
	return func(o *server.Options) {
		o.Users = []*server.User{{Username: "comet", Password: "secret", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{publish}},
			Subscribe: &server.SubjectPermission{Allow: []string{listen}},
		}}}
	}
}

func TestForbiddenToSend(t *testing.T) {
	url := natstest.Start(t, mayOnly("elsewhere", ">")).ClientURL()
	s := newNumbered(t, Servers{URLs: []string{url}, Credentials: "comet:secret"}, nil)
	if err := s.batch(t, 10, 0); err != nil {
		t.Fatal(err)
	}
	err := s.Settle(t.Context())
	if err == nil || errors.Is(err, router.ErrAway) || !strings.Contains(err.Error(), "does not let us publish on comet.msg.*.*") {
		t.Errorf("error %v, want a final one that says what is not allowed", err)
	}
	if r := s.Receipt(); r.Sent != 0 || r.Unanswered != 0 {
		t.Errorf("the receipt is %+v, want none sent", r)
	}
}

// TestTooLongToSend: a message is refused that is longer than the router takes, or than
// any may be.
func TestTooLongToSend(t *testing.T) {
	takesMore := natstest.Start(t, func(o *server.Options) { o.MaxPayload = 2 * router.MaxMessage }).ClientURL()
	more := newNumbered(t, Servers{URLs: []string{takesMore}}, nil)
	_, once := Publish(t.Context(), more.servers, 1, make([]byte, router.MaxMessage+1))
	for _, err := range []error{more.Send(1, make([]byte, router.MaxMessage+1)), once} {
		if !errors.Is(err, router.ErrTooLong) {
			t.Errorf("one byte more than any message has: %v", err)
		}
	}
	url := natstest.Start(t, func(o *server.Options) { o.MaxPayload = 100 }).ClientURL()
	s := newNumbered(t, Servers{URLs: []string{url}}, nil)
	err := s.Send(1, make([]byte, 101))
	if err == nil || errors.Is(err, router.ErrAway) || !strings.Contains(err.Error(), "101 bytes for id 1 is too long") {
		t.Errorf("Send: %v, want a final error", err)
	}
	if _, err := Publish(t.Context(), s.servers, 1, make([]byte, 101)); err == nil || !strings.Contains(err.Error(), "101 bytes is too long") {
		t.Errorf("Publish: %v", err)
	}
	if want := (router.Receipt{Refused: 1, ReachUnknown: true}); s.Receipt() != want {
		t.Errorf("the receipt is %+v, want %+v", s.Receipt(), want)
	}
}
