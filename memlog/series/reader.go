package series

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxLine is the longest line that is read, in bytes. A longer one (a binary
// file, a log with its newlines lost) is one malformed record and costs no
// more memory than this.
const maxLine = 64 << 10

// maxText bounds how much of a malformed line its SyntaxError keeps, in bytes.
const maxText = 120

// SyntaxError is a line that is not a sample. It is a record of the stream, not
// its end: what follows is still read.
type SyntaxError struct {
	Name string // of the log, as given to NewReader
	Line int    // counted from 1
	Text string // the line, cut after 120 bytes
	Msg  string // what is wrong with it
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s:%d: %s: %q", e.Name, e.Line, e.Msg, e.Text)
}

// Reader reads a log line by line:
//
//	r := series.NewReader(file, "mem.log")
//	for r.Scan() {
//		if bad := r.Malformed(); bad != nil {
//			log.Print(bad) // "mem.log:12: …"
//			continue
//		}
//		use(r.Sample())
//	}
//	if err := r.Err(); err != nil {
//		return err
//	}
//
// Columns may be separated by tabs or by spaces; the date may be any words in
// any language, or missing; blank lines and lines that begin with '#' are
// skipped. The unix time may have a fraction. Lines may end in CRLF or in CR
// alone, and the text may be UTF-16 or begin with a byte order mark. NUL bytes
// before a line are skipped: a log that was truncated under a program that does
// not append has them. Samples come in the order of the file, also where the
// clock was set back (see Back).
//
// A last line without a newline may have been cut anywhere, so it is left out
// and Torn reports it. What is known not to be a log, such as a compressed one,
// is named by Err.
//
// A Reader is not safe for concurrent use.
type Reader struct {
	name      string
	src       io.Reader
	in        *bufio.Reader // of src, decoded; nil before the first Scan
	line      int
	latest    time.Time // of the sample before
	back      time.Duration
	sample    Sample
	malformed *SyntaxError
	torn      bool
	err       error
}

// NewReader reads from r; name stands for it in errors.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{name: name, src: r}
}

// Scan advances to the next record, a sample or a malformed line. It returns
// false at the end of the input and on the first error from reading it.
func (r *Reader) Scan() bool {
	r.sample, r.malformed, r.back = Sample{}, nil, 0
	if r.in == nil && r.err == nil {
		var text io.Reader
		if text, r.err = decode(r.src, r.name); r.err == nil {
			r.in = bufio.NewReaderSize(text, maxLine)
		}
	}
	for r.err == nil && !r.torn {
		line, long, ok := r.next()
		if !ok {
			return false
		}
		if long {
			r.fail(line, fmt.Sprintf("the line is longer than %d bytes", maxLine))
			return true
		}
		line = bytes.TrimPrefix(bytes.TrimLeft(bytes.Trim(line, "\r\n"), "\x00"), []byte(bom))
		if rest := bytes.TrimLeft(line, " \t"); len(rest) == 0 || rest[0] == '#' {
			continue
		}
		sample, msg := parseLine(line)
		if msg != "" {
			r.fail(line, msg)
			return true
		}
		r.accept(sample)
		return true
	}
	return false
}

func (r *Reader) accept(s Sample) {
	if !r.latest.IsZero() {
		r.back = max(0, r.latest.Sub(s.Time))
	}
	r.sample, r.latest = s, s.Time
}

// next returns the next line, which is valid until the next call, or the
// beginning of one that is longer than maxLine, whose rest it skips.
func (r *Reader) next() (line []byte, long, ok bool) {
	line, err := r.in.ReadSlice('\n')
	r.line++
	for errors.Is(err, bufio.ErrBufferFull) && len(bytes.TrimLeft(line, "\x00")) == 0 {
		line, err = r.in.ReadSlice('\n')
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		long = true
		line = bytes.Clone(line[:maxText+1])
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.in.ReadSlice('\n')
		}
	}
	switch {
	case err == nil:
		return line, long, true
	case errors.Is(err, io.EOF):
		r.torn = len(line) > 0
	default:
		r.err = fmt.Errorf("series: reading %s, line %d: %w", r.name, r.line, err)
	}
	return nil, false, false
}

func (r *Reader) fail(line []byte, msg string) {
	text := string(line[:min(len(line), maxText)])
	if len(line) > maxText {
		text += "…"
	}
	r.malformed = &SyntaxError{Name: r.name, Line: r.line, Text: text, Msg: msg}
}

// Sample returns the record that Scan has found. It stays valid after the next
// Scan. It is the zero Sample when the record is malformed.
func (r *Reader) Sample() Sample { return r.sample }

// Malformed returns the record that Scan has found if it is not a sample, and
// nil if it is one.
func (r *Reader) Malformed() *SyntaxError { return r.malformed }

// Back returns how far the sample lies before the one before it in the log: its
// clock was set back, or two logs were joined. It is 0 where time goes on.
func (r *Reader) Back() time.Duration { return r.back }

// Line returns the number of the line that Scan has found, counted from 1.
func (r *Reader) Line() int { return r.line }

// Torn reports, after Scan has returned false, whether the input ended in a line
// without a newline, which was left out.
func (r *Reader) Torn() bool { return r.torn }

// Err returns the error that ended reading, nil at the end of the input.
// Malformed lines are not errors in this sense.
func (r *Reader) Err() error { return r.err }

// ReadAll reads a log to its end. It returns the samples, the malformed lines
// among them, and the error that ended reading early, if any, together with
// what was read before it. A last line without a newline is left out.
func ReadAll(r io.Reader, name string) (samples []Sample, malformed []*SyntaxError, err error) {
	in := NewReader(r, name)
	for in.Scan() {
		if bad := in.Malformed(); bad != nil {
			malformed = append(malformed, bad)
			continue
		}
		samples = append(samples, in.Sample())
	}
	return samples, malformed, in.Err()
}
