package adminhttp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// start serves the pages for the rest of the test.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	cfg.Address = "127.0.0.1:0"
	s, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ready := func() (string, bool) { return "ready", true }
	s.AddPages(Pages{Ready: ready, Stats: func() any { return 1 }, Metrics: func() []Metric { return nil }, Version: `1.0 "x"`})
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// certificate writes a certificate for 127.0.0.1.
func certificate(t *testing.T) (cfg Config, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cfg.CertFile, cfg.KeyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for file, block := range map[string]*pem.Block{cfg.CertFile: {Type: "CERTIFICATE", Bytes: cert}, cfg.KeyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(parsed)
	return cfg, roots
}

// TestTLS: the same pages, and the same bound on connections, over TLS.
func TestTLS(t *testing.T) {
	cfg, roots := certificate(t)
	s := start(t, cfg)
	for range 2 * DefaultMaxConnections {
		conn, err := net.Dial("tcp", s.Addr().String()) // and no handshake
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	web := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	answer, err := web.Get("https://" + s.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(text), `comet_build_info{version="1.0 \"x\"",go="go1.`) {
		t.Errorf("/metrics reads %s, %v", text, err)
	}
	plain, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	_, _ = io.WriteString(plain, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	_ = plain.SetReadDeadline(time.Now().Add(20 * time.Second))
	if said, err := io.ReadAll(plain); err != nil || !strings.HasPrefix(string(said), "HTTP/1.0 400 ") {
		t.Errorf("in clear it is answered %q, %v", said, err)
	}
}

// TestMetricsFormat: every line is HELP, TYPE or a sample, and the process has
// its usual figures.
func TestMetricsFormat(t *testing.T) {
	var b strings.Builder
	if err := WriteMetrics(&b, append(Process(ResidentBytes()), BuildInfo(""))); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.]+)$`)
	for text := range strings.Lines(b.String()) {
		if !line.MatchString(strings.TrimSuffix(text, "\n")) {
			t.Errorf("%q is none of them", text)
		}
	}
	names := []string{"go_goroutines", "process_start_time_seconds", `comet_build_info{version="unknown",go="`}
	if ResidentBytes() != nil {
		names = append(names, "process_resident_memory_bytes", "process_cpu_seconds_total", "process_virtual_memory_bytes", "process_open_fds", "process_max_fds")
	}
	for _, name := range names {
		if !strings.Contains(b.String(), "\n"+name) {
			t.Errorf("no %s in\n%s", name, b.String())
		}
	}
	if got := Labels("a", `\"`+"\n", "b", "c"); got != `{a="\\\"\n",b="c"}` {
		t.Errorf("labels %s", got)
	}
}

// pipes is a listener whose connections come from a channel.
type pipes struct{ come chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p.come
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (pipes) Close() error   { return nil }
func (pipes) Addr() net.Addr { return nil }

// TestPlaces: who gives up its place for a new connection, and when.
func TestPlaces(t *testing.T) {
	ms := time.Millisecond
	for _, c := range []struct {
		name   string
		phases []phase       // of connections that came a millisecond apart
		age    time.Duration // of the last of them when one more comes
		victim int           // -1 for none
		waits  time.Duration // at least, before it is chosen
	}{
		{"the longest that waits", []phase{waiting, waiting, waiting, waiting, waiting}, time.Minute, 0, 0},
		{"not one that is answered", []phase{answer, head, waiting, waiting, answer}, time.Minute, 2, 0},
		{"a head before a body", []phase{answer, answer, head, answer, head}, time.Minute, 2, 0},
		{"the longest body", []phase{answer, answer, answer, answer, answer}, time.Minute, 0, 0},
		{"never one that is held", []phase{held, answer, answer, answer, answer}, time.Hour, 1, 0},
		{"a request that is on its way has a moment", []phase{answer, answer, answer, answer, waiting}, 0, 4, 15 * ms},
		{"and one that is answered a second", []phase{answer, answer, answer, answer, answer}, 0, 0, 900 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ln := pipes{make(chan net.Conn, len(c.phases)+1)}
				l := Limit(ln, len(c.phases))
				said := 0
				l.full = func() { said++ }
				var conns []*Conn
				for _, p := range c.phases {
					_, server := net.Pipe()
					ln.come <- server
					nc, err := l.Accept()
					if err != nil {
						t.Fatal(err)
					}
					conns = append(conns, nc.(*Conn))
					nc.(*Conn).enter(p)
					time.Sleep(ms)
				}
				time.Sleep(c.age)
				before := time.Now()
				_, server := net.Pipe()
				ln.come <- server
				if _, err := l.Accept(); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(before); waited < c.waits || waited > c.waits+200*ms {
					t.Errorf("it waited %v, want %v", waited, c.waits)
				}
				for i, other := range conns {
					if other.gone != (i == c.victim) {
						t.Errorf("connection %d is gone: %v, want %d", i, other.gone, c.victim)
					}
				}
				l.warn(time.Now())
				time.Sleep(time.Minute)
				if l.warn(time.Now()); said != 2 {
					t.Errorf("it was said %d times in a minute and again behind it", said)
				}
			})
		})
	}
}

