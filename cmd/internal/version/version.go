// Package version says which comet this is, in the same words for the command,
// the reports and /metrics.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Set by the linker, with -ldflags "-X example.org/comet/cmd/internal/version.version=v1.2.3"
// and the same for commit and date. What is empty comes from the build info that
// the go command leaves in a binary.
var version, commit, date string

// Info says what a binary was built of.
type Info struct {
	// Version is a release, "v1.2.3", or "devel".
	Version string `json:"version"`
	// Commit is the revision, with "-dirty" if files were changed; "" if unknown.
	Commit string `json:"commit"`
	// Date is that of the commit, in RFC 3339; "" if unknown.
	Date string `json:"date"`
	// Go is the version of Go that built it.
	Go string `json:"go"`
}

// Get returns the Info of this binary.
func Get() Info {
	build, _ := debug.ReadBuildInfo()
	return get(build, Info{version, commit, date, runtime.Version()})
}

// get fills in what was not set from the build info, which may be nil.
func get(build *debug.BuildInfo, set Info) Info {
	known := map[string]string{}
	if build != nil {
		known["version"] = build.Main.Version
		for _, s := range build.Settings {
			known[s.Key] = s.Value
		}
	}
	if set.Version == "" {
		if set.Version = known["version"]; set.Version == "" || set.Version == "(devel)" {
			set.Version = "devel"
		}
	}
	if set.Commit == "" {
		if set.Commit = known["vcs.revision"]; set.Commit != "" && known["vcs.modified"] == "true" {
			set.Commit += "-dirty"
		}
	}
	if set.Date == "" {
		set.Date = known["vcs.time"]
	}
	return set
}

// String writes it on one line: comet v1.2.3 (commit 0123456789ab, 2026-01-02T15:04:05Z, go1.26.0).
func (i Info) String() string {
	var parts []string
	if i.Commit != "" {
		revision, dirty := strings.CutSuffix(i.Commit, "-dirty")
		short := revision[:min(12, len(revision))]
		if dirty {
			short += "-dirty"
		}
		parts = append(parts, "commit "+short)
	}
	for _, part := range []string{i.Date, i.Go} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return fmt.Sprintf("comet %s (%s)", i.Version, strings.Join(parts, ", "))
}
