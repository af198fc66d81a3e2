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
func (r *Result) ResolvesMemory() bool { return resolves(r.Memory.BytesPerConnection, r.MemoryNoise()) }

// ResolvesKernel does the same for the kernel's memory.
func (r *Result) ResolvesKernel() bool {
	return resolves(r.Memory.KernelBytesPerConnection, r.kernelNoise())
}

// resolves reports whether a figure is more than its noise, or was not measured.
func resolves(each, noise Figure) bool {
	n, measured := each.Value()
	by, known := noise.Value()
	return !measured || !known || n >= 2*by
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

// kernelNoise returns the same of the kernel's memory, which is that of both ends.
func (r *Result) kernelNoise() Figure {
	const ends = 2
	return Of(kernelNoise / ends).Per(r.Connections.Established)
}

// noise returns what the noise of a figure is, if that is hardly more; otherwise
// nothing.
func (r *Result) noise(key string, f Figure) (noise Figure) {
	switch key {
	case "memory.bytes_per_connection", "memory.bytes_per_connection_after_gc", "memory.pss_per_connection":
		noise = r.MemoryNoise()
	case "memory.kernel_bytes_per_connection":
		noise = r.kernelNoise()
	}
	if resolves(f, noise) {
		return Figure{}
	}
	return noise
}

// Doubts say in sentences how far the figures can be trusted, and which of them are
// too small to trust.
func (r *Result) Doubts() []string { return append(r.caveats(), r.unresolved()...) }

// unresolved names in sentences the figures of memory that are too small to trust.
func (r *Result) unresolved() (sentences []string) {
	established, _ := r.Connections.Established.Value()
	process := fmt.Sprintf("a process takes and gives back about %d KiB by itself, which is %s for each of %s", processNoise>>10, r.MemoryNoise().Text(UnitBytes), connections(established))
	kernel := fmt.Sprintf("the kernel %d MiB", kernelNoise>>20)
	switch {
	case r.ResolvesMemory() && r.ResolvesKernel():
		return nil
	case r.ResolvesKernel():
		return []string{"Memory per connection is little more than noise: " + process + ". Measure with more connections"}
	case r.ResolvesMemory():
		return []string{fmt.Sprintf("The kernel's memory per connection is little more than noise: it takes and gives back about %d MiB by itself, which is %s for each end of %s. Measure with more connections",
			kernelNoise>>20, r.kernelNoise().Text(UnitBytes), connections(established))}
	}
	return []string{"Memory per connection is little more than noise: " + process + ", and " + kernel + ". Measure with more connections"}
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
