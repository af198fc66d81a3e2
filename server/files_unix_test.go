//go:build unix

package server

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/server/internal/admintest"
)

// TestFewFilesProcess is the server of TestFewFiles, in a process of its own.
func TestFewFilesProcess(t *testing.T) {
	engine := os.Getenv("TEST_FEW_FILES")
	if engine == "" {
		t.Skip("it is a part of TestFewFiles")
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 300, Max: 300}); err != nil {
		t.Fatal(err)
	}
	// A head without end must not be given up either, which would give its file back.
	s, err := New(Config{Engine: Engine(engine), Listen: "127.0.0.1:0", Admin: "127.0.0.1:0", Loops: 2, HeadTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("at", s.Addr(), s.AdminAddr())
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		bufio.NewReader(os.Stdin).ReadByte() // until the test ends
	}()
	if err := s.Run(ctx); err != nil {
		t.Error(err)
	}
}

// TestFewFiles: with 300 files neither listener can starve the other, whoever
// fills either of them.
func TestFewFiles(t *testing.T) {
	bothEngines(t, func(t engineT) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFewFilesProcess$")
		cmd.Env = append(os.Environ(), "TEST_FEW_FILES="+string(t.engine))
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			stdin.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
		var streams, admin string
		if _, err := fmt.Fscanln(stdout, new(string), &streams, &admin); err != nil {
			t.Fatal(err)
		}
		for range 120 {
			conn := admintest.Dial(t, admin)
			fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}
		answers := func(when string) {
			t.Helper()
			for _, request := range []string{"GET /healthz", "GET /stats", "POST /send/1"} {
				if status := admintest.Status(t, admin, request+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"); status != 200 {
					t.Errorf("%s, %s is answered %d", when, request, status)
				}
			}
		}
		answers("with 120 idle admin connections")
		stream := func() *client {
			c := dial(t, streams)
			c.send("GET /test/1 HTTP/1.1\r\nHost: h\r\n\r\n")
			return c
		}
		c := stream()
		if line, err := bufio.NewReader(c).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200 ") {
			t.Errorf("with 120 idle admin connections, a stream is answered %q, %v", line, err)
		}
		for range 400 {
			conn := dial(t, streams)
			conn.send("GET /test/1 HTTP/1.1\r\nHost")
		}
		answers("with 400 heads that never end")
		for range 300 {
			stream()
		}
		answers("with 300 streams more")
	})
}
