package sysctl

import "runtime"

// Environment describes a machine for whoever judges a figure that was measured
// on it. Its JSON is part of comet's result file: a number that was not read is
// null, a word that was not read is "".
type Environment struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel"` // release, such as 6.12.43
	CPU    string `json:"cpu"`    // model name
	Cores  int    `json:"cores"`  // logical ones, as many as this process may use

	MemoryBytes Value `json:"memory_bytes"`
	OpenFiles   Value `json:"open_files"` // limit of one process
	PortLow     Value `json:"port_low"`   // first and last port for clients
	PortHigh    Value `json:"port_high"`
	Backlog     Value `json:"backlog"` // net.core.somaxconn

	// HugePages is the setting of transparent huge pages, which changes what
	// resident memory means: always, madvise or never.
	HugePages string `json:"huge_pages"`
}

// Describe reads the machine. What cannot be read is left unknown; it never
// fails.
func Describe() Environment {
	// Each error leaves a figure unknown, which a reader sees.
	s, _ := Read()
	e := Environment{
		OS:          runtime.GOOS,
		Arch:        runtime.GOARCH,
		Cores:       runtime.NumCPU(),
		MemoryBytes: s.MemTotal,
		OpenFiles:   s.filesPerProcess(),
		PortLow:     s.PortLow,
		PortHigh:    s.PortHigh,
		Backlog:     s.Backlog,
	}
	describe(&e)
	return e
}
