package cli

import (
	"context"
	"io"
	"maps"
	"strings"
	"testing"

	"example.org/comet/server"
)

// benchOf returns what bench would run with, for a command line.
func benchOf(t *testing.T, args ...string) *benchOptions {
	t.Helper()
	var got *benchOptions
	env, _, _ := testEnv(strings.NewReader("\ufeff# streams\r\nhttp://h/1\r\n\r\nhttp://h/2\r\n"))
	cmd := newBench(env, func(_ context.Context, _ *Env, o *benchOptions) error {
		got = o
		return nil
	})
	cmd.SetArgs(args)
	cmd.SetErr(io.Discard)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("bench %q: %v", args, err)
	}
	return got
}

// TestBenchOfTooManyIDs: more ids than an int of 32 bits counts are too many, and not a
// few.
func TestBenchOfTooManyIDs(t *testing.T) {
	env, _, _ := testEnv(nil)
	cmd := newBench(env, func(context.Context, *Env, *benchOptions) error { return nil })
	cmd.SetArgs([]string{"--url", "http://h/{id}", "--ids", "1-4294967297"})
	cmd.SetErr(io.Discard)
	if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "connections: use up to") {
		t.Errorf("%v, want that they are too many", err)
	}
}

func TestBenchTarget(t *testing.T) {
	cfg := benchOf(t, "--url", "http://h/{id}", "--publish", "http://h/{id}", "-r", "5", "--ids", "101-200", "--max-id", "150",
		"-H", "TE: chunked", "--publish-header", "X-A: b", "--publish-connections", "3", "--source-ip", "10.0.0.2", "--pid", "7,8").Config
	target := cfg.Target
	if target == nil || target.Publish == nil {
		t.Fatalf("%+v; want a target with somewhere to publish", cfg)
	}
	if cfg.Connections != 100 || target.FirstID != 101 || target.FirstMessageID != 0 || target.LastMessageID != 150 {
		t.Errorf("%d connections, messages to %d-%d; want 100, and up to 150", cfg.Connections, target.FirstMessageID, target.LastMessageID)
	}
	if len(cfg.Streams.Header) != 1 || cfg.Streams.Header[0] != "TE: chunked" || len(target.Publish.Header) != 1 || target.Publish.Header[0] != "X-A: b" {
		t.Errorf("the streams' headers are %q, the messages' %q", cfg.Streams.Header, target.Publish.Header)
	}
	if cfg.Rate != 5 || target.Publish.Connections != 3 || len(cfg.Streams.Sources) != 1 || len(target.PIDs) != 2 || cfg.Engine != "" {
		t.Errorf("%+v %+v", cfg, target)
	}

	// With agents the router is where they wait.
	away := benchOf(t, "--url", "http://h/{id}", "--agents", "web2,web3", "--router", "nats://a:4222", "--subject-prefix", "other").Config
	if away.Router.Given() || !away.Agents.Given() || away.Rendezvous.URLs[0] != "nats://a:4222" || away.Rendezvous.SubjectPrefix != "other" {
		t.Errorf("%+v waits at %+v", away.Agents, away.Rendezvous)
	}
	if s := away.Settings; s["agents"] != "web2,web3" || s["router"] != "[nats://a:4222]" || s["listen"] != nil {
		t.Errorf("settings %v", s)
	}

	// Without --publish there are no messages.
	if cfg := benchOf(t, "--url", "http://h/{id}").Config; cfg.Rate != 0 || cfg.Connections != 10_000 {
		t.Errorf("rate %v of %d connections; want none of 10,000", cfg.Rate, cfg.Connections)
	}
	// A list of URLs has a connection for each, whoever wrote it.
	if cfg := benchOf(t, "--urls", "-").Config; cfg.Connections != 2 || len(cfg.Target.URLs) != 2 || cfg.Target.URLs[0] != "http://h/1" {
		t.Errorf("%d connections to %q", cfg.Connections, cfg.Target.URLs)
	}
	// Without --url there is no target, and headers are for ours as well.
	cfg = benchOf(t, "-H", "X-A: b", "--engine", "goroutine", "-c", "10", "--size", "exp:20").Config
	if cfg.Target != nil || cfg.Engine != "goroutine" || len(cfg.Streams.Header) != 1 || cfg.Size.Bytes != 20 || !cfg.Streams.Pace.Unpaced() || cfg.Interest != "block" {
		t.Errorf("%+v", cfg)
	}
	cfg = benchOf(t, "--steps", "1k,5k", "--connect-rate", "2k", "--router", "nats://a,nats://b:1", "--router-ca", "testdata/flags.golden").Config
	if cfg.Connections != 1000 || len(cfg.Steps) != 2 || cfg.Streams.Pace.Rate() != 2000 ||
		strings.Join(cfg.Router.Args(), " ") != "--router=nats://a --router=nats://b:1 --router-ca=testdata/flags.golden" {
		t.Errorf("%+v", cfg)
	}
}

