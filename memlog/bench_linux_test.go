package memlog

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/memlog/internal/machine"
	"example.org/comet/memlog/series"
	"example.org/comet/memlog/sockdiag"
)

// BenchmarkManyProcesses takes whole samples of 120,000 connections that eight
// processes hold, with eight more at their other ends. The kernel needs 1.2 GB
// for the sockets, and every process 15,100 files.
func BenchmarkManyProcesses(b *testing.B) {
	const servers, each = 8, 15000
	machine.RaiseFiles(b, each+100)
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		b.Fatal(err)
	}
	free := (uint64(info.Freeram) + uint64(info.Bufferram)) * uint64(info.Unit) //nolint:unconvert // uint32 on 32 bits
	if free < 3<<30 {
		b.Skipf("%d MB of free memory are too few for %d connections", free>>20, servers*each)
	}
	var pids []int32
	var port uint16
	for i := range servers {
		// An address each, or the ports of the clients would run out.
		address := fmt.Sprintf("127.0.1.%d:%d", i+1, port)
		h := start(b, "serve "+address)
		port = netip.MustParseAddrPort(h.first).Port()
		start(b, fmt.Sprintf("dial %s %d", h.first, each))
		pids = append(pids, h.pid())
	}
	s := newSampler(b, Config{PIDs: pids, Listen: []sockdiag.Filter{{Prefix: netip.MustParsePrefix("127.0.1.0/24"), Port: port}}})
	before := machine.OwnCPU(b)
	b.ReportAllocs()
	for b.Loop() {
		u, err := s.Take()
		if err != nil || u.Connections != servers*each || u.Procs != servers {
			b.Fatal(u, err)
		}
	}
	b.ReportMetric((machine.OwnCPU(b)-before)*1e3/float64(b.N), "cpu-ms/sample")
}

// BenchmarkRun is a whole log, with everything that can be asked for, of a
// process with 1,000 connections; each sample is an iteration. It tells how
// far samples are from their deadlines and how much this process has grown since
// the thousandth, when its heap has reached its size.
// With a second between samples, -benchtime 600x is ten minutes; with a
// millisecond, -benchtime 3600x is as many samples as an hour of seconds has.
func BenchmarkRun(b *testing.B) {
	for _, interval := range []time.Duration{time.Millisecond, time.Second} {
		b.Run(fmt.Sprintf("interval=%v", interval), func(b *testing.B) { benchmarkRun(b, interval) })
	}
}

func benchmarkRun(b *testing.B, interval time.Duration) {
	b.Helper()
	const conns = 1000
	h := start(b, "serve")
	local := netip.MustParseAddrPort(h.first)
	start(b, fmt.Sprintf("dial %s %d", h.first, conns))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"connections":1000,"collections_forced":0}`)
	}))
	defer server.Close()
	out, err := series.OpenAppend(b.TempDir() + "/mem.log")
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	out.Millis = true
	samples, next := make(chan series.Sample), make(chan struct{})
	log, err := New(Config{
		PIDs: []int32{h.pid()}, PSS: true, Interval: interval, Out: out, StatsURL: server.URL,
		Listen: []sockdiag.Filter{{Prefix: netip.PrefixFrom(local.Addr(), 32), Port: local.Port()}},
		OnSample: func(s series.Sample) {
			samples <- s
			<-next
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ran := make(chan error, 1)
	go func() { ran <- log.Run(ctx) }()

	var first time.Time
	var late, latest time.Duration
	var n, left, early, unanswered int64
	before := machine.OwnCPU(b)
	for b.Loop() {
		s := <-samples
		if first.IsZero() {
			first = s.Time
		}
		if s.Connections != conns {
			b.Fatalf("%+v", s)
		}
		if own, _ := s.Field("server_conns"); own != "1000" { // it may be too slow, not wrong
			if unanswered++; own != "-" {
				b.Fatalf("%+v", s)
			}
		}
		since := s.Time.Sub(first)
		due := since.Round(interval)
		late = (since - due).Abs()
		latest = max(latest, late)
		left = int64(due/interval) - n // deadlines without a sample
		if n++; n == 1 || n == 1000 {
			early = ownRSS(b)
		}
		next <- struct{}{}
	}
	b.ReportMetric((machine.OwnCPU(b)-before)*1e3/float64(b.N), "cpu-ms/sample")
	b.ReportMetric(late.Seconds()*1e3, "ms-late-last")
	b.ReportMetric(latest.Seconds()*1e3, "ms-late-most")
	b.ReportMetric(float64(left), "left-out")
	b.ReportMetric(float64(unanswered), "unanswered")
	b.ReportMetric(float64(ownRSS(b))/1e3, "rss-KB")
	b.ReportMetric(float64(ownRSS(b)-early)/1e3, "rss-grown-KB")
	cancel()
	select { // a sample may be on its way
	case <-samples:
		next <- struct{}{}
	case err := <-ran:
		ran <- err
	}
	if err := <-ran; err != nil {
		b.Error(err)
	}
}

func ownRSS(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(strings.TrimSpace(string(text)), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}
