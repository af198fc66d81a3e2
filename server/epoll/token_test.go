package epoll

import "testing"

func TestToken(t *testing.T) {
	for _, c := range []struct {
		slot, gen uint32
		want      Token
	}{{1, 1, 1<<32 | 1}, {5, 7, 7<<32 | 5}, {1<<32 - 1, 1, 1<<33 - 1}, {1, 1<<32 - 1, (1<<32-1)<<32 | 1}} {
		if got := NewToken(c.slot, c.gen); got != c.want || got.Slot() != c.slot || got.Gen() != c.gen {
			t.Errorf("slot %d, generation %d: %#x, of slot %d and generation %d; want %#x", c.slot, c.gen, got, got.Slot(), got.Gen(), c.want)
		}
	}
}
