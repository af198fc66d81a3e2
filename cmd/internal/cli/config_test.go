package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/flags"
)

// configOf prints what comet config does, in an environment.
func configOf(t *testing.T, env map[string]string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code = Run(t.Context(), &Env{
		Stdin: strings.NewReader("duration: 7s\n"), Stdout: &stdout, Stderr: &stderr,
		Getenv: func(name string) string { return env[name] },
	}, append([]string{"config"}, args...))
	return code, stdout.String(), stderr.String()
}

// settingsOf returns what comet config --json says, by flag: each value with where it
// comes from.
func settingsOf(t *testing.T, env map[string]string, args ...string) map[string][]flags.Origin {
	t.Helper()
	code, out, errs := configOf(t, env, append([]string{"--json"}, args...)...)
	var line struct {
		Type, Command string
		Settings      []flags.Origin
	}
	if err := json.Unmarshal([]byte(out), &line); code != 0 || err != nil || line.Type != "config" || line.Settings == nil {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errs)
	}
	all := make(map[string][]flags.Origin)
	for _, o := range line.Settings {
		all[o.Flag] = append(all[o.Flag], o)
	}
	return all
}

// TestConfigOrigins: every layer gives way to those above it, and is named.
func TestConfigOrigins(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run.yaml")
	if err := os.WriteFile(file, []byte("connections: 30\nduration: 30s\nin-flight: 33\nheader: [\"a: file\", \"B: file\"]\nprotocol: sse\nmax-id: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"COMET_CONNECTIONS": "20", "COMET_DURATION": "20s", "COMET_VERBOSE": "true", "COMET_ADMIN_TOKEN": "s3cret", "COMET_NOBODY": "x"}
	got := settingsOf(t, env, "flood", "-c", "10", "-H", "A: flag", "--config", file, "--preset", "nchan", "http://h/{id}")
	want := map[string][]flags.Origin{
		"url":         {{Flag: "url", Value: "http://h/{id}", From: "argument"}},
		"connections": {{Flag: "connections", Value: "10", From: "flag"}},
		"duration":    {{Flag: "duration", Value: "20s", From: "COMET_DURATION"}},
		"verbose":     {{Flag: "verbose", Value: "true", From: "COMET_VERBOSE"}},
		"in-flight":   {{Flag: "in-flight", Value: "33", From: "--config " + file}},
		"protocol":    {{Flag: "protocol", Value: "sse", From: "--config " + file}},
		"header": {
			{Flag: "header", Value: "A: flag", From: "flag"},
			{Flag: "header", Value: "B: file", From: "--config " + file},
			{Flag: "header", Value: "TE: chunked", From: "--preset nchan"},
		},
	}
	for name, values := range want {
		if len(got[name]) != len(values) {
			t.Errorf("%s is %+v, want %+v", name, got[name], values)
			continue
		}
		for i, o := range values {
			if got[name][i] != o {
				t.Errorf("%s is %+v, want %+v", name, got[name], values)
			}
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("and also %+v", got)
	}
}

// TestConfigIsReadBack: what is printed has, given as --config, the same values.
func TestConfigIsReadBack(t *testing.T) {
	users := filepath.Join(t.TempDir(), "people: #1.csv")
	if err := os.WriteFile(users, []byte("id\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{
		"flood", "--users", users, "-c", "10k", "-H", `X: "quoted" # no comment`, "-H", "Y: 'z'", "--reply", "*=>null", "--send-every", "30s=" + strings.Repeat("long ", 40),
		"--ready", "null", "--stream-body", "two\nlines\ttab", "--insecure", "--source-ip", "127.0.0.2-127.0.0.4", "--source-ip", "127.0.0.9", "--slo", "p99<50ms", "--fail-if", "loss>1%", "--url", "http://h/{id}",
	}
	for _, more := range [][]string{nil, {"--all"}} {
		code, text, errs := configOf(t, nil, append(more, args...)...)
		if code != 0 {
			t.Fatal(errs)
		}
		file := filepath.Join(t.TempDir(), "again.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		want, got := settingsOf(t, nil, args...), settingsOf(t, nil, "flood", "--config", file)
		for name, values := range want {
			if len(got[name]) != len(values) {
				t.Errorf("%s is %+v, was %+v, of\n%s", name, got[name], values, text)
				continue
			}
			for i, o := range values {
				if got[name][i].Value != o.Value || got[name][i].From != "--config "+file {
					t.Errorf("%s is %+v, was %+v, of\n%s", name, got[name], values, text)
				}
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d settings, were %d, of\n%s", len(got), len(want), text)
		}
	}
}

// TestConfigFits: no line is wider than a terminal, but for one that is a long value.
func TestConfigFits(t *testing.T) {
	file := filepath.Join(t.TempDir(), strings.Repeat("folder", 8))
	if err := os.WriteFile(file, []byte("duration: 5s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, text, _ := configOf(t, nil, "--all", "bench", "--config", file, "--slo", "p99<50ms")
	for line := range strings.Lines(text) {
		if _, isFrom := strings.CutPrefix(line, "# from "); len(line) > 81 && !isFrom {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// TestConfigHidesSecrets: what may be a secret is not printed, and the file does not
// set it to something else.
func TestConfigHidesSecrets(t *testing.T) {
	env := map[string]string{"COMET_ADMIN_TOKEN": "s3cret", "COMET_ROUTER_CREDENTIALS": "s3cret:s3cret", "COMET_PUBLISH": "http://u:s3cret@h/p?api_key=s3cret"}
	args := []string{
		"bench", "--url", "http://me:s3cret@h/{id}?token=s3cret", "-H", "Authorization: Bearer s3cret", "--publish-header", "X-API-Key: s3cret",
		"--first-message", `{"token":"s3cret"}`, "--stream-body", "password=s3cret", "--body", "key=s3cret",
	}
	for _, more := range [][]string{nil, {"--json"}, {"--all"}} {
		code, text, errs := configOf(t, env, append(more, args...)...)
		if code != 0 || strings.Contains(text+errs, "s3cret") || !strings.Contains(text, "...") {
			t.Errorf("exit code %d: %s%s", code, text, errs)
		}
		for line := range strings.Lines(text) {
			if strings.Contains(line, "...") && !strings.HasPrefix(line, "#") && len(more) == 0 {
				t.Errorf("the file would set %s", line)
			}
		}
	}
	_, text, _ := configOf(t, nil, "serve", "--router", "nats://me:s3cret@h:4222,nats://h2:4222")
	if strings.Contains(text, "s3cret") || !strings.Contains(text, "nats://h2:4222") {
		t.Errorf("the router's password: %s", text)
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, test := range []struct{ line, says string }{
		{"", "comet config takes a command with its flags"},
		{"plot mem.log", "comet plot takes its settings from its command line alone: comet config is for agent, bench, capacity, flood, "},
		{"subscriptions stats x", "comet subscriptions stats takes its settings from its command line alone"},
		{"nosuch", `there is no command "nosuch"`},
		{"benhc", "did you mean bench?"},
		{"flood --conections 5", "unknown flag: --conections: did you mean --connections?"},
		{"flood -c many", `--connections: "many" is not a count`},
		{"--bogus flood", "unknown flag: --bogus"},
		{"flood -c 5 --config none.yaml", "none.yaml"},
		{"bench more", "takes no argument"},
	} {
		code, out, errs := configOf(t, nil, strings.Fields(test.line)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, test.says) {
			t.Errorf("comet config %s: exit code %d, %s%s, want that it says %q", test.line, code, out, errs, test.says)
		}
	}
	for variable, says := range map[string]string{"COMET_CONNECTIONS": `COMET_CONNECTIONS: "x" is not a count`, "COMET_INSECURE": `COMET_INSECURE: "x" is neither true nor false`} {
		if code, _, errs := configOf(t, map[string]string{variable: "x"}, "flood"); code != exitUsage || !strings.Contains(errs, says) {
			t.Errorf("exit code %d: %s, want that it says %q", code, errs, says)
		}
	}
}

// TestVerbosityFromLayers: -q and -v come from the environment as other flags do, and
// a flag replaces its opposite.
func TestVerbosityFromLayers(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		args []string
		want int
	}{
		{map[string]string{"COMET_QUIET": "true"}, nil, -1},
		{map[string]string{"COMET_VERBOSE": "true"}, nil, 1},
		{map[string]string{"COMET_VERBOSE": "true"}, []string{"-q"}, -1},
		{nil, nil, 0},
	} {
		env := &Env{Stdin: strings.NewReader(""), Stdout: new(strings.Builder), Stderr: new(strings.Builder), Getenv: func(name string) string { return test.env[name] }}
		if code := Run(t.Context(), env, append([]string{"config", "flood"}, test.args...)); code != 0 || env.verbosity != test.want {
			t.Errorf("%v %v: exit code %d, verbosity %d, want %d", test.env, test.args, code, env.verbosity, test.want)
		}
	}
}
