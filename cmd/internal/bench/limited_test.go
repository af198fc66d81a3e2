package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/memlog"
	"example.org/comet/memlog/series"
	"example.org/comet/msggen"
)

// experimentWith is an experiment that has come to its end, with one flood of
// ten connections.
func experimentWith(t *testing.T, change func(*Config)) *experiment {
	t.Helper()
	cfg := config(t)
	cfg.Rate = "100"
	change(&cfg)
	return &experiment{
		cfg: &cfg, plan: plan{pairs: divide(cfg.Connections, 0)}, folder: t.TempDir(), started: time.Now(), gone: make(map[*child]bool),
		floods: []*floodProcess{{child: &child{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}, connected: &flood.Result{}}},
	}
}

// used is a process that has used so much processor time.
func used(cpu time.Duration, procs int, threads int64) []*memlog.Usage {
	return []*memlog.Usage{{CPU: cpu, Procs: procs, Threads: threads, RSSBytes: series.Unknown, PSSBytes: series.Unknown}}
}

func TestLimitedBy(t *testing.T) {
	const wall = 10
	cores := runtime.NumCPU()
	foreign := func(cfg *Config) { cfg.Engine, cfg.Target = "", &Target{URL: "http://h/{id}"} }
	foreignHere := func(cfg *Config) { cfg.Engine, cfg.Target = "", &Target{URL: "http://h/{id}", here: true} }
	sent := func(e *experiment) {
		e.generated = &msggen.Result{Stats: msggen.Stats{Seconds: wall, Asked: 1000, Receipt: msggen.Receipt{Sent: 1000}}}
	}
	for _, c := range []struct {
		name   string
		config func(*Config)
		seen   func(*experiment, *result.Result)
		part   string // "" is no limit at all
		says   []string
	}{
		{
			"nothing", func(*Config) {}, func(e *experiment, r *result.Result) {
				sent(e)
				r.CPU.Msggen = result.Of(0.94 * wall)
				e.before.servers, e.after.servers = used(0, 1, 5), used(94*time.Duration(cores)*wall*time.Second/100, 1, 5)
			}, "", nil,
		},
		{
			"files of a flood", func(*Config) {}, func(e *experiment, _ *result.Result) {
				e.floods[0].connected = &flood.Result{
					Failures: map[string]uint64{"too_many_files": 17}, Explanation: `17 connections failed, most of them (17) with "too_many_files": …`,
				}
			}, "the floods' open files", []string{"17 connections", "EMFILE", "ulimit -n"},
		},
		{
			"files of a server", func(*Config) {}, func(e *experiment, _ *result.Result) {
				e.statsAfter = &serverStats{AcceptPauses: 3}
			}, "the server's open files", []string{"paused 3 times"},
		},
		{
			"ports", func(*Config) {}, func(e *experiment, _ *result.Result) {
				e.floods[0].ended = &flood.Result{
					Failures: map[string]uint64{"no_free_port": 9}, Explanation: `9 connections failed, most of them (9) with "no_free_port": …`,
				}
			}, "ports to connect from", []string{"9 connections", "EADDRNOTAVAIL", "--source-ip"},
		},
		{
			"something else", func(*Config) {}, func(e *experiment, _ *result.Result) {
				e.floods[0].connected = &flood.Result{Failures: map[string]uint64{"refused": 2}, Explanation: `2 connections failed, most of them (2) with "refused": …`}
			}, "connecting", []string{"refused"},
		},
		{
			"an accept queue", func(*Config) {}, func(_ *experiment, r *result.Result) {
				r.Connect.ListenOverflows, r.Connect.Retransmits = result.Of(5), result.Of(6)
			}, "an accept queue", []string{"overflowed 5 times", "TcpExtListenOverflows", "6 TCP segments"},
		},
		{
			"all loops of a server", func(cfg *Config) { cfg.Engine, cfg.Loops = "epoll", 1 }, func(e *experiment, _ *result.Result) {
				sent(e)
				e.before.servers, e.after.servers = used(time.Second, 1, 5), used(time.Second+97*wall*time.Second/100, 1, 5)
			}, map[bool]string{true: "the server's processors", false: ""}[cores > 1], []string{"9.70 s", "10.00 s", "97 % of the 1", "event loops"},
		},
		{
			"all processors", func(*Config) {}, func(e *experiment, _ *result.Result) {
				sent(e)
				e.before.servers, e.after.servers = used(0, 1, 5), used(96*time.Duration(cores)*wall*time.Second/100, 1, 5)
			}, "the server's processors", []string{"96 % of the", "this machine has"},
		},
		{
			"the one worker of another server", foreignHere, func(e *experiment, _ *result.Result) {
				sent(e)
				e.before.servers, e.after.servers = used(0, 2, 2), used(99*wall*time.Second/100, 2, 2)
			}, map[bool]string{true: "the server's processors", false: ""}[cores > 1], []string{"99 % of the 1", "one thread each"},
		},
		{
			"threads of another machine", foreign, func(e *experiment, _ *result.Result) {
				sent(e)
				e.before.servers, e.after.servers = used(0, 1, 64), used(99*wall*time.Second, 1, 64)
			}, "", nil, // how many processors that one has nobody knows
		},
		{
			"the generator", func(*Config) {}, func(e *experiment, r *result.Result) {
				sent(e)
				r.CPU.Msggen = result.Of(0.96 * wall)
			}, "the message generator's processor", []string{"9.60 s", "10.00 s"},
		},
		{
			"the flood", func(*Config) {}, func(e *experiment, _ *result.Result) {
				sent(e)
				e.busyFlood = new(0.97)
			}, "the flood", []string{"97 %"},
		},
		{
			"the machine, by what no process is charged for", func(*Config) {}, func(e *experiment, r *result.Result) {
				sent(e)
				r.CPU.Server, r.CPU.Flood = result.Of(0.5*wall*float64(cores)), result.Of(0.2*wall*float64(cores))
				e.workBefore, e.workAfter = &processorTime{all: 1000, idle: 500}, &processorTime{all: 2000, idle: 510, stolen: 30}
			}, "the machine's processors", []string{"99 % of the message phase", "servers 50 %", "generator 20 %", "charged to nobody", "3 % went to other guests"},
		},
		{
			"the machine, by its processes alone", func(*Config) {}, func(e *experiment, r *result.Result) {
				sent(e)
				r.CPU.Server, r.CPU.Flood = result.Of(0.5*wall*float64(cores)), result.Of(0.45*wall*float64(cores))
			}, "the machine's processors", []string{"95 % of the message phase", "servers 50 %", "generator 45 %"},
		},
		{
			"not the machine: other guests take little, and it idles", func(*Config) {}, func(e *experiment, r *result.Result) {
				sent(e)
				r.CPU.Server, r.CPU.Flood = result.Of(0.5*wall*float64(cores)), result.Of(0.45*wall*float64(cores))
				e.workBefore, e.workAfter = &processorTime{all: 1000, idle: 500}, &processorTime{all: 2000, idle: 700, stolen: 30}
			}, "", nil,
		},
		{
			"refusals", foreign, func(e *experiment, _ *result.Result) {
				sent(e)
				e.generated.Sent, e.generated.Refused = 600, 400
				e.generated.Refusal = "msggen: POST http://h/1 was answered 429 Too Many Requests"
			}, "the server's intake", []string{"400 of 1000", "the first: POST http://h/1 was answered 429"},
		},
		{
			"lateness on the way to another server", foreign, func(e *experiment, _ *result.Result) {
				sent(e)
				e.generated.LateCount, e.generated.Late = 250, &msggen.Lateness{Count: 1000, P99: 31.5}
			}, "the way to the server's intake", []string{"25 %", "31.5 ms", "--publish-connections"},
		},
		{
			"no message arrived", foreign, func(e *experiment, _ *result.Result) {
				sent(e)
				e.drained = true
			}, "where messages go", []string{"accepted 1000", "no message arrived: is --publish the right URL for --url?"},
		},
		{
			"none with a stamp", foreign, func(e *experiment, _ *result.Result) {
				sent(e)
				e.drained = true
				e.floods[0].ended = &flood.Result{Counts: flood.Counts{Chunks: 990}}
			}, "where messages go", []string{"accepted 1000", "990 chunks came"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := experimentWith(t, c.config)
			r := new(result.Result)
			c.seen(e, r)
			limits := e.limitedBy(r, nil)
			if c.part == "" {
				if len(limits) != 0 {
					t.Errorf("%v, want no limit", limits)
				}
				return
			}
			if len(limits) != 1 || limits[0].Part != c.part {
				t.Fatalf("%v, want %q alone", limits, c.part)
			}
			for _, want := range c.says {
				if !strings.Contains(limits[0].Evidence, want) {
					t.Errorf("%q; want %q in it", limits[0].Evidence, want)
				}
			}
		})
	}
}

// TestLimitedByMemory has a ramp that stopped by itself.
func TestLimitedByMemory(t *testing.T) {
	e := experimentWith(t, func(*Config) {})
	failure := fmt.Errorf("in phase connect: %w", fmt.Errorf("bench: %w: 22.0 of 23.5 GiB are used", errMemory))
	limits := e.result(failure).LimitedBy
	if len(limits) != 1 || limits[0].Part != "memory" || !strings.Contains(limits[0].Evidence, "nearly full: 22.0 of 23.5 GiB") {
		t.Errorf("%v, want that memory was the limit", limits)
	}
}
