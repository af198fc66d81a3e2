//go:build unix

package cli

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAccessLogPipe: a named pipe is opened and written to whether or not it is
// read, and a write to a full one can be ended.
func TestAccessLogPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skipf("no pipe here: %v", err)
	}
	env, _, _ := testEnv(strings.NewReader(""))
	log, closeLog, err := openAccessLog(env, path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog()
	if _, err := io.WriteString(log, "nobody reads yet\n"); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || line != "nobody reads yet\n" {
		t.Errorf("read %q, error %v", line, err)
	}
	if err := log.(*os.File).SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Skipf("this system has no deadlines for pipes: %v", err)
	}
	if _, err := log.Write(make([]byte, 4<<20)); err == nil {
		t.Error("4 MiB went into a pipe that nobody reads")
	}
}

// TestAccessLogIsPrivate: others may not read who connects.
func TestAccessLogIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	env, _, _ := testEnv(strings.NewReader(""))
	_, closeLog, err := openAccessLog(env, path)
	if err != nil {
		t.Fatal(err)
	}
	defer closeLog()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("the access log has mode %v, error %v", info.Mode(), err)
	}
}
