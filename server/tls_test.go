package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.org/comet/server/tlsclient/tlstest"
)

// testCert writes a certificate for localhost and 127.0.0.1 and its key, and
// returns their files and the settings of a client that trusts it.
func testCert(tb testing.TB, changes ...func(*x509.Certificate)) (cert, key string, client *tls.Config) {
	tb.Helper()
	authority := func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true } // as openssl makes them
	p := tlstest.New(tb, nil, append([]func(*x509.Certificate){authority}, changes...)...)
	roots := x509.NewCertPool()
	roots.AddCert(p.Leaf)
	return p.CertFile, p.KeyFile, &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{"http/1.1"}}
}

// startTLS runs a server that speaks TLS, and returns the settings of its clients.
func startTLS(tb testing.TB, cfg Config) (*running, *tls.Config) {
	tb.Helper()
	var client *tls.Config
	cfg.TLSCertFile, cfg.TLSKeyFile, client = testCert(tb)
	return start(tb, cfg), client
}

// pieces is a socket whose writes are cut into pieces of this many bytes.
type pieces struct {
	net.Conn
	size int
}

func (p pieces) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = p.Conn.Write(b[n:min(n+p.size, len(b))])
		n += m
	}
	return n, err
}

// shake dials with TLS over a socket of which all writes come in pieces.
func (r *running) shake(cfg *tls.Config, size int) *tls.Conn {
	r.t.Helper()
	c := tls.Client(pieces{r.dial().TCPConn, size}, cfg)
	if err := c.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// TestTLSBytes holds the engines to the same bytes within TLS of either version,
// however they come, with a close_notify behind the last.
func TestTLSBytes(t *testing.T) {
	large := strings.Repeat("m", 500_000)
	const ws = "Host: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	cases := []struct {
		name, request string
		id            int64
		message, want string
		ends          bool // by itself
	}{
		{"stream", "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", 1, "a", html11 + chunk(1, "a") + lastOne, false},
		{"bytes behind the head", "GET /test/2 HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n\r\n", 2, "a", html11 + chunk(1, "a") + lastOne, false},
		{"large message", "GET /test/3 HTTP/1.1\r\nHost: h\r\n\r\n", 3, large, html11 + chunk(1, large) + lastOne, false},
		{"events", "GET /events/4 HTTP/1.1\r\nHost: h\r\n\r\n", 4, "a\nb", sse11 + "17\r\nid: 1\ndata: a\ndata: b\n\n\r\n" + lastOne, false},
		{"poll", "GET /poll/5 HTTP/1.1\r\nHost: h\r\n\r\n", 5, "a", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\nContent-Length: 1\r\nServer: comet\r\nConnection: close\r\n\r\na", false},
		{
			"WebSocket", "GET /ws/6 HTTP/1.1\r\n" + ws + "\x89\x81\x00\x00\x00\x00p", 6, "Hello",
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x8a\x01p\x81\x05Hello" + restart, false,
		},
		{"elsewhere", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0, "", answer404, true},
		{"no HTTP", "\x16\x03\x01\r\n\r\n", 0, "", answer400, true},
		{"DELETE", "DELETE /test/1 HTTP/1.1\r\nHost: h\r\n\r\n", 0, "", answer501, true},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, size := range []int{1 << 20, 7, 1} {
			t.Run(tls.VersionName(version), func(t *testing.T) {
				bothEngines(t, func(t engineT) {
					r, cfg := startTLS(t, Config{Engine: t.engine, BacklogBytes: 1 << 20})
					cfg.MinVersion, cfg.MaxVersion = version, version
					got := make([]chan string, len(cases))
					streams := 0
					for i, c := range cases {
						conn := r.shake(cfg, size)
						if _, err := io.WriteString(conn, c.request); err != nil {
							t.Fatal(err)
						}
						got[i] = make(chan string, 1)
						go func() {
							all, err := io.ReadAll(conn) // io.ErrUnexpectedEOF without a close_notify
							if err != nil {
								all = append(all, err.Error()...)
							}
							conn.Close()
							got[i] <- string(all)
						}()
						if !c.ends {
							streams++
						}
					}
					r.waitForLogins(streams)
					for _, c := range cases {
						if !c.ends {
							r.publish(c.id, c.message)
						}
					}
					r.waitFor("all to be answered", func(s Stats) bool {
						return s.Written == uint64(streams) && s.RefusedOther == uint64(len(cases)-streams)
					})
					r.stop()
					for i, c := range cases {
						if all := <-got[i]; all != c.want {
							t.Errorf("%s: got\n%.400q\nwant\n%.400q", c.name, all, c.want)
						}
					}
					if s := r.Stats(); s.TLSHandshakes != uint64(len(cases)) || s.TLSHandshakesFailed != 0 {
						t.Errorf("%d handshakes, %d failed, want %d and none", s.TLSHandshakes, s.TLSHandshakesFailed, len(cases))
					}
				})
			})
		}
	}
}

// TestTLSRefused counts every handshake that does not come about, tells the client
// why, and bounds its time.
func TestTLSRefused(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine})
		failed := uint64(0)
		for name, change := range map[string]func(*tls.Config){
			"an old version":           func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
			"HTTP/2 alone":             func(c *tls.Config) { c.NextProtos = []string{"h2"} },
			"a client without trust":   func(c *tls.Config) { c.RootCAs = x509.NewCertPool() },
			"a name that is not there": func(c *tls.Config) { c.ServerName = "example.org" },
		} {
			bad := cfg.Clone()
			change(bad)
			conn := tls.Client(r.dial().TCPConn, bad)
			if err := conn.Handshake(); err == nil || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the handshake ends with %v, want a reason", name, err)
			}
			conn.NetConn().Close()
			failed++
			r.waitFor(name, func(s Stats) bool { return s.TLSHandshakesFailed == failed })
		}
		c := r.connect("\x16\x03\x01\x02\x00")
		c.reset()
		failed++
		r.waitFor("a reset", func(s Stats) bool { return s.TLSHandshakesFailed == failed })
		if log := r.log.String(); !strings.Contains(log, "TLS handshake") {
			t.Errorf("the log says %q", log)
		}
		// The handshakes above may take their time.
		r, _ = startTLS(t, Config{Engine: t.engine, HeadTimeout: 400 * time.Millisecond})
		failed = 0
		for name, sent := range map[string]string{"nothing": "", "half a record": "\x16\x03\x01\x02\x00\x01\x00", "no record": "\x00\x01\x02\x03\x04\x05\x06", "an oversized record": "\x16\x03\x01\xff\xff"} {
			c := r.connect(sent)
			c.expectCut() // by the time that a head may take, or at once
			failed++
			r.waitFor(name, func(s Stats) bool { return s.TLSHandshakesFailed == failed })
		}
	})
}

