package result_test

import (
	"strings"
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

// TestTableOfMemoryThatIsNoise: the table says what the sentence leaves out.
func TestTableOfMemoryThatIsNoise(t *testing.T) {
	r := run()
	r.Connections.Asked, r.Connections.Established = result.Of(50), result.Of(50)
	r.Memory = result.Memory{BytesPerConnection: result.Of(57), BytesPerConnectionAfterGC: result.Of(-20), PSSPerConnection: result.Of(200_000), KernelBytesPerConnection: result.Of(2007)}
	table := text(t, r)
	for _, want := range []string{
		"Memory per connection is little more than noise: a process takes and gives back about 128 KiB by itself, which is 2,621 B for each of 50 connections, and the kernel 4 MiB.",
		" 57 B, ± 2,621 B of noise\n", " -20 B, ± 2,621 B of noise\n", " 195.3 KiB\n", " 2,007 B, ± 41.0 KiB of noise\n",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("%q is not in\n%s", want, table)
		}
	}
	r = run()
	if table := text(t, r); strings.Contains(table, "noise") {
		t.Errorf("10,000 connections are called too few:\n%s", table)
	}
	r.Connections.Established, r.Memory.BytesPerConnection = result.Of(900), result.Of(25_000)
	if table := text(t, r); strings.Contains(table, "in the kernel)") || !strings.Contains(table, "The kernel's memory per connection is little more than noise: it takes and gives back about 4 MiB by itself, which is 2,330 B for each end of 900 connections.") {
		t.Errorf("the kernel's memory is not called noise:\n%s", table)
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
