package probe

import (
	"maps"
	"os"
	"runtime"
	"testing"
	"testing/fstest"

	"example.org/comet/cmd/internal/result"
)

// processFiles returns the files of a process with two threads.
func processFiles(pid, name, children, limits string) fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	at := "proc/" + pid + "/"
	return fstest.MapFS{
		at + "comm":                        file(name + "\n"),
		at + "limits":                      file("Limit  Soft Limit  Hard Limit  Units\nMax processes 10 10 processes\nMax open files            " + limits + "                4096                 files     \n"),
		at + "status":                      file("Name:\t" + name + "\nCpus_allowed_list:\t0-1,5\n"),
		at + "fd/0":                        file(""),
		at + "fd/1":                        file(""),
		at + "cgroup":                      file("1:name=systemd:/x\n0::/a/b\n"),
		at + "task/7/stat":                 file("7 (a) b) S 1 7 7 0 -1 4 1 0 0 0 150 50 0 0 20 0 2 0 100 1 1\n"),
		at + "task/7/children":             file(children),
		at + "task/8/stat":                 file("8 (slow) R 1 7 7 0 -1 4 1 0 0 0 900 100 0 0 20 0 2 0 100 1 1\n"),
		at + "task/8/schedstat":            file("10000000000 1500000000 77\n"),
		at + "task/8/children":             file(""),
		at + "task/9/stat":                 file("9 (torn"),
		at + "task/word/stat":              file("10 (x) R"),
		"sys/fs/cgroup/a/b/memory.current": file("100\n"),
		"sys/fs/cgroup/a/b/memory.max":     file("max\n"),
		"sys/fs/cgroup/a/memory.current":   file("900\n"),
		"sys/fs/cgroup/a/memory.max":       file("1000\n"),
	}
}

func TestRooms(t *testing.T) {
	all := fstest.MapFS{}
	for _, files := range []fstest.MapFS{processFiles("7", "nginx", "11 12 7", "1024"), processFiles("11", "nginx: worker", "", "unlimited")} {
		maps.Copy(all, files)
	}
	rooms := Rooms(all, []int32{7, 99})
	if len(rooms) != 2 {
		t.Fatalf("%d rooms, want those of the process and of its child: %+v", len(rooms), rooms)
	}
	r := rooms[0]
	of := result.Of[int]
	if r.PID != 7 || r.Name != "nginx" || r.Files != of(2) || r.MaxFiles != of(1024) || r.Processors != of(3) || r.GroupMemory != of(900) || r.MaxGroupMemory != of(1000) {
		t.Errorf("%+v", r)
	}
	if len(r.Threads) != 2 || r.Threads[7] != (Thread{"a) b", 2, 0}) || r.Threads[8] != (Thread{"slow", 10, 1.5}) {
		t.Errorf("%+v", r.Threads)
	}
	if _, known := rooms[1].MaxFiles.Value(); known || rooms[1].PID != 11 {
		t.Errorf("%+v has a limit of files", rooms[1])
	}
}

func TestRoomsOfThis(t *testing.T) {
	if runtime.GOOS != "linux" {
		if rooms := Rooms(os.DirFS("/"), []int32{int32(os.Getpid())}); len(rooms) > 0 {
			t.Errorf("%+v", rooms)
		}
		return
	}
	rooms := Rooms(os.DirFS("/"), []int32{int32(os.Getpid())})
	if len(rooms) == 0 {
		t.Fatal("nothing is known of this process")
	}
	files, _ := rooms[0].Files.Value()
	most, _ := rooms[0].MaxFiles.Value()
	if files < 3 || most < files || len(rooms[0].Threads) < 2 {
		t.Errorf("%+v", rooms[0])
	}
}

func TestCountList(t *testing.T) {
	for list, want := range map[string]string{"0": "1", "0-3": "4", "0-1,4,6-7": "5", "": "null", "3-1": "null", "a-b": "null"} {
		if got := show(countList(list)); got != want {
			t.Errorf("%q: %s, want %s", list, got, want)
		}
	}
}
