package bench

import (
	"runtime"
	"strings"
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

// TestRoomsAreShared: the connections of all pairs are those of all rooms, each of which
// is whole.
func TestRoomsAreShared(t *testing.T) {
	for _, c := range []struct{ connections, subscribers, floods int }{
		{200, 20, 1}, {300, 100, 3}, {1000, 1000, 3}, {1_000_000, 20, 51}, {60, 20, 7}, {12, 3, 12},
	} {
		here := make(map[int64]int)
		total := 0
		for _, p := range spread(c.connections, c.subscribers, c.floods) {
			for i := range p.connections {
				here[p.firstID+int64((p.skip+i)/c.subscribers)]++
			}
			if last := p.firstID + int64((p.skip+p.connections-1)/c.subscribers); last != p.lastID() || p.skip >= c.subscribers {
				t.Errorf("%+v ends with %d, want %d", p, p.lastID(), last)
			}
			total += p.connections
		}
		if total != c.connections || len(here) != c.connections/c.subscribers {
			t.Errorf("%+v: %d connections, %d rooms", c, total, len(here))
		}
		for id := range int64(len(here)) {
			if here[id+1] != c.subscribers {
				t.Errorf("%+v: id %d has %d", c, id+1, here[id+1])
			}
		}
	}
}

func TestPlanOfRooms(t *testing.T) {
	cfg := config(t)
	cfg.Connections, cfg.Streams.Subscribers, cfg.Engine, cfg.Interest = 200, 20, "epoll", "block"
	if p := new(own).arrange(&cfg, sysctl.UnknownSystem()); len(p.pairs) != 1 || p.each != 20 || p.firstID != 1 || p.lastID != 10 {
		t.Errorf("%+v, want messages to 10 ids", p)
	}
	// Several nodes share a room, and its block.
	cfg.Connections, cfg.Streams.Subscribers, cfg.Nodes = 200, 200, 3
	p := new(own).arrange(&cfg, fewFiles())
	if len(p.pairs) != 3 || p.blocks || p.each != 200 || p.firstID != p.lastID || p.pairs[1].skip != 66 {
		t.Errorf("%+v", p)
	}
	cfg.Nodes = 0
	if p := new(own).arrange(&cfg, fewFiles()); len(p.pairs) != 2 || !p.routed {
		t.Errorf("%+v, want as few as hold them", p)
	}
	cfg.Connections, cfg.Steps = 30, []int{40, 50}
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "bench: 50 connections are no whole number of rooms of 200: open 200") {
		t.Errorf("%v, want the step named", err)
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
