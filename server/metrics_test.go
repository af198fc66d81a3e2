package server

import (
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"example.org/comet/server/router"
)

// TestMetrics: every line is a comment or a sample, a name has its HELP and
// TYPE once and in front, and the figures are those of the server.
func TestMetrics(t *testing.T) {
	stats := Stats{Connections: 3, Drops: router.Drops{DroppedSlow: 7}, BytesWritten: 1 << 40}
	names := make(map[string]bool)
	for _, m := range stats.metrics() {
		if names[m.Name] == (m.Help != "") {
			t.Errorf("%s: help %q", m.Name, m.Help)
		}
		names[m.Name] = true
		if strings.HasSuffix(m.Name, "_total") != (m.Kind == "counter") {
			t.Errorf("%s is a %s", m.Name, m.Kind)
		}
	}
	r := start(t, Config{Version: "1.2.3"})
	code, text := r.ask("GET", "/metrics", "")
	if code != http.StatusOK {
		t.Fatal(code, text)
	}
	sample := regexp.MustCompile(`^[a-z_]+(\{[a-z]+="[^"]+"(,[a-z]+="[^"]+")*\})? [0-9.]+$`)
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); !strings.HasPrefix(line, "# ") && !sample.MatchString(line) {
			t.Errorf("%q is neither a comment nor a sample", line)
		}
	}
	for _, line := range []string{
		"comet_connections 0\n", `comet_messages_dropped_total{reason="closed"} 0` + "\n", `comet_messages_dropped_total{reason="slow"} 0` + "\n",
		`comet_messages_dropped_total{reason="overrun"} 0` + "\n", `comet_build_info{version="1.2.3",go="` + runtime.Version() + `"} 1` + "\n",
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("no %q in\n%s", line, text)
		}
	}
}
