package plots

import (
	"fmt"
	"io"

	"example.org/comet/memlog/series"
)

// mostBadLines is how many bad lines of a log are named, each by its number.
const mostBadLines = 3

// Read reads a log to its end; file stands for it in errors, name in the
// picture. Lines that are no samples are left out: notes names the first few and
// counts the rest. With strict the first one is the error. A log without any
// sample is an error.
func Read(r io.Reader, file, name string, strict bool) (log *Log, notes []string, err error) {
	log = &Log{Name: name}
	var first *series.SyntaxError
	bad := 0
	in := series.NewReader(r, file)
	for in.Scan() {
		malformed := in.Malformed()
		if malformed == nil {
			log.Add(in.Sample())
			continue
		}
		if strict {
			return nil, nil, malformed
		}
		if bad++; bad == 1 {
			first = malformed
		}
		if bad <= mostBadLines {
			notes = append(notes, "left out: "+malformed.Error())
		}
	}
	if err := in.Err(); err != nil {
		return nil, nil, err
	}
	switch {
	case log.Len() > 0:
	case bad > 0:
		return nil, nil, fmt.Errorf("%s holds no sample to draw, and %d lines that are none, the first: %w", file, bad, first)
	default:
		return nil, nil, fmt.Errorf("%s holds no sample to draw: its lines should be a date, a unix time, kilobytes and connections", file)
	}
	if more := bad - mostBadLines; more > 0 {
		notes = append(notes, fmt.Sprintf("left out: %s: %d more lines that are not samples", file, more))
	}
	if in.Torn() {
		notes = append(notes, fmt.Sprintf("left out: %s: the last line does not end in a newline, so it may be cut", file))
	}
	return log, notes, nil
}
