//go:build unix

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReloadKeys: the keys of tokens are read again on each signal that reopens logs,
// and keys that cannot be read change nothing.
func TestReloadKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const right, wrong = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	write(wrong)
	p, url := serve(t, "--auth-key-file", path)
	awaitStatus := func(want int) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			request, err := http.NewRequest(http.MethodHead, strings.Replace(url, "{id}", "3", 1), nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+userToken)
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("still answered %s, want %d", answer.Status, want)
			}
		}
	}
	awaitStatus(http.StatusUnauthorized)
	write(right)
	p.signal(syscall.SIGHUP)
	awaitStatus(http.StatusOK)
	write("short")
	p.signal(syscall.SIGUSR1)
	write(wrong)
	p.signal(syscall.SIGUSR1)
	awaitStatus(http.StatusUnauthorized)
	p.signal(syscall.SIGTERM)
	if code := p.code(); code != 0 {
		t.Errorf("exit code %d: %s", code, p.stderr)
	}
	if log := p.stderr.String(); strings.Count(log, "the keys of tokens were read again") < 2 {
		t.Errorf("the log: %s", log)
	}
}
