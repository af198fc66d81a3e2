//go:build unix

package server

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLogFilePipe: a named pipe is opened and written to whether or not it is
// read, and a server whose log is a full one ends.
func TestLogFilePipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, unix.Mkfifo(path, 0o600))
	log, err := OpenLogFile(path)
	must(t, err)
	defer log.Close()
	io.WriteString(log, "nobody reads yet\n")
	must(t, log.Reopen())
	reader, err := os.Open(path)
	must(t, err)
	defer reader.Close()
	if line, err := bufio.NewReader(reader).ReadString('\n'); err != nil || line != "nobody reads yet\n" {
		t.Errorf("read %q, error %v", line, err)
	}
	r := start(t, Config{AccessLog: log, AccessLogSample: 1})
	long := "GET /" + strings.Repeat("x", accessRequest) + " HTTP/1.1\r\nHost: h\r\n\r\n"
	for range 400 { // more than a pipe holds
		c := r.connect(long)
		c.rest()
		c.Close()
	}
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("the end took %v", took)
	}
}
