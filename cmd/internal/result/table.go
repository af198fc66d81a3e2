package result

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table writes r for a terminal: a figure a line, aligned, with its unit, and a
// dash for what was not measured.
func (r *Result) Table(w io.Writer) error {
	sections := r.sections()
	labels, numbers := 0, 0
	for _, section := range sections {
		for _, row := range section.Rows {
			labels = max(labels, utf8.RuneCountInString(row.Label))
			numbers = max(numbers, utf8.RuneCountInString(row.Number))
		}
	}
	var b strings.Builder
	for i, section := range sections {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s\n", section.Title)
		for _, row := range section.Rows {
			line := fmt.Sprintf("  %-*s  %*s %s", labels, row.Label, numbers, row.Number, row.Unit)
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	b.WriteString(r.processTable())
	if sentences := r.verdict(); len(sentences) > 0 {
		b.WriteString("\n" + strings.Join(sentences, "\n") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
