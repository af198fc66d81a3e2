package fleet

import (
	"bufio"
	"io"
)

// newLines reads lines of up to a MiB, which a result with its histograms has.
func newLines(r io.Reader) *bufio.Scanner {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	return lines
}
