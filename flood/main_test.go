package flood

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"example.org/comet/server/wire"
)

// patience is how long a test waits for what must happen. It decides nothing
// on a machine that works.
const patience = 20 * time.Second

// The benchmarks flood this test binary, started again in a role.
const roleVariable = "COMET_FLOOD_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		serveForBenchmark()
		return
	}
	_ = flag.Set("test.parallel", "8") // they wait for servers that wait; a command line overrides it
	goleak.VerifyTestMain(m)
}

// engine is one of the two clients. Tests run over both.
type engine struct {
	name string
	run  func(*Flood, context.Context) (Result, error)
}

func engines() []engine {
	std := engine{"std", (*Flood).runStd}
	if runtime.GOOS != "linux" {
		return []engine{std}
	}
	return []engine{{"epoll", (*Flood).run}, std}
}

// server is a server over bare sockets, so that it can misbehave.
type server struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	wg    sync.WaitGroup
}

// listen starts a server that has a goroutine for each connection. The
// connection is closed when handle returns, and when the test is over.
func listen(tb testing.TB, address string, handle func(*net.TCPConn)) *server {
	tb.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{Listener: l}
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			s.wg.Go(func() {
				defer c.Close()
				handle(c.(*net.TCPConn))
			})
		}
	})
	tb.Cleanup(s.stop)
	return s
}

func (s *server) stop() {
	s.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *server) url(path string) string { return "http://" + s.Addr().String() + path }

// serve starts a server that reads the head of the request first, and gives it
// to answer.
func serve(tb testing.TB, answer func(c *net.TCPConn, r *http.Request)) *server {
	tb.Helper()
	return listen(tb, "127.0.0.1:0", func(c *net.TCPConn) {
		if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			answer(c, r)
		}
	})
}

// refusing returns an address where nothing listens, nor will while the test runs: its
// port is that of a connection.
func refusing(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}}
	c, err := from.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return netip.MustParseAddrPort(c.LocalAddr().String())
}

// hold keeps a connection until the client closes it.
func hold(c net.Conn) { io.Copy(io.Discard, c) }

func say(c net.Conn, text string) { io.WriteString(c, text) }

const (
	chunkedHead = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"
	rawHead     = "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n"
	eventsHead  = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
)

func chunk(payload string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(payload), payload) }

// message returns a generator's message, as comet sends it.
func message(run wire.Run, n uint64, due time.Time) string { return messageOf(run, 1, n, due) }

func messageOf(run wire.Run, id wire.Sequence, n uint64, due time.Time) string {
	return "Recvd msg #1: '" + string(wire.AppendStamped(nil, n, wire.Stamp{Run: run, Sequence: id, N: n, Due: due.UnixNano()})) + "'<br/>"
}

// messages returns those with the given numbers, of one run, each made by wrap.
func messages(wrap func(string) string, counts ...uint64) string {
	var b strings.Builder
	for _, n := range counts {
		b.WriteString(wrap(message(7, n, time.Now())))
	}
	return b.String()
}

func asIs(s string) string { return s }

// flooded runs a flood until its figures satisfy enough, and returns its
// result. A nil enough leaves the end to cfg.Duration.
func flooded(tb testing.TB, e engine, cfg Config, enough func(Counts) bool) Result {
	tb.Helper()
	f, ctx, cancel := prepared(tb, cfg, enough)
	defer cancel()
	return ran(ctx, tb, e, f)
}

// prepared makes a Flood that a test can change before it runs.
func prepared(tb testing.TB, cfg Config, enough func(Counts) bool) (*Flood, context.Context, context.CancelFunc) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	if cfg.SampleInterval == 0 {
		cfg.SampleInterval = 3 * time.Millisecond
	}
	onSample := cfg.OnSample
	cfg.OnSample = func(s Sample) {
		if onSample != nil {
			onSample(s)
		}
		if enough != nil && enough(s.Counts) {
			cancel()
		}
	}
	f, err := New(cfg)
	if err != nil {
		cancel()
		tb.Fatal(err)
	}
	return f, ctx, cancel
}

func ran(ctx context.Context, tb testing.TB, e engine, f *Flood) Result {
	tb.Helper()
	limited, cancel := f.limit(ctx)
	defer cancel()
	r, err := e.run(f, limited)
	if err != nil {
		tb.Fatal(err)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		tb.Fatalf("the flood did not get so far in %v; it ended with %+v", patience, r)
	}
	return r
}

// loopbacks skips a test where 127.0.0.1 is the only loopback address.
func loopbacks(t *testing.T) []netip.Addr {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux answers on all of 127.0.0.0/8 by itself")
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("127.0.0.4")}
}
