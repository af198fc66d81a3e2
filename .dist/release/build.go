package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// allPlatforms are those that a release is for.
const allPlatforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

// platform is an operating system and a processor, as Go calls them.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// suffix returns what the names of programs end with.
func (p platform) suffix() string {
	if p.os == "windows" {
		return ".exe"
	}
	return ""
}

func parsePlatforms(list string) (all []platform, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if !slices.Contains(strings.Split(allPlatforms, ","), text) {
			return nil, fmt.Errorf("platform %q: choose among %s", text, allPlatforms)
		}
		system, arch, _ := strings.Cut(text, "/")
		all = append(all, platform{system, arch})
	}
	return all, nil
}

// build makes a static binary that says which commit it is of. Nothing of this
// machine gets into it.
func (o options) build(src source, p platform, binary string) error {
	const pkg = "example.org/comet/cmd/internal/version."
	ldflags := "-s -w -buildid= -X " + pkg + "version=" + src.version + " -X " + pkg + "commit=" + src.commit + " -X " + pkg + "date=" + src.date.Format(time.RFC3339)
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-tags", o.tags, "-ldflags", ldflags, "-o", binary, "./cmd/comet")
	cmd.Dir, cmd.Stdout, cmd.Stderr = o.root, os.Stderr, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// host returns the platform of this machine.
func host() platform { return platform{runtime.GOOS, runtime.GOARCH} }
