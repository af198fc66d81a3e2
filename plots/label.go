package plots

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/text/unicode/norm"
)

// substitute stands for each letter that the font does not have; left out, it
// would change a name without a word.
const substitute = '□'

// mostLabel is how many letters of a text are looked at; no picture has room for
// more.
const mostLabel = 1000

// oneLine makes text drawable: accents joined to their letters, no line breaks,
// no control or invisible characters (some are no legal XML, some reorder what
// follows), and a □ for each letter that the font does not have.
func oneLine(s string) string {
	drawable, _ := fitFont(s)
	return drawable
}

// fitFont returns the text as it is drawn, and the letters that the font does
// not have.
func fitFont(s string) (drawable, lacking string) {
	var out, lost strings.Builder
	var buffer sfnt.Buffer
	if len(s) > 4*mostLabel {
		s = s[:4*mostLabel]
	}
	n := 0
	for _, r := range norm.NFC.String(strings.ToValidUTF8(s, string(substitute))) {
		if n++; n > mostLabel {
			break
		}
		switch {
		case unicode.IsControl(r), unicode.In(r, unicode.Zl, unicode.Zp):
			out.WriteByte(' ')
		case unicode.In(r, unicode.Cf, unicode.Variation_Selector): // invisible
		default:
			if glyph, err := sans().GlyphIndex(&buffer, r); err != nil || glyph == 0 {
				lost.WriteRune(r)
				r = substitute
			}
			out.WriteRune(r)
		}
	}
	return strings.TrimSpace(out.String()), lost.String()
}

// Notes returns sentences for the person who looks at a picture of cfg, about what
// it does not show as it stands in the logs: letters that the font lacks, clocks
// that were set back, figures that are too large.
func Notes(cfg Config) []string {
	var notes []string
	texts := []string{cfg.Title}
	for _, l := range cfg.Logs {
		texts = append(texts, l.Name)
		for _, e := range l.events {
			texts = append(texts, e.text)
		}
	}
	seen := make(map[rune]bool)
	var lacking []rune
	for _, text := range texts {
		_, lost := fitFont(text)
		for _, r := range lost {
			if !seen[r] {
				seen[r] = true
				lacking = append(lacking, r)
			}
		}
	}
	if n := len(lacking); n > 0 {
		const most = 20
		shown := string(lacking[:min(n, most)])
		if n > most {
			shown += "…"
		}
		notes = append(notes, fmt.Sprintf("the font of pictures lacks %q: each is drawn as %c", shown, substitute))
	}
	for _, l := range cfg.Logs {
		name := l.Name
		if name == "" {
			name = "a log"
		}
		switch n := len(l.backwards); {
		case n > maxBackwards:
			notes = append(notes, fmt.Sprintf("%s: its time goes back %s, as where several programs write one file: it is drawn sorted by time", name, times(n)))
		case n > 0:
			notes = append(notes, fmt.Sprintf("%s: its time goes back %s: it is drawn in the order of the file, and its line is broken there", name, times(n)))
		}
		if l.tooLarge > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d figures above 10^15 are not drawn: nothing measured is that large", name, l.tooLarge))
		}
	}
	return notes
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
