package wire

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestAppendStamped(t *testing.T) {
	got := AppendStamped([]byte("x"), 7, Stamp{Run: 0xbadcafe, N: 3, Due: 1700000000000000000})
	if want := "xFake message Num = 7 s=0badcafe.3 t=1700000000000000000"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// stamps collects every stamp in b, and what FindStamp left at the end.
func stamps(b []byte) (all []Stamp, rest []byte) {
	for {
		s, next, ok := FindStamp(b)
		if !ok {
			return all, next
		}
		all = append(all, s)
		b = next
	}
}

func TestFindStamp(t *testing.T) {
	one := Stamp{Run: 0xbadcafe, N: 3, Due: 17}
	two := Stamp{Run: 1, N: math.MaxUint64, Due: math.MaxInt64}
	for _, c := range []struct {
		in   string
		want []Stamp
		rest string
	}{
		{"", nil, ""},
		{"Hello World", nil, ""},
		{"Fake message Num = 7 s=0badcafe.3 t=17", []Stamp{one}, ""},
		{" s=0BADCAFE.3 t=17x", []Stamp{one}, ""},
		{"'a s=0badcafe.3 t=17'<br/>\r\n2a\r\nb s=00000001.18446744073709551615 t=9223372036854775807'", []Stamp{one, two}, ""},
		{" s= s=0badcafe.3 t=17", []Stamp{one}, ""},
		{" s=0badcafe.3 s=0badcafe.3 t=17", []Stamp{one}, ""},
		{"s=0badcafe.3 t=17", nil, ""},
		{" s=0badcaf.3 t=17", nil, ""},
		{" s=0badcafe3 t=17", nil, ""},
		{" s=0badcafe. t=17", nil, ""},
		{" s=0badcafe.3t=17", nil, ""},
		{" s=0badcafe.3 t=-17", nil, ""},
		{" s=0badcafe.3 t=x", nil, ""},
		{" s=0badcafe.18446744073709551616 t=17", nil, ""},
		{" s=0badcafe.3 t=9223372036854775808", nil, ""},
		{" s=0badcafe." + strings.Repeat("0", 100), nil, ""},
		{"x ", nil, " "},
		{"x s", nil, " s"},
		{"x s=", nil, " s="},
		{"x s=0badcafe", nil, " s=0badcafe"},
		{"x s=0badcafe.", nil, " s=0badcafe."},
		{"x s=0badcafe.3", nil, " s=0badcafe.3"},
		{"x s=0badcafe.3 ", nil, " s=0badcafe.3 "},
		{"x s=0badcafe.3 t=", nil, " s=0badcafe.3 t="},
	} {
		got, rest := stamps([]byte(c.in))
		if !slices.Equal(got, c.want) || string(rest) != c.rest {
			t.Errorf("%q: stamps %v rest %q, want %v rest %q", c.in, got, rest, c.want, c.rest)
		}
	}
}

// stampsInPieces is how a reader of an unframed stream goes about it.
func stampsInPieces(pieces [][]byte) (all []Stamp, kept int) {
	var keep []byte
	for _, p := range pieces {
		b := slices.Concat(keep, p)
		at, cut := StampCut(b)
		if cut != (at < len(b)) {
			panic("at and cut disagree")
		}
		found, _ := stamps(b[:at])
		all = append(all, found...)
		keep = bytes.Clone(b[at:])
		kept = max(kept, len(keep))
	}
	found, _ := stamps(keep)
	return append(all, found...), kept
}

func TestStampCut(t *testing.T) {
	text := []byte("Recvd s= 's=1 s=0badcafe.3 t=17'<br/> s s= s=0badcafe.4 s=0badcafe.5 t=18 s=0badcafe.6 t=19")
	want, _ := stamps(text)
	if len(want) != 3 {
		t.Fatalf("%d stamps in the text, want 3", len(want))
	}
	for a := range text {
		for b := a; b <= len(text); b++ {
			if got, _ := stampsInPieces([][]byte{text[:a], text[a:b], text[b:]}); !slices.Equal(got, want) {
				t.Fatalf("cut at %d and %d: %v, want %v", a, b, got, want)
			}
		}
	}
}

func FuzzStamp(f *testing.F) {
	f.Add([]byte("a s=0badcafe.3 t=17 s=0badcafe.4 t=18"), []byte("'<br/>"), uint64(7), uint32(1), uint64(1), int64(1), uint64(1))
	f.Add([]byte(" s"), []byte(" s="), uint64(0), uint32(math.MaxUint32), uint64(math.MaxUint64), int64(math.MaxInt64), uint64(2))
	f.Add([]byte(" s=0badcafe."+strings.Repeat("9", 30)), []byte("00"), uint64(0), uint32(0), uint64(0), int64(0), uint64(3))
	f.Fuzz(func(t *testing.T, before, after []byte, num uint64, run uint32, n uint64, due int64, seed uint64) {
		due &= math.MaxInt64
		s := Stamp{Run: run, N: n, Due: due}
		if alone, rest := stamps(AppendStamped(nil, num, s)); !slices.Equal(alone, []Stamp{s}) || len(rest) > 0 {
			t.Errorf("%v came back as %v, rest %q", s, alone, rest)
		}
		text := append(AppendStamped(bytes.Clone(before), num, s), after...)
		whole, _ := stamps(text)
		if digit := len(after) > 0 && after[0] >= '0' && after[0] <= '9'; !digit && !slices.Contains(whole, s) {
			t.Errorf("%q: %v is not among %v", text, s, whole)
		}
		got, kept := stampsInPieces(pieces(text, seed))
		if !slices.Equal(got, whole) {
			t.Errorf("%q: whole %v, in pieces %v", text, whole, got)
		}
		if most := len(" s=ffffffff.18446744073709551615 t=18446744073709551615"); kept > most {
			t.Errorf("%q: a reader keeps %d bytes, a stamp has at most %d", text, kept, most)
		}
	})
}

func BenchmarkFindStamp(b *testing.B) {
	chunk := []byte("Recvd msg #12: 'Fake message Num = 12345 s=0badcafe.123 t=1700000000000000000'<br/>")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := FindStamp(chunk); !ok {
			b.Fatal("no stamp")
		}
	}
}
