package result

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// Environment is where an experiment ran. Unknown is empty.
type Environment struct {
	// Time is when it started, as RFC 3339.
	Time string `json:"time"`
	// Comet is the version of this program, Go of its compiler.
	Comet string `json:"comet"`
	Go    string `json:"go"`
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	// Kernel is its release, on Linux.
	Kernel string `json:"kernel"`
	// CPU is the model, CPUs how many of them this process may use.
	CPU  string `json:"cpu"`
	CPUs int    `json:"cpus"`
	// Memory is that of the machine.
	Memory Figure `json:"memory_bytes"`
}

// ReadEnvironment describes this machine. What only Linux tells (proc(5)) is
// unknown elsewhere.
func ReadEnvironment(now time.Time) *Environment {
	e := &Environment{
		Time: now.Format(time.RFC3339),
		Go:   runtime.Version(),
		OS:   runtime.GOOS,
		Arch: runtime.GOARCH,
		CPUs: runtime.NumCPU(),
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		e.Comet = build.Main.Version
		for _, setting := range build.Settings {
			if setting.Key == "vcs.revision" {
				e.Comet += " " + setting.Value
			}
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		e.Kernel = strings.TrimSpace(string(release))
	}
	e.CPU = procField("/proc/cpuinfo", "model name")
	kb, _, _ := strings.Cut(procField("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.ParseUint(kb, 10, 64); err == nil {
		e.Memory = Of(n * 1024)
	}
	return e
}

// procField is the value of the first line `name : value`, empty if there is
// none or no such file.
func procField(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
