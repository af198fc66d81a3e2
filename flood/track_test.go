package flood

import (
	"fmt"
	"slices"
	"testing"
	"unsafe"

	"example.org/comet/server/wire"
)

// model is what track stands for, with sets: the counts that came from lowest
// to highest, of the present run.
type model struct {
	run             uint32
	come            map[uint64]bool
	lowest, highest uint64
	missing         int64 // of runs before
}

func (m *model) see(s wire.Stamp) arrival {
	if m.come == nil || s.Run != m.run {
		m.missing = m.total()
		m.run, m.lowest, m.highest, m.come = s.Run, s.N, s.N, map[uint64]bool{s.N: true}
		return arrival{fresh: true}
	}
	if m.come[s.N] || s.N < m.highest && m.highest-s.N >= 64 {
		return arrival{}
	}
	a := arrival{fresh: true, reordered: s.N < m.highest}
	before := m.total()
	m.come[s.N] = true
	m.lowest, m.highest = min(m.lowest, s.N), max(m.highest, s.N)
	a.missing = m.total() - before
	return a
}

// total is how many were jumped over and have not come since.
func (m *model) total() int64 {
	if m.come == nil {
		return 0
	}
	return m.missing + int64(m.highest-m.lowest+1) - int64(len(m.come))
}

func checkTrack(t *testing.T, stamps []wire.Stamp) {
	t.Helper()
	var (
		tr    track
		m     model
		total int64
	)
	for i, s := range stamps {
		got, want := tr.see(s), m.see(s)
		total += got.missing
		if got != want || total != m.total() || total < 0 {
			t.Fatalf("%v: stamp %d of the sequence is %+v with %d missing in all, want %+v with %d", stamps, i, got, total, want, m.total())
		}
	}
}

// TestTrack tries every sequence of some length, of counts beside each other
// and of counts around the edges of the window.
func TestTrack(t *testing.T) {
	for _, c := range []struct {
		counts []uint64
		length int
	}{
		{[]uint64{1, 2, 3, 4, 5, 6}, 6},
		{[]uint64{1, 2, 63, 64, 65, 66, 128, 129, 130, 1 << 40}, 5},
	} {
		t.Run(fmt.Sprint(c.counts), func(t *testing.T) {
			t.Parallel()
			stamps := make([]wire.Stamp, c.length)
			turn := make([]int, c.length)
			for {
				for i, k := range turn {
					stamps[i] = wire.Stamp{Run: 1, N: c.counts[k]}
				}
				checkTrack(t, stamps)
				i := 0
				for ; i < len(turn); i++ {
					turn[i]++
					if turn[i] < len(c.counts) {
						break
					}
					turn[i] = 0
				}
				if i == len(turn) {
					return
				}
			}
		})
	}
}

func TestTrackOfASecondRun(t *testing.T) {
	var stamps []wire.Stamp
	for _, run := range []uint32{1, 2, 0} {
		for _, n := range []uint64{5, 7, 6, 6, 3, 9} {
			stamps = append(stamps, wire.Stamp{Run: run, N: n})
		}
	}
	checkTrack(t, stamps)
}

func TestTrackIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(track{}); size != 24 {
		t.Errorf("a track takes %d bytes, its comment says 24", size)
	}
}

func FuzzTrack(f *testing.F) {
	f.Add([]byte{1, 1, 1, 130, 1, 200, 66, 0, 255})
	f.Add([]byte{64, 128, 65, 129, 66, 64})
	f.Fuzz(func(t *testing.T, steps []byte) {
		s := wire.Stamp{Run: 1, N: 1000}
		var stamps []wire.Stamp
		for _, step := range steps {
			if step == 255 {
				s.Run++
				continue
			}
			// Forward by up to 127, or back by up to 127: beyond the window too.
			s.N = max(s.N+uint64(step&127)-uint64(step>>7)*2*uint64(step&127), 1)
			if s.N > 1<<40 { // went below zero
				s.N = 1
			}
			stamps = append(stamps, s)
		}
		checkTrack(t, slices.Clip(stamps))
	})
}
