package result

import (
	"slices"
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

// Where returns what stands above the title of a page: how, when and on what it
// was measured.
func (e *Environment) Where(how string) []string {
	if e == nil {
		return []string{how}
	}
	parts := []string{how, e.when(), e.CPU}
	if e.Cores > 0 {
		parts = append(parts, count(float64(e.Cores), "processor"))
	}
	parts = append(parts, known(e.MemoryBytes, UnitBytes), strings.TrimSpace(systemName(e.OS)+" "+e.Kernel))
	return slices.DeleteFunc(parts, func(s string) bool { return s == "" })
}

// systemName writes linux as Linux.
func systemName(goos string) string {
	switch goos {
	case "darwin":
		return "macOS"
	case "":
		return ""
	}
	return strings.ToUpper(goos[:1]) + goos[1:]
}

// when returns the time for people, in its own zone.
func (e *Environment) when() string {
	at, err := time.Parse(time.RFC3339, e.Time)
	if err != nil {
		return oneLine(e.Time)
	}
	if _, offset := at.Zone(); offset == 0 {
		return at.UTC().Format("2006-01-02 15:04 UTC")
	}
	return at.Format("2006-01-02 15:04 -07:00")
}
