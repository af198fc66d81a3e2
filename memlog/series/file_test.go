package series_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

func ExampleFile() {
	dir, err := os.MkdirTemp("", "comet")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "access.log")
	log, err := series.OpenFile(path, 0o644)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()
	fmt.Fprintln(log, "before")
	os.Rename(path, path+".1") // as logrotate does
	fmt.Fprintln(log, "after")
	for _, name := range []string{path + ".1", path} {
		text, _ := os.ReadFile(name)
		fmt.Printf("%s: %s", filepath.Base(name), text)
	}
	// Output:
	// access.log.1: before
	// access.log: after
}

// rotation is what happens to a log between two of its lines.
type rotation struct {
	name   string
	change func(dir, path string) error
	// now holds the files after the next line was written; "2\n" is that line.
	now map[string]string
	// fails says that the next line is lost.
	fails bool
	// misplaced says that the next line goes to the old file.
	misplaced bool
}

var rotations = []rotation{
	{name: "nothing", change: func(string, string) error { return nil }, now: map[string]string{"a.log": "1\n2\n"}},
	{
		name: "renamed (nocreate)", change: func(_, path string) error { return os.Rename(path, path+".1") },
		now: map[string]string{"a.log": "2\n", "a.log.1": "1\n"},
	},
	{name: "renamed and created", change: func(_, path string) error {
		return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, nil, 0o600))
	}, now: map[string]string{"a.log": "2\n", "a.log.1": "1\n"}},
	{name: "renamed, and its successor ends within a line", change: func(_, path string) error {
		return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, []byte("x"), 0o600))
	}, now: map[string]string{"a.log": "x\n2\n", "a.log.1": "1\n"}},
	{name: "removed", change: func(_, path string) error { return os.Remove(path) }, now: map[string]string{"a.log": "2\n"}},
	{name: "removed and created", change: func(_, path string) error {
		return errors.Join(os.Remove(path), os.WriteFile(path, []byte("new\n"), 0o644))
	}, now: map[string]string{"a.log": "new\n2\n"}},
	{name: "copied and truncated", change: func(_, path string) error {
		return errors.Join(copyFile(path, path+".1"), os.Truncate(path, 0))
	}, now: map[string]string{"a.log": "2\n", "a.log.1": "1\n"}},
	{
		name: "truncated within its line", change: func(_, path string) error { return os.Truncate(path, 1) },
		now: map[string]string{"a.log": "1\n2\n"},
	},
	{name: "copied and removed, as across file systems", change: func(_, path string) error {
		return errors.Join(copyFile(path, path+".1"), os.Remove(path))
	}, now: map[string]string{"a.log": "2\n", "a.log.1": "1\n"}},
	{name: "linked, and another renamed over it", change: func(dir, path string) error {
		other := filepath.Join(dir, "other")
		return errors.Join(os.Link(path, path+".1"), os.WriteFile(other, nil, 0o644), os.Rename(other, path))
	}, now: map[string]string{"a.log": "2\n", "a.log.1": "1\n"}},
	{name: "replaced by a symbolic link", change: func(dir, path string) error {
		to := filepath.Join(dir, "to.log")
		return errors.Join(os.WriteFile(to, []byte("0\n"), 0o644), os.Rename(path, path+".1"), os.Symlink(to, path))
	}, now: map[string]string{"to.log": "0\n2\n", "a.log.1": "1\n"}},
	{name: "replaced by a symbolic link to nothing yet", change: func(dir, path string) error {
		return errors.Join(os.Remove(path), os.Symlink(filepath.Join(dir, "to.log"), path))
	}, now: map[string]string{"to.log": "2\n"}},
	{name: "renamed, and a symbolic link to itself there", change: func(_, path string) error {
		return errors.Join(os.Rename(path, path+".1"), os.Symlink(path, path))
	}, now: map[string]string{"a.log.1": "1\n2\n"}, misplaced: true},
	{name: "removed, and a symbolic link to itself there", change: func(_, path string) error {
		return errors.Join(os.Remove(path), os.Symlink(path, path))
	}, fails: true},
	{name: "renamed, and a directory there", change: func(_, path string) error {
		return errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o755))
	}, now: map[string]string{"a.log.1": "1\n2\n"}, misplaced: true},
	{
		name: "its directory renamed", change: func(dir, _ string) error { return os.Rename(dir, dir+".old") },
		now: map[string]string{"../logs.old/a.log": "1\n2\n"}, misplaced: true,
	},
	{name: "its directory removed", change: func(dir, _ string) error { return os.RemoveAll(dir) }, fails: true},
	{name: "its directory replaced by a file", change: func(dir, _ string) error {
		return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o644))
	}, fails: true},
	{name: "renamed, and no permission to create", change: func(dir, path string) error {
		return errors.Join(os.Rename(path, path+".1"), os.Chmod(dir, 0o500))
	}, now: map[string]string{"a.log.1": "1\n2\n"}, misplaced: os.Geteuid() != 0},
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	return errors.Join(err, os.WriteFile(to, b, 0o644))
}

