package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// LogFile is a file of lines, for [Config.AccessLog], that may be rotated while
// it is written. Each Write checks whether the file at its path is still the one
// that is open, and opens the new one if it was renamed or removed. A truncated
// file continues at its new end. Its methods are safe for concurrent use.
type LogFile struct {
	path string

	mu   sync.Mutex // guards what follows, but not the write to a pipe
	file *os.File
	to   lineWriter
	pipe bool // not a regular file: never looked at again
}

// OpenLogFile opens the file at path for appending, and creates it if there is
// none. It ends a last line that was cut short. A named pipe is opened whether or
// not it has a reader.
func OpenLogFile(path string) (*LogFile, error) {
	f := &LogFile{path: path}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

// open opens the file at path in the place of the one that is open, if any.
func (f *LogFile) open() error {
	flags, pipe := os.O_RDWR|os.O_APPEND|os.O_CREATE, false
	if info, err := os.Stat(f.path); err == nil && !info.Mode().IsRegular() {
		// Opened for reading too, a pipe waits for no reader (fifo(7)).
		flags, pipe = os.O_RDWR|nonblocking, true
	}
	file, err := os.OpenFile(f.path, flags, 0o640)
	if err != nil && errors.Is(err, fs.ErrPermission) {
		file, err = os.OpenFile(f.path, flags&^os.O_RDWR|os.O_WRONLY, 0o640)
	}
	if err != nil {
		return fmt.Errorf("server: the access log: %w", err)
	}
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.pipe = file, pipe
	f.to = lineWriter{to: file, torn: !pipe && endsTorn(file)}
	return nil
}

// endsTorn reports whether the last line of file has no end.
func endsTorn(file *os.File) bool {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = file.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// Write appends a line, which ends with a newline. If the file was moved and a
// new one cannot be opened, it continues with the old one.
func (f *LogFile) Write(line []byte) (int, error) {
	f.mu.Lock()
	if f.file == nil {
		f.mu.Unlock()
		return 0, os.ErrClosed
	}
	if f.pipe {
		to := f.file
		f.mu.Unlock() // it may block
		return to.Write(line)
	}
	defer f.mu.Unlock()
	if f.moved() {
		_ = f.open() // the old one is still there to take the line
	}
	return f.to.Write(line)
}

// moved reports whether the path no longer names the open file.
func (f *LogFile) moved() bool {
	there, err := os.Stat(f.path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	open, err := f.file.Stat()
	return err == nil && !os.SameFile(there, open)
}

// Reopen closes the file and opens the one that is at its path now. If that
// fails, the old one stays open. A named pipe is left as it is.
func (f *LogFile) Reopen() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return os.ErrClosed
	}
	if f.pipe {
		return nil
	}
	return f.open()
}

// SetWriteDeadline limits the time for writing, where the file is a pipe.
func (f *LogFile) SetWriteDeadline(t time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return os.ErrClosed
	}
	return f.file.SetWriteDeadline(t)
}

// Close closes the file. A second Close does nothing.
func (f *LogFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file = nil
	if err := file.Close(); err != nil {
		return fmt.Errorf("server: the access log may not be complete: %w", err)
	}
	return nil
}

// lineWriter writes whole lines. One that was cut short, by a full disk, is
// ended before the next.
type lineWriter struct {
	to   io.Writer
	torn bool
}

// deadliner is a writer that can be told to give up.
type deadliner interface{ SetWriteDeadline(t time.Time) error }

func (w *lineWriter) Write(line []byte) (int, error) {
	if w.torn {
		if _, err := w.to.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		w.torn = false
	}
	n, err := w.to.Write(line)
	w.torn = err != nil && n > 0
	return n, err
}

// SetWriteDeadline implements deadliner for a writer that has deadlines.
func (w *lineWriter) SetWriteDeadline(t time.Time) error {
	if f, ok := w.to.(deadliner); ok {
		return f.SetWriteDeadline(t)
	}
	return os.ErrNoDeadline
}
