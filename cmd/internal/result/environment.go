package result

import (
	"runtime"
	"runtime/debug"
	"time"

	"example.org/comet/sysctl"
)

// Environment is where an experiment ran. Unknown is empty, or null.
type Environment struct {
	// Time is when it started, as RFC 3339.
	Time string `json:"time"`
	// Comet is the version of this program, Go of its compiler.
	Comet string `json:"comet"`
	Go    string `json:"go"`
	sysctl.Environment
}

// ReadEnvironment describes this machine and this program; now is when the
// experiment starts.
func ReadEnvironment(now time.Time) *Environment {
	e := &Environment{Time: now.Format(time.RFC3339), Go: runtime.Version(), Environment: sysctl.Describe()}
	if build, ok := debug.ReadBuildInfo(); ok {
		e.Comet = build.Main.Version
		for _, setting := range build.Settings {
			if setting.Key == "vcs.revision" && e.Comet == "(devel)" {
				e.Comet = setting.Value
			}
		}
	}
	return e
}
