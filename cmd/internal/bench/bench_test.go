package bench

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/comet/cmd/internal/result"
	"example.org/comet/flood"
)

func config(t *testing.T) Config {
	t.Helper()
	return Config{
		Executable: os.Args[0], Connections: 10, Engine: "goroutine", Streams: flood.Config{InFlight: 10},
		Senders: 1, Window: 1, Interval: time.Second, Idle: time.Second,
		Out: filepath.Join(t.TempDir(), "report"), Progress: new(bytes.Buffer),
	}
}

func TestALostPartIsNamedWithItsLastWords(t *testing.T) {
	t.Setenv("TEST_CHILD_OF_COMET", "dies")
	cfg := config(t)
	var target result.Target
	if err := target.UnmarshalText([]byte("errors=0")); err != nil {
		t.Fatal(err)
	}
	cfg.Targets = result.Targets{target}
	outcome, err := Run(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "comet serve (pid ") || !strings.Contains(err.Error(), "the last words") {
		t.Fatalf("%v; want the lost part named, with its last words", err)
	}
	if outcome == nil || !outcome.Result.Interrupted {
		t.Errorf("%+v; want a result that says that it was interrupted", outcome)
	}
	if missed := outcome.Result.Targets.Missed(); len(missed) != 1 {
		t.Errorf("%v; want the target missed by what nobody measured", outcome.Result.Targets)
	}
	if _, err := os.Stat(filepath.Join(cfg.Out, "result.json")); err != nil {
		t.Error(err)
	}
}

func TestInterruptEndsEveryProcess(t *testing.T) {
	t.Setenv("TEST_CHILD_OF_COMET", "is silent")
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("somebody pressed Ctrl-C")
	time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	_, err := Run(ctx, config(t)) // it returns only when the child has ended
	if !errors.Is(err, cause) {
		t.Errorf("%v, want the cause of the context", err)
	}
}

func TestFolder(t *testing.T) {
	cfg := config(t)
	t.Chdir(t.TempDir())
	cfg.Out = ""
	first, err := cfg.makeFolder(string(cfg.Engine), time.Unix(1e9, 0).UTC())
	if err != nil || first != filepath.Join("comet-report", "20010909-014640-goroutine-10") {
		t.Fatalf("%q, %v", first, err)
	}
	if target, err := os.Readlink(filepath.Join("comet-report", "latest")); err == nil && target != filepath.Base(first) {
		t.Errorf("latest leads to %q", target)
	}
	second, err := cfg.makeFolder(string(cfg.Engine), time.Unix(1e9, 0).UTC())
	if err != nil || second != first+"-2" {
		t.Errorf("another run of the same second: %q, %v", second, err)
	}
	cfg.Out = first
	if _, err := cfg.makeFolder(string(cfg.Engine), time.Now()); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	log := filepath.Join(first, memLog)
	if err := os.WriteFile(log, []byte("an older run's\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.makeFolder(string(cfg.Engine), time.Now()); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a folder with something in it: %v", err)
	}
	cfg.Force = true
	if _, err := cfg.makeFolder(string(cfg.Engine), time.Now()); err != nil {
		t.Error(err)
	}
	if err := removeFiles(first); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(log); err == nil {
		t.Error("an older run's log is there, and would be continued")
	}
}

// TestReadmeNamesEveryFile: README.md says what each file of a run's folder is.
func TestReadmeNamesEveryFile(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range runFiles {
		if !strings.Contains(string(page), "| `"+name+"` | ") {
			t.Errorf("README.md has no line for %s", name)
		}
	}
}

func TestValidateNamesEveryField(t *testing.T) {
	err := Config{}.Validate()
	for _, want := range []string{"connections", "idle phase", "senders", "window"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q in it", err, want)
		}
	}
}
