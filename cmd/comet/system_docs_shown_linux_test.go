//go:build system

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// docsPrinted holds what the commands of a page print, on all of its machines, against what
// the page says that they print.
type docsPrinted struct {
	said []shownStep // by the page

	mu     sync.Mutex
	shapes map[string]bool
	waited int // machines
}

func newPrinted(steps []shownStep, machines int) *docsPrinted {
	p := &docsPrinted{shapes: make(map[string]bool), waited: machines}
	for _, s := range steps {
		if s.kind == "text" && listed(s) == "" {
			p.said = append(p.said, s)
		}
	}
	return p
}

// take takes what the commands of a machine have printed once all have run. It is nil if
// there were none.
func (p *docsPrinted) take(t *testing.T, m *machine) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.Failed() {
		return
	}
	p.waited--
	if m == nil {
		return
	}
	logs, err := filepath.Glob(filepath.Join(m.folder, "logs", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			p.shapes[shapeOf(line)] = true
		}
	}
}

// check reports each line of the page's output that no command of it printed in that shape.
func (p *docsPrinted) check(t *testing.T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waited > 0 {
		t.Skip("not all commands of the page have run")
	}
	for _, s := range p.said {
		for i, line := range strings.Split(strings.TrimSpace(s.text), "\n") {
			if shape := shapeOf(line); shape != "" && !p.shapes[shape] {
				t.Errorf("line %d: no command of the page prints %q (as %q)", s.line+i, line, shape)
			}
		}
	}
}

var (
	shownGap    = regexp.MustCompile(`\s{2,}`)
	shownFigure = regexp.MustCompile(`-?[0-9][0-9.,]*`)
	shownSlab   = regexp.MustCompile(`^kernel: \S+`) // which of them grow is the kernel's affair
	shownUnits  = strings.NewReplacer("# ns", "# s", "# µs", "# s", "# ms", "# s", "# KiB", "# B", "# MiB", "# B", "# GiB", "# B")
)

// shapeOf returns what stays of a line from one run to the next: its labels and units, and of
// a sentence the first words. A figure that was not measured is a dash.
func shapeOf(line string) string {
	cells := shownGap.Split(strings.TrimSpace(line), -1)
	for i, cell := range cells {
		cell = shownSlab.ReplaceAllString(cell, "kernel: #")
		cell = shownUnits.Replace(shownFigure.ReplaceAllString(cell, "#"))
		if i > 0 && (cell == "-" || strings.HasPrefix(cell, "# ") && len(strings.Fields(cell)) == 2) {
			cell = "#" // with its unit
		}
		if words := strings.Fields(cell); len(words) > 3 {
			cell = strings.TrimRight(strings.Join(words[:3], " "), ",;:")
		}
		cells[i] = cell
	}
	return strings.Join(cells, "|")
}

// TestSystemDocsShape shows what counts as the same output.
func TestSystemDocsShape(t *testing.T) {
	t.Parallel()
	const shown = "  connect latency p90                   10.6 ms"
	for _, same := range []string{
		"  connect latency p90                   1,106 µs", "  connect latency p90                        -",
		"connect latency p90  3 s",
	} {
		if shapeOf(same) != shapeOf(shown) {
			t.Errorf("%q is %q, and not %q", same, shapeOf(same), shapeOf(shown))
		}
	}
	for _, other := range []string{"  connect latency p90", "  connecting, latency p90   10.6 ms", "  connect latency p90   many"} {
		if shapeOf(other) == shapeOf(shown) {
			t.Errorf("%q is taken for %q", other, shown)
		}
	}
	for a, b := range map[string]string{
		"  kernel: TCP     2,505 B":                "  kernel: filp    193 B",
		"Held 10,000 connections at 68 bytes each": "Held 2,000 connections, delivered 1,001 messages/s",
		"  machine memory growth   93.6 MiB":       "  machine memory growth  -1.5 KiB",
	} {
		if shapeOf(a) != shapeOf(b) {
			t.Errorf("%q and %q are %q and %q", a, b, shapeOf(a), shapeOf(b))
		}
	}
	if a, b := shapeOf(`{"added":1,"nodes":2}`), shapeOf(`{"added":1,"servers":2}`); a == b {
		t.Errorf("both are %q", a)
	}
}
