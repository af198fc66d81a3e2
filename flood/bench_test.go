package flood

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.org/comet/server/tlsclient"
	"example.org/comet/server/tlsclient/tlstest"
)

// serveForBenchmark serves in a process of its own, so that what it costs is not
// taken for the client's. It prints its address, and ends with its standard input.
func serveForBenchmark() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil && os.Getenv(roleVariable) != "server" {
		l, err = overTLS(l, os.Getenv(roleVariable) == "x25519")
	}
	if err != nil {
		fmt.Println("failed:", err)
		return
	}
	fmt.Println(l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				head := make([]byte, 512)
				if _, err := c.Read(head); err == nil {
					say(c, chunkedHead)
					c.Read(head)
				}
			}()
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

// overTLS returns a listener that speaks TLS, by the key exchange that Go prefers or
// by X25519.
func overTLS(l net.Listener, x25519 bool) (net.Listener, error) {
	pair, err := tls.LoadX509KeyPair(os.Getenv(certVariable), os.Getenv(keyVariable))
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	if x25519 {
		cfg.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	return tls.NewListener(l, cfg), nil
}

// The files of the certificate of the process that is flooded over TLS.
const (
	certVariable = "COMET_FLOOD_TEST_CERT"
	keyVariable  = "COMET_FLOOD_TEST_KEY"
)

// otherProcess starts serveForBenchmark in a role and returns its address.
func otherProcess(b *testing.B, role string) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	pair := tlstest.New(b, nil)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, certVariable+"="+pair.CertFile, keyVariable+"="+pair.KeyFile)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { stdin.Close(); cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "failed") {
		b.Fatal(line, err)
	}
	return strings.TrimSpace(line)
}

// rss returns the memory of this process, in bytes, and ok false where it cannot be
// read.
func rss() (bytes int64, ok bool) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}

// BenchmarkConnect opens the connections, holds them and closes them. B/conn is
// the growth of this process's RSS from before the run to when all are open; it
// holds what one run costs at all, some 300 KB. CPU is user and system time of
// this process alone; the server is another one.
func BenchmarkConnect(b *testing.B) {
	for _, e := range engines() {
		for _, conns := range []int{1_000, 8_000} {
			b.Run(fmt.Sprintf("engine=%s/conns=%d", e.name, conns), func(b *testing.B) {
				url := "http://" + otherProcess(b, "server") + "/test/{id}"
				var seconds, memory, cpu float64
				for b.Loop() {
					debug.FreeOSMemory()
					before, _ := rss()
					usedBefore := cpuTime()
					cfg := Config{URL: url, Connections: conns, ConnectTimeout: patience, OnSample: func(s Sample) {
						if s.Connected == nil {
							return
						}
						cpu += (cpuTime() - usedBefore).Seconds()
						open, _ := rss()
						memory += float64(open - before)
						seconds += s.Connected.ConnectSeconds
					}}
					if runtime.GOOS == "linux" {
						// Ports of other runs may be in TIME_WAIT.
						cfg.Sources = []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("127.0.0.4")}
					}
					r := flooded(b, e, cfg, func(c Counts) bool { return c.Established()+int(c.Failed) == conns })
					if r.Established() != conns {
						b.Fatal(r.Explanation)
					}
				}
				total := float64(conns) * float64(b.N)
				b.ReportMetric(total/seconds, "conns/s")
				if _, ok := rss(); ok {
					b.ReportMetric(memory/total, "B/conn")
				}
				if cpu > 0 {
					b.ReportMetric(cpu/total*10_000, "CPU-s/10kconns")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkTLSAtRest opens connections over TLS 1.3 with an ECDSA certificate and
// holds them. B/conn is the growth of this process's RSS, after a collection, from
// before the run to when all are open; heap-B/conn is that of its heap.
func BenchmarkTLSAtRest(b *testing.B) {
	for _, e := range engines() {
		for _, exchange := range []string{"default", "x25519"} {
			b.Run("engine="+e.name+"/exchange="+exchange, func(b *testing.B) {
				const conns = 6_000
				url := "https://" + otherProcess(b, exchange) + "/test/{id}"
				var memory, heap float64
				for b.Loop() {
					heapBefore, before := collected()
					f, ctx, cancel := prepared(b, Config{URL: url, Connections: conns, TLS: tlsclient.Options{Insecure: true}, ConnectTimeout: patience, InFlight: 64, OnSample: func(s Sample) {
						if s.Connected != nil && s.Counts.Connected == conns {
							time.Sleep(time.Second)
							heapAfter, after := collected()
							memory, heap = memory+after-before, heap+heapAfter-heapBefore
						}
					}}, func(c Counts) bool { return c.Connected == conns && memory > 0 })
					r := ran(ctx, b, e, f)
					cancel()
					if r.Established() != conns {
						b.Fatal(r.Explanation)
					}
				}
				b.ReportMetric(memory/conns/float64(b.N), "B/conn")
				b.ReportMetric(heap/conns/float64(b.N), "heap-B/conn")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// collected returns the heap and the RSS after a collection.
func collected() (heap, resident float64) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	pages, _ := rss()
	return float64(m.HeapAlloc), float64(pages)
}

// BenchmarkReceive reads stamped chunks as fast as one connection brings them.
func BenchmarkReceive(b *testing.B) {
	const messages, chunks = 100_000, 100
	for _, e := range engines() {
		b.Run("engine="+e.name+"/conns=1", func(b *testing.B) {
			text := chunkedHead
			for n := range messages / chunks {
				text += chunk(message(7, uint64(n+1), time.Now()))
			}
			_, body, _ := strings.Cut(text, "\r\n\r\n")
			srv := serve(b, func(c *net.TCPConn, _ *http.Request) {
				say(c, chunkedHead)
				for range chunks {
					say(c, body)
				}
				hold(c)
			})
			var seconds float64
			for b.Loop() {
				r := flooded(b, e, Config{URL: srv.url("/")}, func(c Counts) bool { return c.Stamped == messages })
				seconds += r.MessageSeconds
			}
			b.ReportMetric(float64(b.N)*messages/seconds, "msgs/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}
