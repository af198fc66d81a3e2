//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// truthFigures are the figures of a result that a truth server can check.
type truthFigures struct {
	Messages struct{ Sent, Delivered, Duplicated, Reordered, Missing, Replayed, Expected, Refused, Unknown *int }
	Latency  struct {
		P50, P90, P99 *float64
		BeforeDue     *int     `json:"before_due"`
		ClockError    *float64 `json:"clock_error_ms"`
	} `json:"latency_ms"`
	Memory struct {
		PerConnection *float64 `json:"bytes_per_connection"`
	}
	Histograms struct{ Latency *string }
}

// every returns a fault of each k-th message.
func every(k, from int) func(int) bool { return func(n int) bool { return n%k == from } }

// TestSystemTruth runs bench against a server that delays, loses, duplicates,
// reorders, replays, stalls, skews and re-cuts on purpose. Counts must agree
// with the server's own log of its writes exactly, p50 and p90 within 1 ms in
// the best of three runs: a busy machine is no fault of bench.
func TestSystemTruth(t *testing.T) {
	const (
		text    = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
		old     = "HTTP/1.0 200 OK\r\n\r\n"
		events  = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
		someone = 20 * time.Millisecond
	)
	constant := func(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }
	cases := []struct {
		name   string
		faults faults
		code   int
		args   []string
	}{
		{name: "nothing"},
		{name: "lose", faults: faults{lose: every(7, 3)}},
		{name: "refuse", faults: faults{refuse: every(5, 2)}, code: 1},
		{name: "duplicate", faults: faults{duplicate: every(6, 1)}},
		{name: "reorder", faults: faults{reorder: every(9, 4)}},
		{name: "replay", faults: faults{history: 30}},
		{name: "company", faults: faults{foreign: every(3, 0)}},
		{name: "delay", faults: faults{delay: constant(someone)}},
		{name: "stall", faults: faults{stallAt: 500 * time.Millisecond, stallFor: 700 * time.Millisecond}},
		{name: "behind", faults: faults{skew: constant(-someone)}},
		{name: "ahead", faults: faults{skew: constant(time.Hour)}},
		{name: "ahead now and then", faults: faults{skew: func(n int) time.Duration {
			if n%10 == 0 {
				return time.Hour
			}
			return 0
		}}},
		{name: "bytes", faults: faults{cut: byteChunks}},
		{name: "random cuts", faults: faults{cut: randomChunks}},
		{name: "unframed", faults: faults{cut: unframed, head: text}},
		{name: "HTTP/1.0", faults: faults{cut: unframed, head: old}},
		{name: "events", faults: faults{cut: asEvent, head: events}},
		{name: "two streams for each id", args: []string{"--ids", "1-20"}},
		{name: "all together", code: 1, faults: faults{
			lose: every(7, 3), refuse: every(11, 2), duplicate: every(6, 1), reorder: every(9, 4), history: 10,
			foreign: every(5, 0), delay: func(n int) time.Duration { return time.Duration(n%4) * 5 * time.Millisecond }, cut: randomChunks,
		}},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for try := 1; ; try++ {
				server := startTruth(t, fmt.Sprintf("127.31.%d.%d:8077", i, try), c.faults)
				late := lateness(t)
				figures := benchTruth(t, server, c.code, c.args...)
				share := late()
				found := server.found()
				compareCounts(t, figures, found)
				off := latencyOff(figures, found)
				if t.Failed() || off == "" {
					return
				}
				t.Logf("try %d, %.1f %% of this test's own timers more than 0.5 ms late: %s", try, 100*share, off)
				switch {
				case try < 3:
				case share < 0.02:
					t.Fatal(off)
				default:
					t.Log("the machine is too busy to tell a millisecond: the latency is not checked")
					return
				}
			}
		})
	}
}

