//go:build !nonats

package natsrouter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"example.org/comet/server"
	"example.org/comet/server/natsrouter/natstest"
	"example.org/comet/server/router"
)

// patience is how long a test waits for what must come. It is only ever reached
// by a failure.
const patience = 20 * time.Second

func waitFor(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("waited for %s in vain", what)
		}
	}
}

// quick has a lost server found within a test's patience.
var quick = nats.CustomReconnectDelay(func(int) time.Duration { return 5 * time.Millisecond })

// startNATSApart starts a NATS server that is to end and come back.
func startNATSApart(t *testing.T) *natsserver.Server {
	t.Helper()
	return natstest.Start(t, func(o *natsserver.Options) { o.Host = natstest.OwnHost() })
}

// startNATSAt starts a NATS server where another was, which startNATSApart has started.
func startNATSAt(t *testing.T, gone *natsserver.Server) *natsserver.Server {
	t.Helper()
	u, err := url.Parse(gone.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return natstest.Start(t, func(o *natsserver.Options) { o.Host, o.Port = u.Hostname(), port })
}

func stopNATS(s *natsserver.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// log is what a node says, readable while it is written.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// web is a running comet server with a node.
type web struct {
	*server.Server
	node   *Node
	t      testing.TB
	log    *log
	cancel context.CancelFunc
	done   chan error
}

func startWeb(t *testing.T, node NodeConfig, cfg server.Config) *web {
	t.Helper()
	w := &web{t: t, log: new(log), done: make(chan error, 1)}
	node.Servers.Logger = slog.New(slog.NewTextHandler(w.log, nil))
	node.options = append(node.options, quick)
	n, err := NewNode(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	w.node = n
	cfg.Listen, cfg.Admin, cfg.Loops, cfg.Exchange = "127.0.0.1:0", "127.0.0.1:0", 2, n
	w.Server, err = server.New(cfg)
	if err != nil {
		n.Close()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go func() { w.done <- w.Run(ctx) }()
	t.Cleanup(w.stop)
	return w
}

func (w *web) stop() {
	w.cancel()
	if w.done == nil {
		return
	}
	select {
	case err := <-w.done:
		if err != nil {
			w.t.Errorf("Run returned %v", err)
		}
		w.done = nil
	case <-time.After(patience):
		w.t.Fatal("Run does not return")
	}
	s := w.Stats()
	if s.Routed != s.Written+s.DroppedClosed+s.DroppedSlow || s.Logins != 0 {
		w.t.Errorf("in the end routed %d, but written %d + dropped %d + %d; %d logins", s.Routed, s.Written, s.DroppedClosed, s.DroppedSlow, s.Logins)
	}
}

// get asks the admin listener.
func (w *web) get(path string) (code int, text string) { return w.ask("GET", path, "") }

func (w *web) ask(method, path, body string) (code int, text string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+w.AdminAddr().String()+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (w *web) waitReady(ready bool) {
	w.t.Helper()
	waitFor(w.t, fmt.Sprintf("ready to be %v", ready), func() bool {
		code, _ := w.get("/readyz")
		return (code == 200) == ready
	})
}

// client is a stream.
type client struct {
	net.Conn
	t testing.TB
}

const (
	head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\nServer: comet\r\n\r\n"
	last = "0\r\n\r\n"
)

func chunk(n int, message string) string {
	body := fmt.Sprintf("Recvd msg #%d: '%s'<br/>", n, message)
	return fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
}

// ask opens a stream and does not wait for its head.
func (w *web) open(ids string) *client {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, "GET /test/"+ids+" HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		w.t.Fatal(err)
	}
	return &client{conn, w.t}
}

func (w *web) stream(ids string) *client {
	w.t.Helper()
	c := w.open(ids)
	c.expect(head)
	return c
}

func (c *client) expect(want string) {
	c.t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != want {
		c.t.Fatalf("got %.300q, error %v, want %.300q", b[:n], err, want)
	}
}

// rest reads to the end.
func (c *client) rest() string {
	c.t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		c.t.Fatalf("after %.300q: %v", b, err)
	}
	return string(b)
}

// dialNATS is a publisher of the test's own.
func dialNATS(t *testing.T, s *natsserver.Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(5*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func publish(t *testing.T, conn *nats.Conn, id int64, message string) {
	t.Helper()
	if err := conn.Publish(string(appendSubject(nil, DefaultSubjectPrefix, id)), []byte(message)); err != nil {
		t.Fatal(err)
	}
}

// at names the one server that a node is to reach.
func at(s *natsserver.Server) Servers { return Servers{URLs: []string{s.ClientURL()}} }

// TestNodes: the same id on two nodes, of two engines, gets each message on both,
// once, whatever the interest and wherever the message comes in; and a
// connection with several ids gets each message for each of them.
func TestNodes(t *testing.T) {
	for _, interest := range []Interest{Exact, Block, All} {
		t.Run("interest="+string(interest), func(t *testing.T) {
			s := natstest.Start(t, nil)
			config := NodeConfig{Servers: at(s), Interest: interest}
			a := startWeb(t, config, server.Config{})
			b := startWeb(t, config, server.Config{Engine: server.Goroutine})
			a.waitReady(true)
			b.waitReady(true)
			both := []*client{a.stream("1"), b.stream("1")}
			several := a.stream("1,2,3000")
			elsewhere := b.stream("3000")
			from := dialNATS(t, s)
			publish(t, from, 1, "from NATS")
			for _, c := range append(both, several) {
				c.expect(chunk(1, "from NATS"))
			}
			if code, answer := a.ask("POST", "/send/1", "from a"); code != 200 || answer != `{"reached":2,"here":2,"published":true}`+"\n" {
				t.Errorf("answered %d %s", code, answer)
			}
			for _, c := range append(both, several) {
				c.expect(chunk(2, "from a"))
			}
			if code, answer := b.ask("POST", "/send", "3000 from b\n2 from b\n"); code != 200 || answer != `{"sent":2,"reached":1,"unaddressed":0,"here":1,"published":2,"unpublished":0}`+"\n" {
				t.Errorf("answered %d %s", code, answer)
			}
			elsewhere.expect(chunk(1, "from b"))
			several.expect(chunk(3, "from b") + chunk(4, "from b"))
			publish(t, from, 77777, "to nobody")
			publish(t, from, 2, "for the second id")
			several.expect(chunk(5, "for the second id"))
			a.cancel()
			b.cancel()
			for _, c := range append(both, several, elsewhere) {
				if rest := c.rest(); rest != last {
					t.Errorf("what nobody sent: %q", rest)
				}
			}
		})
	}
}

// TestInterestFollows: a node is sent what its connections are logged in as, and
// nothing any more when the last has gone.
func TestInterestFollows(t *testing.T) {
	s := natstest.Start(t, nil)
	w := startWeb(t, NodeConfig{Servers: at(s)}, server.Config{})
	from := dialNATS(t, s)
	reached := func(id int64) int {
		t.Helper()
		answer, err := from.Request(string(appendSubject(nil, DefaultSubjectPrefix, id)), []byte("m"), 5*time.Second)
		switch {
		case errors.Is(err, nats.ErrNoResponders):
			return -1
		case errors.Is(err, nats.ErrTimeout): // it met the end of the subscription
			return 0
		case err != nil:
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(answer.Data))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := reached(5); n != -1 {
		t.Errorf("an id that is nowhere reached %d", n)
	}
	one, two := w.stream("5,6"), w.stream("5")
	if n := reached(5); n != 2 {
		t.Errorf("reached %d, want 2", n)
	}
	if n := reached(6); n != 1 {
		t.Errorf("reached %d, want 1", n)
	}
	one.Close()
	waitFor(t, "nobody to be 6", func() bool { return reached(6) == -1 })
	if n := reached(5); n != 1 {
		t.Errorf("reached %d, want 1", n)
	}
	two.Close()
	waitFor(t, "nobody to be 5", func() bool { return reached(5) == -1 })
	waitFor(t, "no subscription, and none pending", func() bool {
		st := w.node.Stats()
		return st.Subscriptions == 0 && st.Pending == 0
	})
}

// TestRestart: a router that goes and comes back finds every id again, costs no
// connection, and is not called ready before.
func TestRestart(t *testing.T) {
	for _, engine := range []server.Engine{server.DefaultEngine, server.Goroutine} {
		t.Run("engine="+string(engine), func(t *testing.T) {
			s := startNATSApart(t)
			w := startWeb(t, NodeConfig{Servers: at(s)}, server.Config{Engine: engine})
			const conns, each = 100, 15
			var streams []*client
			for i := range conns {
				ids := make([]string, each)
				for j := range ids {
					ids[j] = strconv.Itoa(i*each + j)
				}
				streams = append(streams, w.stream(strings.Join(ids, ",")))
			}
			w.waitReady(true)
			stopNATS(s)
			w.waitReady(false)
			if code, answer := w.ask("POST", "/send/0", "while it is away"); code != 503 || !strings.Contains(answer, `"here":1,"published":false`) {
				t.Errorf("answered %d %s", code, answer)
			}
			late := w.stream("9999") // accepted
			if _, text := w.get("/readyz"); !strings.Contains(text, s.ClientURL()) {
				t.Errorf("/readyz says %q, want where it is away", text)
			}
			s = startNATSAt(t, s)
			w.waitReady(true)
			from := dialNATS(t, s)
			for id := range int64(conns * each) {
				publish(t, from, id, "back")
			}
			publish(t, from, 9999, "late")
			for i, c := range streams {
				var want strings.Builder
				n := 0
				if i == 0 {
					n++
					want.WriteString(chunk(n, "while it is away"))
				}
				for range each {
					n++
					want.WriteString(chunk(n, "back"))
				}
				c.expect(want.String())
			}
			late.expect(chunk(1, "late"))
			st := w.Stats()
			if st.Connections != conns+1 || st.Router.Reconnects != 1 || st.Router.Subscriptions != conns*each+1 || st.Router.Pending != 0 {
				t.Errorf("%d connections, router %+v", st.Connections, *st.Router)
			}
		})
	}
}

// TestAwayAtStart: a server starts without its router, does as it is told to
// meanwhile, and is as any other when the router comes.
func TestAwayAtStart(t *testing.T) {
	gone := startNATSApart(t)
	stopNATS(gone)
	silent := startSilent(t)
	for _, c := range []struct {
		name   string
		url    string
		policy server.RouterPolicy
	}{
		{"nobody listens, accept", gone.ClientURL(), server.AcceptAway},
		{"nobody listens, refuse", gone.ClientURL(), server.RefuseAway},
		{"it says nothing, accept", "nats://" + silent, server.AcceptAway},
		{"it says nothing, refuse", "nats://" + silent, server.RefuseAway},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := startWeb(t, NodeConfig{Servers: Servers{URLs: []string{c.url}}, options: []nats.Option{nats.Timeout(50 * time.Millisecond)}}, server.Config{WithoutRouter: c.policy})
			if code, text := w.get("/readyz"); code != 503 || !strings.Contains(text, "has been away") {
				t.Errorf("/readyz says %d %q", code, text)
			}
			if !strings.Contains(w.log.String(), "the router is away; connecting goes on") {
				t.Errorf("the log does not say that the router is away: %s", w.log)
			}
			if c.policy == server.RefuseAway {
				if answer := w.open("1").rest(); !strings.HasPrefix(answer, "HTTP/1.1 503 ") || !strings.Contains(answer, "\r\nRetry-After: ") {
					t.Errorf("answered %q", answer)
				}
			} else {
				w.stream("1")
			}
		})
	}
	t.Run("and then it comes", func(t *testing.T) {
		w := startWeb(t, NodeConfig{Servers: at(gone)}, server.Config{})
		early := w.stream("1")
		s := startNATSAt(t, gone)
		w.waitReady(true)
		publish(t, dialNATS(t, s), 1, "hello")
		early.expect(chunk(1, "hello"))
	})
}

// startSilent is a listener that accepts and says nothing.
func startSilent(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-ended
		for _, conn := range conns {
			conn.Close()
		}
	})
	return ln.Addr().String()
}

// TestRefusedAtStart: what will not mend by itself is an error at once.
func TestRefusedAtStart(t *testing.T) {
	s := natstest.Start(t, func(o *natsserver.Options) { o.Username, o.Password = "comet", "secret" })
	n, err := NewNode(t.Context(), NodeConfig{Servers: at(s)})
	if err == nil {
		n.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "does not let us in") {
		t.Errorf("error %v, want one that tells of the credentials", err)
	}
}

// relay passes bytes between a node and NATS, until it is told not to.
type relay struct {
	net.Listener
	to     string
	paused atomic.Bool
	mu     sync.Mutex
	conns  []net.Conn
	work   sync.WaitGroup
}

func startRelay(t *testing.T, s *natsserver.Server) *relay {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: ln, to: s.Addr().String()}
	r.work.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", r.to)
			if err != nil {
				conn.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, conn, there)
			r.mu.Unlock()
			r.work.Go(func() { r.pass(conn, there) })
			r.work.Go(func() { r.pass(there, conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		r.mu.Lock()
		for _, conn := range r.conns {
			conn.Close()
		}
		r.mu.Unlock()
		r.work.Wait()
	})
	return r
}

func (r *relay) pass(from, to net.Conn) {
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if r.paused.Load() {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

func (r *relay) url() string { return "nats://" + r.Addr().String() }

// TestHungRouter: a router that says nothing any more is away, and those that
// wait for it do not wait for ever.
func TestHungRouter(t *testing.T) {
	s := natstest.Start(t, nil)
	r := startRelay(t, s)
	w := startWeb(t, NodeConfig{Servers: Servers{URLs: []string{r.url()}}, options: []nats.Option{nats.Timeout(100 * time.Millisecond), nats.PingInterval(300 * time.Millisecond)}}, server.Config{})
	w.waitReady(true)
	r.paused.Store(true)
	waits := w.open("1")
	waits.expect(head)
	w.waitReady(false)
	r.paused.Store(false)
	w.waitReady(true)
	publish(t, dialNATS(t, s), 1, "back")
	waits.expect(chunk(1, "back"))
}

// TestUnknownError: nats.go gives a connection up for good when the server ends
// it with an error that it does not know. A node does not.
func TestUnknownError(t *testing.T) {
	s := natstest.Start(t, nil)
	r := startRelay(t, s)
	w := startWeb(t, NodeConfig{Servers: Servers{URLs: []string{r.url()}}}, server.Config{})
	c := w.stream("1,2000")
	w.waitReady(true)
	r.mu.Lock()
	_, err := io.WriteString(r.conns[0], "-ERR 'Some New Trouble'\r\n")
	r.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	w.waitReady(false)
	if _, text := w.get("/readyz"); !strings.Contains(text, "Some New Trouble") {
		t.Errorf("/readyz says %q", text)
	}
	w.waitReady(true)
	from := dialNATS(t, s)
	publish(t, from, 1, "a")
	publish(t, from, 2000, "b")
	c.expect(chunk(1, "a") + chunk(2, "b"))
	answer, err := from.Request(askSubject, nil, patience)
	if err != nil || !strings.Contains(string(answer.Data), w.node.cfg.Name) {
		t.Errorf("asked for a report, it answers %v, error %v", answer, err)
	}
}

// TestRefusedSubscription: a node that may not ask for messages is not ready, and
// says why.
func TestRefusedSubscription(t *testing.T) {
	s := natstest.Start(t, func(o *natsserver.Options) {
		o.Users = []*natsserver.User{{Username: "u", Password: "p", Permissions: &natsserver.Permissions{
			Subscribe: &natsserver.SubjectPermission{Deny: []string{"comet.msg.>"}},
			Publish:   &natsserver.SubjectPermission{Deny: []string{"comet.msg.>"}},
		}}}
	})
	servers := at(s)
	servers.Credentials = "u:p"
	w := startWeb(t, NodeConfig{Servers: servers}, server.Config{})
	w.waitReady(true)
	w.stream("1")
	w.waitReady(false)
	if _, text := w.get("/readyz"); !strings.Contains(text, "does not let this server subscribe") {
		t.Errorf("/readyz says %q", text)
	}
	if code, answer := w.ask("POST", "/send/1", "m"); code != 503 || !strings.Contains(answer, "does not let us publish") {
		t.Errorf("answered %d %s", code, answer)
	}
}

// TestRefusedMessage: that one message may not be published is said of that one, and
// not of those after it.
func TestRefusedMessage(t *testing.T) {
	s := natstest.Start(t, func(o *natsserver.Options) {
		o.Users = []*natsserver.User{{Username: "u", Password: "p", Permissions: &natsserver.Permissions{
			Publish: &natsserver.SubjectPermission{Deny: []string{"comet.msg.0.7"}},
		}}}
	})
	servers := at(s)
	servers.Credentials = "u:p"
	w := startWeb(t, NodeConfig{Servers: servers}, server.Config{})
	w.waitReady(true)
	for _, c := range []struct{ id, code int }{{1, 200}, {7, 503}, {1, 200}, {7, 503}, {7, 503}, {1, 200}} {
		if code, answer := w.ask("POST", fmt.Sprintf("/send/%d", c.id), "m"); code != c.code || code == 503 && !strings.Contains(answer, "does not let us publish") {
			t.Errorf("a message to %d was answered %d %s, want %d", c.id, code, answer, c.code)
		}
	}
}

// recorder is an inbox that remembers, or takes nothing.
type recorder struct {
	mu  sync.Mutex
	got []string
}

func (r *recorder) Deliver(_ router.Conn, message []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, string(message))
	return true
}
func (*recorder) Wake()                      {}
func (*recorder) Wait(context.Context) error { return nil }

// TestLeave: what was on its way when a node leaves is taken in, with any
// interest and for more ids than end at once.
func TestLeave(t *testing.T) {
	for _, interest := range []Interest{Exact, Block, All} {
		t.Run("interest="+string(interest), func(t *testing.T) {
			s := natstest.Start(t, nil)
			n, err := NewNode(t.Context(), NodeConfig{Servers: at(s), Interest: interest})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			var local router.Local
			var got recorder
			member := local.Join(&got)
			n.Start(router.Home{Local: &local, Settled: func() {}, Counts: func() router.Counts { return router.Counts{} }})
			const ids = 1500
			var last uint64
			for id := range int64(ids) {
				member.Login(router.Conn{Slot: uint32(id)}, id)
				last = max(last, n.Want([]int64{id}))
			}
			waitFor(t, "all to be settled", func() bool { return n.Settled() >= last })
			from := dialNATS(t, s)
			const rounds = 5
			for range rounds {
				for id := range int64(ids) {
					publish(t, from, id, "m")
				}
			}
			if err := from.Flush(); err != nil { // the server has them all, and the node some
				t.Fatal(err)
			}
			n.Leave(t.Context())
			if len(got.got) != rounds*ids {
				t.Errorf("%d messages came, want %d", len(got.got), rounds*ids)
			}
			if left := n.conn.Load().NumSubscriptions(); left > 1 {
				t.Errorf("%d subscriptions are left", left)
			}
			if ticket := n.Want([]int64{1}); n.Settled() < ticket {
				t.Error("after it was left, somebody has to wait")
			}
		})
	}
}

// TestSlowConsumer: what nats.go drops since nobody takes it in is counted.
func TestSlowConsumer(t *testing.T) {
	s := natstest.Start(t, nil)
	var l log
	servers := at(s)
	servers.Logger = slog.New(slog.NewTextHandler(&l, nil))
	n, err := NewNode(t.Context(), NodeConfig{Servers: servers})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	n.feed.messages = make(chan *nats.Msg, 2) // never started, it takes nothing in
	n.Want([]int64{1, 2})
	n.applyNow()
	from := dialNATS(t, s)
	for range 10 {
		publish(t, from, 1, "m")
		publish(t, from, 2, "m")
	}
	waitFor(t, "18 dropped messages", func() bool { return n.Stats().DroppedSlowConsumer == 18 })
	waitFor(t, "a word about it", func() bool { return strings.Contains(l.String(), "overloaded") })
	if n := strings.Count(l.String(), "overloaded"); n != 1 {
		t.Errorf("that is said %d times", n)
	}
}

// TestReports: a node says what it holds, when it is asked and before it goes.
func TestReports(t *testing.T) {
	s := natstest.Start(t, nil)
	from := dialNATS(t, s)
	reports, err := from.SubscribeSync("comet.node.*")
	if err != nil {
		t.Fatal(err)
	}
	w := startWeb(t, NodeConfig{Servers: at(s), Name: "web-1", Interest: Block}, server.Config{})
	w.stream("1,2,5000")
	answer, err := from.Request(askSubject, nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var r NodeReport
	if err := json.Unmarshal(answer.Data, &r); err != nil {
		t.Fatal(err)
	}
	if r.Name != "web-1" || r.Interest != "block" || r.Prefix != DefaultSubjectPrefix || r.Connections != 1 || r.Logins != 3 || r.Subscriptions != 2 || !r.Ready || r.Gone || r.PID == 0 {
		t.Errorf("it says %+v", r)
	}
	w.stop()
	for !r.Gone {
		m, err := reports.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(m.Data, &r); err != nil || m.Subject != "comet.node.web-1" {
			t.Fatalf("on %s it says %s: %v", m.Subject, m.Data, err)
		}
	}
	if r.Ready || r.Connections != 0 {
		t.Errorf("in the end it says %+v", r)
	}
}

// TestAsyncError: what the router says no to is logged as that, and a write to a
// connection that has gone is not.
func TestAsyncError(t *testing.T) {
	reset := &net.OpError{Op: "write", Net: "tcp", Err: errors.New("connection reset by peer")}
	for _, test := range []struct {
		err  error
		says string
	}{
		{nats.ErrPermissionViolation, "the router refuses something"},
		{nats.ErrMaxSubscriptionsExceeded, "the router refuses something"},
		{reset, ""},
	} {
		var log bytes.Buffer
		n := new(Node)
		n.cfg.Servers.Logger = slog.New(slog.NewTextHandler(&log, nil))
		n.asyncError(nil, nil, test.err)
		if got := log.String(); !strings.Contains(got, test.says) || test.says == "" && got != "" {
			t.Errorf("%v: it logs %q, want %q", test.err, got, test.says)
		}
		if got := n.link.stats().LastError; got != test.err.Error() {
			t.Errorf("%v: the last error is %q", test.err, got)
		}
	}
}
