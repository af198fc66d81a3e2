//go:build system

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// startNATS starts the distribution's nats-server, which is another version than
// the one in comet: n of them, in a cluster if there are several.
func startNATS(t *testing.T, n int) (urls []string) {
	t.Helper()
	program := need(t, "nats-server")
	host, folder := someAddress(), t.TempDir()
	for i := range n {
		addr, cluster := fmt.Sprintf("%s:%d", host, 4222+i), ""
		if n > 1 {
			listen := fmt.Sprintf("%s:%d", host, 6222+i)
			cluster = fmt.Sprintf("cluster { name: theirs, listen: %q, cluster_advertise: %q, routes: [ \"nats://%s:6222\" ] }", listen, listen, host)
		}
		config := filepath.Join(folder, fmt.Sprintf("nats-%d.conf", i))
		if err := os.WriteFile(config, fmt.Appendf(nil, "server_name: nats-%d\nlisten: %q\n%s\n", i, addr, cluster), 0o600); err != nil {
			t.Fatal(err)
		}
		_, out := background(t, program, "-c", config)
		out.await(t, "Server is ready")
		if i > 0 {
			out.await(t, "Route connection created")
		}
		urls = append(urls, "nats://"+addr)
	}
	return urls
}

// TestSystemNATS: an external engine, alone and as a cluster, carries the
// messages between two nodes of both engines. Some ids are at both: both get
// the message, and none gets one twice.
func TestSystemNATS(t *testing.T) {
	for _, servers := range []int{1, 3} {
		t.Run(fmt.Sprintf("servers=%d", servers), func(t *testing.T) {
			urls := startNATS(t, servers)
			for _, interest := range []string{"exact", "block", "all"} {
				t.Run("interest="+interest, func(t *testing.T) { throughNATS(t, urls, interest) })
			}
		})
	}
}

func throughNATS(t *testing.T, urls []string, interest string) {
	t.Helper()
	// Two nodes and a sender, each at a server of its own if there are so many.
	at := func(i int) string { return urls[i%len(urls)] }
	a := startNode(t, at(0), "--engine", "epoll", "--interest", interest)
	b := startNode(t, at(1), "--engine", "goroutine", "--interest", interest)
	// 1 to 400 are at a, 501 to 900 at b, 401 to 500 at both.
	flood := startFlood(t, append(streams(a.addr, 1, 500), streams(b.addr, 401, 900)...))
	for id, want := range map[int]int{1: 1, 400: 1, 401: 2, 500: 2, 501: 1, 900: 1} {
		reaches(t, at(2), id, want)
	}
	if got := sendOne(t, at(2), 901); got != 0 {
		t.Errorf("a message to nobody reached %d", got)
	}

	// Each id gets as many: two messages, twice as many come where there are two.
	const rounds = 2
	before := []nodeStats{a.stats(t), b.stats(t)}
	sent := startMsggen(t, at(2), 1, 900, "--rate", "500", "--distribution", "sequential", "--count", fmt.Sprint(rounds*900)).result(t)
	if sent.Sent != rounds*900 || sent.Refused+sent.Unknown > 0 {
		t.Errorf("the generator says %s", sent)
	}
	got := flood.settle(t)
	end := flood.end(t)
	t.Logf("%s; delivered %d, 1,000 connections of 900 ids; duplicated %d", sent, got.Delivered, got.Duplicated)
	if got.Delivered != rounds*1000 || got.Duplicated+got.Reordered+got.Missing+end.Closed > 0 {
		t.Errorf("the flood says %+v, want %d delivered and nothing else", end, rounds*1000)
	}
	for i, n := range []*serverNode{a, b} {
		if s := n.stats(t); s.Router.Routed-before[i].Router.Routed != rounds*500 || s.DroppedClosed+s.DroppedSlow+s.DroppedOverrun+s.Router.DroppedSlowConsumer > 0 {
			t.Errorf("a node says %+v", s)
		}
	}
}

// TestSystemNATSSend: what comet send says, and its exit codes, through the
// distribution's server.
func TestSystemNATSSend(t *testing.T) {
	url := startNATS(t, 1)[0]
	a, b := startNode(t, url), startNode(t, url, "--interest", "all")
	startFlood(t, append(streams(a.addr, 1, 2), streams(b.addr, 2, 3)...))
	gone, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		exit int
		want string
	}{
		{[]string{"1", "Hello"}, 0, "reached 1 connection\n"},
		{[]string{"2", "Hello"}, 0, "reached 2 connections\n"},
		{[]string{"4", "Hello"}, 0, "reached nobody"},
		{[]string{"x", "Hello"}, 2, `"x" is not an id`},
		{[]string{"1", "Hello", "--to", "http://127.0.0.1:8001"}, 2, "give one of the two"},
		{[]string{"1", "Hello", "--router", "nats://" + gone}, 1, "no router answers at nats://" + gone},
		{[]string{"1", "Hello", "--router", "http://" + gone}, 2, "the scheme must be nats or tls"},
	} {
		args := append([]string{"send"}, c.args...)
		if !slices.Contains(args, "--router") {
			args = append(args, "--router", url)
		}
		var cmd *exec.Cmd
		var text []byte
		for range 10 { // a node that answers a tenth of a second after another does not count
			cmd = exec.CommandContext(t.Context(), "comet", args...)
			if text, err = cmd.CombinedOutput(); strings.Contains(string(text), c.want) {
				break
			}
		}
		if cmd.ProcessState.ExitCode() != c.exit || !strings.Contains(string(text), c.want) {
			t.Errorf("comet %s: %v, %q; want exit code %d and %q", strings.Join(args, " "), err, text, c.exit, c.want)
		}
	}
}