// TestHolds: as many are held as leave four places, and each place comes back.
func TestHolds(t *testing.T) {
	l := Limit(pipes{}, 6)
	var conns []*Conn
	for range 3 {
		_, server := net.Pipe()
		c := &Conn{Conn: server, listener: l}
		if !l.makeRoom(c) {
			t.Fatal("no room")
		}
		conns = append(conns, c)
	}
	if !conns[0].enter(held) || !conns[1].enter(held) || conns[2].enter(held) {
		t.Error("of 6 places not 2 may be held")
	}
	conns[0].enter(waiting)
	if !conns[2].enter(held) {
		t.Error("a request that ended holds its place")
	}
	conns[1].Close()
	conns[1].Close()
	if conns[1].enter(held) || !conns[0].enter(held) || l.holds != 2 || len(l.conns) != 2 {
		t.Errorf("after one closed, %d of %d are held", l.holds, len(l.conns))
	}
}

// TestPatience: whatever a client does not do, it has so long for it and no longer.
func TestPatience(t *testing.T) {
	const get = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, c := range []struct {
		name, sends string
		stays       bool // it does not read before its time is up
		answer      string
		after       time.Duration
	}{
		{"it says nothing", "", false, "", headTimeout},
		{"its head does not end", "GET /healthz HTTP/1.1\r\n", false, "", headTimeout},
		{"its body does not end", "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx", false, "HTTP/1.1 400 ", requestTimeout},
		{"it asks no more", get, false, "HTTP/1.1 200 ", idleTimeout},
		{"it does not read", get, true, "", writeTimeout},
		{"a long head", strings.Replace(get, "\r\n\r\n", "\r\nX: "+strings.Repeat("x", 80<<10)+"\r\n\r\n", 1), false, "HTTP/1.1 431 ", time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := Listen(Config{Address: "127.0.0.1:0"})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				s.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { Reply(w, http.StatusOK, "ok") })
				s.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.ReadAll(r.Body); err != nil {
						Fail(w, http.StatusBadRequest, "it did not come whole")
					}
				})
				client, server := net.Pipe()
				ln := pipes{make(chan net.Conn, 1)}
				ln.come <- server
				go s.http.Serve(Limit(ln, 5)) // until both are closed
				defer s.http.Close()
				defer close(ln.come)
				defer client.Close()
				go io.WriteString(client, c.sends) // of a long head not all is read
				begun := time.Now()
				if c.stays {
					time.Sleep(c.after + time.Second)
				}
				said, err := io.ReadAll(client)
				took := time.Since(begun)
				if err != nil || !strings.HasPrefix(string(said), c.answer) || c.answer == "" && len(said) > 0 {
					t.Errorf("it is answered %.60q, error %v, want %q", said, err, c.answer)
				}
				if took > c.after+time.Second || took < c.after-time.Second {
					t.Errorf("it had %v, want %v", took, c.after)
				}
			})
		})
	}
}

// TestHandshakesFail: of TLS handshakes that fail the first is a warning, and the others
// are detail, since any client can have as many as it likes.
func TestHandshakesFail(t *testing.T) {
	cfg, _ := certificate(t)
	lines := make(chan slog.Record, 16)
	cfg.Logger = slog.New(recorder{lines})
	s := start(t, cfg)
	for i, want := range []slog.Level{slog.LevelWarn, slog.LevelDebug, slog.LevelDebug} {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "\x16\x03\x01\x02\x00\x01") // and no more
		conn.Close()
		select {
		case line := <-lines:
			if line.Level != want || !strings.HasPrefix(line.Message, "http: TLS handshake error ") || strings.HasSuffix(line.Message, "\n") {
				t.Errorf("handshake %d: %v %q, want %v", i, line.Level, line.Message, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("handshake %d is not logged", i)
		}
	}
}

// recorder is a handler that passes on everything.
type recorder struct{ lines chan slog.Record }

func (recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r recorder) WithAttrs([]slog.Attr) slog.Handler     { return r }
func (r recorder) WithGroup(string) slog.Handler          { return r }
func (r recorder) Handle(_ context.Context, line slog.Record) error {
	r.lines <- line
	return nil
}