// The result is passed around: what lets somebody in must not be in it.
func TestBenchSettings(t *testing.T) {
	got := benchOf(t, "--url", "http://h/{id}", "--publish", "http://user:hunter2@h/{id}",
		"-H", "TE: chunked", "-H", "Authorization: Bearer hunter2", "--publish-header", "X-API-Key: hunter2").Config.Settings
	for name, want := range map[string]any{
		"url": "http://h/{id}", "publish": "http://...@h/{id}", "header": "TE: chunked\nAuthorization: ...", "publish-header": "X-API-Key: ...",
		"publish-connections": int64(16), "senders": int64(100), "engine": nil, "pid": nil, "first-id": nil, "source-ip": nil,
	} {
		if got[name] != want {
			t.Errorf("%s is %#v, want %#v", name, got[name], want)
		}
	}
	got = benchOf(t, "--url", "http://h/{id}?a=b&access_token=hunter2&c={id}&api-key={id}", "--publish", "http://h/{id}?KEY=hunter2").Config.Settings
	if got["url"] != "http://h/{id}?a=b&access_token=...&c={id}&api-key={id}" || got["publish"] != "http://h/{id}?KEY=..." {
		t.Errorf("url %v, publish %v", got["url"], got["publish"])
	}
	for name, value := range got {
		if text, ok := value.(string); ok && strings.Contains(text, "hunter2") {
			t.Errorf("%s is %q", name, text)
		}
	}
}

// What a result says of a run of our own server: the list of before flags had a
// package of their own.
func TestBenchSettingsOfOurs(t *testing.T) {
	got := benchOf(t, "-r", "10", "-d", "1s", "--idle", "1s", "--distribution", "hot:80/20", "--steps", "5,10").Config.Settings
	want := map[string]any{
		"apply-sysctl":       "false",
		"arrivals":           "constant",
		"connect-rate":       "max",
		"connections":        int64(5),
		"distribution":       "hot:80/20",
		"duration":           "1s",
		"engine":             string(server.DefaultEngine),
		"idle":               "1s",
		"in-flight":          int64(512),
		"interest":           "block",
		"interval":           "0s",
		"loops":              "0",
		"nodes":              "0",
		"own-network":        "false",
		"rate":               "10",
		"repeat":             "1",
		"router":             "[]",
		"router-ca":          "",
		"router-cert":        "",
		"router-credentials": "",
		"router-key":         "",
		"seed":               "0",
		"senders":            int64(100),
		"size":               "0",
		"steps":              "5,10",
		"subject-prefix":     "comet.msg",
		"window":             int64(50000),
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// What cannot be is refused before anything starts, and nothing is left behind.
func TestBenchRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct{ args, says string }{
		{"--engine fast", `--engine: "fast" is unknown: use epoll, goroutine or auto`},
		{"--engine epol", `did you mean epoll?`},
		{"--interest none", `use exact, block or all`},
		{"--rate fast", `"fast" is not a rate: write 1000, 10k, 0.5 or max, or none`},
		{"--connect-rate none", `--connect-rate: "none" is not a rate`},
		{"--repeat 0", "--repeat 0: use 1 or more"},
		{"--repeat many", `--repeat: "many" is not a whole number`},
		{"--seed -1", `--seed: "-1" is not a whole number from 0`},
		{"--steps 10 -c 5", "--connections and --steps exclude each other"},
		{"--urls - --url http://h", "give one of them"},
		{"--urls - --server-log -", "cannot both be standard input"},
		{"--url h/{id}", `"h/{id}" has no scheme: write http://h/{id}`},
		{"--url http://h/{id} --loops 1", "--loops is a setting of comet's own server"},
		{"--url http://h/{id} -r 5", "say where messages go: --publish"},
		{"--url http://h/{id} -d 5s", "--duration is about messages"},
		{"--url http://h/{id} --pid 1 --match x", "--pid, --match and --server-log each say"},
		{"--url http://h/{id} --publish http://h/", "--publish: "},
		{"--method PUT", "--method is for --publish"},
		{"--pid 1", "--pid is about a server that is there already"},
		{"--preset nchan", "--preset is about a server that is there already"},
		{"--own-network --router nats://h", "--own-network has no way to a router"},
		{"--subject-prefix x", "--subject-prefix is for --router"},
		{"--agents 2 --listen 10.0.0.5:8000", "--agents: say where they wait: with --router"},
		{"--agents 2 --router nats://h", "give --listen ADDRESS:PORT"},
		{"--listen 10.0.0.5:8000", "is for the hosts of agents"},
		{"--url http://h/{id} --listen 10.0.0.5:8000", "--listen is a setting of comet's own server"},
		{"--url http://h/{id} --router nats://h", "--router is a setting of comet's own server"},
		{"--agents a,b,a --router nats://h", "names a twice"},
		{"--agents 2 --router nats://h --own-network --listen 10.0.0.5:8000", "--own-network has no way to a router, agents"},
		{"--rate max --arrivals poisson", "arrivals need a rate"},
		{"10k", `takes no argument, got "10k"`},
	} {
		if got := refused(t, append([]string{"bench"}, strings.Fields(test.args)...)...); !strings.Contains(got, test.says) {
			t.Errorf("bench %s: %q, want %q", test.args, got, test.says)
		}
	}
}
