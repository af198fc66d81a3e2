package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// held is a socket whose writes after the first wait for release: the last flight
// of a handshake leaves with what comes behind it.
type held struct {
	*net.TCPConn
	mu      sync.Mutex
	greeted bool
	kept    []byte
}

func (h *held) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.greeted {
		h.greeted = true
		return h.TCPConn.Write(b)
	}
	h.kept = append(h.kept, b...)
	return len(b), nil
}

// SetWriteDeadline does nothing: crypto/tls sets one in the past after a close_notify.
func (*held) SetWriteDeadline(time.Time) error { return nil }

func (h *held) release() error {
	_, err := h.TCPConn.Write(h.kept)
	return err
}

// TestTLSLastFlight has clients that send all they have to say with the end of the
// handshake: the request, much behind it, or the end of the connection.
func TestTLSLastFlight(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine})
		for name, c := range map[string]struct {
			request, want  string
			more           int
			notify, finish bool
		}{
			"a request":                        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", answer404, 0, false, false},
			"a stream":                         {"GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", html11, 0, false, false},
			"much behind it":                   {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", answer404, 1 << 20, false, false},
			"a stream, and much behind it":     {"GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", html11, 1 << 20, false, false},
			"its end":                          {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", answer404, 0, false, true},
			"its end, with a close_notify":     {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", answer404, 0, true, true},
			"a stream and its end":             {"GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", html11, 0, true, true},
			"a stream and a close_notify":      {"GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", html11, 0, true, false},
			"much behind it, and then its end": {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", answer404, 1 << 18, true, true},
		} {
			socket := &held{TCPConn: r.dial().TCPConn}
			conn := tls.Client(socket, cfg)
			if err := conn.Handshake(); err != nil {
				t.Fatal(name, err)
			}
			io.WriteString(conn, c.request+strings.Repeat("z", c.more))
			if c.notify {
				conn.CloseWrite()
			}
			if err := socket.release(); err != nil {
				t.Fatal(name, err)
			}
			if c.finish {
				socket.CloseWrite()
			}
			got := make([]byte, len(c.want))
			if n, err := io.ReadFull(conn, got); err != nil || string(got) != c.want {
				t.Errorf("%s: %q, %v", name, got[:n], err)
			}
			socket.Close()
			r.waitForLogins(0)
		}
		if s := r.Stats(); s.TLSHandshakesFailed != 0 {
			t.Errorf("%d handshakes failed", s.TLSHandshakesFailed)
		}
	})
}

// hello returns how a client of these settings greets.
func hello(t engineT, cfg *tls.Config) []byte {
	t.Helper()
	var w recorder
	tls.Client(&w, cfg).Handshake() // fails
	if w.Len() == 0 {
		t.Fatal("no greeting")
	}
	return w.Bytes()
}

// recorder is a connection that keeps what is written to it, and ends.
type recorder struct {
	net.Conn
	bytes.Buffer
}

func (r *recorder) Write(b []byte) (int, error) { return r.Buffer.Write(b) }
func (r *recorder) Read([]byte) (int, error)    { return 0, io.EOF }
func (*recorder) Close() error                  { return nil }

// TestTLSCrowd has clients that greet and then say nothing, more than there may be
// handshakes at a time: another gets in all the same.
func TestTLSCrowd(t *testing.T) {
	bothEngines(t, func(t engineT) {
		cert, key, cfg := testCert(t)
		r := open(t, Config{Engine: t.engine, Loops: 1, TLSCertFile: cert, TLSKeyFile: key, HeadTimeout: time.Hour})
		r.core.mostShaking, r.core.crowdTime = 3, 20*time.Millisecond
		r.run()
		greeting := string(hello(t, cfg))
		for range 20 {
			r.connect(greeting)
		}
		// All but three, or fewer, make room for others. Then the handshake that is to
		// succeed has no one behind it, and may take its time.
		if t.engine == Epoll {
			r.waitFor("those without room to be gone", func(s Stats) bool { return s.TLSHandshakesFailed >= 20-3 })
		}
		c := r.shake(cfg, 1<<20)
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		if got, err := io.ReadAll(c); string(got) != answer404 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestTLSQueue: clients whose handshakes wait for their turn have no goroutine, and
// little is read of what they send meanwhile.
func TestTLSQueue(t *testing.T) {
	if defaultEngine != Epoll {
		t.Skip("the goroutine engine has one for each connection")
	}
	cert, key, cfg := testCert(t)
	r := open(t, Config{Engine: Epoll, Loops: 1, TLSCertFile: cert, TLSKeyFile: key, HeadTimeout: time.Hour})
	r.core.mostShaking, r.core.crowdTime = 1, time.Hour
	r.run()
	greeting := string(hello(engineT{t, Epoll}, cfg))
	const n = 50
	before := runtime.NumGoroutine()
	var last *client
	for range n {
		last = r.connect(greeting)
	}
	r.waitFor("all to be there", func(s Stats) bool { return s.Accepted == n })
	last.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := last.Write(make([]byte, 32<<20)); err == nil { // several times what sockets hold
		t.Error("32 MiB were read of a client whose handshake waits")
	}
	if more := runtime.NumGoroutine() - before; more > n/2 {
		t.Errorf("%d goroutines more for %d clients", more, n)
	}
}

// TestTLSAlertArrives: the alert of a handshake that fails is not lost in a reset
// by what the client has sent behind.
func TestTLSAlertArrives(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine})
		cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		c := r.connect(string(hello(t, cfg)) + strings.Repeat("z", 400_000))
		if got := c.rest(); len(got) < 7 || got[0] != 21 || got[6] != 70 { // protocol_version (RFC 8446, section 6)
			t.Errorf("got %q, want an alert", got)
		}
	})
}

