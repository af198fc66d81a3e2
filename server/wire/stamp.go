package wire

import (
	"bytes"
	"math"
	"strconv"
)

// Stamp is what a generator puts into each message so that whoever receives it
// can tell lateness and loss.
type Stamp struct {
	// Run is one run of one generator.
	Run Run
	// Sequence is whose numbers N counts: those of an id or of a publisher.
	Sequence Sequence
	// N numbers the messages of Sequence in Run: 1, 2, 3…
	N uint64
	// Due is when the message was due, in unix nanoseconds.
	Due int64
}

// The bounds of a stamp. What lies beyond them was not written by a generator,
// and is no stamp.
const (
	// MaxNumber is the highest N: a million messages per second to one id for half
	// a year. Sums over all the connections of a process stay within 63 bits.
	MaxNumber = 1 << 44
	// MaxStamp is the longest stamp in bytes, in whatever way it is escaped: the
	// most that [FindStamp] leaves for the next bytes.
	MaxStamp = len(" s") + maxEquals + runDigits + len(".") + maxDigits +
		len(" f") + maxEquals + maxName + len(" t") + maxEquals + dueDigits

	maxDigits = len("18446744073709551615")
	maxName   = 64
	// dueDigits ends a time without looking at what follows: from 2001 until 2286
	// unix nanoseconds have 19 digits, and a 20th would not fit.
	dueDigits = 19
	maxEquals = len("&equals;")
)

// AppendStamped appends the article's message, stamped:
// `Fake message Num = 7 s=0badcafe.3 f=123 t=1700000000000000000`. num is the
// sender's own count, which the article prints. N must be 1 to [MaxNumber], and
// Due after 2001: a reader has to see where it ends.
func AppendStamped(dst []byte, num uint64, s Stamp) []byte {
	dst = append(dst, "Fake message Num = "...)
	dst = strconv.AppendUint(dst, num, 10)
	dst = append(dst, " s="...)
	dst = appendHex(dst, uint64(s.Run), runDigits)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, s.N, 10)
	dst = s.Sequence.appendField(dst)
	dst = append(dst, " t="...)
	return strconv.AppendInt(dst, s.Due, 10)
}

// FindStamp finds the first stamp in b, which is any part of a body, and returns
// it with the bytes behind it. Without one, ok is false, and rest is the end of b
// that may be the beginning of a stamp: put the next bytes of the body behind it
// and look again. rest is shorter than [MaxStamp], and mostly empty. How a body
// is cut makes no difference to what is found in it.
//
// A stamp is found as AppendStamped writes it, inside any text, and where
// an encoder has escaped its equals signs, as some do for JSON (\u003d) and HTML
// (&#61;). It is not found where its spaces are escaped too, as in a URL, nor in
// base64 or compressed data.
func FindStamp(b []byte) (s Stamp, rest []byte, ok bool) {
	for {
		i := bytes.Index(b, []byte(" s"))
		if i < 0 {
			if n := len(b); n > 0 && b[n-1] == ' ' {
				return Stamp{}, b[n-1:], false
			}
			return Stamp{}, nil, false
		}
		b = b[i:]
		r := stampReader{b: b, at: len(" s")}
		switch r.read(&s) {
		case stampWhole:
			return s, b[r.at:], true
		case stampCut, stampOpen:
			return Stamp{}, b, false
		}
		b = b[len(" s")-1:]
	}
}

// LastStamp returns the stamp at the start of rest, which FindStamp left, once
// the body has ended: only then does a number that reached the end of it stand
// for itself.
func LastStamp(rest []byte) (s Stamp, ok bool) {
	if !bytes.HasPrefix(rest, []byte(" s")) {
		return Stamp{}, false
	}
	r := stampReader{b: rest, at: len(" s")}
	return s, r.read(&s) == stampOpen
}

type stampState uint8

