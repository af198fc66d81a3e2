package sysctl

import (
	"errors"
	"os"
	"runtime"
)

func read() (System, error) {
	s := UnknownSystem()
	s.OS = runtime.GOOS
	s.PageSize = Value(os.Getpagesize())
	s.CPUs = Value(runtime.NumCPU())
	p := &proc{root: os.DirFS("/")}
	p.fill(&s)
	var err error
	if s.OpenFiles, s.OpenFilesHard, err = openFileLimits(); err != nil {
		p.errs = append(p.errs, err)
	}
	return s, errors.Join(p.errs...)
}

func describe(e *Environment) {
	p := &proc{root: os.DirFS("/")}
	e.Kernel = p.text("proc/sys/kernel/osrelease")
	e.CPU = p.cpuModel()
	e.HugePages = p.hugePages()
}

// filesCeiling returns fs.nr_open.
func filesCeiling() Value {
	p := &proc{root: os.DirFS("/")}
	return p.number("proc/sys/fs/nr_open", 0)
}
