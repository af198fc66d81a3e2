package capacity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood/pace"
)

// fakeLab is a server that holds a number of connections, or delivers a number of
// messages a second.
type fakeLab struct {
	holds  int
	rate   pace.Rate
	trials []bench.Trial
	seen   bench.Seen
	// change changes each result, moments returns what is seen each second; err ends
	// the trial of that number, from 1.
	change  func(n int, t bench.Trial, r *result.Result)
	moments func(n int) []result.Moment
	err     map[int]error
}

func (l *fakeLab) Try(ctx context.Context, t bench.Trial) (*bench.Tried, error) {
	l.trials = append(l.trials, t)
	n := len(l.trials)
	if err := errors.Join(context.Cause(ctx), l.err[n]); err != nil {
		return nil, err
	}
	r := new(result.Result)
	kept := min(t.Connections, l.holds)
	r.Connections = result.Connections{Asked: result.Of(t.Connections), Established: result.Of(kept), Failed: result.Of(t.Connections - kept), Closed: result.Of(0)}
	sent := float64(t.Rate) * t.Hold.Seconds()
	delivered := min(float64(t.Rate), float64(l.rate)) * t.Hold.Seconds()
	m := &r.Messages
	m.Sent, m.Expected, m.Delivered, m.Missing, m.Refused = result.Of(sent), result.Of(sent), result.Of(delivered), result.Of(sent-delivered), result.Of(0)
	m.DeliveredPerSecond = m.Delivered.Per(result.Seconds(t.Hold))
	r.Latency.P50, r.Latency.P99 = result.Of(0.2), result.Of(1.2)
	if l.change != nil {
		l.change(n, t, r)
	}
	tried := &bench.Tried{Result: r, Seen: l.seen}
	if l.moments != nil {
		tried.Timeline = &result.Timeline{Moments: l.moments(n)}
	}
	return tried, nil
}

// testConfig returns a search in which nothing may fail or be lost.
func testConfig(search string) Config {
	return Config{
		Search: search, From: 100, Precision: 0.01, Hold: 30 * time.Second, Repeat: 3, Server: "web1",
		Bench: bench.Config{Connections: 500, Rate: 100},
	}
}

// searched runs a search in a lab.
func searched(t *testing.T, cfg Config, l lab) (*searcher, *result.Capacity, error) {
	t.Helper()
	s := newSearcher(cfg, l)
	err := s.search(t.Context())
	return s, s.capacity(err), err
}

func TestRunConnections(t *testing.T) {
	lab := &fakeLab{holds: 1531, rate: 1e9, seen: idleServer()}
	var lines []string
	cfg := testConfig(result.SearchConnections)
	cfg.Step = func(s result.CapacityStep) { lines = append(lines, s.Line()) }
	_, c, err := searched(t, cfg, lab)
	if err != nil {
		t.Fatal(err)
	}
	want := `web1 holds 1,531 connections (3 of 3 repeats).
Stopped by the server itself (its own configuration): it refused or closed the 1,532nd connection and each after it at once, with files, memory and CPU to spare.
nginx does this at worker_connections x worker_processes, less what it uses itself: raise worker_connections.`
	if got := strings.Join(c.Sentences(), "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, line := range []string{"      100  ok      p99 1.20 ms", "    1,600  fails   errors 69", "    1,531  ok      p99 1.20 ms", "    1,532  fails   errors 1"} {
		if !slices.Contains(lines, line) {
			t.Errorf("%q is not a line of\n%s", line, strings.Join(lines, "\n"))
		}
	}
	for i, one := range lab.trials {
		if one.Rate != 100 || one.Hold != 5*time.Second && one.Hold != 30*time.Second {
			t.Errorf("trial %d is %+v", i+1, one)
		}
	}
}

func TestRunRate(t *testing.T) {
	lab := &fakeLab{holds: 500, rate: 40_000, seen: idleServer()}
	lab.seen.Busiest, lab.seen.Thread = result.Of(0.99), "slow"
	_, c, err := searched(t, testConfig(result.SearchRate), lab)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := c.Answer.Value(); n != 40_000 || c.StoppedBy.Limit != "one processor" {
		t.Errorf("%v, stopped by %+v", n, c.StoppedBy)
	}
	if got := c.Sentences()[0]; got != "web1 holds 40,000 messages/s with 500 connections (3 of 3 repeats)." {
		t.Error(got)
	}
	for _, one := range lab.trials {
		if one.Connections != 500 {
			t.Errorf("%+v has other connections than were asked for", one)
		}
	}
}

