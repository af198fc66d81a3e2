package flags

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

var errNUL = errors.New("it holds a NUL byte: is it a text file, in UTF-8 or UTF-16?")

// Open opens a text: the file of that name, or stdin for "-" unless stdin is
// nil. The text comes as UTF-8, whatever its byte order mark says it was, and a
// NUL byte in it is an error.
func Open(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" && stdin != nil {
		return io.NopCloser(&textReader{in: &decoder{in: bufio.NewReader(stdin), guess: true}, name: "standard input"}), nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		file.Close()
		return nil, fmt.Errorf("%s is a directory: name a file", name)
	}
	return struct {
		io.Reader
		io.Closer
	}{&textReader{in: &decoder{in: bufio.NewReader(file), guess: true}, name: name}, file}, nil
}

// Decode returns what r holds as UTF-8 and without its byte order mark, which
// says whether it was UTF-8 or UTF-16. What has no mark comes as it is.
func Decode(r io.Reader) io.Reader {
	return &decoder{in: bufio.NewReader(r)}
}

// decoder looks at the first bytes when it is first read, not before: they may
// come late. With guess, UTF-16 without a mark is known by the NUL in its first
// character: no text begins with an ASCII letter and a NUL.
type decoder struct {
	in    *bufio.Reader
	guess bool
	out   io.Reader
}

func (d *decoder) Read(p []byte) (int, error) {
	if d.out == nil {
		d.out = d.choose()
	}
	return d.out.Read(p)
}

func (d *decoder) choose() io.Reader {
	endian := unicode.LittleEndian
	first, _ := d.in.Peek(2)
	switch {
	case len(first) < 2:
		return d.in
	case first[0] == 0xEF && first[1] == 0xBB:
		if mark, _ := d.in.Peek(3); bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
			_, _ = d.in.Discard(3) // was just seen
		}
		return d.in
	case first[0] == 0xFE && first[1] == 0xFF, d.guess && first[0] == 0 && first[1] != 0:
		endian = unicode.BigEndian
	case first[0] == 0xFF && first[1] == 0xFE, d.guess && first[0] != 0 && first[1] == 0:
	default:
		return d.in
	}
	return transform.NewReader(d.in, unicode.UTF16(endian, unicode.UseBOM).NewDecoder())
}

// textReader fails at a NUL byte and says which line it is in.
type textReader struct {
	in   io.Reader
	name string
	line int // complete lines so far
}

func (t *textReader) Read(p []byte) (int, error) {
	n, err := t.in.Read(p)
	if i := bytes.IndexByte(p[:n], 0); i >= 0 {
		return i, fmt.Errorf("%s, line %d: %w", t.name, 1+t.line+bytes.Count(p[:i], []byte("\n")), errNUL)
	}
	t.line += bytes.Count(p[:n], []byte("\n"))
	return n, err
}

// ReadURLs reads a URL per line from the file of that name, or from stdin for
// "-". Empty lines and lines that begin with # are left out.
func ReadURLs(name string, stdin io.Reader) ([]string, error) {
	in, err := Open(name, stdin)
	if err != nil {
		return nil, fmt.Errorf("--urls: %w", err)
	}
	defer in.Close()
	var urls []string
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		line := trimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := CheckURL(line); err != nil {
			if lines.Err() != nil {
				break // the line was cut there
			}
			return nil, fmt.Errorf("--urls %s, line %d: %w", name, n, err)
		}
		urls = append(urls, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--urls %s: %w", name, err)
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("--urls: there is no URL in %s", name)
	}
	return urls, nil
}

// trimSpace removes white space and byte order marks around s.
func trimSpace(s string) string { return strings.Trim(s, "\ufeff \t\r\n\v\f\u00a0") }
