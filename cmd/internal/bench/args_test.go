package bench

import (
	"strings"
	"testing"
	"time"

	"example.org/comet/msggen"
)

// Each part is given what the configuration says, and nothing that it says
// nothing about.
func TestArguments(t *testing.T) {
	cfg := config(t)
	cfg.Header, cfg.Interest, cfg.Seed, cfg.Size, cfg.Distribution, cfg.Arrivals = []string{"TE: chunked"}, "block", 7, "0", "uniform", "constant"
	cfg.Rate, cfg.Duration = "100", time.Minute
	one := &plan{run: 0xbadcafe, firstID: 1, lastID: 10, connections: 10, pairs: []pair{{listen: "127.0.0.1:1", admin: "127.0.0.1:2", firstID: 1, connections: 10, sources: []string{"127.0.0.9-127.0.0.9"}}}, listen: "127.0.0.1:3"}
	two := &plan{run: 0xbadcafe, connections: 10, routed: true, rate: rate{max: true}, pairs: []pair{one.pairs[0], {listen: "127.0.0.2:1", admin: "127.0.0.2:2", firstID: 6, connections: 5, ids: 3}}}
	slow := cfg
	slow.ConnectTimeout, slow.Loops, slow.Router, slow.Interval = 5*time.Second, 3, []string{"--router", "nats://r:4222", "--router-ca", "ca.pem"}, 0
	for name, c := range map[string]struct{ got, want []string }{
		"a server": {
			serveArgs(&cfg, one, 0, ""),
			[]string{"--listen", "127.0.0.1:1", "--admin", "127.0.0.1:2", "--engine", "goroutine", "--json", "--end-with-stdin"},
		},
		"a node": {
			serveArgs(&slow, two, 1, "nats://ours:1"),
			[]string{"--listen", "127.0.0.2:1", "--admin", "127.0.0.2:2", "--engine", "goroutine", "--json", "--end-with-stdin", "--loops", "3", "--interest", "block", "--name", "node-2", "--router", "nats://r:4222", "--router-ca", "ca.pem"},
		},
		"our router":    {routeArgs(one), []string{"--listen", "127.0.0.1:3", "--admin", "127.0.0.1:3", "--json", "--end-with-stdin"}},
		"the way to it": {routerArgs(&cfg, "nats://ours:1"), []string{"--router", "nats://ours:1"}},
		"a flood": {
			floodArgs(&cfg, one, 0, []string{"http://h/{id}"}, "flood.log"),
			[]string{"http://h/{id}", "--connections", "10", "--connect-rate", "max", "--in-flight", "10", "--ids", "1-10", "--json", "--attended", "--run", "0badcafe", "--header", "TE: chunked", "--log", "flood.log", "--source-ip", "127.0.0.9-127.0.0.9"},
		},
		"one of two, flat out": {
			floodArgs(&slow, two, 1, []string{"--urls", "urls-2.txt"}, ""),
			[]string{"--urls", "urls-2.txt", "--connections", "5", "--connect-rate", "max", "--in-flight", "10", "--ids", "6-8", "--json", "--attended", "--run", "0badcafe", "--connect-timeout", "5s", "--header", "TE: chunked", "--sample-interval", "20ms"},
		},
		"a generator": {
			msggenArgs(&cfg, one, []string{"--to", "http://a/send"}),
			[]string{"--rate", "100", "--senders", "1", "--first-id", "1", "--max-id", "10", "--duration", "1m0s", "--size", "0", "--distribution", "uniform", "--arrivals", "constant", "--seed", "7", "--window", "1", "--run", "0badcafe", "--json", "--feedback", "--to", "http://a/send"},
		},
		"what publishes": {
			publishArgs(&msggen.PublishConfig{URL: "http://h/p", Method: "PUT", Header: []string{"X-Key: a b"}, Body: `{"to":{id}}`, Connections: 4}),
			[]string{"--publish", "http://h/p", "--publish-connections", "4", "--method", "PUT", "--body", `{"to":{id}}`, "--header", "X-Key: a b"},
		},
		"what publishes by default": {publishArgs(&msggen.PublishConfig{URL: "http://h/p"}), []string{"--publish", "http://h/p", "--publish-connections", "1"}},
		"the witness": {
			memlogArgs(&cfg, "folder", pidArgs([]int32{7, 8}, []string{"127.0.0.1:1"})),
			[]string{"--pid", "7,8", "--listen", "127.0.0.1:1", "--interval", "1s", "--out", "folder/mem.log", "--end-with-stdin"},
		},
		"the witness of a server that is alone": {
			serverArgs([]int32{7}, []string{"127.0.0.1:1"}, []string{"http://a"}), []string{"--pid", "7", "--listen", "127.0.0.1:1", "--no-children", "--stats", "http://a/stats"},
		},
		"the witness of several": {serverArgs([]int32{7, 8}, []string{"x", "y"}, []string{"http://a", "http://b"}), []string{"--pid", "7,8", "--no-children"}},
		"to our intake":          {intakeArgs("http://a"), []string{"--to", "http://a/send"}},
		"to a file of URLs":      {urlsArgs("urls-1.txt"), []string{"--urls", "urls-1.txt"}},
		"the witness of a million": {
			memlogArgs(&Config{Connections: 1_000_000}, "folder", nil), []string{"--interval", "1m0s", "--out", "folder/mem.log", "--end-with-stdin"},
		},
	} {
		if got, want := strings.ReplaceAll(strings.Join(c.got, "|"), `\`, "/"), strings.Join(c.want, "|"); got != want {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
}

func TestIntervals(t *testing.T) {
	for floods, want := range map[int]time.Duration{1: 20 * time.Millisecond, 10: 50 * time.Millisecond, 104: 250 * time.Millisecond} {
		if got := newsInterval(floods); got != want {
			t.Errorf("%d floods report every %v, want %v", floods, got, want)
		}
	}
	if got := sampleInterval(10_000); got != time.Second {
		t.Errorf("10,000 connections are counted every %v", got)
	}
	if got := countedAt([]string{"127.0.0.1:80"}); len(got) != 1 || got[0] != "127.0.0.1:80" {
		t.Errorf("%v, want the address of the only server", got)
	}
	if got := countedAt([]string{"a name:80", "127.0.0.1:80"}); got != nil {
		t.Errorf("%v, want no network", got)
	}
}
