package series

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

// Writer appends samples to a log: one tab-separated line each, in one write.
// It is safe for concurrent use.
type Writer struct {
	// Millis writes the unix time with three decimals, for samples taken more
	// often than once per second. Otherwise it is cut to whole seconds, as in
	// the article. Set it before the first Write.
	Millis bool

	out  io.Writer
	file *File // out, if OpenAppend has opened it

	mu   sync.Mutex
	torn bool // out is no File, and the last Write left it within a line
	buf  []byte
}

// NewWriter returns a Writer to w, for example standard output.
func NewWriter(w io.Writer) *Writer { return &Writer{out: w} }

// OpenAppend returns a Writer that appends to the log at path as a File does:
// it creates the log if there is none, completes a torn last line, and follows
// the log when it is rotated. Close the Writer when done.
func OpenAppend(path string) (*Writer, error) {
	f, err := OpenFile(path, 0o644)
	if err != nil {
		return nil, err
	}
	return &Writer{out: f, file: f}, nil
}

// Write appends one line with a single write call. A sample that does not fit a
// log (a time before 1973, a key with a blank in it) is refused and nothing is
// written. If the write fails, for example because the disk is full, the error
// wraps the cause (errors.Is(err, syscall.ENOSPC)), the sample is lost, and the
// next one begins on a line of its own.
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
	if n > 0 && w.file == nil {
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

// Reopen opens the log of OpenAppend again at its path, as File.Reopen does. It
// may be called at any time. What NewWriter was given stays as it is.
func (w *Writer) Reopen() error {
	if w.file == nil {
		return nil
	}
	return w.file.Reopen()
}

// Misplaced returns why lines go to a file that is no longer at the path of
// OpenAppend; nil otherwise.
func (w *Writer) Misplaced() error {
	if w.file == nil {
		return nil
	}
	return w.file.Misplaced()
}

// Close closes the log of OpenAppend. What NewWriter was given stays open.
func (w *Writer) Close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

func appendLine(b []byte, s Sample, millis bool) ([]byte, error) {
	unix := s.Time.Unix()
	if unix < minUnix || unix > maxUnix {
		return b, fmt.Errorf("series: a sample of %s cannot be written: its unix time is not between %d and %d",
			s.Time.Format(time.RFC3339), minUnix, int64(maxUnix))
	}
	if s.RSSKB > maxFigure || s.Connections > maxFigure {
		return b, fmt.Errorf("series: a sample of %d kilobytes and %d connections cannot be written: no figure may exceed %d",
			s.RSSKB, s.Connections, int64(maxFigure))
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