// TestTLSUntaken has a client that reads nothing of a long chain of certificates.
func TestTLSUntaken(t *testing.T) {
	t.Parallel()
	cert, key, cfg := testCert(t)
	one, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, bytes.Repeat(one, 8<<20/len(one)), 0o600); err != nil {
		t.Fatal(err)
	}
	bothEngines(t, func(t engineT) {
		r := start(t, Config{Engine: t.engine, TLSCertFile: cert, TLSKeyFile: key, HeadTimeout: time.Second})
		c := r.dial()
		c.SetReadBuffer(4096)
		c.send(string(hello(t, cfg)))
		r.waitFor("the end of the handshake", func(s Stats) bool { return s.TLSHandshakesFailed == 1 })
		c.Close()
	})
}

// TestTLSPlainLogged answers plain requests to a TLS listener, however their bytes
// come, and logs them as they were.
func TestTLSPlainLogged(t *testing.T) {
	t.Parallel()
	logs := map[Engine][]string{}
	bothEngines(t, func(t engineT) {
		var log lockedLines
		r, _ := startTLS(t, Config{Engine: t.engine, AccessLog: &log, HeadTimeout: time.Second})
		refusal := text("400 Bad Request", "", "This is a plain HTTP request to an HTTPS port: write https:// or wss://.")
		for _, request := range []string{
			"GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", "POST /send/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", "GET / HTTP/1.0\r\n\r\n",
			"GET /ws/1 HTTP/1.1\r\nHost: h\r\n\r\n", "NO HTTP\r\n\r\n", "GET /test/a HTTP/1.1\r\nHost: h\r\n\r\n",
		} {
			if got := r.connect(request).rest(); got != refusal {
				t.Errorf("%q is answered %q", request, got)
			}
			c := r.connect(request[:1])
			for i, b := range request[1:] {
				if i%4 == 0 {
					time.Sleep(time.Millisecond)
				}
				c.send(string(b))
			}
			if got := c.rest(); got != refusal {
				t.Errorf("%q in pieces is answered %q", request, got)
			}
		}
		if got := r.connect("GET /test/1").rest(); got != refusal {
			t.Errorf("half a request is answered %q", got)
		}
		r.waitFor("all to be counted", func(s Stats) bool { return s.RefusedOther == 13 && s.TLSHandshakesFailed == 0 })
		r.stop()
		for _, line := range log.lines() {
			_, line, _ = strings.Cut(line, `"request"`) // behind the time and the port
			logs[t.engine] = append(logs[t.engine], line)
		}
		slices.Sort(logs[t.engine])
	})
	if a, b := logs[Epoll], logs[Goroutine]; a != nil && !slices.Equal(a, b) {
		t.Errorf("the engines log\n%q\n%q", a, b)
	}
}

