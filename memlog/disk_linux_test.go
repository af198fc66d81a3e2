package memlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"example.org/comet/memlog/series"
)

// diskReport is what a log on a small disk came to.
type diskReport struct {
	Filled bool // the disk did get full
	Stats  Stats
	Text   []byte // the log
}

// playFullDisk mounts a disk of 64 KiB on folder, in a mount namespace of its
// own, and writes a log there. After 20 samples the disk gets full; when 100
// are lost, it has room again. Its first line is a diskReport.
func playFullDisk(folder string) error {
	if err := unix.Mount("comet-test", folder, "tmpfs", 0, "size=64k"); err != nil {
		return fmt.Errorf("no small disk: %w", err)
	}
	path, ballast := filepath.Join(folder, "mem.log"), filepath.Join(folder, "ballast")
	out, err := series.OpenAppend(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var log *Log
	var n, roomAt int64
	var filled bool
	log, err = New(Config{
		PIDs: []int32{int32(os.Getpid())}, NoChildren: true, Interval: time.Millisecond, Out: out,
		OnSample: func(series.Sample) {
			n++
			switch lost := log.Stats().Lost; {
			case n == 20:
				filled = errors.Is(fill(ballast), syscall.ENOSPC)
			case lost == 100 && roomAt == 0:
				roomAt = n
				os.Remove(ballast)
			case roomAt > 0 && n == roomAt+20:
				cancel()
			}
		},
	})
	if err != nil {
		return err
	}
	if err := log.Run(ctx); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(diskReport{filled, log.Stats(), text})
}

func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return err
		}
	}
}

// TestDiskGetsFull has a real disk get full under a log. It skips where this
// user may neither mount nor make a user namespace to mount in.
func TestDiskGetsFull(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	h := startCommand(t, cmd, "fulldisk "+t.TempDir())
	var got diskReport
	if err := json.Unmarshal([]byte(h.first), &got); err != nil {
		t.Fatalf("%v: %s", err, h.first)
	}
	if !got.Filled || got.Stats.Lost != 100 || got.Stats.Samples < 140 {
		t.Errorf("filled %v, %+v; want 100 lost of 140 and more", got.Filled, got.Stats)
	}
	samples, malformed, err := series.ReadAll(bytes.NewReader(got.Text), "mem.log")
	// At most one line more: the one that the disk had half a page for.
	written := got.Stats.Samples - got.Stats.Lost
	if n := int64(len(samples) + len(malformed)); err != nil || n < written || n > written+1 {
		t.Errorf("%d samples and %d torn lines (%v), %d were written", len(samples), len(malformed), err, written)
	}
	var told float64
	for _, s := range samples {
		if n, ok := s.Number("lost"); ok {
			told += n
		}
	}
	if told != 100 {
		t.Errorf("the log tells of %v lost samples, want 100", told)
	}
}
