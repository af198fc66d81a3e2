package wire

import (
	"bytes"
	"math"
	"strconv"
)

// Stamp is what a generator puts into each message so that whoever receives it
// can tell lateness and loss.
type Stamp struct {
	// Run tells one generator's run from another's.
	Run uint32
	// N counts the messages of that run to this id: 1, 2, 3…
	N uint64
	// Due is when the message was due, in unix nanoseconds.
	Due int64
}

// AppendStamped appends the article's message, stamped:
// `Fake message Num = 7 s=0badcafe.3 t=1700000000000000000`. num is the count
// of the sender, which the article prints.
func AppendStamped(dst []byte, num uint64, s Stamp) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, "Fake message Num = "...)
	dst = strconv.AppendUint(dst, num, 10)
	dst = append(dst, " s="...)
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, digits[s.Run>>shift&15])
	}
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, s.N, 10)
	dst = append(dst, " t="...)
	return strconv.AppendInt(dst, s.Due, 10)
}

// FindStamp finds the first stamp in b and returns it with the bytes behind
// it. Where b ends inside what may be a stamp, ok is false and rest begins
// there; else rest is empty when there is none. A stamp whose digits reach the
// end of b counts as whole: see [StampCut].
func FindStamp(b []byte) (s Stamp, rest []byte, ok bool) {
	for {
		i := bytes.Index(b, []byte(" s="))
		if i < 0 {
			return Stamp{}, tail(b), false
		}
		s, n, state := parseStamp(b[i:])
		switch state {
		case stampWhole:
			return s, b[i+n:], true
		case stampCut:
			return Stamp{}, b[i:], false
		}
		b = b[i+1:]
	}
}

// StampCut reports whether the end of b cuts a stamp in two or might, so that
// a reader of an unframed stream keeps the bytes from at on for the next piece.
func StampCut(b []byte) (at int, cut bool) {
	i := bytes.LastIndex(b, []byte(" s="))
	if i < 0 {
		at = len(b) - len(tail(b))
		return at, at < len(b)
	}
	_, n, state := parseStamp(b[i:])
	if state == stampCut || state == stampWhole && i+n == len(b) {
		return i, true
	}
	at = len(b) - len(tail(b))
	return at, at < len(b)
}

// tail is the end of b that may be the beginning of " s=".
func tail(b []byte) []byte {
	for n := min(2, len(b)); n > 0; n-- {
		if string(b[len(b)-n:]) == " s="[:n] {
			return b[len(b)-n:]
		}
	}
	return nil
}

type stampState uint8

const (
	stampNone stampState = iota
	stampCut
	stampWhole
)

// parseStamp reads ` s=<8 hex>.<digits> t=<digits>` at the start of b.
func parseStamp(b []byte) (s Stamp, n int, state stampState) {
	const runAt, dotAt, nAt = 3, 11, 12
	for i := runAt; i < dotAt; i++ {
		if i >= len(b) {
			return s, 0, stampCut
		}
		d := hexDigit(b[i])
		if d < 0 {
			return s, 0, stampNone
		}
		s.Run = s.Run<<4 | uint32(d)
	}
	if len(b) <= dotAt {
		return s, 0, stampCut
	}
	if b[dotAt] != '.' {
		return s, 0, stampNone
	}
	count, n := digits(b, nAt)
	if n < 0 {
		return s, 0, stampNone
	}
	if n == len(b) {
		return s, 0, stampCut
	}
	if n == nAt {
		return s, 0, stampNone
	}
	for _, c := range []byte(" t=") {
		if n == len(b) {
			return s, 0, stampCut
		}
		if b[n] != c {
			return s, 0, stampNone
		}
		n++
	}
	due, end := digits(b, n)
	if end == n {
		if n == len(b) {
			return s, 0, stampCut
		}
		return s, 0, stampNone
	}
	if end < 0 || due > math.MaxInt64 {
		return s, 0, stampNone
	}
	s.N, s.Due = count, int64(due)
	return s, end, stampWhole
}

// digits reads a decimal number at b[at:] and returns where it ends, or -1 if
// it is none that was written by AppendStamped: it does not fit, or has so many
// zeros in front that a reader would keep them without end.
func digits(b []byte, at int) (n uint64, end int) {
	const most = len("18446744073709551615")
	for end = at; end < len(b) && b[end] >= '0' && b[end] <= '9'; end++ {
		d := uint64(b[end] - '0')
		if end-at >= most || n > (math.MaxUint64-d)/10 {
			return 0, -1
		}
		n = n*10 + d
	}
	return n, end
}
