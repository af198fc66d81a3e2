//go:build system

package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// TestSystemHistory measures the same nchan three times in a row. It keeps the
// last messages of each channel, as it does by default, and gives them to new
// subscribers: only those of the run that goes on may count. On a busy machine
// nchan itself now and then loses some of what it accepted, so a proxy that records
// the bytes on the wire says what there was to be delivered.
func TestSystemHistory(t *testing.T) {
	const addr, wire, n, rate, seconds, warmUps = "127.0.93.1:8093", "127.0.93.2:8093", 300, 300, 4, 200
	pid := startNchan(t, addr, "nchan_subscriber http-chunked;")
	published, runs := 0, make(map[string]bool)
	for i := range 3 {
		folder := filepath.Join(t.TempDir(), "report")
		seen := recordStreams(t, wire, addr)
		bench := exec.CommandContext(t.Context(), "comet", "bench", "-q", "--url", "http://"+wire+"/sub/{id}", "-H", "TE: chunked",
			"--publish", "http://"+addr+"/pub/{id}", "--pid", pid, "-c", strconv.Itoa(n), "-r", strconv.Itoa(rate), "-d", fmt.Sprintf("%ds", seconds), "--idle", "1s", "--out", folder)
		if out, err := bench.CombinedOutput(); err != nil {
			t.Fatalf("run %d: %v\n%s", i+1, err, out)
		}
		total := nchanStatus(t, addr, "total published messages")
		accepted := total - published - warmUps
		published = total
		var r truthFigures
		checkAccount(t, folder)
		text, err := os.ReadFile(filepath.Join(folder, "result.json"))
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil {
			t.Fatal(err)
		}
		m := r.Messages
		if m.Sent == nil || m.Delivered == nil || m.Missing == nil || m.Replayed == nil {
			t.Fatalf("run %d: %s", i+1, text)
		}
		came := slices.Max(append(slices.Collect(maps.Values(fresh(seen(), runs))), 0))
		t.Logf("run %d: nchan accepted %d, %d came over the wire; sent %d, delivered %d, missing %d, duplicated %d, replayed %d, p99 %.2f ms",
			i+1, accepted, came, *m.Sent, *m.Delivered, *m.Missing, *m.Duplicated, *m.Replayed, *r.Latency.P99)
		if *m.Sent != accepted || *m.Delivered != came || *m.Missing != accepted-came || *m.Duplicated != 0 {
			t.Errorf("run %d: %d sent, %d delivered, %d missing, %d duplicated; nchan accepted %d, and %d came over the wire",
				i+1, *m.Sent, *m.Delivered, *m.Missing, *m.Duplicated, accepted, came)
		}
		if (i > 0) != (*m.Replayed > 0) {
			t.Errorf("run %d: %d messages of earlier runs", i+1, *m.Replayed)
		}
		// 300 connections can be too few to tell, beside the warm-up's 200. A figure
		// that is given must be right: nchan needs some 9,600 bytes.
		if each := r.Memory.PerConnection; each != nil && (i > 0 || *each < 7_500 || *each > 15_000) {
			t.Errorf("run %d: %.0f bytes per connection, from memory of before\n%s", i+1, *each, text)
		}

		if *r.Latency.P99 > 1000 {
			t.Errorf("run %d: p99 is %v ms: messages of an earlier run are in it", i+1, *r.Latency.P99)
		}
	}
}

// fresh returns the counts of the runs that are not in known, and adds them.
func fresh(counts map[string]int, known map[string]bool) map[string]int {
	fresh := maps.Clone(counts)
	maps.DeleteFunc(fresh, func(run string, _ int) bool { return known[run] })
	for run := range counts {
		known[run] = true
	}
	return fresh
}

// recordStreams passes connections on from one address to another, until stop
// is called: it returns how many stamps came back that differ within their
// connection, by the run that they are of.
func recordStreams(t *testing.T, from, to string) (stop func() map[string]int) {
	t.Helper()
	listener, err := net.Listen("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	var (
		mu      sync.Mutex
		streams []*bytes.Buffer
		passing sync.WaitGroup
	)
	pass := func(client net.Conn) {
		defer client.Close()
		server, err := net.Dial("tcp", to)
		if err != nil {
			return
		}
		recorded := new(bytes.Buffer)
		mu.Lock()
		streams = append(streams, recorded)
		mu.Unlock()
		passing.Go(func() {
			io.Copy(server, client)
			server.Close() // which ends the copy below
		})
		io.Copy(io.MultiWriter(client, recorded), server)
	}
	passing.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			passing.Go(func() { pass(client) })
		}
	})
	return func() map[string]int {
		listener.Close()
		passing.Wait() // bench has ended, and with it its connections
		counts := make(map[string]int)
		for _, stream := range streams {
			known := make(map[string]bool)
			for _, stamp := range truthStamp.FindAllSubmatch(stream.Bytes(), -1) {
				if key := string(stamp[1]) + "." + string(stamp[2]) + " " + string(stamp[3]); !known[key] {
					known[key] = true
					counts[string(stamp[1])]++
				}
			}
		}
		return counts
	}
}

// nchanStatus reads a number from nchan's own status page.
func nchanStatus(t *testing.T, addr, what string) int {
	t.Helper()
	answer, err := http.Get("http://" + addr + "/status")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	found := regexp.MustCompile(what + `: (\d+)`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("nchan's status page is %s", text)
	}
	number, _ := strconv.Atoi(string(found[1]))
	return number
}

// TestSystemUnreadable floods streams that flood cannot read. Each must be named
// for what it is.
func TestSystemUnreadable(t *testing.T) {
	t.Parallel() // it waits more than it works
	const addr, nchan = "127.0.94.1:8094", "127.0.94.2:8094"
	startNchan(t, nchan, "nchan_subscriber longpoll;")
	mux := http.NewServeMux()
	mux.HandleFunc("/gzip/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		for range 3 {
			fmt.Fprint(zip, "Fake message Num = 1 s=0badcafe.1 t=17\n")
			zip.Flush()
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	})
	mux.HandleFunc("/silent/{id}", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := &http.Server{Addr: addr, Handler: mux}
	go server.ListenAndServe()
	t.Cleanup(func() { server.Close() })
	for _, test := range []struct{ name, url, says string }{
		{"gzip", "http://" + addr + "/gzip/{id}", `(?i)gzip`},
		{"silent", "http://" + addr + "/silent/{id}", `(?i)long poll|buffer`},
		{"long poll", "http://" + nchan + "/sub/{id}", `(?i)long poll|buffer`},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, _ := exec.CommandContext(t.Context(), "comet", "flood", test.url, "-c", "5", "-d", "5s", "--connect-timeout", "2s").CombinedOutput()
			if !regexp.MustCompile(test.says).Match(out) {
				t.Errorf("flood says\n%s\nand nothing of %s", out, test.says)
			}
		})
	}
}
