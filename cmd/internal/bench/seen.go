package bench

import "example.org/comet/cmd/internal/result"

// Seen is what was seen of the servers' processes while a load was tried. What is not
// known has no value.
type Seen struct {
	// Program is the name of the server's program, as the kernel has it; "" if no
	// process of it is known.
	Program string
	// Answers is what answers say of the server's program: a weaker witness, since a proxy
	// may have written it. "" if they say nothing.
	Answers string
	// Workers is how many processes there are, without one that only watches over the
	// others.
	Workers result.Figure
	// Files and MaxFiles are open files, of the process that came nearest to its
	// limit.
	Files, MaxFiles result.Figure
	// Memory is what is used of MaxMemory, in bytes: of the control group that
	// MemoryOf names, or of the machine.
	Memory, MaxMemory result.Figure
	MemoryOf          string
	// Cores are the processors that all processes used together, of Usable ones.
	Cores, Usable result.Figure
	// Busiest is the share of one processor that the busiest thread used, Waiting the
	// share of the time in which no processor was free for it, and Thread what it is
	// called.
	Busiest, Waiting result.Figure
	Thread           string
	// Overflows is how many connections an accept queue turned away, Backlog how many
	// it holds.
	Overflows, Backlog result.Figure
}
