package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/cmd/internal/fleet"
	"example.org/comet/cmd/internal/probe"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
	"example.org/comet/sysctl"
)

// stage is a site without servers, on which a test says what happens.
type stage struct {
	site
	opened  func(context.Context, *run) error
	parts   []member
	end     error // that the servers have ended
	hangs   error
	trouble []string
}

func (s *stage) label() string { return "stage" }
func (s *stage) arrange(cfg *Config, _ sysctl.System) *plan {
	return &plan{pairs: divide(cfg.Connections, 1, 0)}
}

func (s *stage) resize(*plan, *Config) {}

func (s *stage) open(ctx context.Context, r *run) error {
	if s.opened != nil {
		return s.opened(ctx, r)
	}
	return nil
}

func (s *stage) serve(context.Context, int) (int, error) { return 0, nil }
func (s *stage) streams(int) (string, []string)          { return "http://127.0.0.1:1/{id}", nil }
func (s *stage) publisher() []string                     { return nil }
func (s *stage) members(time.Time) []member              { return s.parts }
func (s *stage) await(context.Context, time.Time) error  { return nil }
func (s *stage) gone() error                             { return s.end }
func (s *stage) hung(context.Context) error              { return s.hangs }
func (s *stage) close() []string                         { return s.trouble }
func (s *stage) leave()                                  {}
func (s *stage) traffic(context.Context) (*traffic, error) {
	return nil, nil
}

// onStage returns a run of a made-up site, and what it reports.
func onStage(t *testing.T, s *stage) (*run, *bytes.Buffer) {
	t.Helper()
	cfg, said := config(t), new(bytes.Buffer)
	cfg.Progress = said
	return newRun(&cfg, &plan{connections: 10, pairs: divide(10, 1, 0), cpus: 2}, s, t.TempDir()), said
}

// part starts a part that plays a role, and is killed at the end.
func startPart(t *testing.T, r *run, name, role string) *fleet.Process {
	t.Helper()
	t.Setenv("TEST_CHILD_OF_COMET", role)
	p, err := r.start(t.Context(), fleet.Spec{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(0) })
	return p
}

