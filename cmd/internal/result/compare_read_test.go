package result_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// lay writes files into a folder of the test's. A result is its p50, its time, or both.
func lay(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	early = `{"schema":1,"latency_ms":{"p50":1},"environment":{"time":"2026-01-02T03:00:00+02:00"}}`
	late  = `{"schema":1,"latency_ms":{"p50":2},"environment":{"time":"2026-01-02T03:00:00+01:00"}}` // an hour after early
	bare  = `{"schema":1,"latency_ms":{"p50":3}}`
)

func TestReadRuns(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		path  string
		want  string // the p50 of each run, or what the error says
	}{
		{"a folder", map[string]string{"a/result.json": early}, "a", "1"},
		{"its file", map[string]string{"a/result.json": early}, "a/result.json", "1"},
		{"a file of another name", map[string]string{"old.json": bare}, "old.json", "3"},
		{"repeats", map[string]string{"a/result.json": early, "a/run-2/result.json": late, "a/run-10/result.json": bare, "a/run-1/result.json": early}, "a", "1 2 3"},
		{"the file above repeats", map[string]string{"a/result.json": early, "a/run-1/result.json": early, "a/run-2/result.json": late}, "a/result.json", "1 2"},
		{"one of several", map[string]string{"a/result.json": early, "a/run-1/result.json": early, "a/run-2/result.json": late}, "a/run-2", "2"},
		{"repeats without their median", map[string]string{"a/run-1/result.json": early, "a/run-2/result.json": late}, "a", "1 2"},
		{"a repeat that left nothing", map[string]string{"a/run-1/result.json": early, "a/run-2/mem.log": ""}, "a", "1"},
		{"repeats of an older experiment", map[string]string{"a/result.json": late, "a/run-1/result.json": late, "a/run-2/result.json": early}, "a", "2"},
		{"an older experiment had repeats", map[string]string{"a/result.json": late, "a/run-1/result.json": early, "a/run-2/result.json": early}, "a", "2"},
		{"other folders", map[string]string{"a/result.json": early, "a/run-x/result.json": late, "a/run-0/result.json": late, "a/before/result.json": late}, "a", "1"},
		{"odd names", map[string]string{"[a]*/run-1/result.json": early, "[a]*/run-2/result.json": late}, "[a]*", "1 2"},
		{"a series", map[string]string{"a/scale.json": "{}", "a/500/result.json": early, "a/1000/result.json": early}, "a", "is a series of experiments: compare it with another one, or one of its steps, such as "},
		{"the file of a series", map[string]string{"a/scale.json": "{}"}, "a/scale.json", "is a series"},
		{"nothing", map[string]string{"a/mem.log": ""}, "a", "there is no result in "},
		{"no folder", nil, "a", "there is no result in "},
		{"a broken repeat", map[string]string{"a/result.json": early, "a/run-1/result.json": "{"}, "a", "is not a result"},
		{"a newer schema", map[string]string{"a/result.json": `{"schema":2}`}, "a", "schema 2"},
		{"the result of another command", map[string]string{"flood.json": `{"type":"result","connected":5}`}, "flood.json", "has no schema"},
		{"a series of another name", map[string]string{"old.json": `{"schema":1,"asked":[500],"steps":[]}`}, "old.json", "is a series of experiments: name its folder"},
		{"what a search has found", map[string]string{"capacity.json": `{"schema":1,"search":"rate","connections":null}`}, "capacity.json", "is what comet capacity has found"},
		{"a comparison", map[string]string{"c.json": `{"type":"result","schema":1,"worse":false}`}, "c.json", "is a comparison"},
		{"a log", map[string]string{"mem.log": "Mon Oct 20"}, "mem.log", "is not a result"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			runs, err := result.ReadRuns(filepath.Join(lay(t, tt.files), filepath.FromSlash(tt.path)))
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) || len(tt.want) < 5 {
					t.Errorf("%v, want %q", err, tt.want)
				}
				return
			}
			var got []string
			for _, r := range runs.Results {
				number, _ := r.Latency.P50.Format(result.UnitCount)
				got = append(got, number)
			}
			if strings.Join(got, " ") != tt.want || filepath.Base(runs.Name) != filepath.Base(tt.path) {
				t.Errorf("%s has the runs %q, want %q", runs.Name, got, tt.want)
			}
		})
	}
}

func TestDecodeRuns(t *testing.T) {
	runs, err := result.DecodeRuns(strings.NewReader(`{"type":"result",`+early[1:]), "standard input")
	if err != nil || len(runs.Results) != 1 || runs.Name != "standard input" {
		t.Errorf("a line of comet bench --json: %v %v", runs, err)
	}
	if _, err := result.DecodeRuns(strings.NewReader("x"), "standard input"); err == nil || !strings.Contains(err.Error(), "standard input is not a result") {
		t.Errorf("no result: %v", err)
	}
	series := strings.NewReader(`{"schema":1,"asked":[500],"steps":[]}`)
	if _, err := result.DecodeRuns(series, "standard input"); err == nil || !strings.Contains(err.Error(), "standard input is a series") {
		t.Errorf("a series: %v", err)
	}
}
