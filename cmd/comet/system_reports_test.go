//go:build system && linux

package main

import (
	"encoding/base64"
	"encoding/json"
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
	for _, kind := range []struct {
		name    string
		reports []string
		args    string
	}{
		{"storm", []string{"report.html"}, "-c 300 --nodes 3 -r 300 -d 4s --storm 1s:100% --reconnect min=500ms,max=2s,jitter=full --slo loss=0 --slo p99<1h"},
		{"repeat", []string{"report.html", "run-2/report.html"}, "-c 100 -r max -d 1s --repeat 2"},
		{"steps", []string{"report.html", "100/report.html"}, "--steps 100,5000 -r 100 -d 1s"},
	} {
		folder := filepath.Join(t.TempDir(), kind.name)
		// A target that was missed, as on a busy machine, makes a report as well.
		out, err := exec.CommandContext(t.Context(), "comet", append([]string{"bench", "-q", "--idle", "1s", "--out", folder}, strings.Fields(kind.args)...)...).CombinedOutput()
		if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
			t.Fatalf("%s: %v\n%s", kind.args, err, out)
		}
		for _, report := range kind.reports {
			path := filepath.Join(folder, report)
			page := openPage(t, chromium, "file://"+path)
			eventually(t, "it is shown", func() bool { return page.evaluate("document.readyState + document.title.length") > "complete0" })
			page.call("Runtime.evaluate", map[string]any{"expression": axe + "; 0"})
			page.checkLooks(kind.name + "-" + strings.ReplaceAll(report, "/", "-"))
		}
	}
}

// checkLooks looks at a report on all kinds of screens and on paper.
func (p *page) checkLooks(name string) {
	p.t.Helper()
	look := func(media, scheme string, width int, faults string) {
		p.call("Emulation.setEmulatedMedia", map[string]any{"media": media, "features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
		p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false})
		var answer struct{ Result struct{ Value any } }
		json.Unmarshal(p.call("Runtime.evaluate", map[string]any{"expression": faults, "awaitPromise": true}), &answer)
		if answer.Result.Value != "" {
			p.t.Errorf("%s, %s, %s, %d pixels: %v", name, media, scheme, width, answer.Result.Value)
		}
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int{390, 768, 1280} {
			look("screen", scheme, width, screenFaults)
			if folder := os.Getenv("COMET_SCREENSHOTS"); folder != "" {
				p.screenshot(filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)))
			}
		}
	}
	look("print", "light", 700, paperFaults) // A4 within its margins
	var printed struct{ Data string }
	json.Unmarshal(p.call("Page.printToPDF", map[string]any{"printBackground": true}), &printed)
	pdf, err := base64.StdEncoding.DecodeString(printed.Data)
	if err != nil || len(pdf) < 10_000 {
		p.t.Errorf("%s on paper: %d bytes, %v", name, len(pdf), err)
	}
	if folder := os.Getenv("COMET_SCREENSHOTS"); folder != "" {
		os.WriteFile(filepath.Join(folder, name+".pdf"), pdf, 0o644)
	}
}

// screenFaults finds what cannot be seen: a page that is wider than its window, a text
// over the edge of its picture or over another one, and what axe-core finds.
const screenFaults = `(async () => {
	const faults = []
	const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth
	if (wide > 0) faults.push("the page is " + wide + " pixels wider than the window")
	for (const svg of document.querySelectorAll("svg")) {
		const around = svg.closest("figure").getBoundingClientRect()
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

// paperFaults finds what is wider than its place, as nothing can be scrolled there.
const paperFaults = `[document.scrollingElement, ...document.querySelectorAll("div, pre, figure")]
	.filter(e => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1)
	.map(e => e.localName + "." + e.className + " is " + (e.scrollWidth - e.clientWidth) + " pixels too wide").join("\n")`
