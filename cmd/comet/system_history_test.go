//go:build system

package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
)

// TestSystemHistory measures the same nchan three times in a row. It keeps the
// last messages of each channel, as it does by default, and gives them to new
// subscribers: only those of the run that goes on may count.
func TestSystemHistory(t *testing.T) {
	const addr, n, rate, seconds, warmUps = "127.0.93.1:8093", 300, 300, 4, 200
	pid := startNchan(t, addr, "nchan_subscriber http-chunked;")
	published := 0
	for i := range 3 {
		folder := filepath.Join(t.TempDir(), "report")
		bench := exec.CommandContext(t.Context(), "comet", "bench", "-q", "--url", "http://"+addr+"/sub/{id}", "-H", "TE: chunked",
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
		t.Logf("run %d: nchan accepted %d; sent %d, delivered %d, missing %d, duplicated %d, replayed %d, p99 %.2f ms",
			i+1, accepted, *m.Sent, *m.Delivered, *m.Missing, *m.Duplicated, *m.Replayed, *r.Latency.P99)
		if *m.Sent != accepted || *m.Delivered != accepted || *m.Missing != 0 || *m.Duplicated != 0 {
			t.Errorf("run %d: %d sent, %d delivered, %d missing, %d duplicated; nchan accepted %d", i+1, *m.Sent, *m.Delivered, *m.Missing, *m.Duplicated, accepted)
		}
		if (i > 0) != (*m.Replayed > 0) {
			t.Errorf("run %d: %d messages of earlier runs", i+1, *m.Replayed)
		}
		if m := r.Memory.PerConnection; i > 0 && m != nil || i == 0 && (m == nil || *m <= 0) {
			t.Errorf("run %d: memory per connection is in\n%s\nwant it for a fresh nchan alone", i+1, text)
		}
		if *r.Latency.P99 > 1000 {
			t.Errorf("run %d: p99 is %v ms: messages of an earlier run are in it", i+1, *r.Latency.P99)
		}
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
