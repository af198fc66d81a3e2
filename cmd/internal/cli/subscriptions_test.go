package cli

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An export ends with its context, though nobody reads what it writes.
func TestExportToAFullPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "friends.db")
	if _, code, err := execute(t.Context(), strings.NewReader("1\t2\n"), "subscriptions", "import", "-", file); code != exitDone {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	t.Cleanup(func() { reader.Close() })
	env, _, _ := testEnv(nil)
	env.Stdout = writer
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	ended := make(chan int, 1)
	go func() { ended <- Run(ctx, env, []string{"subscriptions", "export", file}) }()
	select {
	case code := <-ended:
		if code == exitDone {
			t.Error("an export that wrote nothing says that it is done")
		}
	case <-time.After(20 * time.Second):
		t.Error("it waits for its reader")
	}
}
