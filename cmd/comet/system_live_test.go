//go:build system

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSystemLive watches a bench to its end in a browser: the page shows what goes on,
// has all of it after a reload, is cut nowhere, and has no fault that axe-core finds.
func TestSystemLive(t *testing.T) {
	t.Parallel() // it waits more than it works
	chromium := need(t, "chromium")
	axe := axeCore(t)
	bench, out, _ := startBench(t, "-c", "300", "-r", "500", "-d", "12s", "--idle", "1s", "--metrics", "127.0.0.1:0")
	page := openPage(t, chromium, liveURL(t, out))
	eventually(t, "the page shows connections, messages, latency, memory and processors", func() bool {
		shown := page.evaluate("document.body.innerText")
		return regexp.MustCompile(`(?s)Connections\s+300.*Messages per second\s+[45]\d\d.*over the run\s+[0-9.]+\s.*Memory of the servers\s+[0-9.]+ MiB.*[0-9.]+ server`).MatchString(shown) &&
			strings.HasSuffix(page.evaluate("phases.map(p => p.name).join()"), "connect,idle,messages") && page.evaluate("moments.length > 6") == "true"
	})
	began := page.evaluate("moments[0].seconds")
	page.call("Page.reload", nil)
	eventually(t, "a page that is loaded again has all of the run", func() bool {
		return page.evaluate("typeof moments != 'undefined' && moments.length > 6 && moments[0].seconds == "+began) == "true"
	})
	page.evaluate("document.querySelector('details').open = true")
	page.holdToLook(t, "live", axe)
	eventually(t, "the bench has ended", func() bool { return ended(bench) })
	state := page.evaluate("document.getElementById('state').innerText")
	if !strings.HasPrefix(state, "The run has ended. ") || !strings.Contains(state, "300 connections") || page.evaluate("document.title")[:6] != "ended:" {
		t.Errorf("at the end the page says %q", state)
	}
	page.holdToLook(t, "live-ended", axe)
	page.checkPaper("live-ended")
}

// TestSystemLiveLost kills a flood that a browser watches: the page says so, and
// follows the next run at the address.
func TestSystemLiveLost(t *testing.T) {
	t.Parallel() // it waits more than it works
	chromium := need(t, "chromium")
	_, addr, admin := startServer(t)
	flood, out := background(t, "comet", "flood", "http://"+addr+"/test/{id}", "-c", "20", "--metrics", "127.0.0.1:0")
	url := liveURL(t, out)
	page := openPage(t, chromium, url)
	page.shows("state", "^Running: idle$")
	flood.Process.Kill()
	page.shows("state", "^The connection to the run is lost")
	background(t, "comet", "msggen", "--to", "http://"+admin+"/send", "--rate", "10", "--metrics", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"))
	eventually(t, "the page follows the next run", func() bool {
		return strings.HasPrefix(page.evaluate("document.getElementById('title').innerText"), "comet msggen")
	})
}

// liveURL returns where a command says that its live page is.
func liveURL(t *testing.T, out *output) string {
	t.Helper()
	return strings.Fields(out.await(t, `live page  http://\S+`))[2]
}

// axeCore returns the text of axe-core, which finds what a page keeps from people.
func axeCore(t *testing.T) string {
	t.Helper()
	npm := need(t, "npm")
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../../.ci/browser")); err != nil {
		t.Fatal(err)
	}
	fetched(t, folder, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	text, err := os.ReadFile(filepath.Join(folder, "node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// holdToLook looks at the page on a phone, a tablet and a desk, in light and dark:
// nothing is cut, and axe-core finds no fault. With COMET_SCREENSHOTS it leaves
// pictures there.
func (p *page) holdToLook(t *testing.T, name, axe string) {
	t.Helper()
	p.evaluate(axe + "; 0")
	for _, scheme := range []string{"light", "dark"} {
		p.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
		for _, width := range []int{390, 768, 1280} {
			p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700})
			if cut := p.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"); cut != "0" {
				t.Errorf("%s, %s: %s pixels are cut in a window of %d", name, scheme, cut, width)
			}
			if faults := p.await("axe.run({resultTypes: ['violations']}).then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join('; ')).join('\\n'))"); faults != "" {
				t.Errorf("%s, %s, %d pixels: %s", name, scheme, width, faults)
			}
			if folder := os.Getenv("COMET_SCREENSHOTS"); folder != "" {
				p.whole(filepath.Join(folder, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)))
			}
		}
	}
}

// await returns the value of a promise as text.
func (p *page) await(expression string) string {
	p.t.Helper()
	var answer struct{ Result struct{ Value any } }
	json.Unmarshal(p.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true}), &answer)
	return fmt.Sprint(answer.Result.Value)
}

// whole takes a picture of all of the page.
func (p *page) whole(path string) {
	p.t.Helper()
	var size struct {
		CSSContentSize struct{ Width, Height float64 }
	}
	json.Unmarshal(p.call("Page.getLayoutMetrics", nil), &size)
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": size.CSSContentSize.Width, "height": size.CSSContentSize.Height, "deviceScaleFactor": 1, "mobile": false})
	p.evaluate("document.documentElement.scrollHeight")
	p.screenshot(path)
}

// look shows the page on a screen or on paper, and reports the faults that a script
// finds there.
func (p *page) look(name, media, scheme string, width int, faults string) {
	p.t.Helper()
	p.call("Emulation.setEmulatedMedia", map[string]any{"media": media, "features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}})
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false})
	if found := p.await(faults); found != "" {
		p.t.Errorf("%s, %s, %s, %d pixels: %s", name, media, scheme, width, found)
	}
}

// checkPaper looks at the page on paper: nothing is cut, whatever the scheme of the
// screen, and it prints. With COMET_SCREENSHOTS it leaves the print there.
func (p *page) checkPaper(name string) {
	p.t.Helper()
	for _, scheme := range []string{"dark", "light"} {
		p.look(name, "print", scheme, 700, paperFaults) // A4 within its margins
	}
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

// paperFaults finds what is wider than its place, as nothing can be scrolled there.
const paperFaults = `[document.scrollingElement, ...document.querySelectorAll("div, pre, figure")]
	.filter(e => e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1)
	.map(e => e.localName + "." + e.className + " is " + (e.scrollWidth - e.clientWidth) + " pixels too wide").join("\n")`
