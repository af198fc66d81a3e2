package result

import (
	"strings"
	"time"

	"example.org/comet/cmd/internal/version"
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
	info := version.Get()
	return &Environment{
		Time: now.Format(time.RFC3339), Comet: strings.TrimPrefix(info.String(), "comet "), Go: info.Go, Environment: sysctl.Describe(),
	}
}
