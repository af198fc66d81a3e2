package result

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWriteFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "report.html")
	for _, content := range []string{"old and long", "new", ""} {
		if err := WriteFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != content {
			t.Errorf("%q, %v, want %q", got, err, content)
		}
	}
	if files, _ := os.ReadDir(folder); len(files) != 1 {
		t.Errorf("the folder has %v, want the file alone", files)
	}
}

// What cannot be replaced stays as it was, and nothing is left beside it.
func TestWriteFileFails(t *testing.T) {
	folder := t.TempDir()
	taken := filepath.Join(folder, "bench.txt")
	if err := os.MkdirAll(filepath.Join(taken, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{taken, filepath.Join(folder, "none", "bench.txt")} {
		if err := WriteFile(path, []byte("x")); err == nil || !strings.Contains(err.Error(), "cannot write "+path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if files, _ := os.ReadDir(folder); len(files) != 1 {
		t.Errorf("the folder has %v", files)
	}
}

func TestAFullDiskIsNamed(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		full bool
	}{
		"full":       {&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, true},
		"quota":      {fmt.Errorf("again: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.EDQUOT}), true},
		"not ours":   {&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, false},
		"no reason":  {errors.New("x"), false},
		"some files": {&fs.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}, false},
	} {
		err := writeError("a/result.json", tt.err)
		if !errors.Is(err, tt.err) || strings.Contains(err.Error(), "the disk is full") != tt.full || !strings.Contains(err.Error(), "a/result.json") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat("/dev/full"); err == nil {
		if err := os.WriteFile("/dev/full", []byte("x"), 0); !strings.Contains(writeError("x", err).Error(), "the disk is full") {
			t.Errorf("what the kernel says of a full disk: %v", writeError("x", err))
		}
	}
}
