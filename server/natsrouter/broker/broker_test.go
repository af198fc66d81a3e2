//go:build !nonats

package broker

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"example.org/comet/server/natsrouter"
	"example.org/comet/server/neterr"
)

// running is a router whose Run runs until the test or stop ends it.
type running struct {
	*Broker
	stop func() error
}

func runRouter(t *testing.T, cfg Config) running {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Admin == "" {
		cfg.Admin = "127.0.0.1:0"
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	var ended bool
	stop := func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("Run does not return")
			return nil
		}
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return running{r, stop}
}

// connect connects a client as natsrouter does.
func connect(s natsrouter.Servers, options ...nats.Option) (*nats.Conn, error) {
	login, err := s.Login()
	if err != nil {
		return nil, err
	}
	options = append(options, nats.Name(s.Name), nats.Timeout(15*time.Second), login)
	if s.CAFile != "" {
		options = append(options, nats.RootCAs(s.CAFile))
	}
	if s.CertFile != "" {
		options = append(options, nats.ClientCert(s.CertFile, s.KeyFile))
	}
	return nats.Connect(strings.Join(s.URLs, ","), options...)
}

// dialServers connects a client that is closed with the test.
func dialServers(t *testing.T, s natsrouter.Servers, options ...nats.Option) *nats.Conn {
	t.Helper()
	conn, err := connect(s, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func (r running) dial(t *testing.T, name string) *nats.Conn {
	t.Helper()
	return dialServers(t, natsrouter.Servers{URLs: []string{r.URL()}, Name: name, Credentials: r.cfg.Credentials})
}

// ask asks the admin listener.
func (r running) ask(t *testing.T, method, path, token string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.AdminAddr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// untilTrue waits for what is on its way.
func untilTrue(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 15 s still not: %s", what)
		}
	}
}

// logText is what was logged so far.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func sendReport(t *testing.T, conn *nats.Conn, r NodeRow) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Publish(natsrouter.ReportSubject+r.Name, text); err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestStats(t *testing.T) {
	r := runRouter(t, Config{Name: "r"})
	node, sender := r.dial(t, "comet serve n-1"), r.dial(t, "sender")
	got, err := node.SubscribeSync("comet.msg.0.123")
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := sender.Publish("comet.msg.0.123", []byte("Hello World")); err != nil {
		t.Fatal(err)
	}
	if m, err := got.NextMsgWithContext(t.Context()); err != nil || string(m.Data) != "Hello World" {
		t.Fatalf("got %v, %v", m, err)
	}
	untilTrue(t, "the message is counted", func() bool { return r.Stats().MessagesIn == 1 }) // which may be after it came
	s := r.Stats()
	if s.Name != "r" || s.Clients != 2 || s.Subscriptions != 1 || s.MessagesIn != 1 || s.MessagesOut != 1 || s.BytesOut != int64(len("Hello World")) {
		t.Errorf("stats %+v", s)
	}

	sendReport(t, node, NodeRow{Name: "n-1", PID: 7, Connections: 10, Logins: 12, Interest: "exact", Ready: true})
	sendReport(t, sender, NodeRow{Name: "elsewhere", Connections: 5, Logins: 5, Interest: "all"})
	var stats Stats
	untilTrue(t, "two nodes", func() bool {
		_, body := r.ask(t, "GET", "/stats", "")
		if err := json.Unmarshal([]byte(body), &stats); err != nil {
			t.Fatal(err)
		}
		return stats.NodesConnected == 2
	})
	if stats.Connections != 15 || stats.Logins != 17 || stats.NodesReady != 1 || stats.NodesAway != 0 {
		t.Errorf("stats %+v", stats)
	}
	// A report that this process hears is no message that it sent.
	if stats.MessagesOut != 1 {
		t.Errorf("%d messages out, want 1", stats.MessagesOut)
	}
	first, second := stats.Nodes[0], stats.Nodes[1]
	if first.Name != "elsewhere" || first.Address != "" || second.Name != "n-1" || second.PID != 7 {
		t.Errorf("nodes %+v", stats.Nodes)
	}
	local, err := node.GetClientIP()
	if host, _, splitErr := net.SplitHostPort(second.Address); err != nil || splitErr != nil || host != local.String() {
		t.Errorf("the node's address is %q, it is at %v", second.Address, local)
	}
	_, text := r.ask(t, "GET", "/metrics", "")
	for _, line := range []string{
		"# TYPE comet_router_nodes gauge\n", `comet_router_nodes{state="ready"} 1` + "\n", `comet_router_nodes{state="unready"} 1` + "\n",
		"comet_router_messages_out_total 1\n", `comet_node_connections{node="n-1"} 10` + "\n", `comet_node_logins{node="elsewhere"} 5` + "\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("/metrics has no %q:\n%s", line, text)
		}
	}

	if err := node.Publish(natsrouter.ReportSubject+"n-1", []byte(`{"name":"n-1","gone":true}`)); err != nil {
		t.Fatal(err)
	}
	untilTrue(t, "one node", func() bool { return r.Stats().NodesConnected == 1 })
}

