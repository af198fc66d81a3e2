package bench

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.org/comet/memlog/series"
	"example.org/comet/msggen"
)

// bus is a server that is not ours: a stream for each id, and messages.
type bus struct {
	url       string
	published atomic.Int32
	refuses   atomic.Bool
}

func newBus(t *testing.T) *bus {
	t.Helper()
	b := new(bus)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case b.refuses.Load():
			http.Error(w, "not today", http.StatusForbidden)
		case r.Method == http.MethodPost:
			b.published.Add(1)
		default:
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			for b.published.Load() == 0 && r.Context().Err() == nil {
				time.Sleep(time.Millisecond)
			}
			fmt.Fprint(w, "a message")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

// at returns a site for the bus, and a run at it.
func (b *bus) at(t *testing.T, change func(*Config)) (*foreign, *run, *bytes.Buffer) {
	t.Helper()
	cfg, said := config(t), new(bytes.Buffer)
	cfg.Engine, cfg.Progress, cfg.Rate, cfg.Duration = "", said, 10, time.Second
	cfg.Target = &Target{URL: b.url + "/{id}", Publish: &msggen.PublishConfig{URL: b.url + "/{id}"}}
	change(&cfg)
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	f, err := newForeign(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.leave)
	p, err := makePlan(&cfg, f)
	if err != nil {
		t.Fatal(err)
	}
	return f, newRun(&cfg, p, f, t.TempDir()), said
}

func TestAForeignServerIsWarmedUp(t *testing.T) {
	b := newBus(t)
	f, r, said := b.at(t, func(*Config) {})
	if err := f.open(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if n := b.published.Load(); n != 10 {
		t.Errorf("%d messages were published, want one for each of ten ids", n)
	}
	for _, want := range []string{"server   " + b.url, "memory not measured (name --pid, ", "for 10 connections"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
	if r.memlog != nil || f.close() != nil || f.hung(t.Context()) != nil {
		t.Error("nobody measures it, and something is wrong with that")
	}
	if sum, err := f.traffic(t.Context()); sum != nil || err != nil {
		t.Errorf("%+v, %v: it is not asked", sum, err)
	}
	if left, err := f.collect(t.Context()); left != nil || err != nil {
		t.Errorf("%+v, %v: it is not asked", left, err)
	}
	if to := f.publisher(); to[0] != "--publish="+b.url+"/{id}" {
		t.Errorf("messages go to %q", to)
	}
	if to, more := f.streams(0); to != b.url+"/{id}" || more != nil {
		t.Errorf("streams are at %q, %q", to, more)
	}

	b.refuses.Store(true)
	if err := f.open(t.Context(), r); err == nil || !strings.Contains(err.Error(), "warm-up: no connection") || !strings.Contains(err.Error(), b.url) {
		t.Errorf("%v, want that it refuses", err)
	}
}

func TestAForeignServerThatRefusesMessages(t *testing.T) {
	b := newBus(t)
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	f, r, _ := b.at(t, func(cfg *Config) { cfg.Target.Publish.URL = elsewhere.URL + "/{id}"; cfg.Connections = 30 })
	if err := f.open(t.Context(), r); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v, want what it answers", err)
	}
	// Without messages there is nothing to refuse.
	f, r, _ = b.at(t, func(cfg *Config) { cfg.Target.Publish, cfg.Rate = nil, 0 })
	if err := f.open(t.Context(), r); err != nil {
		t.Error(err)
	}
}

// A log from another host is copied into the folder, and what is wrong with it is
// told at the end.
func TestAForeignServerIsMeasuredByItsLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "server.log")
	if err := os.WriteFile(log, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	f, r, said := newBus(t).at(t, func(cfg *Config) { cfg.Target.Log = log })
	if err := f.open(t.Context(), r); err != nil || !strings.Contains(said.String(), "the memory log from "+log) {
		t.Fatalf("%v, said %q", err, said)
	}
	if _, err := os.Stat(filepath.Join(r.folder, memLog)); err != nil {
		t.Error(err)
	}
	if list := f.members(time.Now()); len(list) != 1 || list[0].process != nil || show(list[0].pid) != "null" {
		t.Errorf("%+v", list)
	}
	if troubles := f.close(); len(troubles) != 1 || !strings.Contains(troubles[0], "brought no sample") {
		t.Errorf("%q, want that the log is empty", troubles)
	}
}

// The clock of the host that writes the log may be another one than ours: its samples
// are of the run all the same.
func TestAForeignLogIsReadByItsOwnClock(t *testing.T) {
	log := filepath.Join(t.TempDir(), "server.log")
	writer, err := series.OpenAppend(log)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	f, r, _ := newBus(t).at(t, func(cfg *Config) { cfg.Target.Log = log })
	defer f.close()
	if err := f.open(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for deadline := begun.Add(10 * time.Second); len(readSamples(filepath.Join(r.folder, memLog))) == 0; time.Sleep(50 * time.Millisecond) {
		if err := writer.Write(series.Sample{Time: time.Now().Add(-time.Hour), RSSKB: 1, Connections: series.Unknown}); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("no sample was copied")
		}
	}
	r.seal()
	if n := len(r.rec.samples); n == 0 {
		t.Fatal("none of the samples is one of the run")
	}
	if d := r.rec.samples[0].Time.Sub(begun); d < -2*time.Second || d > 12*time.Second {
		t.Errorf("the first sample is of %v after the beginning", d)
	}
}

func TestAForeignServerByItsPID(t *testing.T) {
	f, r, _ := newBus(t).at(t, func(cfg *Config) { cfg.Target.PIDs = []int32{int32(os.Getpid())} })
	t.Setenv("TEST_CHILD_OF_COMET", "is silent")
	if err := f.open(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.memlog.Stop(0) })
	list := f.members(time.Now())
	if len(list) != 1 || show(list[0].pid) != fmt.Sprint(os.Getpid()) || r.memlog == nil || !r.plan.here {
		t.Errorf("%+v, logged by %v", list, r.memlog)
	}
	if u, ok := list[0].read(false); !ok || show(u.RSS) == "null" {
		t.Errorf("%+v, %v; want this process", u, ok)
	}
}

func FuzzReadTraffic(f *testing.F) {
	f.Add([]byte(`{"routed":10,"dropped_slow":5,"router":{"unaddressed":8}}`))
	f.Add([]byte(`{"dropped_":-1,"dropped_x":"y"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		sum, err := readTraffic(text)
		if (sum == nil) != (err != nil) {
			t.Errorf("%+v, %v", sum, err)
		}
		if err == nil {
			sum.add(sum)
		}
	})
}
