//go:build system && linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The matrix of endings: what ends a bench, to which part, in which phase.

// endingSignals are those of people, terminals, supervisors and containers.
var endingSignals = map[string]syscall.Signal{
	"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
}

// ending is one case of the matrix.
type ending struct{ event, times, part, phase, settings, nodes string }

// allEndings returns all cases. A signal is for bench itself; msggen is there
// while messages are sent, and a router where there are two servers.
func allEndings() [][]string {
	return product(func(c []string) bool {
		e := endingOf(c)
		switch {
		case endingSignals[e.event] != 0:
			return e.part == "bench"
		case e.part == "bench", e.times == "twice":
			return false
		case e.part == "msggen":
			return e.phase == "messages"
		case e.phase == "start":
			return e.part == "serve" || e.part == "flood" // the others come and go as a server does
		case e.part == "router":
			return e.nodes == "2"
		}
		return true
	},
		[]string{"INT", "TERM", "HUP", "QUIT", "killed", "stopped"}, []string{"once", "twice"},
		[]string{"bench", "serve", "flood", "msggen", "memlog", "router"},
		[]string{"start", "connect", "idle", "messages", "drain"},
		[]string{"apply", "leave"}, []string{"1", "2"})
}

func endingOf(c []string) ending { return ending{c[0], c[1], c[2], c[3], c[4], c[5]} }

// shortBacklog is what the kernel allows each listener in the namespace of a
// bench: too little for any.
const shortBacklog = "128"

// TestSystemEndings ends a bench in every way, in a network namespace that is
// short of something: the settings are put back, no process is left, and the
// result says what happened. COMET_ENDINGS=all takes all cases instead of all
// pairs.
func TestSystemEndings(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace takes root")
	}
	need(t, "unshare")
	need(t, "nsenter")
	need(t, "ip")
	cases := allEndings()
	if os.Getenv("COMET_ENDINGS") != "all" {
		cases = pairwise(cases)
	}
	// Those that take longest begin first.
	slices.SortStableFunc(cases, func(a, b []string) int { return strings.Compare(b[0], a[0]) })
	for _, c := range cases {
		t.Run(strings.Join(c, "-"), func(t *testing.T) {
			t.Parallel()
			endingOf(c).try(t)
		})
	}
}

// try makes one bench end.
func (e ending) try(t *testing.T) {
	t.Helper()
	b := e.begin(t)
	b.reach(t, e.phase)
	target := b.Process.Pid
	if e.part != "bench" {
		target = partOf(t, target, e.part)
	}
	parts := childrenOf(b.Process.Pid)
	if now := b.backlog(t); (now != shortBacklog) != (e.settings == "apply") {
		t.Errorf("net.core.somaxconn is %s while it runs", now)
	}
	asked := time.Now()
	e.act(t, target)
	limit := 10 * time.Second
	if e.part != "bench" {
		limit = 90 * time.Second // what is left of the phases, and the patience with a part
	}
	for waited := time.Duration(0); !ended(b.Cmd); time.Sleep(tick) {
		if waited += tick; waited > limit {
			t.Fatalf("bench has not ended after %v:\n%s", limit, b.said())
		}
	}
	t.Logf("ended after %v", time.Since(asked).Round(10*time.Millisecond))
	if now := b.backlog(t); now != shortBacklog {
		t.Errorf("net.core.somaxconn is %s, was %s", now, shortBacklog)
	}
	if _, err := os.Stat(filepath.Join(b.folder, "sysctl-before.conf")); err == nil {
		t.Error("the note of the settings is left")
	}
	for _, pid := range parts {
		eventually(t, fmt.Sprintf("process %d of %v has ended", pid, parts), func() bool { return !runs(pid) })
	}
	e.check(t, b, target)
}

