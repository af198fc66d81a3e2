//go:build system && linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemReports looks at the reports of real runs in Chromium, at the widths of a
// phone, a tablet and a desk, in light and dark, and on paper: nothing may be cut or
// written over something else, and axe-core may find no fault of any impact. With
// COMET_SCREENSHOTS it leaves pictures there.
func TestSystemReports(t *testing.T) {
	t.Parallel() // it waits more than it works
	chromium := need(t, "chromium")
	axe := axeCore(t)
	root := t.TempDir()
	for _, kind := range []struct {
		name    string
		reports []string
		args    string
	}{
		{"capacity", []string{"report.html"}, "capacity --from 100 --to 400 -r 50 --hold 1s --repeat 1 --budget 1m"},
		{"storm", []string{"report.html"}, "bench -c 300 --nodes 3 -r 300 -d 4s --storm 1s:100% --reconnect min=500ms,max=2s,jitter=full --slo loss=0 --slo p99<1h"},
		{"repeat", []string{"report.html", "run-2/report.html"}, "bench -c 100 -r max -d 1s --repeat 2"},
		{"steps", []string{"report.html", "100/report.html"}, "bench --steps 100,5000 -r 100 -d 1s"},
	} {
		folder := filepath.Join(root, kind.name)
		// A target that was missed, as on a busy machine, makes a report as well.
		out, err := exec.CommandContext(t.Context(), "comet", append(strings.Fields(kind.args), "-q", "--idle", "1s", "--out", folder)...).CombinedOutput()
		if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
			t.Fatalf("%s: %v\n%s", kind.args, err, out)
		}
		for _, report := range kind.reports {
			lookAt(t, chromium, axe, filepath.Join(folder, report), kind.name+"-"+strings.ReplaceAll(report, "/", "-"))
		}
	}
	for name, sides := range map[string][]string{
		"compare":        {filepath.Join(root, "repeat", "run-1"), filepath.Join(root, "repeat")},
		"compare-series": {filepath.Join(root, "steps"), filepath.Join(root, "steps")},
	} {
		path := filepath.Join(root, name+".html")
		compare(t, 0, append(sides, "-o", path)...)
		lookAt(t, chromium, axe, path, name)
	}
}

// lookAt opens a report and looks at it.
func lookAt(t *testing.T, chromium, axe, path, name string) {
	t.Helper()
	page := openPage(t, chromium, "file://"+path)
	eventually(t, "it is shown", func() bool { return page.evaluate("document.readyState + document.title.length") > "complete0" })
	page.call("Runtime.evaluate", map[string]any{"expression": axe + "; 0"})
	page.checkLooks(name)
}

// checkLooks looks at a report on all kinds of screens and on paper.
func (p *page) checkLooks(name string) {
	p.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{390, 768, 1280} {
			p.look(name, "screen", scheme, width, screenFaults)
			if folder := os.Getenv("COMET_SCREENSHOTS"); folder != "" {
				p.screenshot(filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)))
			}
		}
	}
	p.checkPaper(name)
}

// screenFaults finds what cannot be seen: a page that is wider than its window, a text
// over the edge of its picture or over another one, and what axe-core finds.
const screenFaults = `(async () => {
	const faults = []
	const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth
	if (wide > 0) faults.push("the page is " + wide + " pixels wider than the window")
	for (const svg of document.querySelectorAll("svg")) {
		const around = (svg.closest("figure") ?? svg).getBoundingClientRect()
		const texts = [...svg.querySelectorAll("text")].map(t => ({t: t.textContent, r: t.getBoundingClientRect()}))
		texts.forEach((a, i) => {
			if (a.r.left < around.left || a.r.right > around.right || a.r.top < around.top || a.r.bottom > around.bottom) faults.push(a.t + " is outside its picture")
			for (const b of texts.slice(i + 1)) {
				const over = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left)
				if (over > 1 && Math.min(a.r.bottom, b.r.bottom) - Math.max(a.r.top, b.r.top) > 3) faults.push(a.t + " and " + b.t + " are written over each other")
			}
		})
	}
	const {violations} = await axe.run({resultTypes: ["violations"]})
	return faults.concat(violations.map(v => v.impact + " " + v.id + ": " + v.nodes[0].html)).join("\n")
})()`
