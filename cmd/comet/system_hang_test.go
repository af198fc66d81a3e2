//go:build system && linux

package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// partOf returns the pid of the part of a bench that runs a command.
func partOf(t *testing.T, bench int, command string) (pid int) {
	t.Helper()
	eventually(t, "comet "+command+" is there", func() bool {
		for _, child := range childrenOf(bench) {
			text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(child), "cmdline"))
			if strings.Contains(string(text), "\x00"+command+"\x00") {
				pid = child
			}
		}
		return pid > 0
	})
	return pid
}

// runs reports whether a process is there and is not a zombie.
func runs(pid int) bool {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && !strings.Contains(string(text), ") Z ")
}

// TestSystemBenchStoppedPart stops one part in one phase. The phase ends by
// itself, and the part is named.
func TestSystemBenchStoppedPart(t *testing.T) {
	small := []string{"-c", "300", "-r", "300", "-d", "5s", "--idle", "2s"}
	nodes := []string{"-c", "2500", "--nodes", "2", "-r", "300", "-d", "5s", "--idle", "2s"}
	slow := []string{"-c", "3000", "--connect-rate", "150", "-d", "5s", "--idle", "2s"}
	for _, c := range []struct {
		part, seen string // of the progress, before it is stopped
		args       []string
	}{
		{"serve", `server .*`, slow},
		{"flood", `server .*`, slow},
		{"serve", `connect .*`, small},
		{"memlog", `idle .*`, small},
		{"msggen", `idle .*`, small},
		{"flood", `idle .*`, small},
		{"serve", `idle .*`, small},
		{"router", `idle .*`, nodes},
		{"flood", `idle .*`, nodes},
		{"serve", `idle .*`, nodes},
	} {
		t.Run(c.part+" after "+strings.Fields(c.seen)[0]+" of "+c.args[1], func(t *testing.T) {
			t.Parallel()
			bench, out, folder := startBench(t, c.args...)
			out.await(t, c.seen)
			if c.args[1] == "3000" {
				out.await(t, `connect: [0-9]+ connected`)
			}
			pid := partOf(t, bench.Process.Pid, c.part)
			time.Sleep(time.Second) // of the phase
			stopped := time.Now()
			if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			for end := stopped.Add(90 * time.Second); !ended(bench); time.Sleep(50 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("bench has not ended 90 s after a part was stopped")
				}
			}
			t.Logf("ended %v after the stop", time.Since(stopped).Round(time.Second))
			if code := bench.ProcessState.ExitCode(); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			if runs(pid) {
				t.Errorf("comet %s (pid %d) is left", c.part, pid)
			}
			r := readResult(t, folder)
			if why := r.InterruptedBy + strings.Join(r.Processes.Lost, ""); !strings.Contains(why, "comet "+c.part+" (pid "+strconv.Itoa(pid)+")") {
				t.Errorf("the reason is %q, want the part that was stopped", why)
			}
			if strings.HasPrefix(c.seen, "idle") && r.Messages.Delivered == nil {
				t.Error("what was delivered is lost")
			}
		})
	}
}

// TestSystemBenchInterruptedWithAStoppedPart presses Ctrl-C when one part is
// stopped.
func TestSystemBenchInterruptedWithAStoppedPart(t *testing.T) {
	t.Parallel() // it waits more than it works
	for _, part := range []string{"memlog", "msggen", "flood", "serve", "router"} {
		t.Run(part, func(t *testing.T) {
			bench, out, folder := startBench(t, "-c", "2500", "--nodes", "2", "-r", "300", "-d", "60s", "--idle", "1s")
			out.await(t, `idle .*`)
			pid := partOf(t, bench.Process.Pid, part)
			time.Sleep(time.Second)
			syscall.Kill(pid, syscall.SIGSTOP)
			bench.Process.Signal(syscall.SIGINT)
			pressed := time.Now()
			eventually(t, "bench has ended", func() bool { return ended(bench) })
			t.Logf("ended %v after Ctrl-C", time.Since(pressed).Round(100*time.Millisecond))
			if code := bench.ProcessState.ExitCode(); code != 130 {
				t.Errorf("exit code %d, want 130", code)
			}
			if r := readResult(t, folder); !r.Interrupted || r.Messages.Delivered == nil || runs(pid) {
				t.Errorf("%+v, left %v; want what was delivered, and nothing left", r, runs(pid))
			}
		})
	}
}

