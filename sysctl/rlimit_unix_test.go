//go:build linux || darwin

package sysctl

import (
	"math"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

func getrlimit(t *testing.T) syscall.Rlimit {
	t.Helper()
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReadAgreesWithGetrlimit(t *testing.T) {
	s, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	r := getrlimit(t)
	if s.OpenFiles != fromRlimit(r.Cur) || s.OpenFilesHard != fromRlimit(r.Max) {
		t.Errorf("read %v of %v, getrlimit says %d of %d", s.OpenFiles, s.OpenFilesHard, r.Cur, r.Max)
	}
	if s.NrOpen <= 0 || s.FileMax <= 0 || s.MemTotal < 16<<20 || s.ports() <= 0 || s.Backlog <= 0 || s.PageSize < 4096 {
		t.Errorf("every such machine has these: %+v", s)
	}
	// A limit that says what it allows is found in what was read.
	l := find(t, Check(Need{Connections: 1}, s), "open files")
	if want := min(s.filesPerProcess()-Reserve, math.MaxInt); Value(l.MaxConnections) != want {
		t.Errorf("%d connections allowed, want %d", l.MaxConnections, want)
	}
}

func TestRaiseOpenFiles(t *testing.T) {
	before := getrlimit(t)
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
	low := syscall.Rlimit{Cur: 256, Max: before.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second call finds it done
		soft, hard, err := RaiseOpenFiles()
		if err != nil {
			t.Fatal(err)
		}
		s, err := Read()
		if err != nil {
			t.Fatal(err)
		}
		if want := tighter(s.OpenFilesHard, s.NrOpen); fromRlimit(soft) != want || fromRlimit(hard) != s.OpenFilesHard {
			t.Errorf("raised to %d of %d, want %v of %v", soft, hard, want, s.OpenFilesHard)
		}
		if got := getrlimit(t).Cur; got != soft {
			t.Errorf("getrlimit says %d, RaiseOpenFiles said %d", got, soft)
		}
		// The processes started from here have it too.
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "ulimit -Sn").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(string(out)); got != strconv.FormatUint(soft, 10) {
			t.Errorf("a child has %s open files, want %d", got, soft)
		}
	}
}
