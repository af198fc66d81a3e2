package memlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/memlog/series"
)

func Example() {
	// A real caller watches a server, by its pid or its command line, and ends
	// ctx when it has seen enough.
	ctx, cancel := context.WithCancel(context.Background())
	log, err := New(Config{
		PIDs:     []int32{int32(os.Getpid())},
		Interval: time.Second,
		OnSample: func(s series.Sample) {
			pid, _ := s.Field("pid")
			fmt.Println(pid == fmt.Sprint(os.Getpid()), s.RSSKB > 1000, s.Connections == series.Unknown)
			cancel()
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(log.Run(ctx))
	// Output:
	// true true true
	// <nil>
}

func TestValidateNamesEveryField(t *testing.T) {
	err := Config{PIDs: []int32{0, -3}, Match: "(", Interval: -1, Duration: -1}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"not by both", "0 among PIDs", "-3 among PIDs", "Match: ", "Interval", "Duration", "Out"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named: %v", want, err)
		}
	}
	if err := (Config{OnSample: func(series.Sample) {}}).Validate(); err == nil || !strings.Contains(err.Error(), "which process") {
		t.Errorf("without a target: %v", err)
	}
	if err := (Config{Match: "x", OnSample: func(series.Sample) {}}).Validate(); err != nil {
		t.Errorf("a good one: %v", err)
	}
	err = Config{Match: "x", PSS: true, OnSample: func(series.Sample) {}}.Validate()
	if errors.Is(err, errors.ErrUnsupported) == pssSupported {
		t.Errorf("PSS: %v", err)
	}
}

// fakeLog is a Log whose samples cost what cost says, of k = 0, 1, 2, …
func fakeLog(cfg Config, cost func(k int) (time.Duration, error)) *Log {
	var k int
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Log{
		cfg: cfg, log: logger, sampler: &Sampler{log: logger, trouble: map[string]bool{}},
		take: func() (Usage, error) {
			u := unknownUsage()
			d, err := cost(k)
			k++
			time.Sleep(d)
			return u, err
		},
	}
}

func TestDeadlines(t *testing.T) {
	quick := func(int) (time.Duration, error) { return 100 * time.Millisecond, nil }
	tests := []struct {
		name               string
		interval, duration time.Duration
		cost               func(k int) (time.Duration, error)
		want               []time.Duration // when samples are taken
		end                time.Duration
	}{
		{
			"no drift", time.Second, 4 * time.Second, quick,
			[]time.Duration{0, 1e9, 2e9, 3e9, 4e9},
			4100 * time.Millisecond,
		},
		{
			"the last at the end", 2 * time.Second, 5 * time.Second, quick,
			[]time.Duration{0, 2e9, 4e9, 5e9},
			5100 * time.Millisecond,
		},
		{
			"shorter than an interval", time.Minute, time.Second, quick,
			[]time.Duration{0, 1e9},
			1100 * time.Millisecond,
		},
		{"late ones are left out", time.Second, 6 * time.Second, func(k int) (time.Duration, error) {
			if k == 1 {
				return 2500 * time.Millisecond, nil // from 1 s to 3.5 s
			}
			return 0, nil
		}, []time.Duration{0, 1e9, 4e9, 5e9, 6e9}, 6 * time.Second},
		{"late beyond the end", time.Second, 3 * time.Second, func(k int) (time.Duration, error) {
			if k == 1 {
				return 10 * time.Second, nil
			}
			return 0, nil
		}, []time.Duration{0, 1e9, 11e9}, 11 * time.Second},
		{
			"exactly an interval", time.Second, 3 * time.Second, func(int) (time.Duration, error) { return time.Second, nil },
			[]time.Duration{0, 1e9, 2e9, 3e9},
			4 * time.Second,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var got []time.Duration
				l := fakeLog(Config{Interval: tt.interval, Duration: tt.duration, OnSample: func(s series.Sample) {
					got = append(got, s.Time.Sub(start))
				}}, tt.cost)
				if err := l.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, tt.want) || time.Since(start) != tt.end {
					t.Errorf("samples at %v, end at %v; want %v, %v", got, time.Since(start), tt.want, tt.end)
				}
			})
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		var n int
		l := fakeLog(Config{Interval: time.Minute, OnSample: func(series.Sample) { n++ }},
			func(int) (time.Duration, error) { return 0, nil })
		if err := l.Run(ctx); err != nil || n != 3 || time.Since(start) != 150*time.Second {
			t.Errorf("%d samples in %v, %v", n, time.Since(start), err)
		}
	})
}

func TestRunEndsWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := fakeLog(Config{PIDs: []int32{4711}, Interval: time.Minute, OnSample: func(series.Sample) {}},
			func(k int) (time.Duration, error) {
				if k == 2 {
					return 0, (&Sampler{cfg: Config{PIDs: []int32{4711}}}).goneError()
				}
				return 0, nil
			})
		err := l.Run(t.Context())
		if !errors.Is(err, ErrTargetGone) || err.Error() != "memlog: process 4711: the process has ended, after 2 samples" {
			t.Errorf("got %v", err)
		}
	})
}

func TestAMatchIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		var out strings.Builder
		l := fakeLog(Config{
			Match: "x", Interval: time.Minute, Duration: 6 * time.Minute,
			Out: series.NewWriter(&out), Logger: slog.New(slog.NewTextHandler(&said, nil)),
		}, func(k int) (time.Duration, error) {
			switch k {
			case 1, 2, 3:
				return 0, ErrTargetGone
			case 4:
				return 0, &AmbiguousError{Match: "x"}
			}
			return 0, nil
		})
		if err := l.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\t-\t-\tprocs=0\n"); n != 7 {
			t.Errorf("%d lines of the unknown, want 7: %s", n, out.String())
		}
		if strings.Count(said.String(), "waiting for") != 1 || strings.Count(said.String(), "unrelated") != 1 {
			t.Errorf("each is to be said once: %s", said.String())
		}
	})
}

// flaky fails while it has an error.
type flaky struct {
	err error
	bytes.Buffer
}

func (f *flaky) Write(p []byte) (int, error) {
	if f.err != nil {
		n, _ := f.Buffer.Write(p[:len(p)/2])
		return n, f.err
	}
	return f.Buffer.Write(p)
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		disk := &flaky{}
		l := fakeLog(Config{
			Match: "x", Interval: time.Second, Duration: 5 * time.Second,
			Out: series.NewWriter(disk), Logger: slog.New(slog.NewTextHandler(&said, nil)),
		}, func(k int) (time.Duration, error) {
			disk.err = nil
			if k == 1 || k == 2 {
				disk.err = syscall.ENOSPC
			}
			return 0, nil
		})
		if err := l.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := l.Stats(); got != (Stats{Samples: 6, Lost: 2}) {
			t.Errorf("%+v", got)
		}
		samples, _, err := series.ReadAll(&disk.Buffer, "mem.log")
		if err != nil || len(samples) != 4 {
			t.Errorf("%d samples were written whole (%v), want 4", len(samples), err)
		}
		if strings.Count(said.String(), "level=ERROR") != 1 || !strings.Contains(said.String(), "samples_lost=2") {
			t.Errorf("said: %s", said.String())
		}
	})
}

func TestRunEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := fakeLog(Config{Match: "x", Interval: time.Second, Out: series.NewWriter(&flaky{err: syscall.EPIPE})},
			func(int) (time.Duration, error) { return 0, nil })
		if err := l.Run(t.Context()); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("got %v", err)
		}
	})
}

// A crash has torn the last line; the next run resumes the log.
func TestResumeATornLog(t *testing.T) {
	h := start(t, "hold 1")
	path := filepath.Join(t.TempDir(), "mem.log")
	const before = "Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t1\nMon Oct 20 16:58:25 BST 2008\t122451"
	if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := series.OpenAppend(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	l, err := New(Config{PIDs: []int32{h.pid()}, Interval: time.Hour, Duration: time.Millisecond, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(text), before+"\n") {
		t.Fatalf("%v: %q", err, text)
	}
	samples, malformed, err := series.ReadAll(bytes.NewReader(text), path)
	if err != nil || len(samples) != 3 || len(malformed) != 1 || malformed[0].Line != 2 {
		t.Fatalf("%d samples, malformed %v, %v; want 3 and line 2", len(samples), malformed, err)
	}
	for _, s := range samples[1:] {
		pid, _ := s.Number("pid")
		started, _ := s.Number("start")
		if int32(pid) != h.pid() || started < 1e9 || s.RSSKB < 1024 {
			t.Errorf("%+v", s)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty Config was accepted")
	}
	_, err := New(Config{Match: "no process has this " + "in its command line", OnSample: func(series.Sample) {}})
	if !errors.Is(err, ErrNoTarget) {
		t.Errorf("got %v", err)
	}
}
