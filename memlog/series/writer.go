package series

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"
)

// Writer appends samples to a log: one tab-separated line each, in one write.
// It is safe for concurrent use.
type Writer struct {
	// Millis writes the unix time with three decimals, for samples taken more
	// often than once a second. Otherwise it is cut to whole seconds, as the
	// article has it. Set it before the first Write.
	Millis bool

	mu   sync.Mutex
	out  io.Writer
	file *os.File // out, when OpenAppend has opened it
	in   *os.File // the same file for reading, when it has a last line to look at
	torn bool     // this Writer has left the log within a line
	buf  []byte
}

// NewWriter writes to w, for example standard output.
func NewWriter(w io.Writer) *Writer { return &Writer{out: w} }

// OpenAppend opens the log at path to append to it and creates it if it does
// not exist. Whenever the log ends within a line, which a crash or a full disk
// leaves behind, the next Write completes that line by a newline. Several
// Writers, in as many processes, may append to one log. Close the Writer when
// done.
func OpenAppend(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("series: the log cannot be appended to: %w", err)
	}
	w := &Writer{out: f, file: f}
	if err := w.openLastLine(path); err != nil {
		f.Close()
		return nil, fmt.Errorf("series: cannot tell whether the log's last line is complete: %w", err)
	}
	return w, nil
}

// openLastLine opens a regular file for reading too; pipes and devices have no
// last line.
func (w *Writer) openLastLine(path string) error {
	info, err := w.file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	if w.in, err = os.Open(path); err != nil {
		return err
	}
	_, err = endsWithinLine(w.in)
	return err
}

// endsWithinLine looks at the last byte of a file.
func endsWithinLine(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	var last [1]byte
	switch _, err := f.ReadAt(last[:], info.Size()-1); {
	case errors.Is(err, io.EOF): // truncated meanwhile
		return false, nil
	case err != nil:
		return false, err
	}
	return last[0] != '\n', nil
}

// isTorn tells whether the log ends within a line: by this Writer, or by
// another one that has crashed or met a full disk. A file system shows a line
// that crosses a page in two steps, so what another Writer seems to have torn
// is looked at again before a newline of ours makes a blank line of it.
func (w *Writer) isTorn() bool {
	if w.in == nil {
		return w.torn
	}
	for wait := time.Millisecond; ; wait *= 2 {
		torn, err := endsWithinLine(w.in)
		switch {
		case err != nil:
			return w.torn
		case !torn || w.torn || wait > 8*time.Millisecond:
			return torn
		}
		<-time.After(wait)
	}
}

// Write appends one line with a single write call. A sample that has no place
// in a log (a time before 1973, a key with a blank in it) is refused and
// nothing is written. When the write fails, for example because the disk is
// full, the error wraps the cause (errors.Is(err, syscall.ENOSPC)), the sample
// is lost, and the next one begins on a line of its own.
func (w *Writer) Write(s Sample) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.buf[:0]
	if w.isTorn() {
		b = append(b, '\n')
	}
	b, err := appendLine(b, s, w.Millis)
	w.buf = b
	if err != nil {
		return err
	}
	n, err := w.out.Write(b)
	if n > 0 {
		w.torn = b[min(n, len(b))-1] != '\n'
	}
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("series: a sample was not written: %w", err)
	}
	return nil
}

// Close closes the file of OpenAppend. What NewWriter was given stays open.
func (w *Writer) Close() error {
	if w.in != nil {
		w.in.Close()
	}
	if w.file == nil {
		return nil
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("series: closing the log: %w", err)
	}
	return nil
}

func appendLine(b []byte, s Sample, millis bool) ([]byte, error) {
	unix := s.Time.Unix()
	if unix < minUnix || unix > maxUnix {
		return b, fmt.Errorf("series: a sample of %s cannot be written: its unix time is not between %d and %d",
			s.Time.Format(time.RFC3339), minUnix, maxUnix)
	}
	start := len(b)
	b = s.Time.AppendFormat(b, time.UnixDate)
	for i := start; i < len(b); i++ {
		if b[i] < ' ' { // a made-up zone name could hold a tab
			b[i] = '_'
		}
	}
	b = append(b, '\t')
	b = strconv.AppendInt(b, unix, 10)
	if millis {
		ms := s.Time.Nanosecond() / int(time.Millisecond)
		b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	b = appendFigure(append(b, '\t'), s.RSSKB)
	b = appendFigure(append(b, '\t'), s.Connections)
	for _, f := range s.Fields {
		if !validKey(f.Key) {
			return b, fmt.Errorf("series: %q cannot name a column: %w", f.Key, errKey)
		}
		b = append(append(append(b, '\t'), f.Key...), '=')
		b = appendEscaped(b, f.Value)
	}
	return append(b, '\n'), nil
}

var errKey = errors.New("use letters, digits, '_', '.' and '-', and begin with a letter or '_'")

func appendFigure(b []byte, n int64) []byte {
	if n < 0 {
		return append(b, '-')
	}
	return strconv.AppendInt(b, n, 10)
}
