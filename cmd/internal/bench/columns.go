package bench

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// printable replaces what would move the cursor or change how text is shown:
// what a peer or a child process said is part of many lines.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// columnsOf returns how many columns of a terminal a text takes.
func columnsOf(text string) int {
	columns := 0
	for _, r := range text {
		columns += columnsOfRune(r)
	}
	return columns
}

func columnsOfRune(r rune) int {
	switch {
	case r == 0xFE0F: // makes an emoji of what stands before it, which is wide
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x1100: // no wide ones below, and most text
		return 1
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut returns the beginning of a text that fits.
func cut(text string, columns int) string {
	taken := 0
	for i, r := range text {
		if taken += columnsOfRune(r); taken > columns {
			return text[:i]
		}
	}
	return text
}

// wrap breaks lines between words where they are too long. A single word that
// is, such as a path, is left to the terminal, so that it can be copied.
func wrap(text string, columns int) string {
	const indent = 9 // of what stands beside the name of a phase
	hanging := strings.Repeat(" ", indent)
	if columns < 4*indent {
		hanging = "  "
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		for columnsOf(line) > columns {
			at := breakBefore(line, columns)
			if at < 0 {
				break
			}
			lines = append(lines, strings.TrimRight(line[:at], " "))
			line = hanging + strings.TrimLeft(line[at:], " ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// breakBefore returns where a line is to be broken: at the last space that lets
// the rest fit, else the first one behind a word; -1 if there is none.
func breakBefore(line string, columns int) int {
	at, taken, begun := -1, 0, false
	for i, r := range line {
		if r == ' ' && begun && strings.TrimLeft(line[i:], " ") != "" {
			if taken <= columns || at < 0 {
				at = i
			}
			if taken > columns {
				return at
			}
		}
		begun = begun || r != ' '
		taken += columnsOfRune(r)
	}
	return at
}
