//go:build system

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dockerfile is what the Dockerfile at the top says of the image.
type dockerfile struct {
	copied                   []string // into the stage that builds
	build, user              string
	entrypoint, cmd, healthy []string
}

func readDockerfile(t *testing.T) (d dockerfile) {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	words := func(list string) (all []string) {
		if err := json.Unmarshal([]byte(list), &all); err != nil {
			t.Fatalf("%s: %v", list, err)
		}
		return all
	}
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "COPY" && !strings.HasPrefix(rest, "--from"):
			from := strings.Fields(rest)
			d.copied = append(d.copied, from[:len(from)-1]...)
		case name == "RUN" && strings.Contains(rest, "go build"):
			d.build = rest
		case name == "USER":
			d.user = rest
		case name == "ENTRYPOINT":
			d.entrypoint = words(rest)
		case name == "CMD":
			d.cmd = words(rest)
		case name == "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, " CMD ")
			d.healthy = words(command)
		}
	}
	return d
}

// TestSystemImage does what the Dockerfile says, without Docker: it builds from what is
// copied, and runs the program as that user in a root directory with nothing else, in a
// network of its own. The health check is the image's.
func TestSystemImage(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("a root directory of one's own is for root")
	}
	need(t, "ip")
	unshare, nsenter, chroot := need(t, "unshare"), need(t, "nsenter"), need(t, "chroot")
	d, root := readDockerfile(t), imageRoot(t)
	inside := func(words []string) []string { return append([]string{"--userspec=" + d.user, root}, words...) }
	serve, said := background(t, unshare, append([]string{"--net", "sh", "-c", `ip link set lo up; exec "$@"`, "sh", chroot}, inside(append(d.entrypoint, d.cmd...))...)...)
	said.await(t, "streams on http")
	check := func() (string, error) {
		out, err := exec.Command(nsenter, append([]string{fmt.Sprintf("--net=/proc/%d/ns/net", serve.Process.Pid), chroot}, inside(d.healthy)...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := check(); err != nil || !strings.HasPrefix(out, "healthy: ") {
		t.Errorf("the health check of a server that is well: %v, %s", err, out)
	}
	// A server that is stopped accepts, and says nothing.
	run(t, "kill", "-STOP", fmt.Sprint(serve.Process.Pid))
	if out, err := check(); err == nil {
		t.Errorf("the health check of a server that hangs: %s", out)
	}
	run(t, "kill", "-CONT", fmt.Sprint(serve.Process.Pid))
}

// imageRoot makes the image's root directory.
func imageRoot(t *testing.T) string {
	t.Helper()
	d, source, root := readDockerfile(t), t.TempDir(), t.TempDir()
	for _, name := range d.copied {
		run(t, "cp", "-r", filepath.Join("../..", name), source)
	}
	command := regexp.MustCompile(`-o /out/`).ReplaceAllLiteralString(d.build, "-o "+root+"/")
	build := exec.Command("sh", "-c", command)
	build.Dir = source
	build.Env = append(os.Environ(), "GOFLAGS=", "TARGETOS=", "TARGETARCH=", "TAGS=", "VERSION=v1.2.3", "COMMIT=0123456789abcdef", "DATE=2026-01-02T03:04:05Z")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // another user passes through them
			t.Fatal(err)
		}
	}
	if out := run(t, filepath.Join(root, "comet"), "version"); !strings.HasPrefix(out, "comet v1.2.3 (commit 0123456789ab, 2026-01-02T03:04:05Z, go") {
		t.Errorf("the image's comet says that it is %s", out)
	}
	return root
}

// TestSystemUnits: systemd takes the unit files, and each starts a command that takes
// its flags.
func TestSystemUnits(t *testing.T) {
	t.Parallel()
	analyze := need(t, "systemd-analyze")
	program, err := exec.LookPath("comet")
	if err != nil {
		t.Fatal(err)
	}
	units, err := filepath.Glob("../../.dist/systemd/*.service")
	if err != nil || len(units) < 4 {
		t.Fatalf("%d units, %v", len(units), err)
	}
	dir := t.TempDir()
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		here := filepath.Join(dir, strings.Replace(filepath.Base(unit), "@", "@nginx", 1))
		if err := os.WriteFile(here, []byte(strings.ReplaceAll(string(text), "/usr/bin/comet", program)), 0o644); err != nil {
			t.Fatal(err)
		}
		if out := run(t, analyze, "verify", "--man=no", here); out != "" {
			t.Errorf("%s: systemd says %s", filepath.Base(unit), out)
		}
		start := regexp.MustCompile(`(?m)^ExecStart=/usr/bin/comet (.*)$`).FindStringSubmatch(string(text))
		if start == nil {
			t.Errorf("%s does not start /usr/bin/comet", filepath.Base(unit))
			continue
		}
		words := strings.Fields(strings.NewReplacer("${COMET_ROUTER}", "nats://127.0.0.1:4222", "%i", "nginx").Replace(start[1]))
		if out, _ := exec.Command(program, "help", words[0]).CombinedOutput(); strings.Contains(string(out), "there is no command") {
			t.Logf("%s: comet %s is still to come", filepath.Base(unit), words[0])
			continue
		}
		if out, err := exec.Command(program, append(words, "--help")...).CombinedOutput(); err != nil {
			t.Errorf("%s: comet %s: %v, %s", filepath.Base(unit), start[1], err, out)
		}
	}
}
