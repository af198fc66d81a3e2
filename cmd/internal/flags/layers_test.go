package flags

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// fillFlood parses args and fills what they leave out.
func fillFlood(t *testing.T, config string, env map[string]string, args ...string) (*FloodCommand, error) {
	t.Helper()
	var c FloodCommand
	var l Layers
	l.Known = func(name string) bool { return name == "window" || name == "method" }
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.Bind(fs)
	l.Bind(fs)
	l.BindPresets(fs)
	if config != "" {
		path := filepath.Join(t.TempDir(), "comet.yaml")
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &c, l.Fill(fs, func(name string) string { return env[name] }, strings.NewReader("connections: 3"))
}

func TestLayers(t *testing.T) {
	env := map[string]string{"COMET_CONNECTIONS": "20", "COMET_DURATION": "20s", "COMET_ADMIN_TOKEN": "x", "COMET_NOBODY": "x", "COMET_RUN": "x"}
	config := "# a run\nconnections: 30\nduration: 30s\nin-flight: 33\nheader: [\"A: 3\", \"b: 3\"]\nwindow: 7\njson: true\nlog: &l run.log\nurl: 'http://h/{id}'\n"
	c, err := fillFlood(t, config, env, "-c", "10", "--preset", "nchan", "-H", "B: 1")
	if err != nil {
		t.Fatal(err)
	}
	got := c.Config
	if got.Connections != 10 || got.Duration.String() != "20s" || got.InFlight != 33 || !c.JSON || c.Log != "run.log" || got.URL != "http://h/{id}" {
		t.Errorf("%+v", c)
	}
	// Headers of all layers add up, and the first one of a name counts.
	if !slices.Equal(got.Header, []string{"B: 1", "A: 3", "TE: chunked"}) {
		t.Errorf("the headers are %q", got.Header)
	}
	// A flag replaces its alternative of a layer below.
	if c, err := fillFlood(t, "interval: 1s\nurl: http://h/\n", nil, "--connect-rate", "5", "--urls", "f"); err != nil || c.Config.Pace.Rate() != 5 || c.Config.URL != "" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := fillFlood(t, "", nil, "--config", "-"); err != nil || c.Config.Connections != 3 {
		t.Errorf("standard input: %+v, %v", c, err)
	}
	if _, err := fillFlood(t, "# nothing\n", nil); err != nil {
		t.Error(err)
	}
}

func TestLayersRefuse(t *testing.T) {
	for _, test := range []struct{ config, says string }{
		{"conections: 1\n", "line 1: there is no flag --conections: did you mean connections?"},
		{"url: http://h\nconnections: many\n", "line 2: connections: "},
		{"connections: 1\nconnections: 2\n", "line 2: connections is there already, in line 1"},
		{"connections: [1, 2]\n", "it takes one value, not a list"},
		{"connections: {a: 1}\n", "write a value, or a list of values"},
		{"header: [[a]]\n", "a list holds values"},
		{"connections:\n", "it has no value"},
		{"- connections\n", "write names of flags to values"},
		{"connections: 1\n  duration: 2\n", "it is not YAML: "},
		{"config: other.yaml\n", "config cannot be set here"},
		{"\x00\x01", "it is not YAML: "},
	} {
		if _, err := fillFlood(t, test.config, nil); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: %v, want that it says %q", test.config, err, test.says)
		}
	}
	if _, err := fillFlood(t, "", map[string]string{"COMET_CONNECTIONS": "many"}); err == nil || !strings.Contains(err.Error(), "COMET_CONNECTIONS: ") {
		t.Errorf("a bad variable: %v", err)
	}
	if _, err := fillFlood(t, "", nil, "--show"); err == nil || !strings.Contains(err.Error(), "--preset") {
		t.Errorf("nothing to show: %v", err)
	}
	if _, err := fillFlood(t, "", nil, "--config", filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("no such file: %v", err)
	}
}

func TestWithoutSettings(t *testing.T) {
	environ := []string{"PATH=/bin", "COMET_CONNECTIONS=1", "COMET_ADMIN_TOKEN=t", "COMET_ROUTER_CREDENTIALS=c"}
	if got := WithoutSettings(environ); !slices.Equal(got, []string{"PATH=/bin", "COMET_ADMIN_TOKEN=t", "COMET_ROUTER_CREDENTIALS=c"}) {
		t.Errorf("%q", got)
	}
}

// FuzzConfig: no file makes it panic.
func FuzzConfig(f *testing.F) {
	f.Add("connections: 10k\nheader: [a, b]\n")
	f.Add("a: &x [1]\nheader: *x\n")
	f.Fuzz(func(_ *testing.T, text string) {
		var c FloodCommand
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		c.Bind(fs)
		l := Layers{Known: func(string) bool { return false }}
		_ = l.fill(fs, []byte(text), "", nil)
	})
}
