//go:build !linux

package memlog

import (
	"errors"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v3/process"

	"example.org/comet/memlog/series"
)

const pssSupported = false

func gone(err error) bool {
	return errors.Is(err, process.ErrorProcessNotRunning) || errors.Is(err, ErrTargetGone)
}

// readStatus asks the system through gopsutil.
func readStatus(pid int32) (status, error) {
	p, err := process.NewProcess(pid)
	if gone(err) {
		return status{}, ErrTargetGone
	}
	if err != nil {
		return status{}, fmt.Errorf("memlog: process %d: %w", pid, err)
	}
	st := status{threads: series.Unknown} // asking for threads would start ps on macOS
	if created, err := p.CreateTime(); err == nil {
		st.start = uint64(created)
	}
	if parent, err := p.Ppid(); err == nil {
		st.parent = parent
	}
	return st, nil
}

// cpu asks the system through gopsutil, which knows of no children that have ended.
func (m *member) cpu(status, bool) (time.Duration, error) {
	t, err := m.handle.Times()
	if err != nil {
		return 0, err
	}
	return time.Duration((t.User + t.System) * float64(time.Second)), nil
}

// createdAt converts the start of a status, in unix milliseconds, to a moment.
func createdAt(ms uint64) time.Time { return time.UnixMilli(int64(ms)) }

func appendDescendants(tree []int32) ([]int32, error) { return scanDescendants(tree) }

func countFiles(int32) (int64, error) {
	return 0, fmt.Errorf("memlog: open files are counted on Linux only: %w", errors.ErrUnsupported)
}

func readPSS(int32) (int64, error) {
	return 0, fmt.Errorf("memlog: only Linux has a proportional set size: %w", errors.ErrUnsupported)
}

func netOf(string) (uint64, error) {
	return 0, fmt.Errorf("memlog: only Linux has network namespaces: %w", errors.ErrUnsupported)
}
