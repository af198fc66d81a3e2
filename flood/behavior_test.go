package flood

import (
	"encoding"
	"strings"
	"testing"
	"time"
)

// TestBehaviorTexts: each is read, written again as text that reads the same, or
// refused.
func TestBehaviorTexts(t *testing.T) {
	type text interface {
		encoding.TextUnmarshaler
		encoding.TextMarshaler
	}
	for _, c := range []struct {
		make     func() text
		in, want string // "" for an error
	}{
		{func() text { return new(Share) }, "5%", "5%"},
		{func() text { return new(Share) }, "0.125%", "0.125%"},
		{func() text { return new(Share) }, "100%", "100%"},
		{func() text { return new(Share) }, "7%", "7%"},
		{func() text { return new(Share) }, "1e-9%", "1e-09%"},
		{func() text { return new(Share) }, "1e-323%", ""},
		{func() text { return new(Share) }, "0%", ""},
		{func() text { return new(Share) }, "101%", ""},
		{func() text { return new(Share) }, "-1%", ""},
		{func() text { return new(Share) }, "NaN%", ""},
		{func() text { return new(Share) }, "5", ""},
		{func() text { return new(Churn) }, "5%/s", "5%/s"},
		{func() text { return new(Churn) }, "5%", ""},
		{func() text { return new(Churn) }, "5/s", ""},
		{func() text { return new(Storm) }, "30s:100%", "30s:100%"},
		{func() text { return new(Storm) }, "0s:1%", "0s:1%"},
		{func() text { return new(Storm) }, "-1s:1%", ""},
		{func() text { return new(Storm) }, "30s", ""},
		{func() text { return new(Storm) }, "100%:30s", ""},
		{func() text { return new(SlowReaders) }, "1%:1KB/s", "1%:1000B/s"},
		{func() text { return new(SlowReaders) }, "1%:2KiB/s", "1%:2048B/s"},
		{func() text { return new(SlowReaders) }, "1%:7B/s", "1%:7B/s"},
		{func() text { return new(SlowReaders) }, "1%:0B/s", ""},
		{func() text { return new(SlowReaders) }, "1%:1KB", ""},
		{func() text { return new(SlowReaders) }, "1%:9999999MB/s", ""},
		{func() text { return new(Reconnect) }, "min=1s,max=30s,jitter=full", "min=1s,max=30s,jitter=full"},
		{func() text { return new(Reconnect) }, "min=100ms", "min=100ms,max=30s,jitter=full"},
		{func() text { return new(Reconnect) }, "min=1m", "min=1m0s,max=1m0s,jitter=full"},
		{func() text { return new(Reconnect) }, "jitter=none,max=2s", "min=1s,max=2s,jitter=none"},
		{func() text { return new(Reconnect) }, "min=5s,max=1s", ""},
		{func() text { return new(Reconnect) }, "min=0s", ""},
		{func() text { return new(Reconnect) }, "jitter=some", ""},
		{func() text { return new(Reconnect) }, "delay=1s", ""},
		{func() text { return new(Reconnect) }, "", ""},
		{func() text { return new(Ramp) }, "30s", "30s"},
		{func() text { return new(Ramp) }, "1k:10s,10k:30s", "1k:10s,10k:30s"},
		{func() text { return new(Ramp) }, "10k:10s,1k:30s", ""},
		{func() text { return new(Ramp) }, "10s,1k:30s", ""},
		{func() text { return new(Ramp) }, "1k:10s,30s", ""},
		{func() text { return new(Ramp) }, "0:10s", ""},
		{func() text { return new(Ramp) }, "1k:0s", ""},
		{func() text { return new(Ramp) }, "", ""},
	} {
		v := c.make()
		err := v.UnmarshalText([]byte(c.in))
		if (err == nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), "write") && !strings.Contains(err.Error(), "must be") {
			t.Errorf("%T %q: %v", v, c.in, err)
		}
		if err != nil {
			continue
		}
		out, err := v.MarshalText()
		if again := c.make(); err != nil || string(out) != c.want || again.UnmarshalText(out) != nil {
			t.Errorf("%T %q is written %q, want %q; %v", v, c.in, out, c.want, err)
		}
	}
}

