package tlsclient

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/comet/server/tlsclient/tlstest"
)

// attempt has a client of these options shake hands with a server at 127.0.0.1, and
// read a byte.
func attempt(t *testing.T, o Options, name string, serve func(net.Conn)) error {
	t.Helper()
	cfg, err := o.Config()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		serve(conn)
		io.Copy(io.Discard, conn) // a reset would eat an alert
	}()
	defer func() { <-served }()
	socket, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	socket.SetDeadline(time.Now().Add(20 * time.Second))
	cfg.ServerName = name
	conn := tls.Client(socket, cfg)
	if err := conn.Handshake(); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}

// by returns a server that shakes hands and writes a byte.
func by(cfg *tls.Config) func(net.Conn) {
	return func(conn net.Conn) {
		secure := tls.Server(conn, cfg)
		if secure.Handshake() == nil {
			secure.Write([]byte("x"))
		}
	}
}

func TestExplain(t *testing.T) {
	ca := tlstest.New(t, nil, tlstest.Authority)
	good := tlstest.New(t, ca)
	self := tlstest.New(t, nil)
	with := func(p *tlstest.Pair, changes ...func(*tls.Config)) func(net.Conn) {
		cfg := &tls.Config{Certificates: []tls.Certificate{p.Certificate}}
		for _, change := range changes {
			change(cfg)
		}
		return by(cfg)
	}
	signed := func(changes ...func(*x509.Certificate)) func(net.Conn) { return with(tlstest.New(t, ca, changes...)) }
	demand := func(c *tls.Config) {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		c.ClientCAs.AddCert(ca.Leaf)
	}
	demand12 := func(c *tls.Config) { demand(c); c.MaxVersion = tls.VersionTLS12 }
	say := func(text string) func(net.Conn) {
		return func(conn net.Conn) { io.WriteString(conn, text) }
	}
	alert := func(number byte) func(net.Conn) { return say("\x15\x03\x03\x00\x02\x02" + string([]byte{number})) }
	forServers := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	trusting := Options{CAFile: ca.CertFile}
	oldCA := tlstest.New(t, nil, tlstest.Authority, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	client := func(p *tlstest.Pair) Options {
		return Options{CAFile: ca.CertFile, CertFile: p.CertFile, KeyFile: p.KeyFile}
	}
	tests := []struct {
		name  string
		o     Options
		host  string
		serve func(net.Conn)
		want  string // "" is success
	}{
		{"trusted", trusting, "localhost", with(good), ""},
		{"by address", trusting, "127.0.0.1", with(good), ""},
		{"its own certificate trusted", Options{CAFile: self.CertFile}, "localhost", with(self), ""},
		{"unknown authority", Options{CAFile: self.CertFile}, "localhost", with(good), "an authority that is not known here (CN=Test CA): give that one's certificate with --ca FILE"},
		{"system's authorities", Options{}, "localhost", with(good), "--ca FILE"},
		{"self-signed", trusting, "localhost", with(self), "signed by itself"},
		{"insecure", Options{Insecure: true}, "example.org", with(self), ""},
		{"expired", trusting, "localhost", signed(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "its certificate expired on "},
		{"expired, insecure", Options{Insecure: true}, "localhost", signed(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), ""},
		{"not yet valid", trusting, "localhost", signed(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), "its certificate is not valid before "},
		{"an authority that expired", Options{CAFile: oldCA.CertFile}, "localhost", with(tlstest.New(t, oldCA)), "a certificate in its chain, Test CA, expired on "},
		{"another name", trusting, "example.org", with(good), "its certificate is for localhost, 127.0.0.1 and not for example.org: "},
		{"another address", trusting, "127.0.0.2", with(good), "not for 127.0.0.2: "},
		{"many names", trusting, "example.org", signed(func(c *x509.Certificate) { c.DNSNames = strings.Fields("a.x b.x c.x d.x e.x f.x") }), "a.x, b.x, c.x, d.x, 3 more and not for example.org: "},
		{"no name", trusting, "localhost", signed(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil }), "names no host"},
		{"not for servers", trusting, "localhost", signed(forServers), "is not for servers"},
		{"signed by none that may", trusting, "localhost", with(tlstest.New(t, good)), "not accepted here|not that of an authority|not known here"},
		{"demands a certificate", trusting, "localhost", with(good, demand), "it demands a certificate of clients: give one that the server knows, with --cert FILE and --key FILE"},
		{"demands a certificate, TLS 1.2", trusting, "localhost", with(good, demand12), "demands a certificate of clients"},
		{"gets one", client(tlstest.New(t, ca)), "localhost", with(good, demand), ""},
		{"gets one, TLS 1.2", client(tlstest.New(t, ca)), "localhost", with(good, demand12), ""},
		{"gets another's", client(self), "localhost", with(good, demand), "demands a certificate of clients"},
		{"gets another's, TLS 1.2", client(self), "localhost", with(good, demand12), "demands a certificate of clients"},
		{"gets an expired one", client(tlstest.New(t, ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })), "localhost", with(good, demand), "client's certificate|demands a certificate"},
		{"too old", trusting, "localhost", with(good, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), "TLS 1.2 and 1.3 are spoken here|too old"},
		{"answers with TLS 1.0", trusting, "localhost", say("\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + strings.Repeat("r", 32) + "\x00\xc0\x13\x00"), "too old"},
		{"HTTP/2 alone", trusting, "localhost", alert(120), "no HTTP/1.1 over TLS"},
		{"no cipher in common", trusting, "localhost", alert(40), "no cipher in common"},
		{"revoked", trusting, "localhost", alert(44), "refuses the client's certificate (revoked certificate)"},
		{"access denied", trusting, "localhost", alert(49), "refuses this client (access denied)"},
		{"unknown name", trusting, "localhost", alert(112), "has no certificate for the name"},
		{"plain HTTP", trusting, "localhost", say("HTTP/1.1 400 Bad Request\r\n\r\n"), "it does not speak TLS there: write http:// instead of https://"},
		{"SSH", trusting, "localhost", say("SSH-2.0-OpenSSH_9.9\r\n"), "it does not speak TLS there"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := attempt(t, test.o, test.host, test.serve)
			fault := Explain(err, "https")
			if test.want == "" {
				if err != nil || fault != nil {
					t.Fatalf("failed: %v", err)
				}
				return
			}
			if err == nil || fault == nil {
				t.Fatalf("%v is explained as %v, want %q", err, fault, test.want)
			}
			named := false
			for want := range strings.SplitSeq(test.want, "|") {
				named = named || strings.Contains(fault.Error(), want)
			}
			if !named || strings.ContainsAny(fault.Error(), "\n\r") || fault.Unwrap() == nil {
				t.Errorf("%v is explained as %q, want %q", err, fault, test.want)
			}
			if again := Explain(fmt.Errorf("wrapped: %w", fault), "https"); again != fault {
				t.Errorf("a fault is explained again, as %v", again)
			}
		})
	}
	for _, err := range []error{nil, io.EOF, os.ErrDeadlineExceeded, &net.OpError{Op: "remote error", Err: io.EOF}} {
		if fault := Explain(err, "https"); fault != nil {
			t.Errorf("%v is explained as %q", err, fault)
		}
	}
	if fault := Explain(tls.RecordHeaderError{}, "wss"); fault == nil || !strings.Contains(fault.Error(), "write ws:// instead of wss://") {
		t.Errorf("of a WebSocket: %v", fault)
	}
	hostile := x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"\x1b[2J\u202e" + strings.Repeat("n", 1000)}}, Host: "h"}
	if fault := Explain(&tls.CertificateVerificationError{Err: hostile}, "https"); fault == nil || strings.ContainsAny(fault.Error(), "\x1b\u202e") || len(fault.Error()) > 500 {
		t.Errorf("of a hostile name: %q", fault)
	}
}

func TestOptions(t *testing.T) {
	p, other := tlstest.New(t, nil), tlstest.New(t, nil)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"give both --cert and --key":               {CertFile: p.CertFile},
		"goes with its key":                        {KeyFile: p.KeyFile},
		"give one of them":                         {CAFile: p.CertFile, Insecure: true},
		"cannot read the authorities of --ca":      {CAFile: p.CertFile + "x"},
		"has no certificate in it":                 {CAFile: p.KeyFile},
		empty + " has no certificate":              {CAFile: empty},
		"cannot use the client's certificate":      {CertFile: p.CertFile, KeyFile: p.KeyFile + "x"},
		"private key does not match":               {CertFile: p.CertFile, KeyFile: other.KeyFile},
		"PEM inputs may have been switched":        {CertFile: p.KeyFile, KeyFile: p.CertFile},
		"failed to find any PEM data in key input": {CertFile: p.CertFile, KeyFile: empty},
	} {
		if _, err := o.Config(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func ExampleExplain() {
	err := error(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"})
	if fault := Explain(err, "https"); fault != nil {
		fmt.Println("cannot reach https://h/:", fault)
	}
	// Output: cannot reach https://h/: it does not speak TLS there: write http:// instead of https://, or name its TLS port
}
