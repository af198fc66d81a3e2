//go:build system && linux

package main

import (
	"encoding/json"
	"errors"
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

// startBench starts comet bench into a folder of the test's.
func startBench(t *testing.T, args ...string) (bench *exec.Cmd, out *output, folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "report")
	bench, out = background(t, "comet", append([]string{"bench", "--out", folder}, args...)...)
	return bench, out, folder
}

// benchResult is what these tests read of a result.json.
type benchResult struct {
	Connections struct{ Asked, Established, Failed, Closed *int }
	Messages    struct{ Sent, Delivered, Missing *int }
	Processes   struct {
		Lost []string
		List []struct {
			Role string
			PID  int
			Lost bool
		}
	}
	Interrupted   bool
	InterruptedBy string `json:"interrupted_by"`
	Suspended     []struct {
		Phase   string
		Seconds float64
	}
	Verdict string
}

func readResult(t *testing.T, folder string) (r benchResult) {
	t.Helper()
	checkAccount(t, folder)
	text, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// leftOver returns the processes of a bench that are still there.
func leftOver(r benchResult) (pids []int) {
	for _, p := range r.Processes.List {
		if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(p.PID))); err == nil {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

func TestSystemBenchFullDisk(t *testing.T) {
	t.Parallel() // it waits more than it works
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system of its own takes root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, 0) })
	if err := os.WriteFile(filepath.Join(disk, "full"), make([]byte, 44<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("comet", "bench", "-c", "200", "-d", "5s", "--idle", "1s", "--interval", "20ms", "--out", filepath.Join(disk, "report"))
	var table, words strings.Builder
	cmd.Stdout, cmd.Stderr = &table, &words
	err := cmd.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v, want exit code 1", err)
	}
	if !strings.Contains(words.String(), "no space left on device") || !strings.Contains(words.String(), "the results are not complete") {
		t.Errorf("it does not say that the disk is full:\n%s", words.String())
	}
	if !strings.Contains(table.String(), "5,000") {
		t.Errorf("the figures are lost:\n%s", table.String())
	}
}

// TestSystemBenchLostFlood kills one flood of two with messages under way.
func TestSystemBenchLostFlood(t *testing.T) {
	t.Parallel() // it waits more than it works
	bench, out, folder := startBench(t, "-c", "4000", "--nodes", "2", "-d", "6s", "--idle", "1s")
	out.await(t, `connect .*`)
	eventually(t, "the generator is there", func() bool { return len(childrenOf(bench.Process.Pid)) == 7 })
	floods := slices.DeleteFunc(childrenOf(bench.Process.Pid), func(pid int) bool {
		text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		return !strings.Contains(string(text), "\x00flood\x00")
	})
	if len(floods) != 2 {
		t.Fatalf("%d floods", len(floods))
	}
	time.Sleep(2 * time.Second) // of the message phase
	syscall.Kill(floods[1], syscall.SIGKILL)
	out.await(t, `figures .*`)
	eventually(t, "bench has ended", func() bool { return ended(bench) })
	r := readResult(t, folder)
	if r.Interrupted || len(r.Processes.Lost) != 1 || !strings.Contains(r.Processes.Lost[0], "killed") {
		t.Errorf("interrupted %v, lost %q; want a run that came to its end, with one part lost", r.Interrupted, r.Processes.Lost)
	}
	if r.Connections.Established == nil || *r.Connections.Established != 4000 || *r.Connections.Closed < 1000 {
		t.Errorf("%+v: 4000 were established and the lost flood's are closed", r.Connections)
	}
	if r.Messages.Sent == nil || r.Messages.Delivered == nil || *r.Messages.Delivered < *r.Messages.Sent/2 || *r.Messages.Delivered >= *r.Messages.Sent {
		t.Errorf("%+v: the others' messages arrive, the lost flood's do not", r.Messages)
	}
	if left := leftOver(r); len(left) > 0 {
		t.Errorf("processes %v are left over", left)
	}
}

// TestSystemBenchInterruptedRamp presses Ctrl-C while connections are opened.
func TestSystemBenchInterruptedRamp(t *testing.T) {
	t.Parallel() // it waits more than it works
	bench, out, folder := startBench(t, "-c", "16000", "--nodes", "4", "--connect-rate", "1000", "-d", "60s")
	out.await(t, `connect: [0-9]+ connected`)
	pids := childrenOf(bench.Process.Pid)
	bench.Process.Signal(syscall.SIGINT)
	out.await(t, `figures .*`)
	eventually(t, "bench has ended", func() bool { return ended(bench) })
	r := readResult(t, folder)
	if !r.Interrupted || !strings.Contains(r.InterruptedBy, "phase connect") {
		t.Errorf("interrupted %v by %q, want the phase", r.Interrupted, r.InterruptedBy)
	}
	if r.Connections.Established == nil || *r.Connections.Established < 1000 || *r.Connections.Established >= 16000 {
		t.Errorf("%+v: some were established", r.Connections)
	}
	for _, pid := range pids {
		if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err == nil {
			t.Errorf("process %d is left over", pid)
		}
	}
}

// TestSystemBenchOwnNetwork kills the bench that made a network namespace: the
// one inside ends by itself, with a result.
func TestSystemBenchOwnNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace takes root")
	}
	const table = "/proc/sys/net/ipv4/tcp_child_ehash_entries"
	before, _ := os.ReadFile(table)
	bench, out, folder := startBench(t, "--own-network", "-c", "2000", "--nodes", "2", "-d", "60s", "--idle", "1s")
	out.await(t, `messages: [0-9]+ delivered`)
	if after, _ := os.ReadFile(table); string(after) != string(before) {
		t.Errorf("%s is %s, was %s", table, after, before)
	}
	inside := childrenOf(bench.Process.Pid)
	if len(inside) != 1 {
		t.Fatalf("%d children, want the bench inside", len(inside))
	}
	ours, _ := os.Readlink("/proc/self/ns/net")
	theirs, _ := os.Readlink(filepath.Join("/proc", strconv.Itoa(inside[0]), "ns/net"))
	if theirs == ours {
		t.Error("it runs in this network namespace")
	}
	bench.Process.Kill()
	eventually(t, "the one inside has ended", func() bool {
		_, err := os.Stat(filepath.Join("/proc", strconv.Itoa(inside[0])))
		return err != nil
	})
	r := readResult(t, folder)
	if !r.Interrupted || r.Messages.Delivered == nil || *r.Messages.Delivered == 0 {
		t.Errorf("%+v: want what was measured until then, marked as interrupted", r)
	}
	if left := leftOver(r); len(left) > 0 {
		t.Errorf("processes %v are left over", left)
	}
}
