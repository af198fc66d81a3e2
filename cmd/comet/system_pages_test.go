//go:build system && linux

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pageChecker is where the program is that looks at pages.
const pageChecker = "../../.ci/pages"

// TestSystemPages looks at the reports of real runs in Chromium, at the widths of a
// phone, a tablet and a desk, in light and dark, and on paper: nothing may be cut or
// written over something else, and axe-core may find no fault of any impact.
func TestSystemPages(t *testing.T) {
	chromium := need(t, "chromium")
	node := need(t, "node")
	folder := filepath.Join(t.TempDir(), "pages")
	if err := os.CopyFS(folder, os.DirFS(pageChecker)); err != nil {
		t.Fatal(err)
	}
	fetched(t, folder, need(t, "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund")

	var pages []string
	bench := func(name string, reports []string, args ...string) {
		t.Helper()
		out := filepath.Join(folder, name)
		run(t, "comet", append([]string{"bench", "-q", "--idle", "1s", "--out", out}, args...)...)
		for _, report := range reports {
			// A name of its own, by which its pictures are called.
			page := filepath.Join(out, report, name+report+".html")
			if err := os.Rename(filepath.Join(out, report, "report.html"), page); err != nil {
				t.Fatal(err)
			}
			pages = append(pages, page)
		}
	}
	bench("storm", []string{""}, "-c", "300", "--nodes", "3", "-r", "300", "-d", "4s", "--storm", "1s:100%", "--reconnect", "min=500ms,max=2s,jitter=full")
	bench("repeat", []string{"", "run-2"}, "-c", "100", "-r", "max", "-d", "1s", "--repeat", "2")
	bench("steps", []string{""}, "--steps", "50,100,5000", "-r", "100", "-d", "1s")

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	check := exec.CommandContext(ctx, node, append([]string{"check.mjs", chromium, filepath.Join(folder, "seen")}, pages...)...)
	check.Dir = folder
	faults, err := check.CombinedOutput()
	if err != nil || len(faults) > 0 {
		t.Errorf("%v\n%s", err, faults)
	}
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page), ".html")
		for _, seen := range []string{"-390-dark.png", "-1280-light.png", ".pdf"} {
			if info, err := os.Stat(filepath.Join(folder, "seen", name+seen)); err != nil || info.Size() < 10_000 {
				t.Errorf("%s was not looked at: %v", page, err)
			}
		}
	}
}
