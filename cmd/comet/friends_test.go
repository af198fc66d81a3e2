package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestFriendsPage compares the commands of cmd/docs/friends.md with the scripts
// that run them: each must be in both.
func TestFriendsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/friends.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown, run []string
	for _, command := range shownCommands(string(page)) {
		shown = append(shown, "comet "+command)
	}
	for _, name := range []string{"subscriptions.txtar", "serve_subscriptions.txtar", "bench_subscriptions.txtar", "router_subscriptions.txtar"} {
		script, err := os.ReadFile("testdata/script/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(script)) {
			if command, ok := strings.CutPrefix(line, "# page: "); ok {
				run = append(run, strings.TrimSpace(command))
			}
		}
	}
	if !slices.Equal(shown, run) || len(shown) == 0 {
		t.Errorf("the page shows\n  %s\nand the scripts run\n  %s", strings.Join(shown, "\n  "), strings.Join(run, "\n  "))
	}
}
