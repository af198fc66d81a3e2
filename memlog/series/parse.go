package series

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

const (
	msgNUL    = "it holds NUL bytes: the log is binary, or a crash has damaged it"
	msgNoUnix = "no unix time followed by kilobytes and connections"
	msgMillis = "the unix time must be in seconds, and this looks like milliseconds"
)

// parseLine parses one line that is neither blank nor a comment. msg says what
// is wrong with it, "" if nothing is.
func parseLine(line []byte) (s Sample, msg string) {
	if bytes.IndexByte(line, 0) >= 0 {
		return Sample{}, msgNUL
	}
	unix, rss, connections, rest, msg := splitColumns(line)
	if msg != "" {
		return Sample{}, msg
	}
	s.Time, _ = parseUnix(unix)
	var ok bool
	if s.RSSKB, ok = parseFigure(rss); !ok {
		return Sample{}, "the kilobytes are neither a whole number nor \"-\""
	}
	if s.Connections, ok = parseFigure(connections); !ok {
		return Sample{}, "the connections are neither a whole number nor \"-\""
	}
	if s.Fields, ok = parseFields(string(rest)); !ok {
		return Sample{}, "a column after the connections is not key=value"
	}
	return s, ""
}

// splitColumns finds the columns. In a line with tabs, tabs separate them, so
// that a column may be empty: the article's loop leaves the kilobytes empty when
// ps finds no process. Other lines are taken as words. A date has four to seven
// of those, depending on the language, so the three figures are counted from
// the right.
func splitColumns(line []byte) (unix, rss, connections, rest []byte, msg string) {
	if cols := bytes.SplitN(line, []byte{'\t'}, 5); len(cols) >= 4 {
		for i := range cols {
			cols[i] = bytes.Trim(cols[i], " ")
		}
		if _, ok := parseUnix(cols[1]); ok {
			if len(cols) == 5 {
				rest = cols[4]
			}
			return cols[1], cols[2], cols[3], rest, ""
		}
	}
	head := bytes.Trim(line, " \t")
	end := len(head)
	for {
		word := lastWord(head)
		if bytes.IndexByte(word, '=') < 0 {
			break
		}
		head = bytes.TrimRight(head[:len(head)-len(word)], " \t")
		if len(head) == 0 {
			break
		}
	}
	rest = bytes.Trim(line, " \t")[len(head):end]
	connections, head = cutLast(head)
	rss, head = cutLast(head)
	unix, _ = cutLast(head)
	if _, ok := parseUnix(unix); !ok {
		if n, err := strconv.ParseInt(string(unix), 10, 64); err == nil && n > maxUnix {
			return nil, nil, nil, nil, msgMillis
		}
		return nil, nil, nil, nil, msgNoUnix
	}
	return unix, rss, connections, rest, ""
}

// lastWord returns the last word of a line that does not end in a blank.
func lastWord(line []byte) []byte { return line[bytes.LastIndexAny(line, " \t")+1:] }

func cutLast(line []byte) (word, before []byte) {
	word = lastWord(line)
	return word, bytes.TrimRight(line[:len(line)-len(word)], " \t")
}

// parseUnix parses unix seconds with an optional fraction. Its point may be the
// comma that some locales print.
func parseUnix(b []byte) (time.Time, bool) {
	whole, fraction, found := b, []byte(nil), false
	if i := bytes.IndexAny(b, ".,"); i >= 0 {
		whole, fraction, found = b[:i], b[i+1:], true
	}
	sec, ok := parseDigits(whole)
	if !ok || sec < minUnix || sec > maxUnix {
		return time.Time{}, false
	}
	var nsec int64
	if found {
		if len(fraction) == 0 {
			return time.Time{}, false
		}
		scale := int64(time.Second)
		for _, c := range fraction {
			if c < '0' || c > '9' {
				return time.Time{}, false
			}
			scale /= 10
			nsec += int64(c-'0') * scale
		}
	}
	return time.Unix(sec, nsec), true
}

// parseFigure parses a whole number of kilobytes or connections, or Unknown
// from "-" or an empty column.
func parseFigure(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) == 1 && b[0] == '-' {
		return Unknown, true
	}
	n, ok := parseDigits(b)
	return n, ok && n <= maxFigure
}

// parseDigits parses a whole number without a sign.
func parseDigits(b []byte) (int64, bool) {
	if len(b) == 0 || b[0] < '0' || b[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}

func parseFields(rest string) ([]Field, bool) {
	n := strings.Count(rest, "=")
	if n == 0 {
		return nil, strings.Trim(rest, " \t") == ""
	}
	fields := make([]Field, 0, min(n, 16))
	for word := range strings.FieldsFuncSeq(rest, func(c rune) bool { return c == ' ' || c == '\t' }) {
		key, value, found := strings.Cut(word, "=")
		if !found || !validKey(key) {
			return nil, false
		}
		fields = append(fields, Field{key, unescape(value)})
	}
	return fields, true
}
