package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestGet(t *testing.T) {
	build := &debug.BuildInfo{
		Main: debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.time", Value: "2026-01-02T15:04:05Z"}, {Key: "vcs.modified", Value: "true"},
		},
	}
	for _, test := range []struct {
		name  string
		build *debug.BuildInfo
		set   Info
		want  Info
	}{
		{"nothing known", nil, Info{Go: "go1"}, Info{Version: "devel", Go: "go1"}},
		{"a working copy", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, Info{}, Info{Version: "devel"}},
		{"build info", build, Info{}, Info{"v1.2.3", "0123456789abcdef0123-dirty", "2026-01-02T15:04:05Z", ""}},
		{"the linker is right", build, Info{"v9", "c", "d", "g"}, Info{"v9", "c", "d", "g"}},
	} {
		if got := get(test.build, test.set); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
	if got := Get(); got.Go != runtime.Version() || got.Version == "" {
		t.Errorf("%+v; want this Go and some version", got)
	}
}

func ExampleInfo_String() {
	fmt.Println(Info{Version: "v1.2.3", Commit: "0123456789abcdef0123-dirty", Date: "2026-01-02T15:04:05Z", Go: "go1.26.0"})
	fmt.Println(Info{Version: "devel", Go: "go1.26.0"})
	// Output:
	// comet v1.2.3 (commit 0123456789ab-dirty, 2026-01-02T15:04:05Z, go1.26.0)
	// comet devel (go1.26.0)
}
