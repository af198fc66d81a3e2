package series

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

const bom = "\uFEFF"

// decode returns the text of a log as UTF-8 whose lines end in '\n', whatever
// wrote it: a byte order mark is dropped, UTF-16 is converted (PowerShell's >
// writes it), with a mark or, if its first two characters are ASCII, without
// one, and so are lines that end in '\r' alone. It returns an error for what is
// known not to be a log, such as a compressed one. decode blocks until the
// first bytes are there.
func decode(in io.Reader, name string) (io.Reader, error) {
	const sniffLen = 6
	head := make([]byte, sniffLen)
	n, err := io.ReadFull(in, head)
	head = head[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		// What came before the error is still read.
		return io.MultiReader(bytes.NewReader(head), failing{err}), nil
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return nil, fmt.Errorf("series: %s is %s, not a log%s", name, f.what, f.hint)
		}
	}
	whole := io.MultiReader(bytes.NewReader(head), in)
	switch order, mark := wide(head); {
	case order != nil:
		whole = &utf16Reader{in: io.MultiReader(bytes.NewReader(head[mark:]), in), order: order}
	case bytes.HasPrefix(head, []byte(bom)):
		whole = io.MultiReader(bytes.NewReader(head[len(bom):]), in)
	}
	return &lineEnds{in: whole}, nil
}

// foreign lists what people give to a program that reads logs, by its first
// bytes.
var foreign = []struct{ magic, what, hint string }{
	{"\x1f\x8b", "compressed by gzip", ": unpack it first (gunzip -c)"},
	{"\x28\xb5\x2f\xfd", "compressed by zstd", ": unpack it first (zstd -dc)"},
	{"\xfd7zXZ\x00", "compressed by xz", ": unpack it first (xz -dc)"},
	{"BZh", "compressed by bzip2", ": unpack it first (bunzip2 -c)"},
	{"PK\x03\x04", "a zip archive", ": unpack it first"},
	{"\xff\xfe\x00\x00", "UTF-32", ": convert it first (iconv -f UTF-32 -t UTF-8)"},
	{"\x00\x00\xfe\xff", "UTF-32", ": convert it first (iconv -f UTF-32 -t UTF-8)"},
	{"\x89PNG", "a PNG picture", ""},
	{"%PDF-", "a PDF", ""},
	{"\x7fELF", "a program", ""},
}

// failing is a reader that has failed.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// wide returns the byte order of a text that begins with head if that is
// UTF-16, and the length of its byte order mark.
func wide(head []byte) (order binary.ByteOrder, mark int) {
	switch {
	case bytes.HasPrefix(head, []byte{0xFF, 0xFE}):
		return binary.LittleEndian, 2
	case bytes.HasPrefix(head, []byte{0xFE, 0xFF}):
		return binary.BigEndian, 2
	case len(head) < 4:
	case head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0:
		return binary.LittleEndian, 0
	case head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0:
		return binary.BigEndian, 0
	}
	return nil, 0
}

// utf16Reader converts UTF-16 to UTF-8. What is not a character becomes U+FFFD.
type utf16Reader struct {
	in    io.Reader
	order binary.ByteOrder
	raw   [4096]byte
	n     int    // bytes of raw that are not converted yet
	out   []byte // converted and not read yet
	buf   []byte // what out is a part of
	err   error
}

func (r *utf16Reader) Read(p []byte) (int, error) {
	for len(r.out) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		n, err := r.in.Read(r.raw[r.n:])
		r.n, r.err = r.n+n, err
		r.convert()
	}
	n := copy(p, r.out)
	r.out = r.out[n:]
	return n, nil
}

// convert converts raw, but for half a character at its end whose rest may
// come.
func (r *utf16Reader) convert() {
	out, i := r.buf[:0], 0
	for ; i+1 < r.n; i += 2 {
		c := rune(r.order.Uint16(r.raw[i:]))
		if utf16.IsSurrogate(c) {
			if i+3 >= r.n && r.err == nil {
				break
			}
			pair := rune(utf8.RuneError)
			if i+3 < r.n {
				pair = utf16.DecodeRune(c, rune(r.order.Uint16(r.raw[i+2:])))
			}
			if pair != utf8.RuneError {
				i += 2
			}
			c = pair
		}
		out = utf8.AppendRune(out, c)
	}
	r.n = copy(r.raw[:], r.raw[i:r.n])
	if r.err != nil && r.n > 0 {
		out, r.n = utf8.AppendRune(out, utf8.RuneError), 0
	}
	r.out, r.buf = out, out
}

// lineEnds passes a text on. If its first line ends in '\r' alone it turns each
// '\r' into '\n'.
type lineEnds struct {
	in      io.Reader
	decided bool
	cr      bool // lines end in '\r'
	held    bool // the first '\r' was the last byte that came
}

func (r *lineEnds) Read(p []byte) (int, error) {
	if len(p) == 0 || r.decided && !r.cr {
		return r.in.Read(p)
	}
	var n int
	var err error
	switch {
	case !r.held:
		n, err = r.in.Read(p)
	case len(p) == 1: // no room to see what follows
		p[0], n = '\r', 1
		r.held, r.decided, r.cr = false, true, true
	default:
		n, err = r.in.Read(p[1:])
		if n == 0 && err == nil {
			return 0, nil
		}
		p[0] = '\r'
		n++
	}
	if !r.decided {
		n = r.decide(p[:n], err)
	}
	if r.cr {
		for i, c := range p[:n] {
			if c == '\r' {
				p[i] = '\n'
			}
		}
	}
	return n, err
}

// decide looks for the end of the first line in b. It returns how much of b
// may be passed on: a '\r' at its end waits for what follows.
func (r *lineEnds) decide(b []byte, err error) int {
	r.held = false
	i := bytes.IndexAny(b, "\r\n")
	switch {
	case i < 0:
	case b[i] == '\n':
		r.decided = true
	case i+1 < len(b):
		r.decided, r.cr = true, b[i+1] != '\n'
	case err != nil:
		r.decided, r.cr = true, true
	default:
		r.held = true
		return i
	}
	return len(b)
}
