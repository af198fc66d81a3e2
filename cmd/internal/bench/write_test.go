package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.org/comet/flood/pace"

	"example.org/comet/cmd/internal/report"
	"example.org/comet/cmd/internal/result"
)

func TestMemoryIsReadAndDrawn(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, memLog)
	if samples := readSamples(path); samples != nil {
		t.Errorf("%v of a log that is not there", samples)
	}
	const log = "Thu Nov 26 18:00:00 UTC 2026\t1795716000\t1000\t10\nnonsense\nThu Nov 26 18:00:01 UTC 2026\t1795716001\t2000\t10\n"
	if err := os.WriteFile(path, []byte(log), 0o644); err != nil {
		t.Fatal(err)
	}
	samples := readSamples(path)
	if len(samples) != 2 || samples[1].RSSKB != 2000 {
		t.Fatalf("%+v; want the two lines that are samples", samples)
	}
	for name, c := range map[string]struct{ n, drawn int }{"two samples": {2, 1}, "none": {0, 0}} {
		below := t.TempDir()
		if err := drawMemory(below, "a title", samples[:c.n], nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(below); len(left) != c.drawn {
			t.Errorf("%s leaves %v", name, left)
		}
	}
}

func TestTitle(t *testing.T) {
	for want, wanted := range map[string]pace.Rate{
		"Mem usage with 10 active connections":                             0,
		"Mem usage with 10 active connections, as many messages as can be": pace.MaxRate,
		"Mem usage with 10 active connections, 1500000 msg/sec":            1_500_000,
	} {
		if got := title(&plan{connections: 10, rate: wanted}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWriteFolderSaysWhatIsMissing(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "none")
	if err := writeFolder(folder, new(result.Result), report.Extras{}); err == nil || !strings.Contains(err.Error(), "the results are not complete") {
		t.Errorf("%v", err)
	}
}

func TestLostPartsDoNotEndARepeat(t *testing.T) {
	err := error(&lostError{[]string{"comet flood (pid 7) ended", "comet memlog (pid 8) ended"}})
	for _, one := range []error{err, errors.Join(err, err), errors.Join(nil, errors.Join(err))} {
		if !OnlyLost(one) {
			t.Errorf("%q is more than lost parts", one)
		}
	}
	if OnlyLost(errors.New("failed")) || OnlyLost(nil) {
		t.Error("an error that only says that parts were lost is not told from others")
	}
	if !strings.Contains(err.Error(), "complete without what was lost: comet flood (pid 7) ended; comet memlog (pid 8) ended") {
		t.Errorf("%v", err)
	}
	if OnlyLost(errors.Join(errors.Join(err), errors.New("disk full"))) || OnlyLost(fmt.Errorf("the series ended: %w", err)) {
		t.Error("what is wrong besides is not seen")
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		p := &progress{w: &said}
		p.line("first %d", 1)
		p.update("connect", 0.5, "%d connected", 3) // too soon after a line
		time.Sleep(quietInterval)
		p.update("connect", 0.5, "%d connected", 5)
		p.update("connect", 0.6, "%d connected", 6)
		if got := said.String(); got != "first 1\n  connect: 5 connected\n" {
			t.Errorf("where nothing can be redrawn: %q", got)
		}
		said.Reset()
		p = &progress{w: &said, terminal: true}
		p.update("idle", 0.5, "resting")
		p.update("idle", 7, "resting")
		p.line("done")
		if got := said.String(); got != "idle     [############............] resting\r\x1b[Kidle     [########################] resting\r\x1b[Kdone\n" {
			t.Errorf("on a terminal: %q", got)
		}
	})
}
