//go:build unix

package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"example.org/comet/cmd/internal/result"
)

// A named pipe is all new, and is waited for until somebody writes.
func TestLogFromANamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no named pipes here: ", err)
	}
	l, err := OpenLog(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(w, "Thu Nov 26 18:00:00 UTC 2026\t%d\t5\t-\n", time.Now().Unix())
	moment := time.Now().Add(-time.Hour)
	if err := l.Await(t.Context(), moment); err != nil || !since(l, moment) {
		t.Errorf("no sample, %v", err)
	}
	if u, _ := l.Since(moment)(false); u.RSS != result.Of(5*1024) {
		t.Errorf("%+v", u)
	}
	w.Close()
	for l.Trouble() == "" {
		time.Sleep(time.Millisecond)
	}
	l.Close()
}
