package server

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"

	"example.org/comet/server/adminhttp"
)

// The environment of a process of TLS clients: their number, the server, its
// certificate, and whether they exchange keys by X25519 alone.
const (
	restCount, restAddress = "COMET_TEST_TLS_CLIENTS", "COMET_TEST_TLS_ADDRESS"
	restCA, restX25519     = "COMET_TEST_TLS_CA", "COMET_TEST_TLS_X25519"
)

// BenchmarkTLSAtRest reports what a stream over TLS 1.3 (ECDSA, P-256) costs the
// server at rest after a collection: RSS, heap and stacks, and goroutines. Its
// clients are a process of their own.
//
//	go test ./server -run xxx -bench TLSAtRest -benchtime 1x
func BenchmarkTLSAtRest(b *testing.B) {
	for _, engine := range []Engine{Epoll, Goroutine} {
		for _, curves := range []string{"default", "X25519"} {
			for _, conns := range []int{2_000, 6_000} {
				b.Run(fmt.Sprintf("engine=%s/curves=%s/conns=%d", engine, curves, conns), func(b *testing.B) {
					for b.Loop() {
						restAtTLS(b, engine, curves, conns)
					}
				})
			}
		}
	}
}

func restAtTLS(b *testing.B, engine Engine, curves string, conns int) {
	b.Helper()
	if engine != defaultEngine && defaultEngine != Epoll || adminhttp.ResidentBytes() == nil {
		b.Skipf("not on %s", runtime.GOOS)
	}
	cert, key, _ := testCert(b)
	r := start(b, Config{Engine: engine, TLSCertFile: cert, TLSKeyFile: key})
	warmUp := startTLSClients(b, r, cert, curves, 200)
	r.publish(1, "warm")
	warmUp()
	r.waitForLogins(0)
	rss, heap, goroutines := settled()
	leave := startTLSClients(b, r, cert, curves, conns)
	rssThen, heapThen, goroutinesThen := settled()
	b.ReportMetric(float64(rssThen-rss)/float64(conns), "rss-B/conn")
	b.ReportMetric(float64(heapThen-heap)/float64(conns), "heap-B/conn")
	b.ReportMetric(float64(goroutinesThen-goroutines)/float64(conns), "goroutines/conn")
	leave()
	r.stop()
}

// settled returns what this process uses after a collection.
func settled() (rss, heap int64, goroutines int) {
	debug.FreeOSMemory()
	debug.FreeOSMemory() // what finalizers have let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return *adminhttp.ResidentBytes(), int64(m.HeapAlloc + m.StackInuse), runtime.NumGoroutine()
}

// startTLSClients opens streams from another process, and returns when all have
// their heads. leave ends them.
func startTLSClients(tb testing.TB, r *running, ca, curves string, n int) (leave func()) {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0], "-test.run", "^TestTLSClients$")
	cmd.Env = append(os.Environ(), restCount+"="+strconv.Itoa(n), restAddress+"="+r.Addr().String(), restCA+"="+ca, restX25519+"="+curves)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() || lines.Text() != "connected" {
		tb.Fatalf("the clients say %q", lines.Text())
	}
	return func() {
		input.Close()
		for lines.Scan() {
		}
		if err := cmd.Wait(); err != nil {
			tb.Errorf("the clients: %v", err)
		}
	}
}

// TestTLSClients is the clients of a benchmark, in a process of their own.
func TestTLSClients(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv(restCount))
	if err != nil {
		t.Skip("it runs as a part of BenchmarkTLSAtRest")
	}
	ca, err := os.ReadFile(os.Getenv(restCA))
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS13}
	cfg.RootCAs.AppendCertsFromPEM(ca)
	if os.Getenv(restX25519) == "X25519" {
		cfg.CurvePreferences = []tls.CurveID{tls.X25519}
	}
	conns := make([]*tls.Conn, n)
	var dialing sync.WaitGroup
	places := make(chan struct{}, 20)
	for i := range conns {
		places <- struct{}{}
		dialing.Go(func() {
			defer func() { <-places }()
			conn, err := tls.Dial("tcp", os.Getenv(restAddress), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			conns[i] = conn
			io.WriteString(conn, "GET /test/"+strconv.Itoa(i)+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
			head := make([]byte, len(html11))
			if _, err := io.ReadFull(conn, head); err != nil || !strings.HasPrefix(string(head), "HTTP/1.1 200") {
				t.Errorf("%q, %v", head, err)
			}
		})
	}
	dialing.Wait()
	if !t.Failed() {
		fmt.Println("connected")
	}
	io.Copy(io.Discard, os.Stdin)
	for _, conn := range conns {
		if conn != nil {
			conn.NetConn().Close()
		}
	}
}
