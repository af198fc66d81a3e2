package bench

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/flags"
	"example.org/comet/flood/pace"
	"example.org/comet/server/natsrouter"
	"example.org/comet/server/wire"

	"example.org/comet/msggen"
)

// Each part is given what the configuration says, and nothing that it says
// nothing about.
func TestArguments(t *testing.T) {
	cfg := config(t)
	cfg.Streams.Header, cfg.Interest, cfg.Seed, cfg.Size = []string{"TE: chunked"}, natsrouter.Block, 7, msggen.Size{}
	cfg.Rate, cfg.Duration = 100, time.Minute
	one := &plan{run: 0xbadcafe, runs: []wire.Run{0xbadcafe}, firstID: 1, lastID: 10, connections: 10, pairs: []pair{{listen: "127.0.0.1:1", admin: "127.0.0.1:2", firstID: 1, connections: 10, sources: []netip.Addr{netip.MustParseAddr("127.0.0.9")}}}, listen: "127.0.0.1:3"}
	two := &plan{run: 0xbadcafe, runs: []wire.Run{0xbadcafe}, connections: 10, routed: true, pairs: []pair{one.pairs[0], {listen: "127.0.0.2:1", admin: "127.0.0.2:2", firstID: 6, connections: 5, ids: 3}}}
	slow := cfg
	slow.Streams.ConnectTimeout, slow.Loops, slow.Interval, slow.Rate = 5*time.Second, 3, 0, pace.MaxRate
	slow.Router = flags.Router{URLs: []string{"nats://r:4222"}}
	for name, c := range map[string]struct {
		got  []string
		want string
	}{
		"a server":      {serveArgs(&cfg, one, 0, ""), "--admin=127.0.0.1:2 --end-with-stdin=true --engine=goroutine --json=true --listen=127.0.0.1:1"},
		"a node":        {serveArgs(&slow, two, 1, "nats://ours:1"), "--admin=127.0.0.2:2 --end-with-stdin=true --engine=goroutine --interest=block --json=true --listen=127.0.0.2:1 --loops=3 --name=node-2 --router=nats://r:4222"},
		"our router":    {routeArgs(one), "--admin=127.0.0.1:3 --end-with-stdin=true --json=true --listen=127.0.0.1:3"},
		"the way to it": {routerArgs(&cfg, "nats://ours:1"), "--router=nats://ours:1"},
		"a flood": {
			flags.Args(floodCommand(&cfg, one, one.pairs[0], "flood.log")),
			"--attended=true --connections=10 --header=TE: chunked --ids=1-10 --in-flight=10 --json=true --log=flood.log --run=0badcafe --source-ip=127.0.0.9",
		},
		"one of two, flat out": {
			flags.Args(floodCommand(&slow, two, two.pairs[1], "")),
			"--attended=true --connect-timeout=5s --connections=5 --header=TE: chunked --ids=6-8 --in-flight=10 --json=true --run=0badcafe --sample-interval=20ms",
		},
		"a generator": {
			msggenArgs(&cfg, one, intakeArgs("http://a")),
			"--duration=1m0s --feedback=true --json=true --max-id=10 --rate=100 --run=0badcafe --seed=7 --window=1 --to=http://a/send",
		},
		"what publishes": {
			publishArgs(&cfg, &msggen.PublishConfig{URL: "http://h/p", Method: "PUT", Header: []string{"X-Key: a b"}, Body: `{"to":{id}}`, Connections: 4}),
			`--body={"to":{id}} --header=X-Key: a b --method=PUT --publish=http://h/p --publish-connections=4`,
		},
		"what publishes by default": {publishArgs(&cfg, &msggen.PublishConfig{URL: "http://h/p"}), "--publish=http://h/p --publish-connections=1"},
		"the witness": {
			memlogArgs(&cfg, "folder", pidArgs([]int32{7, 8}, []string{"127.0.0.1:1"})),
			"--end-with-stdin=true --interval=1s --out=folder/mem.log --listen=127.0.0.1:1 --pid=7 --pid=8",
		},
		"the witness of a server that is alone": {serverArgs([]int32{7}, []string{"127.0.0.1:1"}, []string{"http://a"}), "--listen=127.0.0.1:1 --no-children=true --pid=7 --stats=http://a/stats"},
		"the witness of several":                {serverArgs([]int32{7, 8}, []string{"x", "y"}, []string{"http://a", "http://b"}), "--no-children=true --pid=7 --pid=8"},
		"the witness of a million":              {memlogArgs(&Config{Connections: 1_000_000}, "folder", nil), "--count-interval=1m0s --end-with-stdin=true --interval=1s --out=folder/mem.log"},
	} {
		if got, want := strings.ReplaceAll(strings.Join(c.got, " "), `\`, "/"), c.want; got != want {
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
	if got := countInterval(10_000); got != time.Second {
		t.Errorf("10,000 connections are counted every %v", got)
	}
	if got := countedAt([]string{"127.0.0.1:80"}); len(got) != 1 || got[0] != "127.0.0.1:80" {
		t.Errorf("%v, want the address of the only server", got)
	}
	if got := countedAt([]string{"a name:80", "127.0.0.1:80"}); got != nil {
		t.Errorf("%v, want no network", got)
	}
}
