//go:build unix

package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.org/comet/flood/users"
)

// TestDocsTokens runs what tokens.md makes keys and tokens with, and serves by them.
func TestDocsTokens(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl")
	}
	page, err := os.ReadFile("../docs/tokens.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```sh\n")
	script, _, found := strings.Cut(rest, "```\n")
	if !found {
		t.Fatal("the page has no script")
	}
	dir := t.TempDir()
	sh := exec.CommandContext(t.Context(), "sh", "-euc", strings.Replace(script, "seq 100", "seq 3", 1))
	sh.Dir = dir
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file, err := os.Open(filepath.Join(dir, "users.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	table, err := users.Read(file, "users.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, url := serve(t, "--auth-key-file", filepath.Join(dir, "public.pem"))
	for _, c := range []struct {
		id   string
		want int
	}{{"2", http.StatusOK}, {"3", http.StatusForbidden}} {
		answer, err := http.Head(strings.Replace(url, "{id}", c.id, 1) + "?access_token=" + table.Cell(1, 1))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != c.want {
			t.Errorf("user 2 as %s: %s", c.id, answer.Status)
		}
	}
}
