//go:build unix

package bench_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.org/comet/cmd/internal/bench"
	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood/pace"
)

// explored runs a session with real parts.
func explored(t *testing.T, cfg bench.Config, explore func(context.Context, *bench.Session) error) error {
	t.Helper()
	folder, err := bench.Explore(t.Context(), cfg, explore)
	if folder != cfg.Out {
		t.Errorf("the folder is %q, want %q", folder, cfg.Out)
	}
	return err
}

// whole reports a trial in which not every message came to its connection, once, or that
// has the rate of a longer time than it took.
func whole(t *testing.T, r *result.Result, connections, messages float64, took time.Duration) {
	t.Helper()
	m := r.Messages
	if number(r.Connections.Asked) != connections || number(r.Connections.Established) != connections || number(r.Connections.Failed) != 0 || number(r.Connections.Closed) != 0 {
		t.Errorf("%+v, want %v connections", r.Connections, connections)
	}
	if number(m.Sent) != messages || number(m.Expected) != messages || number(m.Delivered) != messages || number(m.Missing) != 0 || number(m.Duplicated) != 0 || number(m.Replayed) != 0 || len(m.Faults) > 0 {
		t.Errorf("%+v, want %v messages delivered", m, messages)
	}
	if per := number(m.DeliveredPerSecond); messages > 0 && per < messages/took.Seconds() {
		t.Errorf("%v messages were delivered per second, of %v in %v", per, messages, took)
	}
	if r.Interrupted || len(r.Processes.Lost) > 0 {
		t.Errorf("interrupted %v, lost %q", r.Interrupted, r.Processes.Lost)
	}
}

