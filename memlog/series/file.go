package series

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

// File appends whole lines to a log that other programs may rotate. Before each
// Write it looks at its path: if the file there was renamed, removed or
// replaced, it opens the path again, and creates the file with the permissions
// of the old one if there is none. A file that was truncated in place
// (copytruncate) is appended to from its new end. Symbolic links are followed.
// Whenever the log ends within a line, which a crash or a full disk leaves
// behind, the next Write completes that line first.
//
// If the path cannot be opened again, lines go on to the old file for as long
// as that has a name (see Misplaced). When it has none, Write fails, and each
// further Write tries again.
//
// On Windows no file can be renamed or removed while it is open, so there only
// truncation happens. Pipes and devices are never opened again. A File is safe
// for concurrent use.
type File struct {
	path string
	pipe *os.File // file, unless that is a regular one; never changes

	mu        sync.Mutex
	file      *os.File
	info      fs.FileInfo // of file, when it was opened
	torn      bool        // our last Write left the log within a line
	closed    bool
	misplaced error
	buf       []byte // of a Write that completes a line first
}

// OpenFile opens the log at path to append to it and creates it with the
// permissions perm (before umask) if it does not exist. Several processes may
// append to one log. Close the File when done.
func OpenFile(path string, perm fs.FileMode) (*File, error) {
	l := &File{path: path}
	if err := l.open(perm); err != nil {
		return nil, fmt.Errorf("series: cannot append to the log: %w", err)
	}
	if !l.info.Mode().IsRegular() {
		l.pipe = l.file
	}
	return l, nil
}

// open replaces file by what is at path now. On an error everything stays.
func (l *File) open(perm fs.FileMode) error {
	flags := os.O_APPEND | os.O_CREATE | os.O_RDWR // to read the last byte
	info, err := os.Stat(l.path)
	if err == nil && !info.Mode().IsRegular() {
		if l.file != nil { // opening a pipe could block for ever
			return &fs.PathError{Op: "open", Path: l.path, Err: errNotRegular}
		}
		flags = os.O_APPEND | os.O_WRONLY
	}
	f, err := os.OpenFile(l.path, flags, perm)
	if errors.Is(err, fs.ErrPermission) { // it may be a file to write only
		f, err = os.OpenFile(l.path, flags&^os.O_RDWR|os.O_WRONLY, perm)
	}
	if err != nil {
		return err
	}
	if info, err = f.Stat(); err != nil {
		f.Close()
		return err
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.info, l.torn, l.misplaced = f, info, false, nil
	return nil
}

var errNotRegular = errors.New("it is no longer a regular file")

// Reopen opens the path again, which a program does when it is told that its
// log was rotated. If that fails, lines go on to the old file. It does nothing
// for a pipe or a device.
func (l *File) Reopen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return fmt.Errorf("series: %s: %w", l.path, os.ErrClosed)
	}
	if l.pipe != nil {
		return nil
	}
	if err := l.open(l.info.Mode().Perm()); err != nil {
		l.misplaced = err
		return fmt.Errorf("series: cannot open the log again: %w", err)
	}
	return nil
}

// Misplaced returns why lines go to a file that is no longer at the path, such
// as a renamed one whose successor cannot be created; nil otherwise.
func (l *File) Misplaced() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.misplaced
}

// Write appends p, which must be whole lines, in one write call. A p that begins
// with a newline completes a line itself.
func (l *File) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, fmt.Errorf("series: %s: %w", l.path, os.ErrClosed)
	}
	size, err := l.follow()
	if err != nil {
		return 0, err
	}
	lead := 0
	if len(p) > 0 && p[0] != '\n' && l.isTorn(size) {
		lead = 1
		l.buf = append(append(l.buf[:0], '\n'), p...)
		p = l.buf
	}
	n, err := l.file.Write(p)
	if n > 0 {
		l.torn = p[n-1] != '\n'
	}
	return max(0, n-lead), err
}

// follow opens the path again if the file that is open is no longer there. It
// returns the size of the file to append to.
func (l *File) follow() (size int64, err error) {
	if l.pipe != nil {
		return 0, nil
	}
	if info, err := os.Stat(l.path); err == nil && os.SameFile(info, l.info) {
		l.misplaced = nil
		return info.Size(), nil
	}
	if err = l.open(l.info.Mode().Perm()); err == nil {
		return l.info.Size(), nil
	}
	if info, statErr := l.file.Stat(); statErr == nil && hasName(info) {
		l.misplaced = err
		return info.Size(), nil
	}
	return 0, fmt.Errorf("the log was removed and cannot be created again: %w", err)
}

// isTorn reports whether the log ends within a line: by this File, or by
// another process that has crashed or met a full disk. A file system shows a
// line that crosses a page in two steps, so isTorn looks again at what another
// process seems to have torn.
func (l *File) isTorn(size int64) bool {
	if l.pipe != nil {
		return l.torn
	}
	for wait := time.Millisecond; ; wait *= 2 {
		torn, err := l.endsWithinLine(size)
		switch {
		case err != nil:
			return l.torn
		case !torn || l.torn || wait > 8*time.Millisecond:
			return torn
		}
		<-time.After(wait)
		info, err := l.file.Stat()
		if err != nil {
			return l.torn
		}
		size = info.Size()
	}
}

// endsWithinLine reads the last byte of a file of this size.
func (l *File) endsWithinLine(size int64) (bool, error) {
	if size == 0 {
		return false, nil
	}
	var last [1]byte
	switch _, err := l.file.ReadAt(last[:], size-1); {
	case errors.Is(err, io.EOF): // truncated meanwhile
		return false, nil
	case err != nil:
		return false, err
	}
	return last[0] != '\n', nil
}

// SetWriteDeadline makes a Write to a pipe that nobody reads fail at t. Regular
// files have no deadline.
func (l *File) SetWriteDeadline(t time.Time) error {
	if l.pipe == nil {
		return os.ErrNoDeadline
	}
	return l.pipe.SetWriteDeadline(t)
}

// Close closes the file.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("series: closing the log: %w", err)
	}
	return nil
}
