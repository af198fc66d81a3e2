package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/sysctl"
)

// measured is a step that went well.
func measured(n int) *result.Result {
	r := &result.Result{Settings: map[string]any{"engine": "epoll"}}
	r.Connections.Asked, r.Connections.Established = result.Of(n), result.Of(n)
	r.Memory.BytesPerConnection = result.Of(120)
	r.Messages.Delivered, r.CPU.Server = result.Of(1000), result.Of(0.02)
	r.Latency.P99 = result.Of(float64(n) / 1e4)
	return r
}

// steps runs a series of made-up experiments.
func steps(t *testing.T, run stepFunc, numbers ...int) (folder string, outcome *Outcome, err error) {
	t.Helper()
	folder = t.TempDir()
	outcome, err = stepsInto(t, folder, run, numbers...)
	return folder, outcome, err
}

func stepsInto(t *testing.T, folder string, run stepFunc, numbers ...int) (outcome *Outcome, err error) {
	t.Helper()
	cfg := config(t)
	cfg.Steps, cfg.Settings = numbers, map[string]any{"connections": int64(1), "rate": "1000"}
	synctest.Test(t, func(t *testing.T) { // the waits between steps take no time
		outcome, err = runSteps(t.Context(), &cfg, folder, run)
	})
	return outcome, err
}

func readScale(t *testing.T, folder string) (s result.Scale) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "scale.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStepsLeaveAPictureATableAndAFolderEach(t *testing.T) {
	folder, outcome, err := steps(t, func(_ context.Context, cfg *Config, folder string) (*result.Result, error) {
		if want := int64(cfg.Connections); cfg.Settings["connections"] != want || cfg.Steps != nil || filepath.Base(folder) != fmt.Sprint(want) {
			t.Errorf("%d connections in %s with settings %v", cfg.Connections, folder, cfg.Settings)
		}
		return measured(cfg.Connections), os.WriteFile(filepath.Join(folder, "result.json"), nil, 0o644)
	}, 10, 100, 1000)
	if err != nil || outcome.Result != nil || outcome.Scale == nil {
		t.Fatalf("%+v, %v", outcome, err)
	}
	for _, name := range []string{"scale.txt", "scale.png", "scale.json", "report.html", "bench.txt", "10/result.json", "1000/result.json"} {
		if info, err := os.Stat(filepath.Join(folder, filepath.FromSlash(name))); err != nil || info.Size() == 0 && !strings.Contains(name, "/") {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := readScale(t, folder)
	if len(s.Steps) != 3 || s.Interrupted || s.Settings["connections"] != nil || s.Settings["rate"] != "1000" {
		t.Errorf("%+v", s)
	}
	if us, ok := s.Steps[1].CPUPerMessage.Server.Value(); !ok || us != 20 || s.Steps[1].Folder != "100" {
		t.Errorf("%+v, want 20 µs a message", s.Steps[1])
	}
	if _, ok := s.Steps[1].CPUPerMessage.Router.Value(); ok {
		t.Error("there was no router, and it has a figure")
	}
	bench, err := os.ReadFile(filepath.Join(folder, "bench.txt"))
	if err != nil || !bytes.Contains(bench, []byte("/conns=100 1 ")) || !bytes.Contains(bench, []byte("/conns=1000 1 ")) {
		t.Errorf("%s, %v", bench, err)
	}
}

func TestStepsEndWithWhatThereIs(t *testing.T) {
	cause := errors.New("not enough memory")
	partial := measured(40)
	partial.Connections.Asked, partial.Interrupted = result.Of(100), true
	nothing := &result.Result{Interrupted: true}
	for name, tt := range map[string]struct {
		second   *result.Result
		err      error
		wantErr  string
		wantSeen int
	}{
		"refused by the plan":         {nothing, cause, "step 2 of 3, 100 connections: not enough memory", 1},
		"no result at all":            {nil, cause, "step 2 of 3, 100 connections: not enough memory", 1},
		"failed on the way":           {partial, cause, "step 2 of 3, 100 connections: not enough memory", 2},
		"ended early, without errors": {partial, nil, "step 2 of 3, 100 connections: it did not come to its planned end", 2},
	} {
		t.Run(name, func(t *testing.T) {
			folder, outcome, err := steps(t, func(_ context.Context, cfg *Config, _ string) (*result.Result, error) {
				switch cfg.Connections {
				case 10:
					return measured(10), nil
				case 100:
					return tt.second, tt.err
				}
				t.Error("the series went on")
				return nil, nil
			}, 10, 100, 1000)
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) || tt.err != nil && !errors.Is(err, cause) {
				t.Errorf("%v, want %q", err, tt.wantErr)
			}
			if outcome == nil || !outcome.Scale.Interrupted {
				t.Fatalf("%+v, want what was measured", outcome)
			}
			s := readScale(t, folder)
			if !s.Interrupted || !strings.Contains(s.InterruptedBy, tt.wantErr) || len(s.Steps) != tt.wantSeen || len(s.Asked) != 3 {
				t.Errorf("%+v", s)
			}
			table, err := os.ReadFile(filepath.Join(folder, "scale.txt"))
			if err != nil || !bytes.Contains(table, []byte("Stopped early: ")) || !bytes.Contains(table, []byte(tt.wantErr)) {
				t.Errorf("%v in\n%s", err, table)
			}
		})
	}
}