// TestTLSRecords counts the records of what is written at once.
func TestTLSRecords(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine, BacklogBytes: 1 << 20})
		socket := &countedRecords{Conn: r.dial().TCPConn}
		conn := tls.Client(socket, cfg)
		io.WriteString(conn, "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		io.ReadFull(conn, make([]byte, len(html11)))
		r.waitForLogins(1)
		read := func(n int) (records int) {
			before := socket.records
			if _, err := io.ReadFull(conn, make([]byte, n)); err != nil {
				t.Fatal(err)
			}
			return socket.records - before
		}
		large := strings.Repeat("m", 100_000)
		r.publish(1, large)
		if n := read(len(chunk(1, large))); n > 8 {
			t.Errorf("a message of 100,000 bytes is %d records", n)
		}
		// The loop may turn in the middle of a burst, and takes what there is.
		const bursts = 20
		p, seq, fewest := newPublisher(r.core), 2, 100
		for range bursts {
			all := 0
			for range 100 {
				p.send(1, []byte("hello"))
				all += len(chunk(seq, "hello"))
				seq++
			}
			if err := p.flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if fewest = min(fewest, read(all)); fewest <= 3 {
				break
			}
		}
		if t.engine == Epoll && fewest > 3 {
			t.Errorf("100 messages at once are %d records or more", fewest)
		}
	})
}

// TestTLSProtocols has clients that offer one protocol, several or none (RFC 7301).
func TestTLSProtocols(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine})
		for _, c := range []struct {
			offers []string
			want   string
		}{
			{nil, ""},
			{[]string{"http/1.1"}, "http/1.1"},
			{[]string{"http/1.0"}, "http/1.0"},
			{[]string{"h2", "http/1.1"}, "http/1.1"},
			{[]string{"http/1.0", "http/1.1"}, "http/1.1"},
		} {
			cfg.NextProtos = c.offers
			conn := r.shake(cfg, 1<<20)
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			if got, err := io.ReadAll(conn); string(got) != answer404 || conn.ConnectionState().NegotiatedProtocol != c.want {
				t.Errorf("offered %q: agreed on %q, %.40q, %v", c.offers, conn.ConnectionState().NegotiatedProtocol, got, err)
			}
		}
	})
}

// TestTLSDistrustLogged: whoever looks into the server's log learns why clients go.
func TestTLSDistrustLogged(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine})
		cfg.RootCAs = x509.NewCertPool()
		tls.Client(r.dial().TCPConn, cfg).Handshake() // fails
		for deadline := time.Now().Add(patience); !strings.Contains(r.log.String(), "see that it trusts the certificate"); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the log says %q", r.log.String())
			}
		}
	})
}

// countedRecords counts the records that are read.
type countedRecords struct {
	net.Conn
	pending []byte
	records int
}

func (c *countedRecords) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for c.pending = append(c.pending, b[:n]...); len(c.pending) >= 5; c.records++ {
		size := 5 + int(c.pending[3])<<8 + int(c.pending[4])
		if len(c.pending) < size {
			break
		}
		c.pending = c.pending[size:]
	}
	return n, err
}

// TestTLSCertificates tries certificates that cannot be used, and those that no
// client will take.
func TestTLSCertificates(t *testing.T) {
	cert, key, _ := testCert(t)
	otherCert, otherKey, _ := testCert(t)
	empty := t.TempDir() + "/empty.pem"
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ cert, key, want string }{
		"no key":              {cert, "", "give --tls-cert and --tls-key"},
		"no certificate":      {"", key, "give --tls-cert and --tls-key"},
		"a file that is not":  {cert + "x", key, "no such file"},
		"a key that is not":   {cert, key + "x", "no such file"},
		"another's key":       {cert, otherKey, "does not match"},
		"another certificate": {otherCert, key, "does not match"},
		"switched":            {key, cert, "switched"},
		"no PEM":              {empty, key, "PEM"},
		"a key that is empty": {cert, empty, "PEM"},
		"a directory":         {t.TempDir(), key, "directory"},
	} {
		s, err := New(Config{Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", TLSCertFile: c.cert, TLSKeyFile: c.key})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "server: ") {
			t.Errorf("%s: %v, want a word of %q", name, err, c.want)
		}
	}
	now := time.Now()
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		want   string
	}{
		"valid":         {func(*x509.Certificate) {}, ""},
		"expired":       {func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) }, "it has expired"},
		"not yet valid": {func(c *x509.Certificate) { c.NotBefore = now.Add(30 * time.Minute) }, "it is not valid yet"},
		"no names":      {func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }, "it names no host"},
	} {
		cert, key, _ := testCert(t, c.change)
		for _, cfg := range []Config{{TLSCertFile: cert, TLSKeyFile: key}, {AdminCertFile: cert, AdminKeyFile: key}} {
			r := open(t, cfg)
			r.Close()
			if log := r.log.String(); c.want == "" && log != "" || !strings.Contains(log, c.want) {
				t.Errorf("%s: the log says %q, want %q", name, log, c.want)
			}
		}
	}
}

// lockedLines is a log of lines.
type lockedLines struct{ logBuffer }

func (l *lockedLines) lines() []string { return strings.Split(strings.TrimSpace(l.String()), "\n") }
