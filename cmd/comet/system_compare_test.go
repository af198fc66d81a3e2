//go:build system

package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// compare runs comet compare, which must end with a code.
func compare(t *testing.T, code int, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "comet", append([]string{"compare"}, args...)...).CombinedOutput()
	got := 0
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != code {
		t.Fatalf("comet compare %s exits %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	return string(out)
}

// benches runs several benches of three short repeats at once, and returns their
// folders.
func benches(t *testing.T, all ...[]string) []string {
	t.Helper()
	folders := make([]string, len(all))
	root := t.TempDir()
	var wg sync.WaitGroup
	for i, args := range all {
		folders[i] = filepath.Join(root, fmt.Sprint(i))
		wg.Go(func() {
			args := append([]string{"bench", "-q", "--repeat", "3", "-d", "1s", "--idle", "1s", "--out", folders[i]}, args...)
			if out, err := exec.CommandContext(t.Context(), "comet", args...).CombinedOutput(); err != nil {
				t.Errorf("%q: %v\n%s", args, err, out)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return folders
}

// TestSystemCompareDelay measures a server, the same one again, and one that takes a
// tenth longer, and has both comet compare and benchstat read what came of it. A busy
// machine may hide the tenth: it is to be seen in one of three tries.
func TestSystemCompareDelay(t *testing.T) {
	for try := 1; ; try++ {
		var loads [][]string
		for i, delay := range []time.Duration{50, 50, 55} {
			addr := fmt.Sprintf("127.37.%d.%d:8078", try, i+1)
			startTruth(t, addr, faults{delay: func(int) time.Duration { return delay * time.Millisecond }})
			loads = append(loads, []string{"-c", "40", "-r", "300", "--url", "http://" + addr + "/sub/{id}", "--publish", "http://" + addr + "/pub/{id}"})
		}
		folders := benches(t, loads...)
		before, again, slower := folders[0], folders[1], folders[2]
		compare(t, 0, before, before, "--fail-if-worse", "0%", "--metric", "max")
		out, err := exec.CommandContext(t.Context(), "comet", "compare", before, slower, "--fail-if-worse", "5%").CombinedOutput()
		worse := err != nil && regexp.MustCompile(`worse by more than 5 %: latency_ms\.p50 5[5-9]\.\d ms, was 5[0-4]\.\d ms`).Match(out)
		if same, err := exec.CommandContext(t.Context(), "comet", "compare", before, again, "--fail-if-worse", "5%").CombinedOutput(); err != nil {
			worse = false
			out = append(out, same...)
		}
		if worse {
			t.Run("benchstat", func(t *testing.T) { benchstat(t, before, slower) })
			return
		}
		t.Logf("try %d:\n%s", try, out)
		if try == 3 {
			t.Fatal("a tenth more delay is not seen, or two equal servers differ")
		}
	}
}

// benchstat holds bench.txt of two folders against each other. Its rank test needs more
// than three repeats to call anything a change.
func benchstat(t *testing.T, before, after string) {
	t.Helper()
	tool := []string{"tool", "-modfile=../../.ci/tools/go.mod"}
	if out, err := exec.CommandContext(t.Context(), need(t, "go"), append(tool, "-n", "benchstat")...).CombinedOutput(); err != nil {
		t.Skipf("benchstat is not to be had: %v\n%s", err, out)
	}
	out := run(t, "go", append(tool, "benchstat", filepath.Join(before, "bench.txt"), filepath.Join(after, "bench.txt"))...)
	if !regexp.MustCompile(`(?s)p50-ms.*\nComet/conns=40\s+5[0-4]\.\d+ .*\s5[5-9]\.\d+ .*\(p=0\.100 n=3\)`).MatchString(out) {
		t.Errorf("benchstat does not compare the p50 of two times three runs:\n%s", out)
	}
}

// TestSystemCompareEngines compares the goroutine engine with epoll.
func TestSystemCompareEngines(t *testing.T) {
	t.Parallel() // it waits more than it works
	folders := benches(t, []string{"-c", "1000", "--engine", "epoll"}, []string{"-c", "1000", "--engine", "goroutine"})
	epoll, goroutine := folders[0], folders[1]
	if out := compare(t, 2, epoll, goroutine); !strings.Contains(out, "engine epoll and goroutine") {
		t.Errorf("the refusal does not name the engines:\n%s", out)
	}
	out := compare(t, 3, epoll, goroutine, "--force", "--fail-if-worse", "50%")
	for _, want := range []string{`worse by more than 50 %: .*memory per connection`, `engine\n    A  epoll\n    B  goroutine`, `memory\.bytes_per_connection [\d,.]+ (B|KiB), was -?\d+ B`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("it does not say %s:\n%s", want, out)
		}
	}
}
