package tlsfd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	mrand "math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"example.org/comet/server/tlsclient/tlstest"
)

// testConfigs returns a server's config with a fresh ECDSA certificate for
// example.org, and a client's that trusts it.
func testConfigs(tb testing.TB) (server, client *tls.Config) {
	tb.Helper()
	p := tlstest.New(tb, nil, func(c *x509.Certificate) { c.DNSNames = []string{"example.org"} })
	roots := x509.NewCertPool()
	roots.AddCert(p.Leaf)
	return &tls.Config{Certificates: []tls.Certificate{p.Certificate}}, &tls.Config{RootCAs: roots, ServerName: "example.org"}
}

// pair is two ends and how bytes go from one to the other: most at once at the
// most, which 0 leaves open.
type pair struct {
	client, server *Conn
	most           int
}

// carry moves what each end has to send, and reports whether there was any.
func (p *pair) carry() bool {
	moved := false
	for _, way := range [][2]*Conn{{p.client, p.server}, {p.server, p.client}} {
		out := way[0].Output()
		if p.most > 0 {
			out = out[:min(len(out), p.most)]
		}
		if len(out) == 0 {
			continue
		}
		// The receiver borrows what it is fed, and Sent gives the buffer back.
		way[1].Feed(bytes.Clone(out))
		way[0].Sent(len(out))
		moved = true
	}
	return moved
}

// shake runs both handshakes to their ends.
func (p *pair) shake(ctx context.Context) (clientErr, serverErr error) {
	woken := make(chan struct{}, 1)
	wake := func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}
	var both sync.WaitGroup
	both.Go(func() { clientErr = p.client.Handshake(ctx, wake) })
	both.Go(func() { serverErr = p.server.Handshake(ctx, wake) })
	done := make(chan struct{})
	go func() {
		both.Wait()
		close(done)
	}()
	for {
		select {
		case <-woken:
			for p.carry() {
			}
		case <-done:
			for p.carry() {
			}
			return clientErr, serverErr
		}
	}
}

func newPair(tb testing.TB, most int) *pair {
	tb.Helper()
	server, client := testConfigs(tb)
	p := &pair{client: Client(client), server: Server(server), most: most}
	if clientErr, serverErr := p.shake(tb.Context()); clientErr != nil || serverErr != nil {
		tb.Fatal(clientErr, serverErr)
	}
	return p
}

