package bench

import (
	"runtime"
	"testing"

	"example.org/comet/flood/pace"

	"example.org/comet/server/natsrouter"
	"example.org/comet/sysctl"
)

func TestShare(t *testing.T) {
	for _, c := range []struct {
		name                     string
		connections, nodes, room int
		pairs                    int
	}{
		{"one process holds them", 15_000, 0, 19_936, 1},
		{"no limit is known", 1_000_000, 0, 0, 1},
		{"one node asked for", 15_000, 1, 19_936, 1},
		{"two asked for", 15_000, 2, 19_936, 2},
		{"one over the limit", 19_937, 0, 19_936, 2},
		{"a million", 1_000_000, 0, 19_936, 52},
		{"two million", 2_000_000, 0, 19_936, 103},
		{"fewer asked for than hold them", 1_000_000, 2, 19_936, 52},
		{"more nodes than blocks", 3000, 8, 19_936, 3},
		{"hardly any files", 3000, 2, 500, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			pairs := share(c.connections, c.nodes, c.room)
			if len(pairs) != c.pairs {
				t.Errorf("%d pairs, want %d", len(pairs), c.pairs)
			}
			sum, next := 0, int64(1)
			for i, p := range pairs {
				if p.firstID != next || p.connections <= 0 {
					t.Errorf("pair %d has %d ids from %d, want some from %d", i, p.connections, p.firstID, next)
				}
				if c.room >= natsrouter.BlockSize && p.connections > c.room {
					t.Errorf("pair %d has %d connections, and files for %d", i, p.connections, c.room)
				}
				if i < len(pairs)-1 && p.connections%natsrouter.BlockSize != 0 {
					t.Errorf("pair %d has %d ids: a block is divided", i, p.connections)
				}
				sum += p.connections
				next += int64(p.connections)
			}
			if sum != c.connections {
				t.Errorf("%d connections, want %d", sum, c.connections)
			}
		})
	}
}

func TestPlanOfOurServers(t *testing.T) {
	cfg := config(t)
	cfg.Connections, cfg.Nodes, cfg.Interest, cfg.Engine, cfg.Rate = 3000, 2, "block", "epoll", pace.MaxRate
	p := new(own).arrange(&cfg, fewFiles())
	if len(p.pairs) != 2 || !p.routed || !p.blocks || !p.here || !p.counted || p.posted || p.loops == 0 {
		t.Errorf("%+v", p)
	}
	// Ids begin with a block, so that no block is divided.
	if p.firstID != natsrouter.BlockSize || p.lastID != natsrouter.BlockSize+2999 || p.pairs[1].firstID%natsrouter.BlockSize != 0 {
		t.Errorf("ids %d to %d, the second server's from %d", p.firstID, p.lastID, p.pairs[1].firstID)
	}
	p.address()
	first := p.pairs[0]
	p.address()
	if runtime.GOOS == "linux" {
		if second := p.pairs[0]; first.listen == second.listen || first.sources[0] == second.sources[0] || first.admin == first.listen {
			t.Errorf("%+v and then %+v: want new addresses for each run", first, second)
		}
		if p.need.SourceAddresses != 2 || len(p.warmUpSources) != 1 {
			t.Errorf("%d source addresses, %v for the warm-up", p.need.SourceAddresses, p.warmUpSources)
		}
	}
	cfg.Nodes, cfg.Interest, cfg.Engine = 0, "exact", "goroutine"
	if p := new(own).arrange(&cfg, sysctl.UnknownSystem()); len(p.pairs) != 1 || p.routed || p.blocks || p.loops != 0 || p.crowded || p.firstID != 1 {
		t.Errorf("%+v; want one server that is alone", p)
	}
	// With very many pairs flat out, each stays on a processor.
	cfg.Connections, cfg.Nodes = 1<<20, 1
	s := fewFiles()
	s.OpenFilesHard = natsrouter.BlockSize + sysctl.Reserve
	if p := new(own).arrange(&cfg, s); p.crowded != (len(p.pairs) >= 16*runtime.NumCPU()) {
		t.Errorf("%d pairs, crowded %v", len(p.pairs), p.crowded)
	}
	cfg.Rate = 10
	if p := new(own).arrange(&cfg, s); p.crowded {
		t.Error("crowded by 10 messages per second")
	}
}

func TestPlanOfThisMachine(t *testing.T) {
	cfg := config(t)
	p, err := makePlan(&cfg, newOwn(&cfg))
	if err != nil || p.connections != 10 || p.cpus < 1 || p.rate != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestTableSize(t *testing.T) {
	for connections, want := range map[int]int{1: 1 << 16, 32_768: 1 << 16, 32_769: 1 << 17, 1_000_000: 1 << 21, 100_000_000: 16 << 20} {
		if got := tableSize(connections); got != want {
			t.Errorf("%d connections: %d buckets, want %d", connections, got, want)
		}
	}
}
