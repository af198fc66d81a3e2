package server

import (
	"io"
	"os"
	"time"
)

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