// readAll reads until more must be fed.
func readAll(t *testing.T, c *Conn) (all []byte, err error) {
	t.Helper()
	buffer := make([]byte, 5000)
	for {
		n, err := c.Read(buffer)
		all = append(all, buffer[:n]...)
		if errors.Is(err, ErrAgain) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// TestBothWays sends messages of many sizes, cut into pieces of every size.
func TestBothWays(t *testing.T) {
	for _, most := range []int{0, 1, 5, 1000} {
		p := newPair(t, most)
		for _, size := range []int{1, 100, 16 << 10, 100_000} {
			if most == 1 && size > 1000 {
				continue
			}
			text := make([]byte, size)
			for i := range text {
				text[i] = byte(mrand.Int())
			}
			for _, way := range [][2]*Conn{{p.client, p.server}, {p.server, p.client}} {
				if n, err := way[0].Write(text); n != size || err != nil {
					t.Fatal(n, err)
				}
				var got []byte
				for p.carry() {
					for _, end := range []*Conn{p.client, p.server} {
						piece, err := readAll(t, end)
						if err != nil {
							t.Fatal(err)
						}
						if end == way[1] {
							got = append(got, piece...)
						} else if len(piece) > 0 {
							t.Errorf("the sender reads %d bytes", len(piece))
						}
					}
				}
				if !bytes.Equal(got, text) {
					t.Errorf("of %d bytes, %d at once, %d came or others", size, most, len(got))
				}
			}
		}
		if p.client.wire.in != nil || p.client.wire.out != nil || p.server.wire.in != nil || p.server.wire.out != nil {
			t.Error("an end at rest holds a buffer")
		}
	}
}

// TestFeedBeforeTheFirstRead: what comes as a handshake ends is copied, since the
// loop reads into the same buffer again before it knows of the end.
func TestFeedBeforeTheFirstRead(t *testing.T) {
	p := newPair(t, 0)
	for round, want := range []string{"first", "second"} {
		if _, err := p.server.Write([]byte(want)); err != nil {
			t.Fatal(err)
		}
		out := p.server.Output()
		buffer := bytes.Clone(out)
		p.server.Sent(len(out))
		p.client.Feed(buffer)
		if round == 0 {
			clear(buffer) // the loop's buffer is its own again
		}
		if got, err := readAll(t, p.client); err != nil || string(got) != want {
			t.Errorf("round %d: %q, %v; want %q", round, got, err, want)
		}
	}
}

func TestEnds(t *testing.T) {
	p := newPair(t, 0)
	if err := p.server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	p.carry()
	p.client.EOF()
	if _, err := readAll(t, p.client); !errors.Is(err, io.EOF) {
		t.Errorf("after a close_notify: %v", err)
	}
	p = newPair(t, 0)
	if _, err := readAll(t, p.client); err != nil {
		t.Fatal(err) // the tickets
	}
	p.client.EOF()
	if _, err := readAll(t, p.client); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after the end of the socket alone: %v", err)
	}
	p = newPair(t, 0)
	p.client.Feed([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	if _, err := readAll(t, p.client); err == nil || len(p.client.Output()) == 0 {
		t.Errorf("after what is no record: %v, with %d bytes of an alert", err, len(p.client.Output()))
	}
}

func TestHandshakeFails(t *testing.T) {
	server, client := testConfigs(t)
	p := &pair{client: Client(&tls.Config{ServerName: "example.org", RootCAs: x509.NewCertPool()}), server: Server(server)}
	clientErr, serverErr := p.shake(t.Context())
	if _, ok := errors.AsType[x509.UnknownAuthorityError](clientErr); !ok {
		t.Errorf("an authority that nobody knows: %v", clientErr)
	}
	if serverErr == nil || !strings.Contains(serverErr.Error(), "bad certificate") && !strings.Contains(serverErr.Error(), "unknown certificate") {
		t.Errorf("the server is told %v", serverErr)
	}

	other := client.Clone()
	other.ServerName = "example.net"
	p = &pair{client: Client(other), server: Server(server)}
	clientErr, _ = p.shake(t.Context())
	if _, ok := errors.AsType[x509.HostnameError](clientErr); !ok {
		t.Errorf("another name: %v", clientErr)
	}

	c := Client(client)
	c.Feed([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	err := c.Handshake(t.Context(), func() {})
	if _, ok := errors.AsType[tls.RecordHeaderError](err); !ok {
		t.Errorf("a server that speaks HTTP: %v", err)
	}

	c = Client(client)
	c.EOF()
	if err := c.Handshake(t.Context(), func() {}); !errors.Is(err, io.EOF) {
		t.Errorf("a socket that ends: %v", err)
	}

	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	woken := make(chan struct{}, 1)
	go func() {
		<-woken
		cancel(gone)
	}()
	if err := Client(client).Handshake(ctx, func() { woken <- struct{}{} }); !errors.Is(err, gone) {
		t.Errorf("a context that ends: %v", err)
	}
}

// TestAgainstStandardLibrary has crypto/tls over real sockets as the other end.
func TestAgainstStandardLibrary(t *testing.T) {
	serverConfig, clientConfig := testConfigs(t)
	clientConfig.NextProtos, serverConfig.NextProtos = []string{"http/1.1"}, []string{"http/1.1"}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, ours := range []string{"client", "server"} {
		t.Run(ours, func(t *testing.T) {
			dialed := make(chan net.Conn, 1)
			go func() {
				c, err := net.Dial("tcp", listener.Addr().String())
				if err != nil {
					t.Error(err)
				}
				dialed <- c
			}()
			accepted, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			near, far := <-dialed, accepted
			end, other := Client(clientConfig), tls.Server(far, serverConfig)
			if ours == "server" {
				end, other = Server(serverConfig), tls.Client(far, clientConfig)
			}
			defer near.Close()
			defer far.Close()
			go io.Copy(other, other) // an echo, which shakes hands first
			drive(t, end, near)
		})
	}
}

// drive does for one end what an event loop does: one goroutine reads and
// writes, with the handshake in another.
func drive(t *testing.T, end *Conn, socket net.Conn) {
	t.Helper()
	flush := func() {
		for out := end.Output(); len(out) > 0; out = end.Output() {
			n, err := socket.Write(out)
			if err != nil {
				t.Error(err)
				return
			}
			end.Sent(n)
		}
	}
	var sending sync.Mutex
	wake := func() {
		sending.Lock()
		defer sending.Unlock()
		flush()
	}
	shaken := make(chan error, 1)
	fed := make(chan []byte)
	go func() {
		defer close(fed)
		for {
			buffer := make([]byte, 2000)
			n, err := socket.Read(buffer)
			if err != nil {
				return
			}
			fed <- buffer[:n]
		}
	}()
	go func() { shaken <- end.Handshake(t.Context(), wake) }()
	text := []byte(strings.Repeat("hello ", 10_000))
	var got []byte
	for len(got) < len(text) {
		select {
		case err := <-shaken:
			if err != nil {
				t.Fatal(err)
			}
			shaken = nil
			if protocol := end.State().NegotiatedProtocol; protocol != "http/1.1" {
				t.Errorf("ALPN agreed on %q", protocol)
			}
			if _, err := end.Write(text); err != nil {
				t.Fatal(err)
			}
			go wake() // the echo fills the socket while we write
		case b, open := <-fed:
			if !open {
				t.Fatal("the socket has ended")
			}
			end.Feed(b)
			if shaken == nil {
				piece, err := readAll(t, end)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, piece...)
			}
		}
	}
	if !bytes.Equal(got, text) {
		t.Error("what comes back is not what was sent")
	}
	socket.Close()
	for range fed { // until the reader has ended
	}
}

// BenchmarkAtRest prints what a connection holds at rest: both ends, and the
// client's alone as the half of it.
func BenchmarkAtRest(b *testing.B) {
	for name, curves := range map[string][]tls.CurveID{"default": nil, "X25519": {tls.X25519}} {
		b.Run("curves="+name, func(b *testing.B) {
			server, client := testConfigs(b)
			server.CurvePreferences, client.CurvePreferences = curves, curves
			const n = 500
			heap := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc + m.StackInuse
			}
			for b.Loop() {
				before := heap()
				pairs := make([]*pair, n)
				for i := range pairs {
					p := &pair{client: Client(client), server: Server(server)}
					if clientErr, serverErr := p.shake(b.Context()); clientErr != nil || serverErr != nil {
						b.Fatal(clientErr, serverErr)
					}
					_, _ = p.client.Read(make([]byte, 100)) // the tickets
					pairs[i] = p
				}
				b.ReportMetric(float64(heap()-before)/(2*n), "B/end")
				runtime.KeepAlive(pairs)
			}
		})
	}
}