// TestSession adds connections, closes some and adds again; each trial has its own
// figures.
func TestSession(t *testing.T) {
	cfg := small(t, new(watched))
	err := explored(t, cfg, func(ctx context.Context, s *bench.Session) error {
		if s.Most() != 50 {
			t.Errorf("a trial may have %d connections", s.Most())
		}
		for _, c := range []struct {
			connections int
			rate        pace.Rate
			memory      bool // is known
		}{{20, 100, true}, {50, 200, true}, {30, 100, false}, {30, 0, false}} {
			begun := time.Now()
			tried, err := s.Try(ctx, bench.Trial{Connections: c.connections, Rate: c.rate, Hold: time.Second})
			if err != nil {
				return err
			}
			r := tried.Result
			if c.rate == 0 {
				if number(r.Connections.Established) != 30 || number(r.Messages.Sent) != -1 || number(r.Latency.P50) != -1 {
					t.Errorf("without messages: %+v %+v", r.Connections, r.Messages)
				}
				continue
			}
			whole(t, r, float64(c.connections), float64(c.rate), time.Since(begun))
			if known := number(r.Memory.BytesPerConnection) != -1; known != c.memory || number(r.Latency.P99) < 0 {
				t.Errorf("with %d connections: memory %+v, latency %+v", c.connections, r.Memory, r.Latency)
			}
			if len(tried.Timeline.Moments) < 3 {
				t.Errorf("%d moments", len(tried.Timeline.Moments))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSessionStartsServers starts each server once a trial needs it, and charges none to
// connections; one that is there already stays.
func TestSessionStartsServers(t *testing.T) {
	said := new(watched)
	cfg := small(t, said)
	cfg.Connections, cfg.Nodes, cfg.Streams.Subscribers = 60, 3, 2
	err := explored(t, cfg, func(ctx context.Context, s *bench.Session) error {
		for i, c := range []struct {
			connections int
			servers     float64
			memory      bool // is known
		}{{20, 1, true}, {50, 3, true}, {20, 3, false}} {
			tried, err := s.Try(ctx, bench.Trial{Connections: c.connections, Rate: 20, Hold: time.Second})
			if err != nil {
				return err
			}
			r := tried.Result
			if number(r.Connections.Established) != float64(c.connections) || number(r.Messages.Delivered) != 40 || number(r.Messages.Missing) != 0 {
				t.Errorf("trial %d: %+v, %+v, want 20 messages to two connections each", i+1, r.Connections, r.Messages)
			}
			if number(r.Processes.Servers) != c.servers {
				t.Errorf("trial %d has %v servers, want %v", i+1, number(r.Processes.Servers), c.servers)
			}
			// A server takes 10 MB and more before its first connection.
			if each := number(r.Memory.BytesPerConnection); c.memory == (each == -1) || each*float64(c.connections) > 8<<20 {
				t.Errorf("trial %d: a connection takes %v bytes", i+1, each)
			}
			if start := number(r.Memory.RSSStart); start < 8<<20*c.servers {
				t.Errorf("trial %d: %v servers took %v bytes at the start", i+1, c.servers, start)
			}
			if c.servers > 1 && runtime.GOOS == "linux" && number(tried.Seen.Workers) != c.servers-1 {
				t.Errorf("trial %d looked at %v servers but one, want %v", i+1, number(tried.Seen.Workers), c.servers-1)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if text := said.String(); !strings.Contains(text, "servers  3 now, 2 of them new") {
		t.Errorf("said %q", text)
	}
}

// TestSessionAnew: a trial opens all its connections, of which each was there.
func TestSessionAnew(t *testing.T) {
	cfg := small(t, new(watched))
	err := explored(t, cfg, func(ctx context.Context, s *bench.Session) error {
		for i, c := range []struct{ anew, opens bool }{{false, true}, {false, false}, {true, true}} {
			tried, err := s.Try(ctx, bench.Trial{Connections: 20, Anew: c.anew, Hold: time.Second})
			if err != nil {
				return err
			}
			if opened := number(tried.Result.Connect.Seconds) > 0; opened != c.opens || number(tried.Result.Connections.Established) != 20 {
				t.Errorf("trial %d opened connections: %v, want %v; %+v", i+1, opened, c.opens, tried.Result.Connections)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSessionLosesAFlood kills one: it is missing in its trial, and its connections
// are there in the next.
func TestSessionLosesAFlood(t *testing.T) {
	cfg := small(t, new(watched))
	cfg.Streams.Subscribers, cfg.Streams.InFlight = 5, 37
	var doomed atomic.Bool // a flood is to be killed, once messages are sent
	cfg.OnMoment = func(m result.Moment, _ result.Quantiles) {
		if m.Phase == "messages" && doomed.Swap(false) {
			if pid := child(t, "flood", "--in-flight=37"); pid != 0 {
				_ = syscall.Kill(int(pid), syscall.SIGKILL)
			}
		}
	}
	err := explored(t, cfg, func(ctx context.Context, s *bench.Session) error {
		for i, connections := range []int{20, 42, 42} {
			hold := time.Second
			if i == 1 {
				hold = 3 * time.Second
				doomed.Store(true)
			}
			tried, err := s.Try(ctx, bench.Trial{Connections: connections, Rate: 50, Hold: hold})
			if err != nil {
				return err
			}
			r := tried.Result
			if i == 1 {
				if len(r.Processes.Lost) != 1 || number(r.Messages.Missing) != -1 {
					t.Errorf("lost %q, missing %v", r.Processes.Lost, number(r.Messages.Missing))
				}
				// The first flood has 20 of 40, the one with the others was opened in this trial.
				if number(r.Connections.Established) != 40 || number(r.Connections.Closed) != 20 || number(r.Errors()) != 20 {
					t.Errorf("%+v, %v errors, want the connections of the flood closed", r.Connections, r.Errors())
				}
				continue
			}
			rooms := connections - connections%5
			if number(r.Connections.Established) != float64(rooms) || number(r.Messages.Expected) != 250 || number(r.Messages.Delivered) != 250 || number(r.FanOut.Last) < 0 {
				t.Errorf("%+v %+v %+v, want 50 messages to 5 connections each", r.Connections, r.Messages, r.FanOut)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSessionIsInterrupted leaves what was tried until then, and no process.
func TestSessionIsInterrupted(t *testing.T) {
	cfg := small(t, new(watched))
	ctx, interrupt := context.WithCancelCause(t.Context())
	stop := errors.New("that is enough")
	cfg.OnMoment = func(m result.Moment, _ result.Quantiles) {
		if m.Phase == "messages" {
			interrupt(stop)
		}
	}
	_, err := bench.Explore(ctx, cfg, func(ctx context.Context, s *bench.Session) error {
		tried, err := s.Try(ctx, bench.Trial{Connections: 20, Rate: 100, Hold: time.Minute})
		if tried == nil || !tried.Result.Interrupted || number(tried.Result.Connections.Established) != 20 {
			t.Errorf("%+v", tried)
		}
		return err
	})
	if !errors.Is(err, stop) || !strings.HasPrefix(err.Error(), "in phase ") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.Out, "mem.log")); err != nil {
		t.Error(err)
	}
}