func TestReconnectDelay(t *testing.T) {
	r := Reconnect{Min: time.Second, Max: 10 * time.Second, Jitter: NoJitter}
	for failed, want := range []time.Duration{1, 2, 4, 8, 10, 10} {
		if got := r.delay(failed, 0, 0.5); got != want*time.Second {
			t.Errorf("after %d failures %v, want %ds", failed, got, want)
		}
	}
	if got := r.delay(1<<30, 0, 0.5); got != r.Max {
		t.Errorf("after very many: %v", got)
	}
	if got := r.delay(0, time.Minute, 0.5); got != time.Minute {
		t.Errorf("asked to wait a minute: %v", got)
	}
	r.Jitter = FullJitter
	if low, high := r.delay(1, 0, 0), r.delay(1, 0, 0.999); low != 0 || high < 1900*time.Millisecond || high > 2*time.Second {
		t.Errorf("full jitter: %v to %v", low, high)
	}
	r.Jitter = EqualJitter
	if low, high := r.delay(1, 0, 0), r.delay(1, 0, 0.999); low != time.Second || high < 1900*time.Millisecond || high > 2*time.Second {
		t.Errorf("equal jitter: %v to %v", low, high)
	}
}

// TestRamp: what is due when, both ways round.
func TestRamp(t *testing.T) {
	for text, want := range map[string]map[time.Duration]uint64{
		"10s":            {0: 1, time.Second: 11, 5 * time.Second: 51, 10 * time.Second: 100, time.Hour: 100},
		"10:10s,100:10s": {0: 1, 5 * time.Second: 6, 10 * time.Second: 11, 15 * time.Second: 56, 20 * time.Second: 100},
	} {
		steps, err := Ramp(text).steps()
		if err != nil {
			t.Fatal(err)
		}
		s := steps.of(100)
		for at, n := range want {
			if got := s.Count(at); got != n {
				t.Errorf("%s: %d after %v, want %d", text, got, at, n)
			}
		}
		for n := range uint64(100) {
			due := s.Due(n)
			if n > 0 && due < s.Due(n-1) || s.Count(due+time.Microsecond) < n+1 || due > time.Millisecond && s.Count(due-time.Millisecond) > n {
				t.Errorf("%s: connection %d is due after %v, when %d are", text, n, due, s.Count(due))
			}
		}
	}
	for in, want := range map[Ramp]Ramp{"": "", "10s": "10s", "1k:10s,10k:30s": "250:10s,2500:30s"} {
		if got := in.Part(2500, 10_000); got != want {
			t.Errorf("a quarter of %q is %q, want %q", in, got, want)
		}
	}
	for _, connections := range []int{1, 2, 3, 5, 999} { // few connections have few steps
		part := Ramp("1:1s,2:1s,3:2s,1000:10s").Part(connections, 1000)
		steps, err := part.steps()
		whole := time.Duration(0)
		for _, s := range steps {
			whole += s.over
		}
		if err != nil || part.last() != connections || whole != 14*time.Second {
			t.Errorf("%d of 1000: %q takes %v, %v", connections, part, whole, err)
		}
	}
	if err := (Config{URL: "http://h/", Connections: 5, Behavior: Behavior{Ramp: "6:1s"}}).Validate(); err == nil || !strings.Contains(err.Error(), "ends with 6 connections, and 5 are to be opened") {
		t.Errorf("%v", err)
	}
	if got := (Config{URL: "http://h/", Behavior: Behavior{Ramp: "6:1s"}}).withDefaults().Connections; got != 6 {
		t.Errorf("%d connections", got)
	}
}

func TestMoment(t *testing.T) {
	for _, at := range []time.Duration{0, time.Second, 76 * time.Hour, 80 * time.Hour, 1000 * time.Hour} {
		if got := momentOf(at).until(momentOf(at + 3*time.Second)); got < 3*time.Second-momentUnit || got > 3*time.Second+momentUnit {
			t.Errorf("from %v: %v, want 3s", at, got)
		}
	}
}
