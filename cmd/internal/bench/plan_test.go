package bench

import (
	"testing"

	"example.org/comet/server/natsrouter"
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

func TestSlabs(t *testing.T) {
	const text = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
TCP                40118  40131   2368   13    8 : tunables    0    0    0 : slabdata   3087   3088      0
torn               1 2
`
	got := parseSlabs(text, 4096)
	if len(got) != 1 || got["TCP"] != 8*3088*4096 {
		t.Errorf("%v", got)
	}
}
