//go:build unix

package series_test

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

// TestAPipeInTheLogsPlace: opening a pipe that nobody reads would block for
// ever, so a log that was replaced by one is not opened again.
func TestAPipeInTheLogsPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	log, err := series.OpenFile(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := errors.Join(os.Rename(path, path+".1"), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Skipf("no pipe here: %v", err)
	}
	if _, err := log.Write([]byte("1\n")); err != nil {
		t.Error(err)
	}
	if log.Misplaced() == nil {
		t.Error("the log is not where it was, and nobody is told")
	}
	if log.Reopen() == nil {
		t.Error("a pipe was opened in place of a log")
	}
	if got, _ := os.ReadFile(path + ".1"); string(got) != "1\n" {
		t.Errorf("the old file holds %q", got)
	}
}

// TestALogThatIsAPipe writes to a reader through a pipe in the file system, and
// gives up on one that stops reading.
func TestALogThatIsAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no pipe here: %v", err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	log, err := series.OpenFile(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := log.Reopen(); err != nil {
		t.Error(err)
	}
	if _, err := log.Write([]byte("1\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(reader).ReadString('\n'); line != "1\n" {
		t.Errorf("read %q, %v", line, err)
	}
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := log.Write(make([]byte, 1<<16)); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := log.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Skipf("this system has no deadlines for pipes: %v", err)
	}
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the blocked Write ended with %v", err)
	}
}