// TestRunEndsAtTheGenerator: what the generator cannot do is not the server's limit.
func TestRunEndsAtTheGenerator(t *testing.T) {
	lab := &fakeLab{holds: 700, rate: 1e9, seen: idleServer()}
	lab.change = func(_ int, t bench.Trial, r *result.Result) {
		if t.Connections > 700 {
			r.LimitedBy = result.Limits{{Part: "ports to connect from", Evidence: "none free"}}
		}
	}
	_, c, err := searched(t, testConfig(result.SearchConnections), lab)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := c.Answer.Value()
	if !c.AtLeast || n != 400 || c.Held != 3 || c.StoppedBy.Part != theGenerator || c.StoppedBy.Limit != "ports" {
		t.Errorf("%v (at least: %v, %d repeats), stopped by %+v", n, c.AtLeast, c.Held, c.StoppedBy)
	}
	if got := c.Sentences()[0]; got != "web1 holds at least 400 connections (3 of 3 repeats)." {
		t.Error(got)
	}
}

func TestRunEndings(t *testing.T) {
	lost := errors.New("the server has ended")
	for _, c := range []struct {
		name   string
		lab    *fakeLab
		change func(*Config)
		says   string
		answer result.Figure
		err    error
	}{
		{"the first step fails", &fakeLab{holds: 50, rate: 1e9}, func(*Config) {}, "web1 does not hold 100 connections.", result.Figure{}, nil},
		{"no more is asked for", &fakeLab{holds: 1e9, rate: 1e9}, func(c *Config) { c.To = 300 }, "Give a higher --to.", result.Of(300), nil},
		{"the server ends", &fakeLab{holds: 1e9, rate: 1e9, err: map[int]error{4: lost}}, func(*Config) {}, "It was stopped early: the server has ended.", result.Of(400), lost},
		{"nothing is tried", &fakeLab{err: map[int]error{1: lost}}, func(*Config) {}, "Nothing was tried. It was stopped early", result.Figure{}, lost},
		{"a result that says nothing", &fakeLab{holds: 1e9, rate: 1e9, change: func(_ int, _ bench.Trial, r *result.Result) { *r = result.Result{} }}, func(*Config) {}, "does not hold 100", result.Figure{}, nil},
	} {
		cfg := testConfig(result.SearchConnections)
		c.change(&cfg)
		_, found, err := searched(t, cfg, c.lab)
		if text := strings.Join(found.Sentences(), " "); !errors.Is(err, c.err) || !strings.Contains(text, c.says) || found.Answer != c.answer || found.Interrupted != (c.err != nil) {
			t.Errorf("%s: %q, %v, %v", c.name, text, found.Answer, err)
		}
	}
}

// TestRunInterrupted ends a search by its context.
func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cfg := testConfig(result.SearchConnections)
	asked := errors.New("ended by a signal")
	cfg.Step = func(s result.CapacityStep) {
		if s.Load == 200 {
			cancel(asked)
		}
	}
	s := newSearcher(cfg, &fakeLab{holds: 1e9, rate: 1e9})
	err := s.search(ctx)
	if c := s.capacity(err); !errors.Is(err, asked) || !c.Interrupted || c.Answer != result.Of(200) || c.Repeats != 0 {
		t.Errorf("%v: %+v", err, c)
	}
}

