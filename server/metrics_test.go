package server

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestMetrics: every line is a comment or a sample, a name has its HELP and
// TYPE once and in front, and the figures are those of the server.
func TestMetrics(t *testing.T) {
	stats := Stats{Connections: 3, DroppedSlow: 7, BytesWritten: 1 << 40}
	names := make(map[string]bool)
	for _, m := range stats.metrics() {
		if names[m.name] == (m.help != "") {
			t.Errorf("%s: help %q", m.name, m.help)
		}
		names[m.name] = true
		if strings.HasSuffix(m.name, "_total") != (m.kind == "counter") {
			t.Errorf("%s is a %s", m.name, m.kind)
		}
	}
	r := start(t, Config{})
	code, text := r.ask("GET", "/metrics", "")
	if code != http.StatusOK {
		t.Fatal(code, text)
	}
	sample := regexp.MustCompile(`^[a-z_]+(\{[a-z]+="[a-z]+"\})? [0-9.]+$`)
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "# ") && !sample.MatchString(line) {
			t.Errorf("%q is neither a comment nor a sample", line)
		}
	}
	if !strings.Contains(text, "\ncomet_connections 0\n") {
		t.Errorf("no comet_connections in\n%s", text)
	}
}
