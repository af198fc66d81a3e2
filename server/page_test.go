package server

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestPage: it needs nothing but this listener, and every figure that it shows
// is one that /stats has.
func TestPage(t *testing.T) {
	r := start(t, Config{})
	resp, page := r.askFull("GET", "/", nil)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Header)
	}
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") {
		t.Errorf("it may load things: %q", policy)
	}
	if found := regexp.MustCompile(`(?i)https?://|//[a-z]+\.|<link|src=|@import|url\(`).FindAllString(page, -1); found != nil {
		t.Errorf("it loads %q", found)
	}
	_, stats := r.ask("GET", "/stats", "")
	figures := regexp.MustCompile(`\bs\.([a-z_]+)|per\('([a-z_]+)'\)`).FindAllStringSubmatch(page, -1)
	if len(figures) < 10 {
		t.Errorf("it shows %d figures", len(figures))
	}
	for _, m := range figures {
		// A server without loops has none in /stats, and none on the page.
		if name := m[1] + m[2]; name != "loops" && !strings.Contains(stats, `"`+name+`":`) {
			t.Errorf("it shows %s, which /stats does not have", name)
		}
	}
	if code, _ := r.ask("POST", "/", ""); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
	locked := start(t, Config{AdminToken: "sesame"})
	if code, body := locked.ask("GET", "/", ""); code != http.StatusUnauthorized || strings.Contains(body, "<") {
		t.Errorf("with a token: %d %q", code, body)
	}
}