const (
	stampNone  stampState = iota
	stampCut              // the bytes end within it
	stampOpen             // the bytes end with it, unless more digits follow
	stampWhole            // complete, whatever follows
)

// stampReader reads one stamp at the start of b.
type stampReader struct {
	b  []byte
	at int
}

// read reads a stamp from behind its " s".
func (r *stampReader) read(s *Stamp) stampState {
	if state := r.equals(); state != stampWhole {
		return state
	}
	if state := r.run(&s.Run); state != stampWhole {
		return state
	}
	n, state := r.number(maxDigits, MaxNumber)
	switch {
	case state == stampOpen:
		return stampCut // a field must follow
	case state != stampWhole:
		return state
	case n == 0:
		return stampNone
	}
	s.N, s.Sequence = n, NoSequence
	field, state := r.field()
	if state == stampWhole && field == 'f' {
		if state = r.sequence(&s.Sequence); state == stampWhole {
			field, state = r.field()
		}
	}
	switch {
	case state != stampWhole:
		return state
	case field != 't':
		return stampNone
	}
	due, state := r.number(dueDigits, math.MaxInt64)
	s.Due = int64(due)
	return state
}

// field reads the space, the letter and the equals sign in front of a value.
func (r *stampReader) field() (letter byte, state stampState) {
	b := r.b[r.at:]
	if len(b) > 0 && b[0] != ' ' {
		return 0, stampNone
	}
	if len(b) < 2 {
		return 0, stampCut
	}
	if letter = b[1]; letter != 't' && letter != 'f' {
		return 0, stampNone
	}
	r.at += 2
	return letter, r.equals()
}

// equalsSigns are the ways to write one, in lower case, the shortest of each
// beginning first.
var equalsSigns = [...]string{"=", `\u003d`, "&#61;", "&#x3d;", "&equals;", "%3d"}

func (r *stampReader) equals() stampState {
	b := r.b[r.at:]
	if len(b) > 0 && b[0] == '=' {
		r.at++
		return stampWhole
	}
	state := stampNone
	for _, sign := range equalsSigns {
		switch n := min(len(b), len(sign)); {
		case !bytes.EqualFold(b[:n], []byte(sign[:n])):
		case n == len(sign):
			r.at += n
			return stampWhole
		default:
			state = stampCut
		}
	}
	return state
}

// run reads the run's word and the point behind it.
func (r *stampReader) run(run *Run) stampState {
	word := r.b[r.at:]
	v, n := parseHex(word[:min(len(word), runDigits)])
	switch {
	case n < min(len(word), runDigits):
		return stampNone
	case len(word) <= runDigits:
		return stampCut
	case word[runDigits] != '.':
		return stampNone
	}
	*run = Run(v)
	r.at += runDigits + len(".")
	return stampWhole
}

// number reads up to most digits of a number up to limit. With as many as that
// it is whole; with fewer, what follows ends it.
func (r *stampReader) number(most int, limit uint64) (n uint64, state stampState) {
	b := r.b[r.at:]
	i := 0
	for ; i < len(b) && i < most && b[i]-'0' < 10; i++ {
		d := uint64(b[i] - '0')
		if n > (limit-d)/10 {
			return 0, stampNone
		}
		n = n*10 + d
	}
	r.at += i
	switch {
	case i == len(b) && i == 0:
		return 0, stampCut
	case i == 0:
		return 0, stampNone
	case i == len(b) && i < most:
		return n, stampOpen
	}
	return n, stampWhole
}

// sequence reads a sequence's name.
func (r *stampReader) sequence(q *Sequence) stampState {
	b := r.b[r.at:]
	n := 0
	for n < len(b) && isNameByte(b[n]) {
		n++
	}
	switch {
	case n > maxName:
		return stampNone
	case n == len(b):
		return stampCut
	case n == 0:
		return stampNone
	}
	*q = parseSequence(b[:n])
	r.at += n
	return stampWhole
}