// TestRunHoldsOn: a step that is not steady is held longer where that may turn it
// around, twice at most.
func TestRunHoldsOn(t *testing.T) {
	rising, falling := held("messages", 1, 2, 3, 4, 5, 6, 7, 8), held("messages", 8, 7, 6, 5, 4, 3, 2, 1)
	for _, c := range []struct {
		name    string
		moments []result.Moment
		holds   int
		trials  int
		held    bool
	}{
		{"it gets worse, and holds", rising, 1000, 3, false},
		{"it gets better, and holds", falling, 1000, 1, true},
		{"it gets worse, and fails", rising, 50, 1, false},
		{"it gets better, and fails", falling, 50, 3, false},
	} {
		lab := &fakeLab{holds: c.holds, rate: 1e9, moments: func(int) []result.Moment { return c.moments }}
		s := newSearcher(testConfig(result.SearchConnections), lab)
		if err := s.try(t.Context(), move{Load: 100, Hold: time.Second}); err != nil || len(lab.trials) != c.trials || len(s.trials) != 1 || s.steps[0].Extended != c.trials-1 {
			t.Errorf("%s: %d trials, %v", c.name, len(lab.trials), err)
		}
		if s.trials[0].Held != c.held || s.steps[0].OK != c.held || !c.held && s.failed[100].failed == nil {
			t.Errorf("%s: held is %v: %+v", c.name, s.trials[0].Held, s.steps[0])
		}
	}
	// What counts is the last: it has warmed up.
	lab := &fakeLab{holds: 50, rate: 1e9, moments: func(int) []result.Moment { return falling }}
	lab.change = func(n int, _ bench.Trial, r *result.Result) {
		if n == 2 {
			r.Connections.Failed = result.Of(0)
		}
	}
	s := newSearcher(testConfig(result.SearchConnections), lab)
	if err := s.try(t.Context(), move{Load: 100, Hold: time.Second}); err != nil || !s.trials[0].Held {
		t.Errorf("%+v, %v", s.trials, err)
	}
}

// TestRunTargets searches for what meets targets that are stated, each in turn the one
// that is missed first.
func TestRunTargets(t *testing.T) {
	for _, c := range []struct{ expr, says string }{
		{"p99<50ms", "p99 50.0 ms, not p99<50ms"},
		{"connect.latency_ms.p99<=49ms", "connect.latency_ms.p99 50.0 ms, not connect.latency_ms.p99<=49ms"},
		{"cpu<1.9", "cpu 2.00 cores, not cpu<1.9"},
		{"service_ms.p50<1ms", "service_ms.p50 was not measured"},
	} {
		var target result.Target
		if err := target.UnmarshalText([]byte(c.expr)); err != nil {
			t.Fatal(err)
		}
		cfg := testConfig(result.SearchConnections)
		cfg.Bench.Targets = result.Targets{target}
		lab := &fakeLab{holds: 1e9, rate: 1e9}
		lab.change = func(_ int, one bench.Trial, r *result.Result) {
			r.Latency.P99, r.Connect.Latency.P99 = result.Of(1), result.Of(1)
			r.CPU.Server = result.Seconds(one.Hold)
			if one.Connections > 1000 {
				r.Latency.P99, r.Connect.Latency.P99 = result.Of(50), result.Of(50)
				r.CPU.Server = r.CPU.Server.Times(2)
			}
		}
		_, found, err := searched(t, cfg, lab)
		want := result.Of(1000)
		if strings.HasPrefix(c.expr, "service") {
			want = result.Figure{}
		}
		n, _ := found.Answer.Value()
		if limit, _ := want.Value(); err != nil || n > limit || n < 0.99*limit || !strings.Contains(found.StoppedBy.Evidence, c.says) || fmt.Sprint(found.Targets) != "["+c.expr+"]" {
			t.Errorf("%s: %v, %+v, %v", c.expr, found.Answer, found.StoppedBy, err)
		}
	}
}

// TestRunAtOnce: where an accept queue overflowed, what counts is how many connections
// come at once, and each step opens all of them from then on.
func TestRunAtOnce(t *testing.T) {
	const fit = 300
	lab := &fakeLab{holds: 1e9, rate: 1e9, seen: idleServer()}
	open := 0
	lab.change = func(_ int, t bench.Trial, r *result.Result) {
		if t.Anew {
			open = 0
		}
		r.Connect.ListenOverflows = result.Of(0)
		lab.seen.Overflows = result.Of(0)
		if come := t.Connections - open; come > fit {
			r.Connections.Failed, r.Connections.Established = result.Of(come-fit), result.Of(open+fit)
			lab.seen.Overflows = result.Of(come - fit)
		}
		open = min(t.Connections, open+fit)
	}
	_, c, err := searched(t, testConfig(result.SearchConnections), lab)
	if err != nil || c.Answer != result.Of(fit) || c.StoppedBy.Limit != acceptBacklog {
		t.Errorf("%v, stopped by %+v, %v", c.Answer, c.StoppedBy, err)
	}
	if lab.trials[3].Anew || !lab.trials[len(lab.trials)-1].Anew {
		t.Errorf("%+v", lab.trials)
	}
}

