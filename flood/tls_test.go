package flood

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.org/comet/server/tlsclient"
	"example.org/comet/server/tlsclient/tlstest"
)

// certified makes a certificate that is signed by itself, and returns it and the
// file that a client may trust.
func certified(t *testing.T, changes ...func(*x509.Certificate)) (tls.Certificate, string) {
	t.Helper()
	p := tlstest.New(t, nil, changes...)
	return p.Certificate, p.CertFile
}

// serveTLS is serve over TLS.
func serveTLS(t *testing.T, cfg *tls.Config, answer func(c *tls.Conn, r *http.Request)) *server {
	t.Helper()
	return listen(t, "127.0.0.1:0", func(c *net.TCPConn) {
		secured := tls.Server(c, cfg)
		if r, err := http.ReadRequest(bufio.NewReader(secured)); err == nil {
			answer(secured, r)
		}
		secured.Close()
	})
}

func secureURL(s *server) string { return strings.Replace(s.url("/{id}"), "http", "https", 1) }

func TestTLS(t *testing.T) {
	pair, ca := certified(t)
	body, stamps := filled(3 << 20) // more than a record, and than a buffer
	for name, c := range map[string]struct {
		versions uint16
		answer   func(c *tls.Conn, r *http.Request)
		want     figures
	}{
		"held":    {0, func(c *tls.Conn, _ *http.Request) { say(c, chunkedHead); hold(c) }, figures{established: 3, failures: "[]"}},
		"1.2":     {tls.VersionTLS12, func(c *tls.Conn, _ *http.Request) { say(c, chunkedHead+chunk(body)); hold(c) }, figures{established: 3, stamped: 3 * stamps, delivered: 3 * stamps, failures: "[]"}},
		"1.3":     {tls.VersionTLS13, func(c *tls.Conn, _ *http.Request) { say(c, chunkedHead+chunk(body)); hold(c) }, figures{established: 3, stamped: 3 * stamps, delivered: 3 * stamps, failures: "[]"}},
		"ended":   {0, func(c *tls.Conn, _ *http.Request) { say(c, chunkedHead+"0\r\n\r\n") }, figures{established: 3, closed: 3, failures: "[]", odd: true}},
		"raw":     {0, func(c *tls.Conn, _ *http.Request) { say(c, rawHead+messages(asIs, 1)) }, figures{established: 3, closed: 3, stamped: 3, delivered: 3, failures: "[]"}},
		"cut off": {0, func(c *tls.Conn, _ *http.Request) { say(c, chunkedHead) }, figures{established: 3, closed: 3, failures: "[reset:3]"}},
		"reset": {0, func(c *tls.Conn, _ *http.Request) {
			say(c, chunkedHead)
			c.NetConn().(*net.TCPConn).SetLinger(0)
			c.NetConn().Close()
		}, figures{established: 3, closed: 3, failures: "[reset:3]"}},
		"no answer": {0, func(*tls.Conn, *http.Request) {}, figures{failed: 3, failures: "[reset:3]"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				srv := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, MaxVersion: c.versions, NextProtos: []string{"http/1.1"}}, c.answer)
				r := flooded(t, e, Config{URL: secureURL(srv), Connections: 3, TLS: tlsclient.Options{CAFile: ca}}, c.want.reached)
				if got := figuresOf(r); got != c.want {
					t.Errorf("%s: %+v, want %+v; %s", e.name, got, c.want, r.Explanation)
				}
			}
		})
	}
}