// TestTLSMistaken answers a plain request to a TLS listener, and names the
// reverse in the log.
func TestTLSMistaken(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r, _ := startTLS(t, Config{Engine: t.engine})
		c := r.connect("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
		if got := c.rest(); got != text("400 Bad Request", "", "This is a plain HTTP request to an HTTPS port: write https:// or wss://.") {
			t.Errorf("a plain request is answered %q", got)
		}
		if s := r.Stats(); s.RefusedOther != 1 || s.TLSHandshakesFailed != 0 {
			t.Errorf("%+v", s)
		}
		plain := start(t, Config{Engine: t.engine})
		tls.Client(plain.dial().TCPConn, &tls.Config{ServerName: "localhost"}).Handshake() // fails
		plain.waitFor("a refusal", func(s Stats) bool { return s.RefusedOther == 1 })
		if log := plain.log.String(); !strings.Contains(log, "a client speaks TLS to a listener that does not") {
			t.Errorf("the log says %q", log)
		}
	})
}

// TestTLSSlow has clients that do not read: they are disconnected, or their
// messages dropped, as without TLS, and what was taken is decrypted as it was.
func TestTLSSlow(t *testing.T) {
	for _, policy := range []SlowPolicy{Disconnect, Drop} {
		t.Run(string(policy), func(t *testing.T) {
			bothEngines(t, func(t engineT) {
				r, cfg := startTLS(t, Config{Engine: t.engine, SlowClient: policy})
				conn := r.shake(cfg, 1<<20)
				io.WriteString(conn, "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
				r.waitForLogins(1)
				message, n := strings.Repeat("x", 60_000), 0
				for r.Stats().DroppedSlow == 0 && r.Stats().Connections > 0 {
					if n++; n > 5_000 {
						t.Fatal("no end to what the socket takes")
					}
					r.publish(1, message)
					if n%100 == 0 {
						time.Sleep(stuckTime)
					}
				}
				if policy == Disconnect {
					r.waitFor("the end", func(s Stats) bool { return s.Disconnected == 1 && s.Connections == 0 })
					return
				}
				r.cancel()
				all, err := io.ReadAll(conn)
				if err != nil || !bytes.HasSuffix(all, []byte(lastOne)) || !bytes.HasPrefix(all, []byte(html11+chunk(1, message))) {
					t.Errorf("%d bytes, error %v", len(all), err)
				}
			})
		})
	}
}

// TestTLSAtRest holds connections at rest to no goroutine each.
func TestTLSAtRest(t *testing.T) {
	if defaultEngine != Epoll {
		t.Skip("the goroutine engine has two for each")
	}
	r, cfg := startTLS(t, Config{Engine: Epoll})
	const n = 200
	before := runtime.NumGoroutine()
	for range n {
		conn := r.shake(cfg, 1<<20)
		io.WriteString(conn, "GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	r.waitForLogins(n)
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before+20; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines for %d connections at rest, %d without any", runtime.NumGoroutine(), n, before)
		}
	}
}

// TestTLSTalk has WebSocket clients that send records of 16 KiB, close in the
// middle of one, or send what is no record.
func TestTLSTalk(t *testing.T) {
	bothEngines(t, func(t engineT) {
		r, cfg := startTLS(t, Config{Engine: t.engine})
		head := "GET /ws/1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		conn := r.shake(cfg, 1000)
		io.WriteString(conn, head+"\x82\xfe\xff\xff\x00\x00\x00\x00"+strings.Repeat("z", 65535)+"\x89\x81\x00\x00\x00\x00p")
		reader := bufio.NewReader(conn)
		for line := "-"; line != "\r\n"; {
			var err error
			if line, err = reader.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		pong := make([]byte, 3)
		if _, err := io.ReadFull(reader, pong); err != nil || string(pong) != "\x8a\x01p" {
			t.Fatalf("behind 64 KiB of records: %q, %v", pong, err)
		}
		conn.NetConn().Write([]byte("\x17\x03\x03\x00\x20 cut")) // half a record, and the end
		conn.NetConn().(pieces).Close()
		r.waitForLogins(0)

		conn = r.shake(cfg, 1<<20)
		io.WriteString(conn, head)
		r.waitForLogins(1)
		conn.NetConn().Write([]byte("\x17\x03\x03\x00\x20" + strings.Repeat("f", 32)))
		if _, err := io.ReadAll(conn); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
			t.Errorf("after a forged record: %v", err)
		}
		r.waitForLogins(0)
	})
}

// TestTLSResume resumes a session only where that is asked for.
func TestTLSResume(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t engineT) {
		for _, resume := range []bool{false, true} {
			r, cfg := startTLS(t, Config{Engine: t.engine, TLSResume: resume})
			cfg.ClientSessionCache = tls.NewLRUClientSessionCache(2)
			for i := range 2 {
				conn := r.shake(cfg, 1<<20)
				io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
				if got, err := io.ReadAll(conn); string(got) != answer404 {
					t.Errorf("%.100q, %v", got, err)
				}
				if did := conn.ConnectionState().DidResume; did != (resume && i == 1) {
					t.Errorf("connection %d, TLSResume %v: resumed %v", i, resume, did)
				}
			}
			r.stop()
		}
	})
}