// TestRunKeepsUp: messages that come more slowly than they are sent do not hold, though
// none is lost.
func TestRunKeepsUp(t *testing.T) {
	lab := &fakeLab{holds: 500, rate: 1e9}
	lab.change = func(_ int, t bench.Trial, r *result.Result) {
		r.Messages.DeliveredPerSecond = result.Of(min(float64(t.Rate), 2000))
	}
	_, c, err := searched(t, testConfig(result.SearchRate), lab)
	if n, _ := c.Answer.Value(); err != nil || n < 2000 || n > 2000/kept {
		t.Errorf("%v, %v", c.Answer, err)
	}
	if last := c.Steps[len(c.Steps)-1]; !strings.Contains(c.StoppedBy.Evidence, "delivered 2,000/s of 2,") {
		t.Errorf("%+v: %+v", c.StoppedBy, last)
	}
}

// losingLab loses an agent in its third trial, and cannot go on.
type losingLab struct{ fakeLab }

func (l *losingLab) Try(ctx context.Context, t bench.Trial) (*bench.Tried, error) {
	tried, err := l.fakeLab.Try(ctx, t)
	if err != nil {
		return nil, err
	}
	half := result.Of(t.Connections).Times(0.5)
	agents := []result.Agent{{Name: "web2", Host: "h2", Connections: half, ConnectCPU: result.Of(1)}, {Name: "web3", Host: "h3", Connections: half}}
	if len(l.trials) == 3 {
		agents[1].Lost = "agent web3 (h3) has not been heard of for 5s"
		err = errors.New(agents[1].Lost)
	}
	tried.Result.Processes.Agents = agents
	return tried, err
}