func TestAdmin(t *testing.T) {
	r := runRouter(t, Config{AdminToken: "sesame"})
	for _, c := range []struct {
		method, path, token string
		code                int
		body                string
	}{
		{"GET", "/healthz", "", 200, "ok\n"},
		{"GET", "/readyz", "", 200, "ready\n"},
		{"GET", "/stats", "", 401, "Bearer TOKEN"},
		{"GET", "/stats", "sesam", 401, "Bearer TOKEN"},
		{"GET", "/stats", "sesame", 200, `"nodes":[]`},
		{"GET", "/metrics", "sesame", 200, "comet_router_clients 0\n"},
		{"GET", "/debug/pprof/cmdline", "sesame", 200, ""},
		{"POST", "/gc", "sesame", 200, "rss_after_bytes"},
		{"GET", "/gc", "sesame", 405, ""},
		{"GET", "/nothing", "sesame", 404, ""},
	} {
		if code, body := r.ask(t, c.method, c.path, c.token); code != c.code || !strings.Contains(body, c.body) {
			t.Errorf("%s %s with %q: %d %s", c.method, c.path, c.token, code, body)
		}
	}
	if s := r.Stats(); s.CollectionsForced != 1 {
		t.Errorf("%d collections counted, want 1", s.CollectionsForced)
	}
}

func TestCredentials(t *testing.T) {
	for _, right := range []string{"comet:s:ecret", "sometoken"} {
		r := runRouter(t, Config{Credentials: right + "\n"})
		for _, given := range []string{right, "", "comet:secret", "othertoken"} {
			conn, err := connect(natsrouter.Servers{URLs: []string{r.URL()}, Credentials: given})
			if err == nil {
				conn.Close()
			}
			if (err == nil) != (given == right) {
				t.Errorf("credentials %q at a router with %q: error %v", given, right, err)
			}
		}
		// The router itself is let in, or it would not hear of the nodes.
		sendReport(t, r.dial(t, "n"), NodeRow{Name: "n"})
		untilTrue(t, "a node", func() bool { return r.Stats().NodesConnected == 1 })
	}
}

// TestClose: one that was opened and not run leaves nothing, and its
// addresses are free.
func TestClose(t *testing.T) {
	r, err := New(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", ClusterListen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	addresses := []string{r.Addr().String(), r.AdminAddr().String(), r.ClusterAddr().String()}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	for _, address := range addresses {
		ln, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			continue
		}
		ln.Close()
	}
}

func TestURL(t *testing.T) {
	// A port that is free on every address is hard to find while some test beside
	// this one holds most of them, on addresses of its own.
	for _, address := range []string{"0.0.0.0:0", "[::]:0"} {
		ln, err := net.Listen("tcp", address)
		if neterr.IsAddrInUse(err) {
			t.Skipf("no port is free on %s now: many connections are open on this machine", address)
		} else if err != nil {
			t.Fatal(err)
		}
		ln.Close()
	}
	r := runRouter(t, Config{Listen: "0.0.0.0:0", Credentials: "t", ClusterListen: "[::]:0"})
	for _, url := range []string{r.URL(), r.RouteURL()} {
		if strings.Contains(url, "0.0.0.0") || strings.Contains(url, "::") || natsrouter.CheckURL(url) != nil {
			t.Errorf("%s is no address to give to others", url)
		}
	}
	r.dial(t, "the URL leads to the router")
}

// TestNATSLog: what is about one connection is debug detail, trouble of several
// is said once.
func TestNATSLog(t *testing.T) {
	var out strings.Builder
	l := newNATSLog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for _, c := range []struct {
		say  func(string, ...any)
		text string
		want string // level
	}{
		{l.Noticef, "Server is ready", "DEBUG"},
		{l.Debugf, "anything", "DEBUG"},
		{l.Warnf, "Plaintext passwords detected, use nkeys or bcrypt", "DEBUG"},
		{l.Warnf, "127.0.0.1:1 - cid:4 - Readloop processing time: 3s", "DEBUG"},
		{l.Warnf, "something of the whole server", "WARN"},
		{l.Errorf, "127.0.0.1:1 - cid:4 - read error", "DEBUG"},
		{l.Errorf, "Error trying to connect to route (attempt 1)", "WARN"},
		{l.Errorf, "Error trying to connect to route (attempt 1)", "DEBUG"},
		{l.Errorf, "something else of the whole server", "WARN"},
		{l.Errorf, "127.0.0.1:1 - cid:4 - authentication error", "WARN"},
		{l.Errorf, "127.0.0.1:1 - cid:5 - authentication error", "DEBUG"},
		{l.Noticef, "127.0.0.1:1 - cid:4 - Slow Consumer Detected: MaxPending", "WARN"},
		{l.Noticef, "127.0.0.1:1 - cid:6 - Slow Consumer Detected: MaxPending", "DEBUG"},
		{l.Tracef, "bytes", ""},
	} {
		out.Reset()
		c.say(c.text)
		if c.want == "" && out.Len() > 0 || c.want != "" && !strings.Contains(out.String(), "level="+c.want) {
			t.Errorf("%q is logged as %q, want level %q", c.text, out.String(), c.want)
		}
	}
	now := time.Now()
	if n := l.slow.due(now.Add(time.Second)); n != 0 {
		t.Errorf("said again after a second: %d", n)
	}
	if n := l.slow.due(now.Add(sayAgain + time.Second)); n != 3 {
		t.Errorf("%d times, want the 3 since it was said", n)
	}
}
