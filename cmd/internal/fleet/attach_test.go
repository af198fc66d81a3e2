package fleet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAttach: a process that runs elsewhere is one of the fleet like any other.
func TestAttach(t *testing.T) {
	in, told := io.Pipe()
	says, out := io.Pipe()
	killed := make(chan struct{})
	var heard []string
	f := &Fleet{Say: func(line string) { heard = append(heard, line) }}
	p, err := f.Attach(Spec{Name: "flood"}, Peer{
		Host: "web2", PID: 7, Stdin: told, Stdout: says, Stderr: strings.NewReader("a word\n"),
		Wait: func() (time.Duration, error) { return time.Second, errors.New("as it had to") },
		Kill: sync.OnceFunc(func() { close(killed); out.Close() }),
	})
	if err != nil {
		t.Fatal(err)
	}
	go fmt.Fprintln(out, `{"type":"ready"}`)
	if err := p.Await(t.Context(), "ready", patience, nil); err != nil || p.String() != "comet flood (pid 7 on web2)" || len(f.Running()) != 1 {
		t.Errorf("%v, %v", p, err)
	}
	go func() { _ = p.Tell("go") }()
	if line, err := bufio.NewReader(in).ReadString('\n'); line != "go\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	f.Kill()
	<-killed
	if err := p.Lost(); !strings.Contains(err.Error(), "comet flood (pid 7 on web2) ended (as it had to); its last words:\n  a word") || p.CPU() != time.Second {
		t.Errorf("%v, %v", err, p.CPU())
	}
	if len(heard) != 1 || heard[0] != "web2: flood: a word" {
		t.Errorf("%q", heard)
	}
	// After Kill none is taken.
	gone := false
	if _, err := f.Attach(Spec{Name: "flood"}, Peer{Stdin: told, Stdout: strings.NewReader(""), Stderr: strings.NewReader(""), Wait: func() (time.Duration, error) { return 0, nil }, Kill: func() { gone = true }}); !errors.Is(err, errKilled) || !gone {
		t.Errorf("%v, killed %v", err, gone)
	}
}
