package server

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestPage: it needs nothing but this listener, runs nothing that stands in the page
// itself, and every figure that it shows is one that /stats has.
func TestPage(t *testing.T) {
	r := start(t, Config{})
	texts := make(map[string]string)
	for path, kind := range map[string]string{"/": "text/html", "/serve.js": "text/javascript", "/common.js": "text/javascript", "/common.css": "text/css"} {
		resp, text := r.askFull("GET", path, nil)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != kind+"; charset=utf-8" {
			t.Fatalf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
		if policy := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: it may do things: %q", path, policy)
		}
		texts[path] = text
	}
	all := strings.ReplaceAll(texts["/"]+texts["/serve.js"]+texts["/common.js"]+texts["/common.css"], "http://www.w3.org/2000/svg", "")
	if found := regexp.MustCompile(`(?i)https?://|//[a-z]+\.|@import|url\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(`).FindAllString(all, -1); found != nil {
		t.Errorf("it has %q", found)
	}
	_, stats := r.ask("GET", "/stats", "")
	figures := regexp.MustCompile(`\bs\.([a-z_]+)|per\('([a-z_]+)'\)`).FindAllStringSubmatch(texts["/serve.js"], -1)
	for _, list := range regexp.MustCompile(`(?:of|=) (\['[a-z_', ]+)`).FindAllStringSubmatch(texts["/serve.js"], -1) {
		figures = append(figures, regexp.MustCompile(`'()([a-z_]+)'`).FindAllStringSubmatch(list[1], -1)...)
	}
	if len(figures) < 20 {
		t.Errorf("it shows %d figures", len(figures))
	}
	for _, m := range figures {
		// A server without loops has none in /stats, and none on the page; the same goes for
		// the router.
		if name := m[1] + m[2]; name != "loops" && name != "router" && !strings.Contains(stats, `"`+name+`":`) {
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