// TestAgentsOfASearch: what each did is of all trials, also of the one that one of them
// was lost in.
func TestAgentsOfASearch(t *testing.T) {
	lab := &losingLab{fakeLab{holds: 1531, rate: 1e9, seen: idleServer()}}
	_, c, err := searched(t, testConfig(result.SearchConnections), lab)
	if err == nil || !c.Interrupted || len(lab.trials) != 3 {
		t.Fatalf("%v after %d trials", err, len(lab.trials))
	}
	half := result.Of(lab.trials[2].Connections).Times(0.5)
	want := []result.Agent{
		{Name: "web2", Host: "h2", Connections: half, ConnectCPU: result.Of(3)},
		{Name: "web3", Host: "h3", Connections: half, Lost: "agent web3 (h3) has not been heard of for 5s"},
	}
	if !slices.Equal(c.Agents, want) {
		t.Errorf("%+v\nwant %+v", c.Agents, want)
	}
	folder := t.TempDir()
	if err := write(folder, c, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{result.CapacityFileName, pageFile} {
		if text, err := os.ReadFile(filepath.Join(folder, name)); err != nil || !bytes.Contains(text, []byte("web2")) || !bytes.Contains(text, []byte(want[1].Lost)) {
			t.Errorf("%s does not show each agent (%v)", name, err)
		}
	}
}

// TestALostFloodIsNoLimitOfTheServer: a step in which a part of the load died does not
// hold, whatever the targets are, and the server is not blamed.
func TestALostFloodIsNoLimitOfTheServer(t *testing.T) {
	lab := &fakeLab{holds: 1531, rate: 1e9, seen: idleServer()}
	const why = "agent web3 (h3) has not been heard of for 5s"
	lab.change = func(_ int, trial bench.Trial, r *result.Result) {
		if trial.Connections >= 400 {
			r.Connections.Closed = result.Of(trial.Connections / 2)
			r.Processes.List, r.Processes.Lost = []result.Process{{Role: "flood", Number: 1}, {Role: "flood", Number: 2, Agent: "web3", Lost: true}}, []string{"flood 2: " + why, "flood 3: " + why}
			r.Processes.Agents = []result.Agent{{Name: "web2"}, {Name: "web3", Lost: why}}
		}
	}
	cfg := testConfig(result.SearchConnections)
	cfg.To = 1000
	cfg.Bench.Targets = make(result.Targets, 1)
	if err := cfg.Bench.Targets[0].UnmarshalText([]byte("p99<50ms")); err != nil {
		t.Fatal(err)
	}
	_, c, err := searched(t, cfg, lab)
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Steps[2]; s.OK || !slices.Equal(s.Missed, []string{"a part of the load was lost: " + why}) {
		t.Errorf("%+v", s)
	}
	if by := c.StoppedBy; by.Part != theGenerator || by.Limit != "a part that was lost" || by.Evidence != why {
		t.Errorf("%+v", by)
	}
	if n, _ := c.Answer.Value(); n != 200 || !c.AtLeast {
		t.Errorf("it holds %v, at least: %v; want at least what held with all of the load", n, c.AtLeast)
	}
}

// TestWrite writes the files of a search, also over those of an older one.
func TestWrite(t *testing.T) {
	folder := t.TempDir()
	lab := &fakeLab{holds: 1531, rate: 1e9, seen: idleServer()}
	_, c, _ := searched(t, testConfig(result.SearchConnections), lab)
	for range 2 {
		if err := write(folder, c, []string{"comet", "capacity"}); err != nil {
			t.Fatal(err)
		}
	}
	var got struct {
		Schema    int
		Search    string
		Answer    float64
		Spread    struct{ Low, High float64 }
		StoppedBy struct{ Part, Limit, Evidence string } `json:"stopped_by"`
		Steps     []struct {
			Load float64
			OK   bool
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, result.CapacityFileName))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != 1 || got.Search != "connections" || got.Answer != 1531 || got.Spread.Low != 1531 || got.Spread.High != 1532 || got.StoppedBy.Part == "" || len(got.Steps) != len(lab.trials) {
		t.Errorf("%+v", got)
	}
	page, err := os.ReadFile(filepath.Join(folder, pageFile))
	if err != nil || !bytes.Contains(page, []byte("web1 holds 1,531 connections")) || !bytes.Contains(page, []byte("<svg")) {
		t.Errorf("the page lacks the answer or its curve (%v)", err)
	}
	// Nothing was tried: no curve, and every list is one.
	empty := t.TempDir()
	if err := write(empty, &result.Capacity{Search: result.SearchRate}, nil); err != nil {
		t.Fatal(err)
	}
	text, _ = os.ReadFile(filepath.Join(empty, result.CapacityFileName))
	if !bytes.Contains(text, []byte(`"steps": []`)) || !bytes.Contains(text, []byte(`"answer": null`)) {
		t.Errorf("%s", text)
	}
	if err := write(filepath.Join(empty, "gone"), c, nil); err == nil {
		t.Error("a folder that is not there takes results")
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		says   string
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.Search = "memory" }, "connections or rate"},
		{func(c *Config) { c.From = 0 }, "1 or more"},
		{func(c *Config) { c.To = 99 }, "the search goes up"},
		{func(c *Config) { c.Precision = 0 }, "more than 0%"},
		{func(c *Config) { c.Precision = 0.6 }, "at most 50%"},
		{func(c *Config) { c.Hold = time.Millisecond }, "1s or more"},
		{func(c *Config) { c.Repeat = 0 }, "1 or more"},
		{func(c *Config) { c.Budget = 31 * time.Second }, "35s or more"},
		{func(c *Config) { c.Search, c.Bench.Rate = result.SearchRate, 0 }, "--publish"},
	} {
		cfg := testConfig(result.SearchConnections)
		c.change(&cfg)
		err := cfg.Validate()
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%v, want ...%s...", err, c.says)
		}
	}
}

// Example finds a limit that is made up.
func Example() {
	p := plan{From: 100, Precision: 0.01, Hold: 30 * time.Second, Repeat: 1}
	var trials []trial
	for {
		m := p.next(trials)
		if m.End != "" {
			fmt.Println(m.End, p.answer(trials).Load)
			break
		}
		trials = append(trials, trial{Load: m.Load, Hold: m.Hold, Took: m.Hold, Held: m.Load <= 1531, Carried: 1531})
	}
	// Output: found 1531
}