func TestAPhaseThatFailsIsNamed(t *testing.T) {
	failure := errors.New("no server")
	s := &stage{opened: func(context.Context, *run) error { return failure }, trouble: []string{"the log was cut off"}}
	r, said := onStage(t, s)
	err := r.do(t.Context())
	if !errors.Is(err, failure) || !strings.HasPrefix(err.Error(), "in phase start: ") {
		t.Errorf("%v, want the phase", err)
	}
	if len(r.rec.losses) != 1 || !r.rec.losses[0].ended || !strings.Contains(said.String(), "lost     the log was cut off") {
		t.Errorf("%+v, said %q; want the trouble of the site", r.rec.losses, said)
	}
	// Without parts there are no figures, and the folder is written all the same.
	b := &bench{site: s, plan: r.plan}
	folder := t.TempDir()
	res, err := b.once(t.Context(), r.cfg, folder)
	if !errors.Is(err, failure) || !res.Interrupted || show(res.Connections.Asked) != "10" {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := os.Stat(filepath.Join(folder, "result.json")); err != nil {
		t.Error(err)
	}
}

func TestAPartThatHangsIsBlamed(t *testing.T) {
	s := new(stage)
	s.opened = func(context.Context, *run) error {
		return fmt.Errorf("waiting: %w", fleet.Hung(&fleet.Process{Name: "serve", PID: 7}, "does not answer"))
	}
	r, _ := onStage(t, s)
	if err := r.do(t.Context()); err == nil || !r.rec.lostIn("start") || r.rec.lostIn("connect") || r.rec.losses[0].ended {
		t.Errorf("%v, %+v; want the part noted as what ended the run", err, r.rec.losses)
	}
	if !strings.Contains(r.rec.losses[0].what, "comet serve (pid 7) does not answer") {
		t.Errorf("%+v", r.rec.losses)
	}
}

func TestLose(t *testing.T) {
	s := new(stage)
	r, said := onStage(t, s)
	r.enter("messages")
	one, two := startPart(t, r, "serve", "dies"), startPart(t, r, "serve", "is silent")
	s.parts = []member{ours("server", 1, one), ours("server", 2, two)}
	<-one.Done()
	if err := r.fleet.Lose(one); err != nil || !strings.Contains(said.String(), "lost     ") || !strings.Contains(said.String(), "the last words") {
		t.Errorf("%v, said %q; want one of two to be lost and the run to go on", err, said)
	}
	if got := r.lost; len(got) != 1 || !got[0].ended || got[0].phase != "messages" {
		t.Errorf("%+v", got)
	}
	failure := errors.New("connection refused")
	if err := r.unlessLost(one, failure); err != nil {
		t.Errorf("%v: the other goes on", err)
	}
	if err := r.unlessLost(two, failure); !errors.Is(err, failure) {
		t.Errorf("%v: that one has not ended", err)
	}
	if err := r.unlessLost(two, nil); err != nil {
		t.Error(err)
	}
	// The other is one too many.
	_ = two.Stop(0)
	if err := r.unlessLost(two, failure); err == nil || !strings.Contains(err.Error(), "comet serve (pid ") {
		t.Errorf("%v, want the last one by name", err)
	}
	if err := r.unlessLost(one, failure); !errors.Is(err, failure) {
		t.Errorf("%v: nobody is left", err)
	}
	// The witness is missed by nobody, unless it ended with what it watches.
	r.memlog = startPart(t, r, "memlog", "dies")
	<-r.memlog.Done()
	if err := r.lose(r.memlog); err != nil {
		t.Error(err)
	}
	s.end = errors.New("the server under test has ended")
	if err := r.lose(r.memlog); !errors.Is(err, s.end) {
		t.Errorf("%v, want the server", err)
	}
}

func TestWatchEnds(t *testing.T) {
	untilEnd := func(ctx context.Context) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	never := func() bool { return false }
	synctest.Test(t, func(t *testing.T) {
		s := &stage{end: errors.New("the server has ended")}
		r, _ := onStage(t, s)
		if err := r.watch(t.Context(), never, untilEnd); !errors.Is(err, s.end) {
			t.Errorf("%v, want that the server has ended", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s := &stage{hangs: errors.New("the server hangs")}
		r, _ := onStage(t, s)
		begun := time.Now()
		err := r.watch(t.Context(), r.after(time.Minute), untilEnd)
		if took := time.Since(begun); !errors.Is(err, s.hangs) || took > time.Minute+patience || took < time.Minute {
			t.Errorf("%v after %v; want a part that hangs named within 20 s after the end that was planned", err, took)
		}
		// One that is late for another reason may be.
		s.hangs = nil
		if err := r.watch(t.Context(), r.after(0), func(ctx context.Context) error { return fleet.Wait(ctx, time.Hour) }); err != nil {
			t.Error(err)
		}
	})
}

func TestStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := onStage(t, new(stage))
		n := 0
		overdue := r.stalled(func() int { return n })
		for range 60 {
			time.Sleep(time.Second)
			n++
			if overdue() {
				t.Fatalf("stalled after %d", n)
			}
		}
		time.Sleep(patience)
		if !overdue() {
			t.Error("not stalled after 20 s without a change")
		}
	})
}

func TestPatienceGrowsWithTheConnections(t *testing.T) {
	r, _ := onStage(t, new(stage))
	if r.patience() != patience || r.hurry() > 3*time.Second {
		t.Errorf("%v and %v for ten connections", r.patience(), r.hurry())
	}
	r.cfg.Connections = 1_000_000
	if r.patience() != patience+40*time.Second {
		t.Errorf("%v for a million", r.patience())
	}
}

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		stop := every(time.Second, func() { n++ })
		time.Sleep(3500 * time.Millisecond)
		stop()
		time.Sleep(time.Minute)
		if n != 3 {
			t.Errorf("called %d times in 3.5 s", n)
		}
	})
}

func TestSpec(t *testing.T) {
	r, _ := onStage(t, new(stage))
	if spec := r.spec(0, "serve", nil); spec.Env != nil || spec.Pin != (fleet.Pin{}) {
		t.Errorf("%+v of a server that is alone", spec)
	}
	r.plan.pairs = divide(10, 1, 1)
	if spec := r.spec(3, "serve", nil); len(spec.Env) != 1 || spec.Env[0] != "GOMAXPROCS=1" || spec.Pin != (fleet.Pin{Batch: true}) {
		t.Errorf("%+v of one of many", spec)
	}
	r.plan.crowded = true
	if spec := r.spec(3, "serve", nil); spec.Pin.Processor != 4 {
		t.Errorf("%+v of one of very many", spec)
	}
}

