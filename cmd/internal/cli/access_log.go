package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"example.org/comet/memlog/series"
)

// openAccessLog opens the log at path, standard output for "-", nil for "". It
// opens a file again when a signal asks for it.
func openAccessLog(env *Env, path string) (log io.Writer, closeLog func(), err error) {
	switch path {
	case "":
		return nil, func() {}, nil
	case "-":
		return env.Stdout, func() {}, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return openPipe(env, path)
	}
	file, err := series.OpenFile(path, 0o640)
	if err != nil {
		return nil, nil, fmt.Errorf("the access log: %w", err)
	}
	forget := env.OnReopen(file.Reopen)
	return file, func() { forget(); closeAccessLog(env, file) }, nil
}

// openPipe opens a pipe or a device. Opened for reading too, a pipe needs no
// reader (fifo(7)); without blocking, it has deadlines.
func openPipe(env *Env, path string) (log io.Writer, closeLog func(), err error) {
	pipe, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrPermission) {
		pipe, err = os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the access log: %w", err)
	}
	return pipe, func() { closeAccessLog(env, pipe) }, nil
}

func closeAccessLog(env *Env, log io.Closer) {
	if err := log.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		env.Logger().Error("the access log may not be complete", "error", err)
	}
}
