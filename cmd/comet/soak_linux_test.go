//go:build system

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"example.org/comet/plots"
)

// TestSoak holds 10,000 connections, of which 1 % leave and return each minute, and
// sends them 1000 messages per second for SOAK_MINUTES. In the last three quarters of
// that the server's memory, files and goroutines must not grow, and no message may be
// missing that was not sent to somebody who was away. The log of the memory and its
// picture are left in SOAK_OUT.
func TestSoak(t *testing.T) {
	const connections = 10_000
	minutes := chaosSetting(t, "SOAK_MINUTES", 60)
	folder := os.Getenv("SOAK_OUT")
	if folder == "" {
		folder = t.TempDir()
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(folder, "soak.log")
	if _, err := os.Stat(log); err == nil {
		t.Fatalf("%s is there already: name another folder in SOAK_OUT", log)
	}
	server, addr, admin := startServer(t)
	// A minute is 60 s, and 1 % of 10,000 are 100.
	cmd, out := background(t, "comet", "flood", "--json", "http://"+addr+"/events/{id}", "-c", fmt.Sprint(connections), "--source-ip", "127.0.0.2-127.0.0.9",
		"--churn", "0.016667%/s", "--reconnect", "min=100ms,max=1s,jitter=full")
	flood := &floodRun{cmd, out}
	flood.await(t, connections)
	background(t, "comet", "memlog", "--pid", strconv.Itoa(server.Process.Pid), "--listen", addr, "--interval", "1s", "--out", log)
	sender, sent := background(t, "comet", "msggen", "--json", "--to", "http://"+admin+"/send", "--rate", "1000", "--max-id", fmt.Sprint(connections), "--distribution", "sequential")
	generator := &generator{sender, sent}

	var rss, files, goroutines []float64
	for i := range 60 * minutes { // a sample each second
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
		// Being asked costs the server memory: it is asked seldom, and from the start.
		if i%60 == 0 {
			n := goroutinesOf(t, admin)
			if i >= 15*minutes {
				goroutines = append(goroutines, n)
			}
		}
		if i < 15*minutes { // the first quarter
			continue
		}
		rss = append(rss, rssOf(t, server.Process.Pid))
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", server.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, float64(len(entries)))
	}
	counts := generator.stop(t)
	flood.settle(t)
	got := flood.returned(t)
	for what, values := range map[string][]float64{"resident bytes": rss, "open files": files, "goroutines": goroutines} {
		at := make([]float64, len(values)) // they are taken at equal times
		for i := range at {
			at[i] = float64(i)
		}
		g := plots.GrowthOf(what, at, values)
		t.Logf("%s: %.0f at first, risen by %.0f in %d minutes, scatter %.0f", what, g.From, g.To-g.From, minutes*3/4, g.Scatter)
		if g.Rises() {
			t.Errorf("the %s of the server grow by %.0f, which is more than their scatter of %.0f", what, g.To-g.From, g.Scatter)
		}
	}
	t.Logf("%s; delivered %d, missed while away %d; %d left and came back", counts, got.Delivered, got.Reconnect.MissedOffline, got.Reconnect.Back)
	if missed := got.Reconnect.MissedOffline; counts.Refused+counts.Unknown > 0 || counts.Sent != got.Delivered+missed || got.Missing != missed || got.Duplicated > 0 || got.Failed > 0 {
		t.Errorf("%s; delivered %d, missed while away %d of %d missing, duplicates %d, failed %d", counts, got.Delivered, missed, got.Missing, got.Duplicated, got.Failed)
	}
	run(t, "comet", "plot", "-o", filepath.Join(folder, "soak.png"), "--size", "900x500", "--title", "10,000 connections, 1000 messages per second, 1 % churn per minute", log)
}

// rssOf returns the resident bytes of a process.
func rssOf(t *testing.T, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return float64(resident * os.Getpagesize())
}
