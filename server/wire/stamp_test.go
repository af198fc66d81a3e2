package wire

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestAppendStamped(t *testing.T) {
	for _, c := range []struct {
		sequence Sequence
		want     string
	}{
		{123, "xFake message Num = 7 s=0badcafe.3 f=123 t=1700000000000000000"},
		{NoSequence, "xFake message Num = 7 s=0badcafe.3 t=1700000000000000000"},
		{SequenceOf("alice@example.org"), "xFake message Num = 7 s=0badcafe.3 f=xfe0b59c46c41d4d1 t=1700000000000000000"},
	} {
		got := AppendStamped([]byte("x"), 7, Stamp{Run: 0xbadcafe, Sequence: c.sequence, N: 3, Due: 1700000000000000000})
		if string(got) != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
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

// allStamps is stamps of a whole body.
func allStamps(b []byte) []Stamp {
	all, rest := stamps(b)
	if s, ok := LastStamp(rest); ok {
		all = append(all, s)
	}
	return all
}

func TestFindStamp(t *testing.T) {
	one := Stamp{Run: 0xbadcafe, Sequence: NoSequence, N: 3, Due: 17}
	ofID := Stamp{Run: 0xbadcafe, Sequence: 5, N: 3, Due: 17}
	two := Stamp{Run: 1, Sequence: NoSequence, N: MaxNumber, Due: math.MaxInt64}
	long := strings.Repeat("a", maxName)
	named := func(name string) Stamp { s := one; s.Sequence = SequenceOf(name); return s }
	for _, c := range []struct {
		in   string
		want []Stamp
		rest string
	}{
		{"", nil, ""},
		{"Hello World", nil, ""},
		{"Fake message Num = 7 s=0badcafe.3 t=17.", []Stamp{one}, ""},
		{" s=0BADCAFE.3 t=17x", []Stamp{one}, ""},
		{"'a s=0badcafe.3 t=17'<br/>\r\n2a\r\nb s=00000001.17592186044416 t=9223372036854775807", []Stamp{one, two}, ""},
		{" s= s=0badcafe.3 t=17.", []Stamp{one}, ""},
		{" s s=0badcafe.3 t=17.", []Stamp{one}, ""},
		{" s=0badcafe.3 s=0badcafe.3 t=17.", []Stamp{one}, ""},
		{" s=0badcafe.3 f=5 s=0badcafe.3 t=17.", []Stamp{one}, ""},

		// Whose sequence.
		{" s=0badcafe.3 f=5 t=17.", []Stamp{ofID}, ""},
		{" s=0badcafe.3 f=9223372036854775807 t=17.", []Stamp{{Run: 0xbadcafe, Sequence: math.MaxInt64, N: 3, Due: 17}}, ""},
		{" s=0badcafe.3 f=alice t=17.", []Stamp{named("alice")}, ""},
		{" s=0badcafe.3 f=05 t=17.", []Stamp{named("05")}, ""},
		{" s=0badcafe.3 f=" + long + " t=17.", []Stamp{named(long)}, ""},
		{" s=0badcafe.3 f=a" + long + " t=17.", nil, ""},
		{" s=0badcafe.3 f= t=17.", nil, ""},
		{" s=0badcafe.3 f=a,b t=17.", nil, ""},
		{" s=0badcafe.3 f=5 f=6 t=17.", nil, ""},
		{" s=0badcafe.3 t=17 f=5", []Stamp{one}, ""},

		// In other people's encodings.
		{`{"m":"Fake message Num = 7 s=0badcafe.3 f=5 t=17"}`, []Stamp{ofID}, ""},
		{`{"m":"Fake message Num \u003d 7 s\u003d0badcafe.3 f\u003D5 t\u003d17"}`, []Stamp{ofID}, ""},
		{"Num &#x3D; 7 s&#x3D;0badcafe.3 f&#x3D;5 t&#x3d;17<", []Stamp{ofID}, ""},
		{" s&#61;0badcafe.3 f&equals;5 t%3D17<", []Stamp{ofID}, ""},
		{" s&#62;0badcafe.3 f=5 t=17", nil, ""},
		{"+s%3D0badcafe.3+f%3D5+t%3D17", nil, ""},

		// What is none.
		{"s=0badcafe.3 t=17", nil, ""},
		{" s=0badcaf.3 t=17", nil, ""},
		{" s=0badcafe3 t=17", nil, ""},
		{" s=0badcafe. t=17", nil, ""},
		{" s=0badcafe.3t=17", nil, ""},
		{" s=0badcafe.3 t=-17", nil, ""},
		{" s=0badcafe.3 t=x", nil, ""},
		{" s=0badcafe.3 u=17", nil, ""},

		// Numbers that cannot be real.
		{" s=0badcafe.0 t=17.", nil, ""},
		{" s=0badcafe.17592186044417 t=17.", nil, ""},
		{" s=0badcafe.1000000000000000000 t=17.", nil, ""},
		{" s=0badcafe.18446744073709551616 t=17.", nil, ""},
		{" s=0badcafe." + strings.Repeat("0", 100), nil, ""},
		{" s=0badcafe." + strings.Repeat("9", 100), nil, ""},
		{" s=0badcafe.3 t=9223372036854775808", nil, ""},
		{" s=0badcafe.3 t=" + strings.Repeat("9", 100), nil, ""},
		{" s=0badcafe.3 t=12345678901234567890", []Stamp{{Run: 0xbadcafe, Sequence: NoSequence, N: 3, Due: 1234567890123456789}}, ""}, // a 0 behind it

		// What more bytes may complete.
		{"x ", nil, " "},
		{"x s", nil, " s"},
		{"x s=", nil, " s="},
		{`x s\u00`, nil, ` s\u00`},
		{"x s&", nil, " s&"},
		{"x s=0badcafe", nil, " s=0badcafe"},
		{"x s=0badcafe.", nil, " s=0badcafe."},
		{"x s=0badcafe.3", nil, " s=0badcafe.3"},
		{"x s=0badcafe.3 ", nil, " s=0badcafe.3 "},
		{"x s=0badcafe.3 f", nil, " s=0badcafe.3 f"},
		{"x s=0badcafe.3 f=5", nil, " s=0badcafe.3 f=5"},
		{"x s=0badcafe.3 f=5 t", nil, " s=0badcafe.3 f=5 t"},
		{"x s=0badcafe.3 t=", nil, " s=0badcafe.3 t="},
		{"x s=0badcafe.3 t=17", nil, " s=0badcafe.3 t=17"},
	} {
		got, rest := stamps([]byte(c.in))
		if !slices.Equal(got, c.want) || string(rest) != c.rest {
			t.Errorf("%q: stamps %v rest %q, want %v rest %q", c.in, got, rest, c.want, c.rest)
		}
	}
}

func TestLastStamp(t *testing.T) {
	for in, ok := range map[string]bool{
		" s=0badcafe.3 t=17": true, " s=0badcafe.3 f=5 t=1": true,
		"": false, " ": false, " s": false, " s=0badcafe.3": false, " s=0badcafe.3 t=": false, " s=0badcafe.3 f=5": false,
	} {
		if s, got := LastStamp([]byte(in)); got != ok || ok && s.N != 3 {
			t.Errorf("%q: %v, %t, want %t", in, s, got, ok)
		}
	}
}

// stampsInPieces is how a reader of a body goes about it.
func stampsInPieces(pieces [][]byte) (all []Stamp, kept int) {
	var keep []byte
	for _, p := range pieces {
		found, rest := stamps(slices.Concat(keep, p))
		all = append(all, found...)
		keep = bytes.Clone(rest)
		kept = max(kept, len(keep))
	}
	if s, ok := LastStamp(keep); ok {
		all = append(all, s)
	}
	return all, kept
}

func TestStampsAreFoundHoweverABodyIsCut(t *testing.T) {
	text := []byte(`Recvd s= 's=1 s=0badcafe.3 t=17'<br/> s s= s=0badcafe.4 f=7 s=0badcafe.5 f=bob t=1700000000000000000000 s\u003d0badcafe.6 f\u003d9 t\u003d18 s=0badcafe.6 t=19`)
	want := allStamps(text)
	if len(want) != 4 {
		t.Fatalf("%d stamps in the text, want 4", len(want))
	}
	for a := range text {
		for b := a; b <= len(text); b++ {
			if got, _ := stampsInPieces([][]byte{text[:a], text[a:b], text[b:]}); !slices.Equal(got, want) {
				t.Fatalf("cut at %d and %d: %v, want %v", a, b, got, want)
			}
		}
	}
}

func TestRun(t *testing.T) {
	var r Run
	if err := r.UnmarshalText([]byte("0BadCafe")); err != nil || r.String() != "0badcafe" {
		t.Errorf("%v, %v", r, err)
	}
	if text, err := r.MarshalText(); err != nil || string(text) != "0badcafe" {
		t.Errorf("%s, %v", text, err)
	}
	for _, in := range []string{"", "badcafe", "00badcafe", "0badcafg", "0badcaf "} {
		if err := r.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}

func TestSequenceOf(t *testing.T) {
	seen := make(map[Sequence]string)
	for _, name := range []string{"", "0", "1", "01", "9223372036854775807", "9223372036854775808", "-1", "+1", "1.0", "alice", "Alice", "é", "xfe0b59c46c41d4d1"} {
		q := SequenceOf(name)
		if other, ok := seen[q]; ok || q == NoSequence {
			t.Errorf("%q and %q are one sequence, %x", name, other, uint64(q))
		}
		seen[q] = name
		got := allStamps(AppendStamped(nil, 1, Stamp{Sequence: q, N: 1, Due: 1700000000000000000}))
		if len(got) != 1 || got[0].Sequence != q {
			t.Errorf("%q comes back as %v, want %x", name, got, uint64(q))
		}
	}
}

func FuzzStamp(f *testing.F) {
	f.Add([]byte("a s=0badcafe.3 t=17 s=0badcafe.4 f=alice t=18"), []byte("'<br/>"), uint64(7), uint32(1), uint64(1), int64(1), uint64(1), "5")
	f.Add([]byte(" s"), []byte(" s="), uint64(0), uint32(math.MaxUint32), uint64(math.MaxUint64), int64(math.MaxInt64), uint64(2), "")
	f.Add([]byte(" s=0badcafe."+strings.Repeat("9", 30)), []byte("00"), uint64(0), uint32(0), uint64(0), int64(0), uint64(3), "é")
	f.Add([]byte(` s\u003d0badcafe.3 f&#x3D;`+strings.Repeat("9", 30)), []byte(" t%3d17"), uint64(0), uint32(0), uint64(0), int64(0), uint64(3), "x")
	f.Fuzz(func(t *testing.T, before, after []byte, num uint64, run uint32, n uint64, due int64, seed uint64, name string) {
		s := Stamp{Run: Run(run), Sequence: SequenceOf(name), N: 1 + n%MaxNumber, Due: 1e18 + (due&math.MaxInt64)%8e18}
		if alone, rest := stamps(AppendStamped(nil, num, s)); !slices.Equal(alone, []Stamp{s}) || len(rest) > 0 {
			t.Errorf("%v came back as %v, rest %q", s, alone, rest)
		}
		text := append(AppendStamped(bytes.Clone(before), num, s), after...)
		whole := allStamps(text)
		if !slices.Contains(whole, s) {
			t.Errorf("%q: %v is not among %v", text, s, whole)
		}
		got, kept := stampsInPieces(pieces(text, seed))
		if !slices.Equal(got, whole) {
			t.Errorf("%q: whole %v, in pieces %v", text, whole, got)
		}
		if kept >= MaxStamp {
			t.Errorf("%q: a reader keeps %d bytes, want less than %d", text, kept, MaxStamp)
		}
	})
}

func BenchmarkFindStamp(b *testing.B) {
	chunk := []byte("Recvd msg #12: 'Fake message Num = 12345 s=0badcafe.123 f=4711 t=1700000000000000000'<br/>")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := FindStamp(chunk); !ok {
			b.Fatal("no stamp")
		}
	}
}
