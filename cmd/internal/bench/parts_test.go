//go:build unix

package bench_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.org/comet/flood"
	"example.org/comet/flood/pace"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
)

// watched is the progress of a run, which calls a function once a line of it has
// come.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
	when string
	call func()
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if w.call != nil && strings.Contains(w.text.String(), w.when) {
		go w.call()
		w.call = nil
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// small returns the configuration of a small run with real parts.
func small(t *testing.T, progress *watched) bench.Config {
	t.Helper()
	t.Parallel() // most of the time it waits
	return bench.Config{
		Executable: os.Args[0], Connections: 50, Engine: "goroutine", Streams: flood.Config{InFlight: 50}, Interest: "block",
		Rate: 100, Duration: 2 * time.Second, Senders: 5, Window: 1000,
		Interval: 200 * time.Millisecond, Idle: time.Second, Out: filepath.Join(t.TempDir(), "report"), Progress: progress,
	}
}

// child returns the pid of the part of this process that runs a command with the
// folder in its arguments, 0 if there is none.
func child(t *testing.T, command, folder string) int32 {
	t.Helper()
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		pids, _ := os.ReadFile(list)
		for pid := range strings.FieldsSeq(string(pids)) {
			line, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
			if strings.Contains(string(line), "\x00"+command+"\x00") && strings.Contains(string(line), folder) {
				var n int32
				fmt.Sscan(pid, &n)
				return n
			}
		}
	}
	t.Logf("no %s is to be found here", command)
	return 0
}

func number(f result.Figure) float64 {
	n, known := f.Value()
	if !known {
		return -1
	}
	return n
}

// The whole experiment with real parts: everything is counted, and adds up.
func TestRunWithRealParts(t *testing.T) {
	said := new(watched)
	cfg := small(t, said)
	outcome, err := bench.Run(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	r := outcome.Result
	m := r.Messages
	if number(r.Connections.Established) != 50 || number(m.Sent) != 200 || number(m.Expected) != 200 || number(m.Delivered) != 200 || number(m.Missing) != 0 || number(m.Dropped) != 0 || number(m.Refused) != 0 {
		t.Errorf("%+v %+v", r.Connections, m)
	}
	if number(r.Latency.P50) < 0 || number(r.Connect.Latency.P50) < 0 || number(r.Processes.Servers) != 1 || number(r.Processes.Floods) != 1 || len(r.Processes.List) != 2 {
		t.Errorf("%+v %+v", r.Latency, r.Processes)
	}
	if r.Interrupted || len(r.Processes.Lost) > 0 || len(m.Faults) > 0 {
		t.Errorf("interrupted %v, lost %q, faults %q", r.Interrupted, r.Processes.Lost, m.Faults)
	}
	for _, name := range []string{"result.json", "report.html", "bench.txt", "mem.log", "flood.log"} {
		if info, err := os.Stat(filepath.Join(cfg.Out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, want := range []string{"server   pid ", "connect  50 of 50", "idle     "} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not in\n%s", want, said)
		}
	}
}

// Two nodes and a router, flat out, twice.
func TestRepeatWithRealNodes(t *testing.T) {
	cfg := small(t, new(watched))
	cfg.Connections, cfg.Nodes, cfg.Rate, cfg.Duration, cfg.Repeat = 1100, 2, pace.MaxRate, time.Second, 2
	outcome, err := bench.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := outcome.Result
	if number(r.Messages.Missing) != 0 || number(r.Messages.Sent) < 1 || number(r.Processes.Servers) != 2 || r.Service == nil || number(r.Latency.P50) >= 0 || number(r.CPU.Router) < 0 {
		t.Errorf("%+v %+v", r.Messages, r.Processes)
	}
	if len(r.LimitedBy) == 0 {
		t.Error("nothing limits it, flat out")
	}
	for _, name := range []string{"run-1/result.json", "run-2/result.json", "result.json"} {
		if _, err := os.Stat(filepath.Join(cfg.Out, filepath.FromSlash(name))); err != nil {
			t.Error(err)
		}
	}
	page, err := os.ReadFile(filepath.Join(cfg.Out, "report.html"))
	if err != nil || !regexp.MustCompile(`of run-[12], the run nearest to the medians`).Match(page) {
		t.Errorf("the page of the medians shows no course (%v)", err)
	}
}

// The witness is killed while messages are sent: it is named, and nothing else is
// lost.
func TestALostWitnessTakesNoFigureWithIt(t *testing.T) {
	said := new(watched)
	cfg := small(t, said)
	var pid atomic.Int32
	said.when, said.call = "idle     ", func() {
		if pid.Store(child(t, "memlog", cfg.Out)); pid.Load() > 0 {
			_ = syscall.Kill(int(pid.Load()), syscall.SIGKILL)
		}
	}
	outcome, err := bench.Run(t.Context(), cfg)
	if outcome == nil {
		t.Fatal(err)
	}
	if pid.Load() == 0 {
		t.Skip("children are not listed here")
	}
	if err == nil || !strings.Contains(err.Error(), "comet memlog (pid ") || !strings.Contains(said.String(), "lost     ") {
		t.Errorf("%v, want the witness by name; said\n%s", err, said)
	}
	m := outcome.Result.Messages
	if number(m.Sent) != 200 || number(m.Delivered) != 200 || number(m.Missing) != 0 || number(outcome.Result.Latency.P50) < 0 || outcome.Result.Interrupted {
		t.Errorf("%+v, interrupted %v", m, outcome.Result.Interrupted)
	}
}

// Ctrl-C with a part that is stopped: the run ends all the same, with what was
// measured until then.
func TestInterruptWithAStoppedPart(t *testing.T) {
	said := new(watched)
	cfg := small(t, said)
	cfg.Duration = time.Hour
	cause := errors.New("somebody pressed Ctrl-C")
	var pid atomic.Int32
	limited, end := context.WithTimeout(t.Context(), time.Minute) // for a message to come
	defer end()
	ctx, cancel := context.WithCancelCause(limited)
	cfg.OnMoment = func(_ result.Moment, soFar result.Quantiles) {
		if pid.Load() != 0 || number(soFar.P50) < 0 {
			return // no message has come
		}
		var n int32
		fmt.Sscanf(said.String(), "server   pid %d", &n)
		pid.Store(n)
		_ = syscall.Kill(int(n), syscall.SIGSTOP)
		cancel(cause)
	}
	outcome, err := bench.Run(ctx, cfg)
	if !errors.Is(err, cause) || outcome == nil || !outcome.Result.Interrupted {
		t.Fatalf("%v, %+v", err, outcome)
	}
	if m := outcome.Result.Messages; number(m.Delivered) < 1 || number(outcome.Result.Latency.P50) < 0 {
		t.Errorf("%+v, want what was delivered until then", m)
	}
	if pid := int(pid.Load()); pid == 0 || syscall.Kill(pid, 0) == nil {
		t.Errorf("process %d is left, or was never stopped", pid)
	}
}
