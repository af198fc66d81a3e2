//go:build system

package fleet

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
)

// Without root, and on other systems, there is no namespace; with root the code
// of what ran inside comes back:
//
//	sudo go test -tags system -run System ./cmd/internal/fleet
func TestSystemNamespace(t *testing.T) {
	t.Setenv(role, "dies")
	n := Namespace{Executable: os.Args[0], Buckets: 1 << 16, Stdout: io.Discard, Stderr: io.Discard, Grace: patience}
	code, err := n.Run(t.Context())
	switch {
	case err == nil && code != 7:
		t.Errorf("exit code %d, want that of the program", code)
	case err != nil && !errors.Is(err, os.ErrPermission) && !errors.Is(err, errors.ErrUnsupported):
		t.Skip("no namespaces here: ", err)
	case err != nil:
		return
	}
	// It gets a line when the context ends, and what does not mind is killed.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for as, grace := range map[string]int{"samples": 1, "is deaf": 0} {
		t.Setenv(role, as)
		n.Grace = 0
		if grace > 0 {
			n.Grace = patience
		}
		if code, err := n.Run(ctx); err != nil || (code == 0) != (grace > 0) {
			t.Errorf("%s: exit code %d, %v", as, code, err)
		}
	}
}
