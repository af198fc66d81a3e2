//go:build system

package main

import (
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// ciExample is a pipeline of .dist/ci: its variables and its shell steps.
type ciExample struct {
	env   map[string]string
	steps []ciStep
	shell []string
}

type ciStep struct {
	name, script string
	onlyMain     bool
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func githubExample(t *testing.T) (e ciExample) {
	t.Helper()
	var file struct {
		Env      map[string]string
		Defaults struct{ Run struct{ Shell string } }
		Jobs     map[string]struct {
			Steps []struct{ Name, Run, If string }
		}
	}
	readYAML(t, "../../.dist/ci/github.yml", &file)
	e.env, e.shell = file.Env, []string{"bash", "-e", "-c"}
	if file.Defaults.Run.Shell == "bash" { // what Actions makes of that, and of nothing
		e.shell = []string{"bash", "-eo", "pipefail", "-c"}
	}
	for _, step := range file.Jobs["load"].Steps {
		if step.Run != "" && step.Name != "Install comet" { // it is here
			e.steps = append(e.steps, ciStep{step.Name, step.Run, strings.Contains(step.If, "refs/heads/main")})
		}
	}
	return e
}

func gitlabExample(t *testing.T) (e ciExample) {
	t.Helper()
	var file struct {
		Load struct {
			Variables map[string]string
			Script    []string
		}
	}
	readYAML(t, "../../.dist/ci/gitlab.yml", &file)
	e.env, e.shell = file.Load.Variables, []string{"bash", "-eo", "pipefail", "-c"}
	e.steps = []ciStep{{name: "script", script: strings.Join(file.Load.Script, "\n")}}
	return e
}

// run runs the steps on a branch, in a folder that has what the cache brings, and
// returns what they print and the name of the step that failed.
func (e ciExample) run(t *testing.T, folder, branch string, more map[string]string) (out, failed string) {
	t.Helper()
	env := maps.Clone(e.env)
	maps.Copy(env, map[string]string{
		"COMET_CONNECTIONS": "100", "COMET_RATE": "100", "COMET_DURATION": "1s", "COMET_REPEAT": "1", "COMET_IDLE": "1s",
		"SERVER": freePort(t), "ADMIN": freePort(t), "CI_COMMIT_BRANCH": branch, "CI_DEFAULT_BRANCH": "main",
		"GITHUB_STEP_SUMMARY": filepath.Join(folder, "summary.md"),
	})
	maps.Copy(env, more)
	list := os.Environ()
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	defer func() {
		_ = exec.Command("sh", "-c", `kill "$(cat "$1")"`, "sh", filepath.Join(folder, "server.pid")).Run() // as the runner does
	}()
	for _, step := range e.steps {
		if step.onlyMain && branch != "main" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), e.shell[0], append(slices.Clone(e.shell[1:]), step.script)...)
		cmd.Dir, cmd.Env = folder, list
		said, err := cmd.CombinedOutput()
		out += string(said)
		if err != nil && failed == "" {
			return out, step.name
		}
	}
	return out, ""
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// TestSystemCIExamples: main leaves a result, a branch that is as good passes, one that
// misses a target fails as it measures, and one with a result of other settings as it
// compares.
func TestSystemCIExamples(t *testing.T) {
	t.Parallel()
	for name, example := range map[string]func(*testing.T) ciExample{"github": githubExample, "gitlab": gitlabExample} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := example(t)
			if len(e.steps) == 0 || len(e.env) < 4 {
				t.Fatalf("no steps, or no variables: %+v", e)
			}
			folder := t.TempDir()
			if out, failed := e.run(t, folder, "main", nil); failed != "" {
				t.Fatalf("on main, %s: %s", failed, out)
			}
			for _, kept := range []string{"baseline/result.json", "load/report.html"} {
				if _, err := os.Stat(filepath.Join(folder, kept)); err != nil {
					t.Fatal(err)
				}
			}
			again := func(more map[string]string) (string, string) {
				if err := os.RemoveAll(filepath.Join(folder, "load")); err != nil {
					t.Fatal(err)
				}
				return e.run(t, folder, "change", more)
			}
			// On a busy machine it may be worse than main's by chance; compared it was.
			if out, failed := again(nil); !strings.Contains(out, "p99") || failed != "" && !strings.Contains(out, "worse") {
				t.Errorf("on a branch, %s: %s", failed, out)
			}
			if out, failed := again(map[string]string{"COMET_FAIL_IF": "messages.delivered_per_second>0"}); failed == "" || !strings.Contains(out, "not met") {
				t.Errorf("a target is missed, and the pipeline goes on: %s: %s", failed, out)
			}
			if out, failed := again(map[string]string{"COMET_RATE": "50"}); failed == "" || !strings.Contains(out, "rate") {
				t.Errorf("another load is compared: %s: %s", failed, out)
			}
		})
	}
}
