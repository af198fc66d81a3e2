// Package series is the log that joins comet's tools: one line per moment, in
// the format of the article "A Million-user Comet Application with Mochiweb,
// Part 2", which its awk and gnuplot lines can still read:
//
//	Mon Oct 20 16:57:24 BST 2008	1224518244	40388	1	pid=4711	procs=1
//
// The columns, separated by one tab, are the date as date(1) prints it, the
// unix time in seconds, resident kilobytes, established connections, and then
// any number of key=value columns. Unknown is written "-".
//
// Read one whole:
//
//	samples, malformed, err := series.ReadAll(file, "mem.log")
//
// or line by line with [NewReader], and write one with [OpenAppend] or
// [NewWriter].
package series

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Unknown stands for a figure that was not measured; it is written "-". Zero is
// a measurement, Unknown is not.
const Unknown int64 = -1

// Sample is one line of the log.
type Sample struct {
	// Time comes from the unix column alone. The date column is for people:
	// zone abbreviations are ambiguous (BST, IST, CST), so it is never parsed.
	// A Reader sets it in the local time zone; a Writer prints the date in the
	// location that it carries.
	Time time.Time
	// RSSKB is resident memory in kilobytes (of 1024 bytes, as ps prints it),
	// or Unknown.
	RSSKB int64
	// Connections counts established connections, or is Unknown.
	Connections int64
	// Fields are the key=value columns in the order of the line.
	Fields []Field
}

// Field is one key=value column. A key is a letter or underscore followed by
// letters, digits, '_', '.' or '-'. A value is any text: in the file every
// byte that would end a column or a line (space, tab, other control bytes) and
// the percent sign stand as %XX, and a Reader turns them back.
type Field struct{ Key, Value string }

// Field returns the value of the first column named key and whether there is
// one.
func (s Sample) Field(key string) (string, bool) {
	for _, f := range s.Fields {
		if f.Key == key {
			return f.Value, true
		}
	}
	return "", false
}

// Number returns the first column named key as Field.Number does, and false if
// there is none.
func (s Sample) Number(key string) (float64, bool) {
	for _, f := range s.Fields {
		if f.Key == key {
			return f.Number()
		}
	}
	return 0, false
}

// Number parses the value as a decimal number. It returns false if the value is
// unknown ("-") or another text, NaN, infinite, hexadecimal, or of 10^18 and
// more, which nothing that is logged comes to.
func (f Field) Number() (float64, bool) {
	if strings.ContainsAny(f.Value, "xX_") {
		return 0, false
	}
	n, err := strconv.ParseFloat(f.Value, 64)
	if err != nil || !(math.Abs(n) < 1e18) {
		return 0, false
	}
	return n, true
}

// The unix column must lie in these bounds (March 1973 to the year 5138): wide
// enough for every log there can be, and narrow enough that neither a year, a
// compact date (20081020) nor a time in milliseconds is taken for it.
const (
	minUnix = 100_000_000
	maxUnix = 99_999_999_999
)

// maxFigure bounds kilobytes and connections, so that kilobytes fit an int64
// as bytes.
const maxFigure = math.MaxInt64 >> 10

func validKey(key string) bool {
	for i := range len(key) {
		c := key[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case i > 0 && ('0' <= c && c <= '9' || c == '.' || c == '-'):
		default:
			return false
		}
	}
	return key != ""
}

// mustEscape reports whether a byte of a value cannot stand in a line as it is.
func mustEscape(c byte) bool { return c <= ' ' || c == 0x7f || c == '%' }

const hexDigits = "0123456789ABCDEF"

func appendEscaped(dst []byte, value string) []byte {
	for i := range len(value) {
		if c := value[i]; mustEscape(c) {
			dst = append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// unescape undoes appendEscaped. A percent sign without two hexadecimal digits
// after it stays as it is: another program wrote the line.
func unescape(value string) string {
	var out []byte
	start := 0
	for i := 0; i+2 < len(value); i++ {
		if value[i] != '%' {
			continue
		}
		n, err := strconv.ParseUint(value[i+1:i+3], 16, 8)
		if err != nil {
			continue
		}
		out = append(append(out, value[start:i]...), byte(n))
		start = i + 3
		i += 2
	}
	if start == 0 {
		return value
	}
	return string(append(out, value[start:]...))
}
