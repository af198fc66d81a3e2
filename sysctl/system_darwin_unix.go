//go:build darwin

package sysctl

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

func read() (System, error) {
	s := UnknownSystem()
	s.OS = runtime.GOOS
	s.PageSize = Value(os.Getpagesize())
	s.CPUs = Value(runtime.NumCPU())
	s.NrOpen = filesCeiling()
	s.FileMax = number("kern.maxfiles")
	s.FilesInUse = number("kern.num_files")
	s.PortLow = number("net.inet.ip.portrange.first")
	s.PortHigh = number("net.inet.ip.portrange.last")
	s.Backlog = number("kern.ipc.somaxconn")
	if total, err := unix.SysctlUint64("hw.memsize"); err == nil {
		s.MemTotal = Value(total)
	}
	var err error
	s.OpenFiles, s.OpenFilesHard, err = openFileLimits()
	return s, err
}

// number reads an int of sysctl(3), Unknown if this release does not have it.
func number(name string) Value {
	n, err := unix.SysctlUint32(name)
	if err != nil {
		return Unknown
	}
	return Value(n)
}

func describe(e *Environment) {
	e.Kernel, _ = unix.Sysctl("kern.osrelease")
	e.CPU, _ = unix.Sysctl("machdep.cpu.brand_string")
}

// filesCeiling returns the most that setrlimit(2) of macOS accepts.
func filesCeiling() Value { return number("kern.maxfilesperproc") }