// act sends the signal.
func (e ending) act(t *testing.T, pid int) {
	t.Helper()
	sig := endingSignals[e.event]
	switch e.event {
	case "killed":
		sig = syscall.SIGKILL
	case "stopped":
		sig = syscall.SIGSTOP
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
	if e.times == "twice" {
		time.Sleep(400 * time.Millisecond) // sooner it is the same request
		syscall.Kill(pid, sig)
	}
}

// check looks at the exit code and the result.
func (e ending) check(t *testing.T, b *endingBench, target int) {
	t.Helper()
	want := 1
	if e.part == "bench" {
		want = 128 + int(endingSignals[e.event])
	}
	if code := b.ProcessState.ExitCode(); code != want {
		t.Errorf("exit code %d, want %d:\n%s", code, want, b.said())
	}
	r := readResult(t, b.folder)
	why := strings.Join(append(r.Processes.Lost, r.InterruptedBy), "\n")
	switch {
	case e.part == "bench" && !r.Interrupted:
		t.Error("the result is not marked as interrupted")
	case e.part != "bench" && !strings.Contains(why, fmt.Sprintf("comet %s (pid %d)", e.part, target)):
		t.Errorf("the reason is %q, want comet %s (pid %d)", why, e.part, target)
	}
	if e.phase == "idle" || e.phase == "messages" || e.phase == "drain" {
		if r.Connections.Established == nil || *r.Connections.Established != endingConnections {
			t.Errorf("%+v: what was connected is lost", r.Connections)
		}
	}
	alone := e.nodes == "1" && (e.part == "flood" || e.part == "serve") // what it counted went with it
	if e.phase == "drain" && e.times == "once" && !alone && r.Messages.Delivered == nil {
		t.Error("what was delivered is lost")
	}
}

const endingConnections = 200

// endingBench is a bench in a network namespace of its own.
type endingBench struct {
	*exec.Cmd
	folder  string
	out     *output
	network *os.File
}

func (e ending) begin(t *testing.T) *endingBench {
	t.Helper()
	b := &endingBench{folder: filepath.Join(t.TempDir(), "report")}
	args := []string{
		"-n", "sh", "-c", `ip link set lo up && echo ` + shortBacklog + ` >/proc/sys/net/core/somaxconn && exec "$0" "$@"`,
		"comet", "bench", "--out", b.folder, "-c", strconv.Itoa(endingConnections), "--nodes", e.nodes, "-r", "100", "--interval", "100ms",
	}
	if e.settings == "apply" {
		args = append(args, "--apply-sysctl")
	}
	if e.phase == "connect" {
		args = append(args, "--connect-rate", "50")
	}
	lasts := map[bool]string{true: "3s", false: "1s"}
	args = append(args, "--idle", lasts[e.phase == "idle"], "-d", lasts[e.phase == "messages"])
	b.Cmd, b.out = background(t, "unshare", args...)
	ours, _ := os.Readlink("/proc/self/ns/net")
	path := filepath.Join("/proc", strconv.Itoa(b.Process.Pid), "ns/net")
	eventually(t, "it is in a namespace of its own", func() bool {
		theirs, _ := os.Readlink(path)
		return theirs != "" && theirs != ours
	})
	var err error
	if b.network, err = os.Open(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.network.Close() })
	return b
}

// reach waits until the bench is in a phase.
func (b *endingBench) reach(t *testing.T, phase string) {
	t.Helper()
	switch phase {
	case "start":
		partOf(t, b.Process.Pid, "serve")
		partOf(t, b.Process.Pid, "flood")
	case "connect":
		eventually(t, "some are connected", func() bool {
			log, _ := os.ReadFile(filepath.Join(b.folder, "mem.log"))
			lines := strings.Split(strings.TrimSpace(string(log)), "\n")
			fields := strings.Split(lines[len(lines)-1], "\t")
			n := 0
			if len(fields) > 3 {
				n, _ = strconv.Atoi(fields[3])
			}
			return n > 0
		})
	case "idle":
		b.out.await(t, `connect  .*`)
	case "messages", "drain":
		b.out.await(t, `idle  .*`)
		pid := partOf(t, b.Process.Pid, "msggen")
		if phase == "messages" {
			time.Sleep(500 * time.Millisecond) // for some messages
			return
		}
		eventually(t, "the messages are sent", func() bool { return !runs(pid) })
	}
}

// backlog returns net.core.somaxconn in the bench's network, which outlives it.
func (b *endingBench) backlog(t *testing.T) string {
	t.Helper()
	cat := exec.CommandContext(t.Context(), "nsenter", "--net=/proc/self/fd/3", "cat", "/proc/sys/net/core/somaxconn")
	cat.ExtraFiles = []*os.File{b.network}
	text, err := cat.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (b *endingBench) said() (text string) {
	b.out.locked(func() { text = b.out.text.String() })
	return text
}
