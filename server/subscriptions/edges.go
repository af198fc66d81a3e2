package subscriptions

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
)

// Edges reads a list of edges, one `FOLLOWER PUBLISHER` a line with tabs or spaces
// between them, as the graphs of SNAP are. Lines that begin with # and empty ones
// are skipped; a line may end with CRLF, and the last one need not end.
//
//	in := subscriptions.NewEdges(file, "edges.tsv")
//	for in.Scan() {
//		follower, publisher := in.Edge()
//	}
//	err := in.Err() // names the line that is not an edge
type Edges struct {
	in                  *bufio.Reader
	name                string
	line                int64
	follower, publisher int64
	err                 error
}

// longestLine is how long a line may be, in bytes.
const longestLine = 64 << 10

// NewEdges returns a reader of r. Errors call it name.
func NewEdges(r io.Reader, name string) *Edges {
	return &Edges{in: bufio.NewReaderSize(r, longestLine), name: name}
}

// Edge returns the edge that Scan has read.
func (e *Edges) Edge() (follower, publisher int64) { return e.follower, e.publisher }

// Err returns what ended Scan, nil for the end of the list.
func (e *Edges) Err() error {
	if err := e.failure(); err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	return nil
}

// failure returns Err without the name of the package.
func (e *Edges) failure() error {
	if e.err == nil || errors.Is(e.err, io.EOF) {
		return nil
	}
	return fmt.Errorf("%s, line %d: %w", e.name, e.line, e.err)
}

// Scan reads the next edge, and reports whether there is one.
func (e *Edges) Scan() bool {
	for e.err == nil {
		line, err := e.in.ReadSlice('\n')
		e.line++
		if errors.Is(err, bufio.ErrBufferFull) {
			err = fmt.Errorf("it is longer than %d bytes", longestLine)
			line = nil
		}
		e.err = err
		if err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		if e.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if line = skipBlanks(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		if e.line == 1 && bytes.HasPrefix(line, []byte("\x1f\x8b")) {
			e.err = errors.New("it is compressed: import what zcat prints of it")
			return false
		}
		if !e.parse(line) {
			e.err = fmt.Errorf(`%.60q is not "FOLLOWER<TAB>PUBLISHER", two whole numbers from 0 to 9223372036854775807`, bytes.TrimRight(line, "\r\n"))
			return false
		}
		return true
	}
	return false
}

// parse reads a line that does not begin with a blank.
func (e *Edges) parse(line []byte) (ok bool) {
	var rest []byte
	if e.follower, rest, ok = parseID(line); !ok || len(rest) == 0 || !isBlank(rest[0]) {
		return false
	}
	if e.publisher, rest, ok = parseID(skipBlanks(rest)); !ok {
		return false
	}
	return len(skipBlanks(rest)) == 0
}

// parseID reads digits in front of b.
func parseID(b []byte) (id int64, rest []byte, ok bool) {
	i := 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		digit := int64(b[i] - '0')
		if id > (math.MaxInt64-digit)/10 {
			return 0, nil, false
		}
		id = id*10 + digit
	}
	return id, b[i:], i > 0
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func skipBlanks(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	return b
}