// TestRotation has a log rotated in each way between two lines, and expects the
// second where a person would look for it.
func TestRotation(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows renames and removes no open file")
	}
	for _, r := range rotations {
		t.Run(r.name, func(t *testing.T) {
			if strings.Contains(r.name, "no permission") && os.Geteuid() == 0 {
				t.Skip("root may create everywhere")
			}
			dir := filepath.Join(t.TempDir(), "logs")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(dir, 0o700) })
			path := filepath.Join(dir, "a.log")
			log, err := series.OpenFile(path, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			if _, err := log.Write([]byte("1\n")); err != nil {
				t.Fatal(err)
			}
			if err := r.change(dir, path); err != nil {
				t.Fatal(err)
			}
			_, err = log.Write([]byte("2\n"))
			var named *fs.PathError
			if (err != nil) != r.fails || err != nil && (!errors.As(err, &named) || named.Path != path) {
				t.Fatalf("the next line: %v", err)
			}
			if why := log.Misplaced(); (why != nil) != r.misplaced {
				t.Errorf("Misplaced: %v", why)
			}
			for name, want := range r.now {
				if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want {
					t.Errorf("%s holds %q (%v), want %q", name, got, err, want)
				}
			}
		})
	}
}

// TestRotationEnds has the fault undone that kept a log from its path.
func TestRotationEnds(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows renames and removes no open file")
	}
	dir := filepath.Join(t.TempDir(), "logs")
	path := filepath.Join(dir, "a.log")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	log, err := series.OpenFile(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	write := func(line string) error {
		_, err := log.Write([]byte(line + "\n"))
		return err
	}
	check := func(when string, err error, want map[string]string) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		for name, text := range want {
			if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != text {
				t.Fatalf("%s: %s holds %q (%v), want %q", when, name, got, err, text)
			}
		}
	}
	if err := errors.Join(write("1"), os.RemoveAll(dir)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := write("lost"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("without its directory: %v", err)
		}
	}
	if err := log.Reopen(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Reopen without its directory: %v", err)
	}
	check("the directory is back", errors.Join(os.Mkdir(dir, 0o755), write("2")), map[string]string{"a.log": "2\n"})
	check("renamed, and a directory there",
		errors.Join(os.Rename(path, path+".1"), os.Mkdir(path, 0o755), write("3")), map[string]string{"a.log.1": "2\n3\n"})
	check("that directory is gone", errors.Join(os.Remove(path), write("4")), map[string]string{"a.log": "4\n", "a.log.1": "2\n3\n"})
	if why := log.Misplaced(); why != nil {
		t.Errorf("Misplaced: %v", why)
	}
	check("renamed and put back",
		errors.Join(os.Rename(path, path+".2"), os.Rename(path+".2", path), write("5")), map[string]string{"a.log": "4\n5\n"})
	check("told to reopen", errors.Join(os.Rename(path, path+".2"), log.Reopen(), write("6")), map[string]string{"a.log": "6\n", "a.log.2": "4\n5\n"})
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(path), write("7")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
	if err := log.Reopen(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Reopen after Close: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a closed log was created again")
	}
}

// TestReopenKeepsPermissions: a log that only its owner may read stays so.
func TestReopenKeepsPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := series.OpenFile(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	_, err = log.Write([]byte("1\n"))
	if err := errors.Join(err, os.Rename(path, path+".1"), log.Reopen()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestReopenWhileWriting rotates a log under four writers. No line is lost, cut
// or written twice.
func TestReopenWhileWriting(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows renames and removes no open file")
	}
	const writers, lines, rotations = 4, 200, 20
	path := filepath.Join(t.TempDir(), "mem.log")
	w, err := series.OpenAppend(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			for k := range lines {
				s := series.Sample{Time: time.Unix(1224518244, 0), RSSKB: int64(i), Connections: int64(k)}
				if err := w.Write(s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range rotations {
		if err := os.Rename(path, fmt.Sprintf("%s.%d", path, i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		if i%2 == 0 {
			if err := w.Reopen(); err != nil {
				t.Error(err)
			}
		}
	}
	group.Wait()
	seen := map[[2]int64]int{}
	names, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		samples, malformed, err := series.ReadAll(strings.NewReader(string(text)), name)
		if err != nil || len(malformed) > 0 {
			t.Fatalf("%s: %v, %v", name, malformed, err)
		}
		for _, s := range samples {
			seen[[2]int64{s.RSSKB, s.Connections}]++
		}
	}
	if len(seen) != writers*lines {
		t.Errorf("%d lines of %d are there", len(seen), writers*lines)
	}
	for line, n := range seen {
		if n != 1 {
			t.Errorf("line %v was written %d times", line, n)
		}
	}
}

// TestDevicesAreNotReopened: pipes and devices are never rotated.
func TestDevicesAreNotReopened(t *testing.T) {
	w, err := series.OpenAppend(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	good := series.Sample{Time: time.Unix(1224518244, 0)}
	if err := errors.Join(w.Reopen(), w.Write(good), w.Misplaced()); err != nil {
		t.Error(err)
	}
	std := series.NewWriter(&strings.Builder{})
	if err := errors.Join(std.Reopen(), std.Write(good), std.Misplaced(), std.Close()); err != nil {
		t.Error(err)
	}
}

// TestWriteEndsALineItself: a writer that completes a torn line itself, since it
// knows of it, leaves no empty line.
func TestWriteEndsALineItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(path, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := series.OpenFile(path, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Write([]byte("1\n")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "torn\n1\n" {
		t.Errorf("the log holds %q", got)
	}
}
