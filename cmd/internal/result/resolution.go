package result

import "fmt"

// How far memory moves by itself. The servers' grew by 12 to 115 KiB when 100
// connections came, and by 28 to 143 KiB when 1,000 did, from run to run of the same
// server; the slabs of a machine at rest by 4 MiB.
const (
	processNoise = 128 << 10 // bytes, of each process
	kernelNoise  = 4 << 20   // bytes
)

// ResolvesMemory reports whether the servers grew by so much that their memory per
// connection is more than noise.
func (r *Result) ResolvesMemory() bool {
	grown, ok := r.Memory.BytesPerConnection.with(r.Connections.Established, func(a, b float64) float64 { return a * b }).Value()
	return !ok || grown >= 2*processNoise*r.servers()
}

// ResolvesKernel does the same for the kernel's memory.
func (r *Result) ResolvesKernel() bool {
	const ends = 2
	grown, ok := r.Memory.KernelBytesPerConnection.with(r.Connections.Established, func(a, b float64) float64 { return ends * a * b }).Value()
	return !ok || grown >= 2*kernelNoise
}

// servers returns how many processes the servers are, at least one.
func (r *Result) servers() float64 {
	n, _ := r.Processes.Servers.Value()
	return max(n, 1)
}

// MemoryNoise returns what the noise of the servers' memory is per connection.
func (r *Result) MemoryNoise() Figure {
	return Of(processNoise * r.servers()).Per(r.Connections.Established)
}

// Doubts say in sentences how far the figures can be trusted, and which of them are
// too small to trust.
func (r *Result) Doubts() []string { return append(r.caveats(), r.unresolved()...) }

// unresolved names in sentences the figures of memory that are too small to trust.
func (r *Result) unresolved() (sentences []string) {
	if r.ResolvesMemory() {
		return nil
	}
	established, _ := r.Connections.Established.Value()
	return []string{fmt.Sprintf("Memory per connection is little more than noise: a process takes and gives back about %d KiB by itself, which is %s for each of %s. Measure with more connections",
		processNoise>>10, r.MemoryNoise().Text(UnitBytes), connections(established))}
}

// Doubts say in sentences how far the figures can be trusted, and which are not drawn.
func (s *Scale) Doubts() []string { return append(s.caveats(), s.unresolved()...) }

// unresolved names the steps whose memory is not drawn.
func (s *Scale) unresolved() []string {
	var steps []string
	for _, step := range s.Steps {
		if r := step.Result(); !r.ResolvesMemory() || !r.ResolvesKernel() {
			established, _ := r.Connections.Established.Value()
			steps = append(steps, group(established))
		}
	}
	if len(steps) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("Memory per connection is not drawn where it is little more than noise: a process takes and gives back about %d KiB by itself, and the kernel %d MiB (with %s connections)",
		processNoise>>10, kernelNoise>>20, enumerated(steps))}
}
