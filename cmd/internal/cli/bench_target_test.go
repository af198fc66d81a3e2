package cli

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"example.org/comet/cmd/internal/bench"
)

// benchFlags parses a command line of bench as far as it is about a target.
func benchFlags(t *testing.T, args ...string) (*benchTarget, *pflag.FlagSet, *bench.Config) {
	t.Helper()
	b, cfg := new(benchTarget), &bench.Config{Connections: 10_000}
	f := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	conns := count(10_000)
	f.VarP(&conns, "connections", "c", "")
	f.StringVarP(&cfg.Rate, "rate", "r", "1000", "")
	f.StringVar(&cfg.Engine, "engine", "auto", "")
	f.Int("senders", 100, "")
	b.add(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	cfg.Connections = int(conns)
	return b, f, cfg
}

func TestBenchTarget(t *testing.T) {
	b, f, cfg := benchFlags(t, "--url", "http://h/{id}", "--publish", "http://h/{id}", "-r", "5", "--ids", "101-200", "--max-id", "150",
		"-H", "TE: chunked", "--publish-header", "X-A: b", "--publish-connections", "3", "--source-ip", "10.0.0.2", "--pid", "7,8")
	if err := b.read(new(Env), f, cfg); err != nil {
		t.Fatal(err)
	}
	target := cfg.Target
	if target == nil || target.Publish == nil {
		t.Fatalf("%+v; want a target with somewhere to publish", cfg)
	}
	if cfg.Connections != 100 || target.FirstMessageID != 0 || target.LastMessageID != 150 {
		t.Errorf("%d connections, messages to %d-%d; want 100, and up to 150", cfg.Connections, target.FirstMessageID, target.LastMessageID)
	}
	if len(cfg.Header) != 1 || cfg.Header[0] != "TE: chunked" || len(target.Publish.Header) != 1 || target.Publish.Header[0] != "X-A: b" {
		t.Errorf("the streams' headers are %q, the messages' %q", cfg.Header, target.Publish.Header)
	}
	if cfg.Rate != "5" || target.Publish.Connections != 3 || len(cfg.Sources) != 1 || len(target.PIDs) != 2 || cfg.Engine != "" {
		t.Errorf("%+v %+v", cfg, target)
	}

	// Without --publish there are no messages.
	b, f, cfg = benchFlags(t, "--url", "http://h/{id}")
	if err := b.read(new(Env), f, cfg); err != nil || cfg.Rate != "none" || cfg.Connections != 10_000 {
		t.Errorf("rate %q of %d connections, %v; want none of 10,000", cfg.Rate, cfg.Connections, err)
	}
	// Without --url there is no target, and headers are for ours as well.
	b, f, cfg = benchFlags(t, "-H", "X-A: b")
	if err := b.read(new(Env), f, cfg); err != nil || cfg.Target != nil || cfg.Engine != "auto" || len(cfg.Header) != 1 {
		t.Errorf("%+v, %v", cfg, err)
	}
}

// The result is passed around: what lets somebody in must not be in it.
func TestBenchSettings(t *testing.T) {
	b, f, cfg := benchFlags(t, "--url", "http://user:hunter2@h/{id}", "--publish", "http://user:hunter2@h/{id}",
		"-H", "TE: chunked", "-H", "Authorization: Bearer hunter2", "--publish-header", "X-API-Key: hunter2")
	if err := b.read(new(Env), f, cfg); err != nil {
		t.Fatal(err)
	}
	got := settings(f)
	b.dropSettings(f, got)
	for name, want := range map[string]any{
		"url": "http://...@h/{id}", "header": "TE: chunked\nAuthorization: ...", "publish-header": "X-API-Key: ...",
		"publish-connections": int64(16), "senders": "100", "engine": nil, "pid": nil, "first-id": nil, "source-ip": nil,
	} {
		if got[name] != want {
			t.Errorf("%s is %#v, want %#v", name, got[name], want)
		}
	}
	for name, value := range got {
		if text, ok := value.(string); ok && strings.Contains(text, "hunter2") {
			t.Errorf("%s is %q", name, text)
		}
	}

	// About a server of ours they say what they said before.
	b, f, cfg = benchFlags(t)
	if err := b.read(new(Env), f, cfg); err != nil {
		t.Fatal(err)
	}
	got = settings(f)
	b.dropSettings(f, got)
	if len(got) != 4 || got["engine"] != "auto" || got["rate"] != "1000" {
		t.Errorf("%v; want connections, rate, engine and senders alone", got)
	}
}
