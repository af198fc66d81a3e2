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
	name string // for errors, "" when it is not a file of ours
	torn bool   // the log ends within a line
	buf  []byte
}

// NewWriter writes to w, for example standard output.
func NewWriter(w io.Writer) *Writer { return &Writer{out: w} }

// OpenAppend opens the log at path to append to it and creates it if it does
// not exist. If it ends within a line, which a crash or a full disk leaves
// behind, the first Write completes that line by a newline. Close the Writer
// when done.
func OpenAppend(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("series: the log cannot be appended to: %w", err)
	}
	torn, err := endsWithinLine(f, path)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("series: cannot tell whether the log's last line is complete: %w", err)
	}
	return &Writer{out: f, name: path, torn: torn}, nil
}

// endsWithinLine looks at the last byte of a regular file; pipes and devices
// have no last line.
func endsWithinLine(f *os.File, path string) (bool, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false, err
	}
	in, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer in.Close()
	var last [1]byte
	if _, err := in.ReadAt(last[:], info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
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
	if w.torn {
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
	if w.name == "" {
		return nil
	}
	if err := w.out.(io.Closer).Close(); err != nil {
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
