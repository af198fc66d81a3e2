package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestResultKeys holds the keys of result.json of a real run against those of the
// first release: keys may be added, and none goes or gets another name.
func TestResultKeys(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the golden keys are those of a machine with Linux")
	}
	golden, err := os.ReadFile("testdata/golden/result-keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "report")
	out, err := exec.CommandContext(t.Context(), "comet", "bench", "-q", "-c", "50", "-r", "50", "-d", "1s", "--idle", "1s", "--slo", "missing=0", "--out", folder).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(folder, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file any
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]bool)
	jsonKeys(file, "", found)
	for key := range strings.FieldsSeq(string(golden)) {
		if !found[key] {
			t.Errorf("%s is not in result.json any more", key)
		}
	}
}

// jsonKeys adds the path of each leaf, and of each list with [] behind it.
func jsonKeys(v any, path string, to map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			jsonKeys(inner, strings.TrimPrefix(path+"."+key, "."), to)
		}
	case []any:
		to[path+"[]"] = true
		for _, inner := range v {
			jsonKeys(inner, path+"[]", to)
		}
	default:
		to[path] = true
	}
}
