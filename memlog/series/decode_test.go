package series_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"example.org/comet/memlog/series"
)

// utf16Text is s in UTF-16, little-endian, without a byte order mark.
func utf16Text(s string) []byte { return wideText(s, binary.LittleEndian) }

func wideText(s string, order binary.AppendByteOrder) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, c)
	}
	return b
}

// encodings are the ways in which other programs write the text of a log.
var encodings = []struct {
	name   string
	encode func(string) string
}{
	{"plain", func(s string) string { return s }},
	{"CRLF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }},
	{"CR CR LF", func(s string) string { return strings.ReplaceAll(s, "\n", "\r\r\n") }},
	{"CR alone", func(s string) string { return strings.ReplaceAll(s, "\n", "\r") }},
	{"UTF-8 with a mark", func(s string) string { return "\uFEFF" + s }},
	{"a mark at each line, as of joined files", func(s string) string { return "\uFEFF" + strings.ReplaceAll(s, "\n1", "\n\uFEFF1") }},
	{"a mark, CRLF", func(s string) string { return "\uFEFF" + strings.ReplaceAll(s, "\n", "\r\n") }},
	{"UTF-16LE", func(s string) string { return string(wideText(s, binary.LittleEndian)) }},
	{"UTF-16BE", func(s string) string { return string(wideText(s, binary.BigEndian)) }},
	{"UTF-16LE with a mark", func(s string) string { return string(wideText("\uFEFF"+s, binary.LittleEndian)) }},
	{"UTF-16BE with a mark", func(s string) string { return string(wideText("\uFEFF"+s, binary.BigEndian)) }},
	{"UTF-16LE with a mark, CRLF, as of PowerShell", func(s string) string {
		return string(wideText("\uFEFF"+strings.ReplaceAll(s, "\n", "\r\n"), binary.LittleEndian))
	}},
	{"UTF-16LE, CR alone", func(s string) string {
		return string(wideText(strings.ReplaceAll(s, "\n", "\r"), binary.LittleEndian))
	}},
	{"NULs before it", func(s string) string { return strings.Repeat("\x00", 10) + s }},
	{"200 KB of NULs before it", func(s string) string { return strings.Repeat("\x00", 200_000) + s }},
	{"NULs within it", func(s string) string { return strings.ReplaceAll(s, "\n1", "\n\x00\x00\x001") }},
}

// TestEncodings reads one log in each encoding, in pieces of every kind.
func TestEncodings(t *testing.T) {
	const log = "1224518244 40388 1 event=größer𝄞\n1224518245 - 2\n\n# a comment\n1224518246 40390 3\n"
	want, _, err := series.ReadAll(strings.NewReader(log), "mem.log")
	if err != nil || len(want) != 3 {
		t.Fatal(want, err)
	}
	pieces := map[string]func(io.Reader) io.Reader{
		"whole": func(r io.Reader) io.Reader { return r },
		"bytes": iotest.OneByteReader,
		"half":  iotest.HalfReader,
		"error": iotest.DataErrReader,
	}
	for _, e := range encodings {
		for piece, in := range pieces {
			t.Run(e.name+"/"+piece, func(t *testing.T) {
				r := series.NewReader(in(strings.NewReader(e.encode(log))), "mem.log")
				var got []series.Sample
				for r.Scan() {
					if bad := r.Malformed(); bad != nil {
						t.Fatal(bad)
					}
					got = append(got, r.Sample())
				}
				if r.Err() != nil || r.Torn() || !reflect.DeepEqual(got, want) {
					t.Errorf("%+v, torn %v, %v; want %+v", got, r.Torn(), r.Err(), want)
				}
			})
			t.Run(e.name+"/"+piece+"/torn", func(t *testing.T) {
				r := series.NewReader(in(strings.NewReader(e.encode(log+"1224518247 1"))), "mem.log")
				n := 0
				for r.Scan() {
					n++
				}
				if r.Err() != nil || !r.Torn() || n != 3 {
					t.Errorf("%d samples, torn %v, %v", n, r.Torn(), r.Err())
				}
			})
		}
	}
}

// TestHalfACharacter: a text in UTF-16 that ends within a character ends within
// a line too.
func TestHalfACharacter(t *testing.T) {
	for _, tail := range []string{"1", "\x34\xd8", "\x34\xd81", "\x1e\xdd"} {
		r := series.NewReader(strings.NewReader(string(utf16Text("1224518244 1 2\n"))+tail), "mem.log")
		n := 0
		for r.Scan() {
			n++
		}
		if n != 1 || !r.Torn() || r.Err() != nil {
			t.Errorf("%q: %d records, torn %v, %v", tail, n, r.Torn(), r.Err())
		}
	}
}

// TestNotALog names what people hand to a program that reads logs.
func TestNotALog(t *testing.T) {
	for head, want := range map[string]string{
		"\x1f\x8b\x08\x00": "gzip", "\x28\xb5\x2f\xfd\x04": "zstd", "\xfd7zXZ\x00\x00": "xz", "BZh91AY": "bzip2",
		"PK\x03\x04\x14": "zip", "\xff\xfe\x00\x00M\x00\x00\x00": "UTF-32", "\x00\x00\xfe\xff\x00\x00": "UTF-32",
		"\x89PNG\r\n\x1a\n": "PNG", "%PDF-1.4\n": "PDF", "\x7fELF\x02\x01": "program",
	} {
		_, malformed, err := series.ReadAll(strings.NewReader(head+"1224518244 1 2\n"), "mem.log.1.gz")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "mem.log.1.gz") || len(malformed) > 0 {
			t.Errorf("%q: %v, %v", head, malformed, err)
		}
	}
	if _, _, err := series.ReadAll(openDir(t), "logs"); err == nil {
		t.Error("a directory was read as a log")
	}
	for _, empty := range []string{"", "\uFEFF", "\n", "#\n", "\x00"} {
		samples, malformed, err := series.ReadAll(strings.NewReader(empty), "mem.log")
		if len(samples)+len(malformed) > 0 || err != nil {
			t.Errorf("%q: %v, %v, %v", empty, samples, malformed, err)
		}
	}
}

