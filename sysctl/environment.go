package sysctl

import "runtime"

// Environment is what someone needs to know of a machine to judge a figure
// that was measured on it. Its JSON is part of comet's result file: a number
// that was not read is null, a word that was not read is "".
type Environment struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel"` // release, such as 6.12.43
	CPU    string `json:"cpu"`    // model name
	Cores  int    `json:"cores"`  // logical ones that this process may use

	MemoryBytes Value `json:"memory_bytes"`
	OpenFiles   Value `json:"open_files"` // what one process may have open
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
	// The errors concern files that this needs as decoration only.
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
