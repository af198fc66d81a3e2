package msggen

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"example.org/comet/server/wire"
)

// TestEvents: an event is a line with "from" in it, whatever the message has, and the
// moment in its stamp can be set later.
func TestEvents(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, r.URL.Path+" "+string(body))
		_, _ = io.WriteString(w, `{"sent":`+string(rune('0'+strings.Count(string(body), "\n")))+`,"reached":0,"unaddressed":0,"followers":3}`)
	}))
	defer server.Close()
	s := openSender(t, HTTPConfig{URL: server.URL, Events: true})
	send(t, s, 7, "Hello", `"quoted" \`, "a\nb", "ü")
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	stamped := string(wire.AppendStamped(nil, 2, wire.Stamp{Run: 1, N: 2, Due: 1_700_000_000_000_000_000}))
	if err := s.sendNow(7, []byte(stamped)); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reached, err := Post(t.Context(), HTTPConfig{URL: server.URL + "/send", Events: true}, 9, []byte("a\nb")); err != nil || reached != 0 {
		t.Errorf("reached %d, %v", reached, err)
	}
	want := []string{
		"/send ",
		`/send {"from":7,"message":"Hello"}` + "\n" + `{"from":7,"message":"\"quoted\" \\"}` + "\n" + `{"from":7,"message":"a\nb"}` + "\n" + `{"from":7,"message":"ü"}` + "\n",
		"stamped",
		"/event/9 a\nb",
	}
	for i, line := range lines {
		switch {
		case i >= len(want):
			t.Errorf("one more: %q", line)
		case want[i] == "stamped":
			if _, _, ok := wire.FindStamp([]byte(line)); !ok || !strings.HasPrefix(line, `/send {"from":7,"message":"`) {
				t.Errorf("got %q", line)
			}
		case line != want[i]:
			t.Errorf("got %q, want %q", line, want[i])
		}
	}
	if err := (Config{Events: true, Sender: s}).Validate(); err == nil || !strings.Contains(err.Error(), "no Sender takes them") {
		t.Errorf("events with a sender: %v", err)
	}
}
