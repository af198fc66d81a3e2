//go:build unix

package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An import from a pipe ends with its context, though whoever writes to the pipe says
// nothing more, and leaves no file.
func TestImportFromASilentPipe(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "edges")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no pipe here: %v", err)
	}
	writer, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if _, err := io.WriteString(writer, "1\t2\n"); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(folder, "made")
	if err := os.Mkdir(made, 0o700); err != nil {
		t.Fatal(err)
	}
	env, _, _ := testEnv(strings.NewReader(""))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, env, []string{"subscriptions", "import", path, filepath.Join(made, "friends.db")})
	}()
	select {
	case code := <-ended:
		if code == exitDone {
			t.Error("an import that did not read all says that it is done")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for more edges")
	}
	if left, err := os.ReadDir(made); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
