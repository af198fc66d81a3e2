package bench

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"testing/fstest"
	"time"

	"example.org/comet/cmd/internal/result"
)

// looks returns what a process of two threads looks like that have used so many ticks.
func looks(files int, lazy, busy int) fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	stat := func(name string, ticks int) *fstest.MapFile {
		return file(fmt.Sprintf("7 (%s) S 1 7 7 0 -1 4 1 0 0 0 %d 0 0 0 20 0 2 0 100 1 1", name, ticks))
	}
	all := fstest.MapFS{
		"proc/7/comm": file("server"), "proc/7/limits": file("Max open files 10 20 files"), "proc/7/status": file("Cpus_allowed_list: 0"),
		"proc/7/task/7/stat": stat("lazy", lazy), "proc/7/task/8/stat": stat("busy", busy),
	}
	for i := range files {
		all[fmt.Sprintf("proc/7/fd/%d", i)] = file("")
	}
	return all
}

func TestWatched(t *testing.T) {
	clock := time.Unix(0, 0)
	w := &watched{pids: []int32{7}, now: func() time.Time { return clock }}
	w.root = looks(3, 100, 100)
	w.begin()
	// One second of nothing, and six of work.
	for i, at := range []fstest.MapFS{looks(3, 100, 100), looks(9, 110, 190), looks(9, 120, 280), looks(9, 130, 370), looks(5, 140, 460), looks(5, 150, 550)} {
		clock = clock.Add(time.Second)
		w.root = at
		if i < 5 {
			w.look()
		}
	}
	s := w.end()
	if s.Program != "server" || s.Files != result.Of(9) || s.MaxFiles != result.Of(10) || s.Thread != "busy" || s.Workers != result.Of(1) || s.Usable != result.Of(1) {
		t.Errorf("%+v", s)
	}
	for name, c := range map[string]struct {
		got  result.Figure
		want float64
	}{"the busiest thread": {s.Busiest, 0.9}, "both": {s.Cores, 1}} {
		if n, known := c.got.Value(); !known || n < c.want-1e-6 || n > c.want+1e-6 {
			t.Errorf("%s: %v, want %v", name, n, c.want)
		}
	}
}

// TestWatchedNothing: of a server that cannot be seen nothing is known.
func TestWatchedNothing(t *testing.T) {
	end := watch(nil, nil)
	s := end()
	for name, f := range map[string]result.Figure{"files": s.Files, "memory": s.Memory, "processors": s.Cores, "a thread": s.Busiest, "a backlog": s.Backlog} {
		if n, known := f.Value(); known {
			t.Errorf("%s: %v", name, n)
		}
	}
	if s.Program != "" {
		t.Error(s.Program)
	}
}

// TestWatchThis watches this process and a listener of it.
func TestWatchThis(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := watch([]int32{int32(os.Getpid())}, []netip.AddrPort{netip.MustParseAddrPort(ln.Addr().String())})()
	files, _ := s.Files.Value()
	used, _ := s.Memory.Value()
	backlog, _ := s.Backlog.Value()
	if files < 3 || used <= 0 || backlog < 1 || s.Program == "" {
		t.Errorf("%+v", s)
	}
}

// TestWatchOwn: our own server is called by its name, whatever the file's is.
func TestWatchOwn(t *testing.T) {
	r, _ := onStage(t, new(stage))
	s := &Session{run: r}
	if seen := s.watch()(); seen.Program != "comet" {
		t.Errorf("%+v", seen)
	}
}
