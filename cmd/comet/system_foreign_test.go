//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"example.org/comet/memlog/series"
)

// TestSystemBenchNchan is the whole experiment with a server that is not ours,
// and ps and nchan itself as second witnesses.
func TestSystemBenchNchan(t *testing.T) {
	t.Parallel() // it waits more than it works
	ps := need(t, "ps")
	const addr, n, rate, seconds = "127.0.92.1:8092", 1000, 500, 5
	pid := startNchan(t, addr, "nchan_subscriber http-chunked; nchan_subscriber_first_message newest;")
	psRSS := func() (kb int64) {
		for field := range strings.FieldsSeq(run(t, ps, "-o", "rss=", "--pid", pid, "--ppid", pid)) {
			one, _ := strconv.ParseInt(field, 10, 64)
			kb += one
		}
		return kb
	}
	folder := filepath.Join(t.TempDir(), "report")
	bench, _ := background(t, "comet", "bench", "--url", "http://"+addr+"/sub/{id}", "-H", "TE: chunked", "--publish", "http://"+addr+"/pub/{id}",
		"--pid", pid, "-c", strconv.Itoa(n), "-r", strconv.Itoa(rate), "-d", fmt.Sprintf("%ds", seconds), "--out", folder)

	// While the last messages are waited for nothing changes any more: what ps
	// says then is what the end of the log must say.
	status := func(what string) int { return nchanStatus(t, addr, what) }
	eventually(t, "all connections are there", func() bool { return status("subscribers") == n })
	const warmUps = 200
	eventually(t, "all messages are published", func() bool { return status("total published messages") == warmUps+rate*seconds })
	subscribers, published, kb := status("subscribers"), status("total published messages"), psRSS()
	eventually(t, "bench has ended", func() bool { return ended(bench) })
	if code := bench.ProcessState.ExitCode(); code != 0 {
		t.Errorf("bench's exit code is %d", code)
	}

	var r struct {
		Connections struct{ Established, Closed int }
		Memory      struct {
			RSSStart   float64  `json:"rss_start_bytes"`
			RSSEnd     float64  `json:"rss_end_bytes"`
			PerConn    float64  `json:"bytes_per_connection"`
			PerConnGCd *float64 `json:"bytes_per_connection_after_gc"`
		}
		Messages struct {
			Sent, Delivered, Missing     int
			Routed, Dropped, Unaddressed *int
		}
		Latency   struct{ P50, P99 float64 } `json:"latency_ms"`
		CPU       map[string]*float64
		LimitedBy []any `json:"limited_by"`
	}
	checkAccount(t, folder)
	text, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f bytes a connection; RSS at the end %.0f kB, ps %d kB; %d connections, nchan's own %d; p50 %.2f ms, p99 %.2f ms; limited by %v",
		r.Memory.PerConn, r.Memory.RSSEnd/1024, kb, r.Connections.Established, subscribers, r.Latency.P50, r.Latency.P99, r.LimitedBy)
	if r.Connections.Established != subscribers || r.Connections.Closed != 0 {
		t.Errorf("%d connections, of which %d closed; nchan counts %d", r.Connections.Established, r.Connections.Closed, subscribers)
	}
	if m := r.Messages; m.Sent != rate*seconds || m.Sent != published-warmUps || m.Delivered != m.Sent || m.Missing != 0 {
		t.Errorf("%+v; want all %d sent and delivered: nchan has %d, with those of the warm-up", m, rate*seconds, published)
	}
	if m := r.Messages; m.Routed != nil || m.Dropped != nil || m.Unaddressed != nil || r.Memory.PerConnGCd != nil {
		t.Errorf("%+v has a figure that nobody told", r)
	}
	if diff := r.Memory.RSSEnd/1024 - float64(kb); diff < -float64(kb)/50 || diff > float64(kb)/50 {
		t.Errorf("at the end RSS is %.0f kB, and %d kB by ps", r.Memory.RSSEnd/1024, kb)
	}
	if r.Memory.PerConn <= 0 || r.Memory.RSSStart <= 0 || r.Memory.RSSEnd <= r.Memory.RSSStart {
		t.Errorf("%+v", r.Memory)
	}
	if cpu := r.CPU["server_seconds"]; cpu == nil || *cpu <= 0 {
		t.Error("the server has used no processor time")
	}
	file, err := os.Open(filepath.Join(folder, "mem.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	samples, malformed, err := series.ReadAll(file, "mem.log")
	if err != nil || len(malformed) > 0 {
		t.Fatal(err, malformed)
	}
	highest := int64(0)
	for _, s := range samples {
		highest = max(highest, s.Connections)
	}
	// The connections that messages are published over are among them.
	if highest < n || highest > n+16+4 {
		t.Errorf("the log's highest count is %d, of %d streams and 16 publishers", highest, n)
	}
}

// TestSystemBenchNchanRooms: ten rooms of twenty on a server that is not ours, whose own
// count of subscribers and messages is the second witness.
func TestSystemBenchNchanRooms(t *testing.T) {
	t.Parallel() // it waits more than it works
	const addr, n, each, sent = "127.0.93.1:8093", 200, 20, 150
	startNchan(t, addr, "nchan_subscriber http-chunked; nchan_subscriber_first_message newest;")
	folder := filepath.Join(t.TempDir(), "report")
	run(t, "comet", "bench", "-q", "--url", "http://"+addr+"/sub/{id}", "-H", "TE: chunked", "--publish", "http://"+addr+"/pub/{id}",
		"-c", strconv.Itoa(n), "--subscribers", strconv.Itoa(each), "-r", "50", "-d", "3s", "--idle", "1s", "--out", folder)
	const warmUps = n / each // one message to each room
	if published := nchanStatus(t, addr, "total published messages"); published != warmUps+sent {
		t.Errorf("nchan has %d messages, want %d and those of the warm-up", published, sent)
	}
	var r struct {
		Messages struct{ Sent, Expected, Delivered, Missing, Duplicated, Reordered int }
		FanOut   struct{ First, P50, P99, Last float64 } `json:"fanout_ms"`
	}
	text, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	if m := r.Messages; m.Sent != sent || m.Expected != sent*each || m.Delivered != sent*each || m.Missing+m.Duplicated+m.Reordered != 0 {
		t.Errorf("%+v, want %d messages to %d each", m, sent, each)
	}
	if f := r.FanOut; f.First <= 0 || f.P50 < f.First || f.P99 < f.P50 || f.Last < f.P99 {
		t.Errorf("%+v", f)
	}
}
