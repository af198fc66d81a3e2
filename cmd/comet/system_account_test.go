//go:build system && linux

package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cutConnections ends connections of a process through the kernel, as a network
// that fails does.
func cutConnections(t *testing.T, pid int) {
	t.Helper()
	text := run(t, need(t, "ss"), "-Htnp", "state", "established")
	cut := 0
	for _, line := range splitLines(text) {
		var recv, send int
		var from, to string
		if n, _ := fmt.Sscan(line, &recv, &send, &from, &to); n != 4 || !containsPID(line, pid) {
			continue
		}
		if cut++; cut > 20 {
			return
		}
		_ = exec.Command("ss", "-K", "src", from, "dst", to).Run() // the kernel may lack it: then nothing is cut
	}
}

// TestSystemAccount: the account adds up whatever part is stopped, killed or cut,
// on one node and several, with each interest.
func TestSystemAccount(t *testing.T) {
	t.Parallel() // it waits more than it works
	one := []string{"-c", "300"}
	two := func(interest string) []string { return []string{"-c", "2100", "--nodes", "2", "--interest", interest} }
	three := func(interest string) []string { return []string{"-c", "3100", "--nodes", "3", "--interest", interest} }
	const cut = syscall.Signal(0)
	for _, c := range []struct {
		part   string
		signal syscall.Signal // SIGSTOP is for 3 s
		on     []string
	}{
		{"", cut, one},
		{"", cut, two("all")},
		{"", cut, three("block")},
		{"serve", syscall.SIGSTOP, one},
		{"serve", syscall.SIGSTOP, two("exact")},
		{"serve", syscall.SIGSTOP, three("all")},
		{"serve", syscall.SIGKILL, one},
		{"serve", syscall.SIGKILL, two("block")},
		{"serve", syscall.SIGKILL, three("exact")},
		{"router", syscall.SIGSTOP, two("block")},
		{"router", syscall.SIGKILL, two("all")},
		{"flood", syscall.SIGSTOP, one},
		{"flood", syscall.SIGSTOP, two("all")},
		{"flood", syscall.SIGKILL, one},
		{"flood", syscall.SIGKILL, three("block")},
		{"flood", cut, one},
		{"flood", cut, two("block")},
		{"msggen", syscall.SIGSTOP, two("exact")},
		{"msggen", syscall.SIGKILL, one},
		{"memlog", syscall.SIGKILL, three("all")},
	} {
		what := map[syscall.Signal]string{cut: "cut", syscall.SIGSTOP: "stopped", syscall.SIGKILL: "killed"}[c.signal]
		t.Run(fmt.Sprint(c.part, " ", what, " ", c.on), func(t *testing.T) {
			bench, out, folder := startBench(t, append([]string{"-r", "1000", "-d", "3s", "--idle", "1s"}, c.on...)...)
			out.await(t, `idle .*`)
			partOf(t, bench.Process.Pid, "msggen")
			time.Sleep(time.Second) // of the messages
			if c.part != "" {
				pid := partOf(t, bench.Process.Pid, c.part)
				if c.signal == cut {
					cutConnections(t, pid)
				} else {
					syscall.Kill(pid, c.signal)
				}
				if c.signal == syscall.SIGSTOP {
					time.Sleep(3 * time.Second)
					syscall.Kill(pid, syscall.SIGCONT)
				}
			}
			for end := time.Now().Add(90 * time.Second); !ended(bench); time.Sleep(50 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("bench has not ended after 90 s")
				}
			}
			a := checkAccount(t, folder)
			t.Log(a)
			if len(a.Messages.Faults) > 0 {
				t.Errorf("the account does not add up: %q", a.Messages.Faults)
			}
			if a.Messages.Delivered == nil {
				t.Error("what was delivered is lost")
			}
			if m := a.Messages; c.part == "" && (m.Missing == nil || *m.Missing != 0) {
				t.Errorf("nothing was done to it: %s", a)
			}
		})
	}
}

// TestSystemAccountSlowClient: clients that stop reading, with each
// --slow-client. What the server drops and what arrives is what it routed.
func TestSystemAccountSlowClient(t *testing.T) {
	t.Parallel() // it waits more than it works
	for _, policy := range []string{"disconnect", "drop"} {
		for _, engine := range []string{"epoll", "goroutine"} {
			t.Run(policy+" "+engine, func(t *testing.T) {
				_, addr, admin := startServer(t, "--engine", engine, "--slow-client", policy, "--backlog-bytes", "20000")
				f := startFlood(t, streams(addr, 1, 10))
				f.Process.Signal(syscall.SIGSTOP)
				cmd, out := background(t, "comet", "msggen", "--json", "--to", "http://"+admin+"/send", "--max-id", "10", "-r", "3000", "-d", "4s", "--size", "8000")
				g := &generator{cmd, out}
				sent := g.result(t)
				f.Process.Signal(syscall.SIGCONT)
				got := f.settle(t)
				var s struct {
					Sent, Routed, Written, Unaddressed, Disconnected int
					Closed                                           int `json:"dropped_closed"`
					Slow                                             int `json:"dropped_slow"`
					Overrun                                          int `json:"dropped_overrun"`
				}
				_, body := askAdmin(t, "http://"+admin+"/stats")
				if err := json.Unmarshal([]byte(body), &s); err != nil {
					t.Fatal(err)
				}
				t.Logf("%s; %+v; delivered %d, closed %d", sent, s, got.Delivered, got.Closed)
				if s.Sent != sent.Sent || s.Sent != s.Routed+s.Overrun+s.Unaddressed || s.Routed != s.Written+s.Closed+s.Slow {
					t.Errorf("the server's account does not add up: %+v", s)
				}
				if s.Slow == 0 || (policy == "disconnect") != (s.Disconnected > 0) {
					t.Errorf("no client was slow: %+v", s)
				}
				// The end of each connection may cut one message behind its stamp.
				if missing := sent.Sent - s.Unaddressed - got.Delivered; missing < s.Closed+s.Slow+s.Overrun-got.Closed {
					t.Errorf("missing %d is below dropped: %+v", missing, s)
				}
			})
		}
	}
}

func splitLines(text string) []string { return strings.Split(strings.TrimSpace(text), "\n") }

// containsPID reports whether a line of ss names a process.
func containsPID(line string, pid int) bool {
	return strings.Contains(line, fmt.Sprintf("pid=%d,", pid))
}
