package memlog

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/memlog/series"
)

// TestARotatedLog has the log renamed, its directory removed and made again,
// and its place taken by a directory, while samples are taken.
func TestARotatedLog(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows renames and removes no open file")
	}
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "mem.log")
	old := filepath.Join(filepath.Dir(dir), "mem.log.1")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := series.OpenAppend(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	steps := map[int]func() error{ // before the sample of this number
		2: func() error { return os.Rename(path, old) },
		4: func() error { return os.RemoveAll(dir) },
		7: func() error { return os.Mkdir(dir, 0o755) },
		8: func() error { return errors.Join(os.Rename(path, path+".2"), os.Mkdir(path, 0o755)) },
		9: func() error { return os.Remove(path) },
	}
	var said strings.Builder
	synctest.Test(t, func(t *testing.T) {
		l := fakeLog(Config{
			Match: "x", Interval: time.Second, Duration: 9 * time.Second,
			Out: out, Logger: slog.New(slog.NewTextHandler(&said, nil)),
		}, func(k int) (time.Duration, error) {
			if step := steps[k]; step != nil {
				return 0, step()
			}
			return 0, nil
		})
		if err := l.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := l.Stats(); got != (Stats{Samples: 10, Lost: 3}) {
			t.Errorf("%+v, want 10 samples, 3 of them lost", got)
		}
	})
	for name, lines := range map[string]int{old: 2, path + ".2": 2, path: 1} {
		text, err := os.ReadFile(name)
		if err != nil || strings.Count(string(text), "\n") != lines {
			t.Errorf("%s holds %q (%v), want %d lines", name, text, err, lines)
		}
	}
	if text, _ := os.ReadFile(path + ".2"); strings.Count(string(text), "\tlost=3\n") != 1 {
		t.Errorf("%q: the first line after the loss should count it", text)
	}
	for text, n := range map[string]int{
		"no such file or directory": 1, "samples_lost=3": 1,
		"cannot be opened again": 1, "path again": 1,
	} {
		if strings.Count(said.String(), text) != n {
			t.Errorf("%q was not said %d times: %s", text, n, said.String())
		}
	}
}