func openDir(t *testing.T) io.Reader {
	t.Helper()
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestOddFigures: no text in a column becomes NaN, infinite, or a figure that
// overflows.
func TestOddFigures(t *testing.T) {
	for _, odd := range []string{
		"1e308", "1e3", "NaN", "nan", "Inf", "+Inf", "-Inf", "infinity", "-5", "+5", "0x10", "0b1", "0o7", "1_000", "1,000", "1.5",
		"9007199254740992000", "9223372036854775808", "99999999999999999999", "１２", "\u0661", "5\x00", "--",
	} {
		for column, line := range []string{"1224518244\t%s\t1\n", "1224518244\t1\t%s\n"} {
			samples, malformed, err := series.ReadAll(strings.NewReader("x\t"+fmt.Sprintf(line, odd)), "mem.log")
			if err != nil || len(samples) != 0 || len(malformed) != 1 {
				t.Errorf("%q in column %d: %v, %v, %v", odd, column, samples, malformed, err)
			}
		}
	}
	for value, want := range map[string]float64{"1.5": 1.5, "-3": -3, "+4": 4, "1e3": 1000, "00": 0, "999999999999999": 999999999999999} {
		if n, ok := (series.Field{Key: "k", Value: value}).Number(); !ok || n != want {
			t.Errorf("%q: %v, %v", value, n, ok)
		}
	}
	for _, value := range []string{"", "-", "NaN", "-nan", "Inf", "-Infinity", "1e308", "-1e308", "1e18", "1e999", "0x10", "0X1p4", "1_0", "1,5", "5%", "١"} {
		if n, ok := (series.Field{Key: "k", Value: value}).Number(); ok {
			t.Errorf("%q: %v", value, n)
		}
	}
}

// TestAClockThatStepsBack: samples stay in the order of the file.
func TestAClockThatStepsBack(t *testing.T) {
	r := series.NewReader(strings.NewReader("1224518244.5 1 1\n1224518244.5 1 2\n1224518240 1 3\nbad\n1224518239 1 4\n1224518300 1 5\n"), "mem.log")
	want := []time.Duration{0, 0, 4500 * time.Millisecond, 0, time.Second, 0}
	for i := 0; r.Scan(); i++ {
		if r.Back() != want[i] {
			t.Errorf("record %d: Back() = %v, want %v", i+1, r.Back(), want[i])
		}
		if bad := r.Malformed(); bad == nil && r.Sample().Connections != int64(i+1) && i < 3 {
			t.Errorf("record %d is %+v", i+1, r.Sample())
		}
	}
}

// FuzzDecode checks that a log reads the same in every encoding.
func FuzzDecode(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "article-connect.log"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("1224518244 1 2 event=𝄞\nbad\n")
	f.Fuzz(func(t *testing.T, log string) {
		for _, c := range log {
			if c == '\r' || c == 0 || c == 0xFFFD || c == 0xFEFF {
				t.Skip("a log of these is not the same in each encoding")
			}
		}
		log = "1224518244 1 2\n" + log // which each encoding is recognized by
		want, wantBad, err := series.ReadAll(strings.NewReader(log), "log")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range encodings {
			got, bad, err := series.ReadAll(iotest.HalfReader(strings.NewReader(e.encode(log))), "log")
			if err != nil || len(bad) != len(wantBad) || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %v, %v, %v; want %v", e.name, got, bad, err, want)
			}
		}
	})
}