func TestStepsReplaceAnOlderSeries(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"scale.png", "scale.txt", "mem.png"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("an older run's"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := stepsInto(t, folder, func(context.Context, *Config, string) (*result.Result, error) {
		return nil, errors.New("refused")
	}, 10)
	if err == nil {
		t.Error("no error")
	}
	for _, name := range []string{"scale.png", "mem.png"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			t.Errorf("an older %s is there, and not of this series", name)
		}
	}
}

// Ctrl-C while nothing runs that would notice.
func TestStepsEndWithCtrlC(t *testing.T) {
	if !slab().Known() {
		t.Skip("there is no wait between steps here")
	}
	cfg, folder := config(t), t.TempDir()
	cfg.Steps = []int{10, 20}
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("somebody pressed Ctrl-C")
		ctx, cancel := context.WithCancelCause(t.Context())
		ran := 0
		outcome, err := runSteps(ctx, &cfg, folder, func(context.Context, *Config, string) (*result.Result, error) {
			ran++
			cancel(cause)
			return measured(10), nil
		})
		if !errors.Is(err, cause) || ran != 1 || len(outcome.Scale.Steps) != 1 || !outcome.Scale.Interrupted {
			t.Errorf("%v after %d steps: %+v", err, ran, outcome.Scale)
		}
	})
}

func TestSettleWaitsForTheKernel(t *testing.T) {
	const mib = 1 << 20
	for name, tt := range map[string]struct {
		slab func(seconds int) sysctl.Value
		want time.Duration
		says bool
	}{
		"unknown":           {func(int) sysctl.Value { return sysctl.Unknown }, 0, false},
		"at rest":           {func(int) sysctl.Value { return 1000 * mib }, 3 * time.Second, false},
		"growing":           {func(s int) sysctl.Value { return sysctl.Value(1000+100*s) * mib }, 3 * time.Second, false},
		"falls for 10 s":    {func(s int) sysctl.Value { return sysctl.Value(1000-min(s, 10)) * mib }, 13 * time.Second, true},
		"falls and falls":   {func(s int) sysctl.Value { return sysctl.Value(1000-min(s, 99)) * mib }, 75 * time.Second, true},
		"a last fall late":  {func(s int) sysctl.Value { return sysctl.Value(20-10*min(s/2, 1)) * mib }, 5 * time.Second, true},
		"a fall of nothing": {func(s int) sysctl.Value { return sysctl.Value(1000*mib - 1000*s) }, 3 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				var said bytes.Buffer
				err := settle(t.Context(), &said, func() sysctl.Value { return tt.slab(int(time.Since(begun) / time.Second)) })
				if got := time.Since(begun); err != nil || got != tt.want || (said.Len() > 0) != tt.says {
					t.Errorf("%v, %v; want %v; said %q", got, err, tt.want, said.String())
				}
			})
		})
	}
}

func TestValidateSteps(t *testing.T) {
	for want, numbers := range map[string][]int{
		"":                       {10, 100},
		"step 1 has 0":           {0, 10},
		"step 2 has 10":          {10, 10},
		"step 3 has 5 connectio": {1, 10, 5},
	} {
		cfg := config(t)
		cfg.Connections, cfg.Steps = 0, numbers
		if err := cfg.Validate(); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v, want %q", numbers, err, want)
		}
	}
}