// lateness measures, until the returned function is called, what share of timers
// fires more than half a millisecond late: a busy machine is no fault of bench.
func lateness(t *testing.T) (share func() float64) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan float64, 1)
	go func() {
		late, n := 0.0, 0.0
		for {
			select {
			case <-stop:
				done <- late / max(n, 1)
				return
			default:
			}
			begun := time.Now()
			time.Sleep(2 * time.Millisecond)
			if n++; time.Since(begun) > 2500*time.Microsecond {
				late++
			}
		}
	}()
	return func() float64 {
		close(stop)
		return <-done
	}
}

// benchTruth runs bench against s and returns its figures.
func benchTruth(t *testing.T, s *truthServer, code int, args ...string) (f truthFigures) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), fmt.Sprint(rand.Uint64()))
	bench := exec.CommandContext(t.Context(), "comet", append([]string{
		"bench", "-q", "--url", "http://" + s.addr + "/sub/{id}", "--publish", "http://" + s.addr + "/pub/{id}",
		"-c", "40", "-r", "300", "-d", "2s", "--idle", "1s", "--out", folder,
	}, args...)...)
	out, _ := bench.CombinedOutput()
	if got := bench.ProcessState.ExitCode(); got != code {
		t.Fatalf("bench exits %d, want %d:\n%s", got, code, out)
	}
	checkAccount(t, folder)
	text, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func compareCounts(t *testing.T, f truthFigures, found truth) {
	t.Helper()
	for _, c := range []struct {
		name string
		got  *int
		want int
	}{
		{"sent", f.Messages.Sent, found.sent},
		{"delivered", f.Messages.Delivered, found.delivered},
		{"duplicated", f.Messages.Duplicated, found.duplicated},
		{"reordered", f.Messages.Reordered, found.reordered},
		{"missing", f.Messages.Missing, found.missing},
		{"replayed", f.Messages.Replayed, found.replayed},
		{"before_due", f.Latency.BeforeDue, found.beforeDue},
	} {
		switch {
		case c.got == nil:
			t.Errorf("%s is null, the server's log has %d", c.name, c.want)
		case *c.got != c.want:
			t.Errorf("%s is %d, the server's log has %d", c.name, *c.got, c.want)
		}
	}
}

// latencyOff returns which percentiles are more than 1 ms from the server's log, ""
// if none is: p50 and p90 of the result, and each from 1 to 99 of its histogram.
// Once a message came before it was due, by an hour here, each must be null: no
// percentile is above such an error of the clocks.
func latencyOff(f truthFigures, found truth) string {
	var off []string
	differ := func(name string, got *float64, q float64) {
		// Where messages are few and their latencies far apart, the next rank may
		// be milliseconds away.
		rank := 1 / float64(max(len(found.latency), 1))
		want := found.quantile(q).Seconds() * 1000
		least, most := found.quantile(max(q-rank, 0)).Seconds()*1000, found.quantile(min(q+rank, 1)).Seconds()*1000
		switch {
		case found.beforeDue > 0 && got == nil:
		case found.beforeDue > 0:
			off = append(off, fmt.Sprintf("%s is %.3f ms, and a clock is an hour off", name, *got))
		case got == nil:
			off = append(off, fmt.Sprintf("%s is null, the server's log has %.3f ms", name, want))
		case *got < least-1 || *got > most+1:
			off = append(off, fmt.Sprintf("%s is %.3f ms, the server's log has %.3f ms", name, *got, want))
		}
	}
	differ("p50", f.Latency.P50, 0.5)
	differ("p90", f.Latency.P90, 0.9)
	if found.beforeDue > 0 {
		return strings.Join(off, "; ")
	}
	if f.Histograms.Latency == nil {
		return "histograms.latency is null"
	}
	h, err := hdrhistogram.Decode([]byte(*f.Histograms.Latency))
	if err != nil {
		return err.Error()
	}
	for percent := 1; percent < 100; percent++ {
		ms := float64(h.ValueAtPercentile(float64(percent))) / 1000
		differ(fmt.Sprintf("the histogram's p%d", percent), &ms, float64(percent)/100)
	}
	return strings.Join(off, "; ")
}