func TestSample(t *testing.T) {
	r, _ := onStage(t, new(stage))
	f := new(floodPart)
	r.sample(f, []byte(`{"connected":7,"busy":0.25}`))
	r.sample(f, []byte(`{"connected":`)) // cut off with its process
	if f.live.Load().Connected != nil || f.live.Load().Counts.Connected != 7 || r.busy.n != 0 {
		t.Errorf("%+v, busy %+v before the messages", f.live.Load(), r.busy)
	}
	r.sending.Store(true)
	r.sample(f, []byte(`{"busy":0.25}`))
	r.sample(f, []byte(`{"busy":0.75}`))
	if got := show(r.busy.figure()); got != "0.5" || show(new(mean).figure()) != "null" {
		t.Errorf("busy %s", got)
	}
}

func TestConnected(t *testing.T) {
	r, said := onStage(t, new(stage))
	f := new(floodPart)
	f.Process = new(fleet.Process)
	r.floods, r.rec.connectSeconds = []*floodPart{f}, result.Of(2)
	f.connected.Store(&flood.Result{Explanation: "10 connections failed: nobody listens"})
	if err := r.connected(nil); err == nil || !strings.Contains(err.Error(), "no connection was established: 10 connections failed") {
		t.Errorf("%v, want why there is none", err)
	}
	f.live.Store(&flood.Sample{Counts: flood.Counts{Connected: 4, Delivered: 3}, Latency: latencies(1)})
	if err := r.connected(nil); err != nil || !strings.Contains(said.String(), "connect  4 of 10 in 2.00 s (2/s)") || !strings.Contains(said.String(), "nobody listens") {
		t.Errorf("%v, said %q", err, said)
	}
	if r.totals().Delivered != 3 || show(r.p99()) != "3" {
		t.Errorf("%+v, p99 %s", r.totals(), show(r.p99()))
	}
}

// ownSite returns a site of ours whose servers answer as a test says.
func ownSite(t *testing.T, answers ...http.HandlerFunc) *own {
	t.Helper()
	o := newOwn(new(Config))
	o.run, _ = onStage(t, &stage{site: o})
	t.Cleanup(func() { o.close() })
	for _, answer := range answers {
		o.servers = append(o.servers, &ownPart{Process: startPart(t, o.run, "serve", "is silent"), admin: listener(t, answer)})
	}
	return o
}

func TestOwnServersAreAsked(t *testing.T) {
	answer := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/gc" {
				fmt.Fprintf(w, `{"rss_after_bytes":%d}`, 1000*n)
				return
			}
			fmt.Fprintf(w, `{"routed":%d,"dropped_slow":1}`, n)
		}
	}
	o := ownSite(t, answer(3), answer(4))
	sum, err := o.traffic(t.Context())
	if err != nil || sum.routed != 7 || sum.dropped["slow"] != 2 {
		t.Errorf("%+v, %v", sum, err)
	}
	left, err := o.collect(t.Context())
	if err != nil || show(left[theServer]) != "3000" || show(left[probe.Part{Role: "server", Number: 2}]) != "4000" {
		t.Errorf("%v, %v", left, err)
	}
	if list := o.members(time.Time{}); len(list) != 2 || list[1].Number != 2 || show(list[1].pid) == "null" {
		t.Errorf("%+v", list)
	}
	// One that was lost is not asked, and one that refuses is named.
	_ = o.servers[0].Stop(0)
	o.run.site.(*stage).parts = o.members(time.Time{})
	_ = o.run.fleet.Lose(o.servers[0].Process)
	if sum, err = o.traffic(t.Context()); err != nil || sum.routed != 4 {
		t.Errorf("%+v, %v", sum, err)
	}
	o.servers[1].admin = listener(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	if sum, err = o.traffic(t.Context()); sum != nil || err == nil || !strings.HasPrefix(err.Error(), o.servers[1].String()) {
		t.Errorf("%+v, %v; want the server by name", sum, err)
	}
	if err := o.gone(); err != nil {
		t.Error(err)
	}
}

func TestAnOwnServerThatHangsIsNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes five seconds to know")
	}
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	fine := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }
	o := ownSite(t, fine, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	err := o.hung(t.Context())
	if hung, ok := errors.AsType[*fleet.HungError](err); !ok || hung.Process != o.servers[1].Process {
		t.Errorf("%v, want the second", err)
	}
	o.servers = o.servers[:1]
	if err := o.hung(t.Context()); err != nil {
		t.Error(err)
	}
	// One whose listener refuses does not hang.
	o.servers[0].admin.url = "http://127.0.0.1:1"
	if err := o.hung(t.Context()); err != nil {
		t.Error(err)
	}
}