// TestTLSFaults: each is a failure of its kind, and its cure is told.
func TestTLSFaults(t *testing.T) {
	good, ca := certified(t)
	old, oldCA := certified(t, func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	})
	other, otherCA := certified(t, func(c *x509.Certificate) { c.IPAddresses = nil; c.DNSNames = []string{"example.org"} })
	plain := func(answer string) *server {
		return listen(t, "127.0.0.1:0", func(c *net.TCPConn) { say(c, answer); hold(c) })
	}
	over := func(pair tls.Certificate, change func(*tls.Config)) *server {
		cfg := &tls.Config{Certificates: []tls.Certificate{pair}}
		if change != nil {
			change(cfg)
		}
		return serveTLS(t, cfg, func(c *tls.Conn, _ *http.Request) { say(c, chunkedHead); hold(c) })
	}
	for name, c := range map[string]struct {
		srv        *server
		options    tlsclient.Options
		kind, want string // of the failure; "" for none
	}{
		"unknown":             {over(good, nil), tlsclient.Options{}, "tls", "--ca FILE"},
		"expired":             {over(old, nil), tlsclient.Options{CAFile: oldCA}, "tls", "expired on"},
		"another name":        {over(other, nil), tlsclient.Options{CAFile: otherCA}, "tls", "example.org"},
		"trusted":             {over(good, nil), tlsclient.Options{CAFile: ca}, "", ""},
		"unverified":          {over(old, nil), tlsclient.Options{Insecure: true}, "", ""},
		"a plain port":        {plain("HTTP/1.1 400 Bad Request\r\n\r\n"), tlsclient.Options{}, "tls", "does not speak TLS there"},
		"silent":              {plain(""), tlsclient.Options{}, "timeout", "TLS handshake did not end in time"},
		"hangs up":            {listen(t, "127.0.0.1:0", func(*net.TCPConn) {}), tlsclient.Options{}, "reset", "in the TLS handshake"},
		"wants a certificate": {over(good, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }), tlsclient.Options{CAFile: ca}, "tls", "--cert FILE"},
		"HTTP/2 only":         {over(good, func(c *tls.Config) { c.NextProtos = []string{"spdy"} }), tlsclient.Options{CAFile: ca}, "tls", "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, e := range engines() {
				cfg := Config{URL: secureURL(c.srv), TLS: c.options}
				if c.kind == "timeout" {
					cfg.ConnectTimeout = time.Second
				}
				r := flooded(t, e, cfg, func(got Counts) bool { return got.Failed+uint64(got.Connected) == 1 })
				if failed := len(r.Failures) > 0; failed != (c.kind != "") || failed && (r.Failures[c.kind] != 1 || !strings.Contains(r.Explanation, c.want)) {
					t.Errorf("%s: %v: %q, want %s, %q in it", e.name, r.Failures, r.Explanation, c.kind, c.want)
				}
			}
		})
	}
}

// TestTLSResume: sessions are resumed when that is asked for, and only then.
func TestTLSResume(t *testing.T) {
	pair, ca := certified(t)
	for _, e := range engines() {
		for _, resume := range []bool{false, true} {
			var resumed atomic.Int64
			srv := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{pair}}, func(c *tls.Conn, _ *http.Request) {
				if c.ConnectionState().DidResume {
					resumed.Add(1)
				}
				say(c, chunkedHead)
				hold(c)
			})
			cfg := Config{URL: secureURL(srv), Connections: 20, InFlight: 1, TLS: tlsclient.Options{CAFile: ca}, TLSResume: resume}
			flooded(t, e, cfg, figures{established: 20}.reached)
			if n := resumed.Load(); (n > 0) != resume {
				t.Errorf("%s: %d of 20 sessions were resumed, asked for: %v", e.name, n, resume)
			}
		}
	}
}

// TestPollOverTLS writes more than one request.
func TestPollOverTLS(t *testing.T) {
	pair, ca := certified(t)
	for _, e := range engines() {
		var asked atomic.Int64
		srv := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{pair}}, func(c *tls.Conn, _ *http.Request) {
			in := bufio.NewReader(c)
			for {
				asked.Add(1)
				say(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
				if _, err := http.ReadRequest(in); err != nil || asked.Load() > 20 {
					return
				}
			}
		})
		cfg := Config{URL: secureURL(srv), Protocol: Poll, TLS: tlsclient.Options{CAFile: ca}}
		r := flooded(t, e, cfg, func(c Counts) bool { return c.Chunks >= 10 })
		if r.Failed > 0 || r.Closed > 0 {
			t.Errorf("%s: %+v, %s", e.name, r.Counts, r.Explanation)
		}
	}
}
