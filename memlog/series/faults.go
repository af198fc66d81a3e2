package series

import "fmt"

// Faults sums up the malformed lines of a log for a person: one sentence,
// however many lines there are. Its zero value has none.
type Faults struct {
	// First is the first malformed line, nil if there is none.
	First *SyntaxError
	// Lines counts the malformed lines.
	Lines int
	last  int
}

// Add counts a malformed line. nil is ignored.
func (f *Faults) Add(e *SyntaxError) {
	if e == nil {
		return
	}
	if f.First == nil {
		f.First = e
	}
	f.Lines++
	f.last = e.Line
}

// String names the first line with what is wrong with it, and says how many
// there are and which is the last. It is "" without any.
func (f *Faults) String() string {
	switch f.Lines {
	case 0:
		return ""
	case 1:
		return f.First.Error()
	}
	lines := "lines"
	if f.Lines == 2 {
		lines = "line"
	}
	return fmt.Sprintf("%v (and %d more malformed %s, up to line %d)", f.First, f.Lines-1, lines, f.last)
}