// TestSystemBenchSuspended suspends a bench by Ctrl-Z alone, and with all its
// parts as a container that is paused, for longer than it has patience with one of
// them: the run goes on to its end, blames none of them, and says what happened.
func TestSystemBenchSuspended(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(map[bool]string{false: "alone", true: "with its parts"}[whole], func(t *testing.T) {
			t.Parallel()
			bench, out, folder := startBench(t, "-c", "300", "-r", "300", "-d", "5s", "--idle", "1s")
			out.await(t, `idle .*`)
			partOf(t, bench.Process.Pid, "msggen")
			time.Sleep(time.Second)
			pids := []int{bench.Process.Pid}
			if whole {
				pids = append(pids, childrenOf(bench.Process.Pid)...)
			}
			for _, pid := range pids {
				syscall.Kill(pid, syscall.SIGSTOP)
			}
			time.Sleep(25 * time.Second)
			for _, pid := range pids {
				syscall.Kill(pid, syscall.SIGCONT)
			}
			eventually(t, "bench has ended", func() bool { return ended(bench) })
			r := readResult(t, folder)
			if code := bench.ProcessState.ExitCode(); code != 0 || r.Interrupted || len(r.Processes.Lost) > 0 {
				t.Errorf("exit code %d, interrupted by %q, lost %q", code, r.InterruptedBy, r.Processes.Lost)
			}
			if len(r.Suspended) != 1 || r.Suspended[0].Phase != "messages" || r.Suspended[0].Seconds < 24 {
				t.Errorf("suspended: %+v, want 25 s of the messages", r.Suspended)
			}
			if !strings.Contains(r.Verdict, "suspended") || r.Messages.Delivered == nil || *r.Messages.Delivered == 0 {
				t.Errorf("%q, %+v", r.Verdict, r.Messages)
			}
		})
	}
}

// TestSystemBenchLimits ends a bench by timeout(1), and one whose server uses up
// the processor time that it may: both leave what was measured, and the part says
// why it went.
func TestSystemBenchLimits(t *testing.T) {
	need(t, "timeout")
	for name, c := range map[string]struct {
		by   string
		code int
		why  string
	}{
		"timeout":        {"exec timeout -k 20 5", 124, "ended by SIGTERM"},
		"processor time": {"ulimit -St 1; exec", 1, "ulimit -t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "report")
			rate := map[int]string{124: "100", 1: "20000"}[c.code]
			bench, out := background(t, "sh", "-c", c.by+` "$@"`, "sh", "comet", "bench", "--out", folder, "-c", "200", "-r", rate, "--idle", "1s", "-d", "30s")
			out.await(t, `idle .*`)
			begun := time.Now()
			for !ended(bench) && time.Since(begun) < 60*time.Second {
				time.Sleep(50 * time.Millisecond)
			}
			if code := bench.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, out.said())
			}
			r := readResult(t, folder)
			if !r.Interrupted || r.Connections.Established == nil || r.Messages.Delivered == nil || *r.Messages.Delivered == 0 {
				t.Errorf("interrupted %v, %+v, %+v; want what was measured", r.Interrupted, r.Connections, r.Messages)
			}
			if why := r.InterruptedBy + strings.Join(r.Processes.Lost, ""); !strings.Contains(why, c.why) {
				t.Errorf("the reason is %q, want %q", why, c.why)
			}
			if left := leftOver(r); len(left) > 0 {
				t.Errorf("processes %v are left", left)
			}
		})
	}
}
