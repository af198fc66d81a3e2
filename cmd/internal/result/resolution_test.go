package result_test

import (
	"testing"

	"example.org/comet/cmd/internal/result"
)

func TestMemoryThatIsNoise(t *testing.T) {
	r := &result.Result{Connections: result.Connections{Established: result.Of(1000)}, Memory: result.Memory{BytesPerConnection: result.Of(72), KernelBytesPerConnection: result.Of(300)}}
	if r.ResolvesMemory() || r.ResolvesKernel() || len(r.Doubts()) != 1 {
		t.Errorf("72 kB are told from noise: %q", r.Doubts())
	}
	r.Connections.Established = result.Of(100_000)
	if !r.ResolvesMemory() || !r.ResolvesKernel() || r.Doubts() != nil {
		t.Errorf("7 MB are not told from noise: %q", r.Doubts())
	}
	r.Processes.Servers = result.Of(100) // each of which makes noise
	if r.ResolvesMemory() {
		t.Error("72 kB of each of 100 servers are told from noise")
	}
	r.Memory = result.Memory{}
	if !r.ResolvesMemory() || r.Doubts() != nil {
		t.Error("what was not measured is called noise")
	}
}

// TestStepsWhoseMemoryIsNoise: a series names them, and says nothing where there are
// none.
func TestStepsWhoseMemoryIsNoise(t *testing.T) {
	s := new(result.Scale)
	step := func(established int) {
		r := new(result.Result)
		r.Connections.Established, r.Memory.BytesPerConnection = result.Of(established), result.Of(72)
		s.Add("", r)
	}
	step(1_000_000)
	if doubts := s.Doubts(); len(doubts) > 0 {
		t.Errorf("72 MB are not told from noise: %q", doubts)
	}
	step(100)
	step(500)
	step(1000)
	const want = "Memory per connection is not drawn where it is little more than noise: a process takes and gives back about 128 KiB by itself, and the kernel 4 MiB (with 100, 500 and 1,000 connections)"
	if doubts := s.Doubts(); len(doubts) != 1 || doubts[0] != want {
		t.Errorf("%q, want %q", doubts, want)
	}
}
