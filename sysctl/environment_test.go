package sysctl

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
)

func TestDescribe(t *testing.T) {
	e := Describe()
	if e.OS != runtime.GOOS || e.Arch != runtime.GOARCH || e.Cores < 1 {
		t.Errorf("described %+v", e)
	}
	if e.OS == "linux" && (e.Kernel == "" || e.MemoryBytes <= 0 || e.OpenFiles <= 0 || e.PortHigh <= e.PortLow) {
		t.Errorf("every Linux tells these: %+v", e)
	}
	b, err := json.Marshal(Environment{MemoryBytes: Unknown, OpenFiles: 1024})
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); !strings.Contains(s, `"memory_bytes":null`) || !strings.Contains(s, `"open_files":1024`) {
		t.Errorf("JSON is %s", s)
	}
}
