//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// capacityFound is what comet capacity writes of what it found.
type capacityFound struct {
	Answer    float64
	StoppedBy struct{ Part, Limit, Evidence, Raise string } `json:"stopped_by"`
}

// findCapacity searches a server of this machine that has a pid.
func findCapacity(t *testing.T, pid string, args ...string) (c capacityFound) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "found")
	args = append([]string{"capacity", "--pid", pid, "--hold", "3s", "--repeat", "1", "--budget", "4m", "--out", folder}, args...)
	out, err := exec.CommandContext(t.Context(), "comet", args...).CombinedOutput()
	t.Logf("comet %s\n%s", strings.Join(args, " "), out)
	if err != nil {
		t.Fatalf("comet capacity: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "capacity.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// listening waits until somebody listens at addr, and returns the pid as text.
func listening(t *testing.T, addr string, server *exec.Cmd) string {
	t.Helper()
	awaitAddr(t, addr)
	return strconv.Itoa(server.Process.Pid)
}

// TestSystemCapacity searches servers that each have another limit: number and limit
// are named, and lifting the limit moves the number. Each takes a minute and a half, so
// that only COMET_CAPACITY=all searches them all.
func TestSystemCapacity(t *testing.T) {
	t.Parallel() // it waits more than it works
	all := os.Getenv("COMET_CAPACITY") == "all"
	for i, c := range []struct {
		name  string
		limit string
		says  string
		// search starts the server with a limit of so much, and searches it.
		search func(t *testing.T, addr string, limit int) capacityFound
		// tight and wide are two limits, and near what is found within a tenth or so.
		tight, wide       int
		nearTight, nearly float64
	}{
		{"nginx with few worker_connections", "its own configuration", "worker_connections", searchNginx, 150, 300, 140, 0.08},
		{"comet serve with few files", "open files", "", searchFewFiles, 250, 400, 186, 0.1},
		{"a server with one slow core", "one processor", "thread", searchSlowCore, 20, 8, 0, 0},
		{"a server with a small backlog", "accept backlog", "listen", searchSmallBacklog, 8, 64, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if i > 0 && !all {
				t.Skip("COMET_CAPACITY=all searches this one, too: make capacity")
			}
			tight := c.search(t, fmt.Sprintf("127.0.89.%d:8089", 2*i+1), c.tight)
			wide := c.search(t, fmt.Sprintf("127.0.89.%d:8089", 2*i+2), c.wide)
			if tight.StoppedBy.Limit != c.limit || !strings.Contains(tight.StoppedBy.Evidence+tight.StoppedBy.Raise, c.says) {
				t.Errorf("stopped by %+v, want %s (%s)", tight.StoppedBy, c.limit, c.says)
			}
			if diff := tight.Answer/c.nearTight - 1; c.nearTight > 0 && (diff > c.nearly || diff < -c.nearly) {
				t.Errorf("it holds %.0f, want some %.0f", tight.Answer, c.nearTight)
			}
			if wide.Answer < 1.3*tight.Answer {
				t.Errorf("with a limit of %d it holds %.0f, with %d only %.0f", c.tight, tight.Answer, c.wide, wide.Answer)
			}
		})
	}
}

func searchNginx(t *testing.T, addr string, limit int) capacityFound {
	t.Helper()
	pid := startNginx(t, addr, 1, limit, `location ~ /sub/(\d+)$ { nchan_subscriber http-chunked; nchan_channel_id $1; }`)
	return findCapacity(t, pid, "--url", "http://"+addr+"/sub/{id}", "-H", "TE: chunked")
}

func searchFewFiles(t *testing.T, addr string, limit int) capacityFound {
	t.Helper()
	admin := strings.Replace(addr, ":8089", ":8090", 1)
	server, _ := background(t, "sh", "-c", fmt.Sprintf("ulimit -n %d; exec comet -q serve --listen %s --admin %s", limit, addr, admin))
	return findCapacity(t, listening(t, addr, server), "--url", "http://"+addr+"/test/{id}")
}

// searchSlowCore searches a server whose thread works for some milliseconds on each
// message.
func searchSlowCore(t *testing.T, addr string, milliseconds int) capacityFound {
	t.Helper()
	server, _ := background(t, "smallserver", "--listen", addr, "--work", fmt.Sprintf("%dms", milliseconds))
	return findCapacity(t, listening(t, addr, server), "--search", "rate", "-c", "20", "--from", "10", "--precision", "10%",
		"--url", "http://"+addr+"/sub/{id}", "--publish", "http://"+addr+"/pub/{id}")
}

// searchSmallBacklog searches a server that accepts now and then, with an accept queue
// of so many. Who finds it full tries again after a second, and is late.
func searchSmallBacklog(t *testing.T, addr string, backlog int) capacityFound {
	t.Helper()
	server, _ := background(t, "smallserver", "--listen", addr, "--backlog", strconv.Itoa(backlog), "--pause", "300ms")
	return findCapacity(t, listening(t, addr, server), "--url", "http://"+addr+"/sub/{id}", "--from", "4", "--precision", "10%",
		"--slo", "errors=0", "--slo", "connect.latency_ms.max<900ms")
}
