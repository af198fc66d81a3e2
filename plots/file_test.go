package plots

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Logs: []*Log{load(t, "article-10min.log")}}
	for _, format := range []string{PNG, SVG, PDF} {
		name := filepath.Join(dir, "mem."+format)
		for range 2 { // new, then over the old one
			if err := WriteFile(name, cfg); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, draw(t, format, cfg)) {
				t.Errorf("%s holds another picture", name)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 3 {
		t.Errorf("files were left over: %v", entries)
	}
}

func TestWriteFileLeavesTheOldOneOnFailure(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mem.png")
	if err := os.WriteFile(name, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(name, Config{}); !errors.Is(err, ErrNoData) {
		t.Errorf("error is %v", err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != "old" {
		t.Errorf("the old file is %q, %v", b, err)
	}
	gone := filepath.Join(t.TempDir(), "gone", "mem.png")
	if err := WriteFile(gone, Config{Logs: []*Log{load(t, "article-10min.log")}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is missing: %v", err)
	}
	if err := WriteFile("mem.gif", Config{}); err == nil {
		t.Error("a format that does not exist was taken")
	}
}

func TestWriteFileKeepsModeAndLink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes, and links only for administrators")
	}
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.png"), filepath.Join(dir, "mem.png")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("target.png", link); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(link, Config{Logs: []*Log{load(t, "article-10min.log")}}); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "target.png" {
		t.Errorf("the link is now %q, %v", to, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("the target has mode %v and %d bytes", info.Mode(), info.Size())
	}
}
