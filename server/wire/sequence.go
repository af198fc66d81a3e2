package wire

import (
	"errors"
	"hash/fnv"
	"math"
	"strconv"
)

// Run is the word of one run of one generator, in a [Stamp] eight hex digits. It
// is drawn at random: two runs that one flood sees have the same word once in
// four billion pairs.
type Run uint32

const runDigits = 8

// String returns the word as a stamp has it.
func (r Run) String() string { return string(appendHex(nil, uint64(r), runDigits)) }

// MarshalText returns the word as a stamp has it.
func (r Run) MarshalText() ([]byte, error) { return appendHex(nil, uint64(r), runDigits), nil }

// UnmarshalText reads a word of eight hex digits.
func (r *Run) UnmarshalText(text []byte) error {
	v, n := parseHex(text)
	if n != runDigits || n != len(text) {
		return errors.New("write the word of a run as eight hex digits, such as 0badcafe")
	}
	*r = Run(v)
	return nil
}

// Sequence is whose messages a [Stamp] numbers: an id or a publisher. A whole
// number up to 2^63-1 stands for itself, any other text for a hash of it.
type Sequence uint64

// NoSequence is that of stamps that name none, as generators wrote them before
// there were sequences: all of a run are one.
const NoSequence Sequence = math.MaxUint64

const (
	hashed     = 1 << 63 // set in the hash of a text
	hashDigits = 16
)

// SequenceOf returns the sequence of an id or of a publisher by its name.
func SequenceOf(name string) Sequence {
	if n, ok := plainNumber([]byte(name)); ok {
		return Sequence(n)
	}
	return hashName([]byte(name))
}

func hashName(name []byte) Sequence {
	h := fnv.New64a()
	h.Write(name)
	q := Sequence(h.Sum64() | hashed)
	if q == NoSequence {
		q--
	}
	return q
}

// appendField appends ` f=123`, ` f=x89ab…` for a hash, or nothing.
func (q Sequence) appendField(dst []byte) []byte {
	if q == NoSequence {
		return dst
	}
	dst = append(dst, " f="...)
	if q&hashed == 0 {
		return strconv.AppendUint(dst, uint64(q), 10)
	}
	return appendHex(append(dst, 'x'), uint64(q), hashDigits)
}

// parseSequence reads what appendField writes, and takes any other text for a
// name.
func parseSequence(text []byte) Sequence {
	if n, ok := plainNumber(text); ok {
		return Sequence(n)
	}
	if len(text) == 1+hashDigits && text[0] == 'x' {
		if v, n := parseHex(text[1:]); n == hashDigits && v&hashed != 0 && Sequence(v) != NoSequence {
			return Sequence(v)
		}
	}
	return hashName(text)
}

// plainNumber reads a whole number from 0 to 2^63-1 without zeros in front, so
// that no two texts are one number.
func plainNumber(text []byte) (n uint64, ok bool) {
	if len(text) == 0 || len(text) > 19 || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n <= math.MaxInt64
}

// isNameByte reports whether c may stand in a sequence's name: what no encoder
// escapes (the unreserved characters of RFC 3986, section 2.3).
func isNameByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '.' || c == '_' || c == '~'
}

func appendHex(dst []byte, v uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[v>>shift&15])
	}
	return dst
}

// parseHex reads hex digits until the first byte that is none, and returns how
// many those were.
func parseHex(text []byte) (v uint64, n int) {
	for _, c := range text {
		d := hexDigit(c)
		if d < 0 {
			break
		}
		v = v<<4 | uint64(d)
		n++
	}
	return v, n
}
