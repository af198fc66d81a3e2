package live

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// TestPage: it may load nothing from anywhere else, runs nothing that stands in the
// page itself, and every figure that it shows is one that a moment has.
func TestPage(t *testing.T) {
	s, _ := start(t, Config{})
	texts := make(map[string]string)
	for path, kind := range map[string]string{"/": "text/html", "/live.js": "text/javascript", "/common.js": "text/javascript", "/common.css": "text/css"} {
		answer := ask(t, s, "GET", path, nil)
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != kind+"; charset=utf-8" {
			t.Fatalf("%s: %v %d %v", path, err, answer.StatusCode, answer.Header)
		}
		if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: it may do things: %q", path, policy)
		}
		texts[path] = string(text)
	}
	all := strings.ReplaceAll(texts["/"]+texts["/live.js"]+texts["/common.js"]+texts["/common.css"], "http://www.w3.org/2000/svg", "")
	if found := regexp.MustCompile(`(?i)https?://|"//|@import|url\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(`).FindAllString(all, -1); found != nil {
		t.Errorf("it has %q", found)
	}
	if found := regexp.MustCompile(`(?i)<style|\bstyle=|<script>|\son[a-z]+=`).FindAllString(texts["/"], -1); found != nil {
		t.Errorf("its policy refuses %q", found)
	}
	text, err := json.Marshal(result.Moment{CPU: map[string]result.Figure{}})
	if err != nil {
		t.Fatal(err)
	}
	figures := regexp.MustCompile(`\bm\.([a-z_]+)|lateness\('([a-z_]+)'\)`).FindAllStringSubmatch(texts["/live.js"], -1)
	if len(figures) < 20 {
		t.Errorf("it shows %d figures", len(figures))
	}
	for _, f := range figures {
		if name := f[1] + f[2]; !strings.Contains(string(text), `"`+name+`":`) {
			t.Errorf("it shows %s, which a moment does not have", name)
		}
	}
}
