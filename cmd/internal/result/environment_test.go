package result_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/sysctl"
)

func TestReadEnvironment(t *testing.T) {
	e := result.ReadEnvironment(time.Unix(0, 0).UTC())
	if e.Time != "1970-01-01T00:00:00Z" || e.OS == "" || e.Arch == "" || e.Go == "" || e.Cores < 1 {
		t.Errorf("the environment is %+v", e)
	}
	if _, err := os.Stat("/proc/meminfo"); err == nil && (e.MemoryBytes < 1<<24 || e.Kernel == "") {
		t.Errorf("on Linux the environment is %+v", e)
	}
}

func TestWhere(t *testing.T) {
	for _, test := range []struct {
		e    result.Environment
		want string
	}{
		{result.Environment{Time: "2026-11-26T15:28:00Z"}, "bench · 2026-11-26 15:28 UTC"},
		{result.Environment{Time: "2026-11-26T15:28:00-05:30"}, "bench · 2026-11-26 15:28 -05:30"},
		{result.Environment{Time: "yesterday"}, "bench · yesterday"},
		{result.Environment{Time: "2026-11-26T15:28:00Z", Environment: sysctl.Environment{OS: "linux", Kernel: "6.18", CPU: "A CPU", Cores: 2}}, "bench · 2026-11-26 15:28 UTC · A CPU · 2 processors · Linux 6.18"},
		{result.Environment{Time: "2026-11-26T15:28:00Z", Environment: sysctl.Environment{OS: "darwin", Cores: 1}}, "bench · 2026-11-26 15:28 UTC · 1 processor · macOS"},
	} {
		test.e.MemoryBytes = sysctl.Unknown
		if got := strings.Join(test.e.Where("bench"), " · "); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	if got := (*result.Environment)(nil).Where("bench"); !slices.Equal(got, []string{"bench"}) {
		t.Errorf("%q of no environment", got)
	}
}
