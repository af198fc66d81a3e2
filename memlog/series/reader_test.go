package series_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"example.org/comet/memlog/series"
)

func TestReadAllTakesTheArticlesLogs(t *testing.T) {
	tests := map[string]struct {
		lines             int
		lastRSS, lastConn int64
		lastUnix          int64
	}{
		"article-connect.log": {8, 90964, 10001, 1224518691},
		"article-10min.log":   {15, 125360, 10001, 1224519145},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			samples, malformed, err := series.ReadAll(strings.NewReader(string(text)), name)
			if err != nil || len(malformed) != 0 || len(samples) != want.lines {
				t.Fatalf("%d samples, malformed %v, error %v; want %d samples", len(samples), malformed, err, want.lines)
			}
			first, last := samples[0], samples[len(samples)-1]
			if first.Time.Unix() != 1224518244 || first.RSSKB != 40388 || first.Connections != 1 {
				t.Errorf("first sample %+v", first)
			}
			if last.Time.Unix() != want.lastUnix || last.RSSKB != want.lastRSS || last.Connections != want.lastConn {
				t.Errorf("last sample %+v", last)
			}
		})
	}
}

func TestReadOneLine(t *testing.T) {
	const u = series.Unknown
	at := time.Unix(1224518244, 0)
	tests := []struct {
		name, line string
		want       series.Sample
	}{
		{"tabs", "Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t1", series.Sample{Time: at, RSSKB: 40388, Connections: 1}},
		{"CRLF", "Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t1\r", series.Sample{Time: at, RSSKB: 40388, Connections: 1}},
		{"ps pads", "Mon Oct 20 16:57:24 BST 2008\t1224518244\t 40388\t1", series.Sample{Time: at, RSSKB: 40388, Connections: 1}},
		{"ps found nothing", "Mon Oct 20 16:57:24 BST 2008\t1224518244\t\t1", series.Sample{Time: at, RSSKB: u, Connections: 1}},
		{"unknown", "Mon Oct 20 16:57:24 BST 2008\t1224518244\t-\t-", series.Sample{Time: at, RSSKB: u, Connections: u}},
		{"German", "Mo 20. Okt 16:57:24 CEST 2008 1224518244 40388 1", series.Sample{Time: at, RSSKB: 40388, Connections: 1}},
		{"Japanese", "2008年 10月 20日 月曜日 16:57:24 JST 1224518244 40388 1", series.Sample{Time: at, RSSKB: 40388, Connections: 1}},
		{"US 12 hours", "Mon 20 Oct 2008 04:57:24 PM BST 1224518244 40388 1", series.Sample{Time: at, RSSKB: 40388, Connections: 1}},
		{"ISO", "2008-10-20T16:57:24+01:00 1224518244 40388 1", series.Sample{Time: at, RSSKB: 40388, Connections: 1}},
		{"compact date", "20081020\t1224518244\t40388\t1", series.Sample{Time: at, RSSKB: 40388, Connections: 1}},
		{"no date", "1224518244 40388 1", series.Sample{Time: at, RSSKB: 40388, Connections: 1}},
		{"terabyte resident", "Mon Oct 20 16:57:24 BST 2008 1224518244 1100000000 1", series.Sample{Time: at, RSSKB: 1100000000, Connections: 1}},
		{"fraction", "x\t1224518244.25\t1\t2", series.Sample{Time: at.Add(250 * time.Millisecond), RSSKB: 1, Connections: 2}},
		{"nanoseconds and more", "x\t1224518244,1234567891\t1\t2", series.Sample{Time: at.Add(123456789), RSSKB: 1, Connections: 2}},
		{"fields, tabs", "x\t1224518244\t1\t2\tpid=7\tevent=a%20b%25\tempty=", series.Sample{
			Time: at, RSSKB: 1, Connections: 2,
			Fields: []series.Field{{"pid", "7"}, {"event", "a b%"}, {"empty", ""}},
		}},
		{"fields, spaces", "Mon Oct 20 16:57:24 BST 2008 1224518244 1 2 pid=7 url=/a?b=c", series.Sample{
			Time: at, RSSKB: 1, Connections: 2,
			Fields: []series.Field{{"pid", "7"}, {"url", "/a?b=c"}},
		}},
		{"a stray percent sign", "x\t1224518244\t1\t2\tcpu=5%\todd=%zz%2", series.Sample{
			Time: at, RSSKB: 1, Connections: 2,
			Fields: []series.Field{{"cpu", "5%"}, {"odd", "%zz%2"}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			samples, malformed, err := series.ReadAll(strings.NewReader(tt.line+"\n"), "mem.log")
			if err != nil || len(malformed) != 0 || len(samples) != 1 {
				t.Fatalf("samples %v, malformed %v, error %v", samples, malformed, err)
			}
			if !reflect.DeepEqual(samples[0], tt.want) {
				t.Errorf("got %+v, want %+v", samples[0], tt.want)
			}
		})
	}
}

func TestMalformedLinesAreRecords(t *testing.T) {
	lines := []struct{ line, msg string }{
		{"Mon Oct 20 16:57:24 BST 2008\t1224518244", "no unix time"},
		{"Mon Oct 20 16:57:24 BST 2008\t1224518244\t403", "no unix time"},
		{"Mon Oct 20 16:57:24 BST 2008 1224518244000 40388 1", "milliseconds"},
		{"Mon Oct 20 16:57:24 BST 2008\t1224518244\t4e4\t1", "kilobytes"},
		{"Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t-1", "connections"},
		{"Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t99999999999999999999", "connections"},
		{"Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t1\twords here", "not key=value"},
		{"Mon Oct 20 16:57:24 BST 2008\t1224518244\t40388\t1\t=5", "not key=value"},
		{"a=b c=d", "no unix time"},
		{"x 1224518244. 1 2", "no unix time"},
		{strings.Repeat("x", 1<<20), "longer than"},
	}
	var log strings.Builder
	for _, l := range lines {
		log.WriteString("\n# a comment\n" + l.line + "\n1224518244 1 2\n")
	}
	r := series.NewReader(iotest.HalfReader(strings.NewReader(log.String())), "mem.log")
	var good int
	var bad []*series.SyntaxError
	for r.Scan() {
		if e := r.Malformed(); e != nil {
			bad = append(bad, e)
			if e.Line != r.Line() || len(e.Text) > 130 {
				t.Errorf("record at line %d: %+v", r.Line(), e)
			}
			continue
		}
		good++
	}
	if r.Err() != nil || r.Torn() || good != len(lines) || len(bad) != len(lines) {
		t.Fatalf("%d good, %d bad, torn %v, error %v; want %d of each", good, len(bad), r.Torn(), r.Err(), len(lines))
	}
	for i, l := range lines {
		if bad[i].Line != 4*i+3 || !strings.Contains(bad[i].Msg, l.msg) {
			t.Errorf("line %d: got %v, want line %d and %q", i, bad[i], 4*i+3, l.msg)
		}
	}
	if got := bad[0].Error(); !strings.HasPrefix(got, "mem.log:3: ") {
		t.Errorf("Error() = %q", got)
	}
}

func TestLastLineWithoutNewlineIsNotTrusted(t *testing.T) {
	const log = "1224518244 1 2\n1224518245 1 20"
	r := series.NewReader(strings.NewReader(log), "mem.log")
	var n int
	for r.Scan() {
		n++
	}
	if n != 1 || !r.Torn() || r.Err() != nil {
		t.Errorf("%d records, torn %v, error %v; want 1, true, nil", n, r.Torn(), r.Err())
	}
	if r.Scan() {
		t.Error("Scan went on after the end")
	}
}

func TestReadErrorIsReported(t *testing.T) {
	broken := errors.New("the disk is gone")
	in := io.MultiReader(strings.NewReader("1224518244 1 2\n12245"), iotest.ErrReader(broken))
	samples, malformed, err := series.ReadAll(in, "mem.log")
	if len(samples) != 1 || len(malformed) != 0 || !errors.Is(err, broken) || !strings.Contains(err.Error(), "mem.log") {
		t.Errorf("samples %v, malformed %v, error %v", samples, malformed, err)
	}
}

func TestFieldsAndNumbers(t *testing.T) {
	s := series.Sample{Fields: []series.Field{{"cpu_s", "1.5"}, {"event", "-"}, {"odd", "NaN"}, {"cpu_s", "2"}}}
	if v, ok := s.Number("cpu_s"); !ok || v != 1.5 {
		t.Errorf("Number(cpu_s) = %v, %v", v, ok)
	}
	for _, key := range []string{"event", "odd", "missing"} {
		if v, ok := s.Number(key); ok {
			t.Errorf("Number(%s) = %v, want none", key, v)
		}
	}
	if v, ok := s.Field("event"); !ok || v != "-" {
		t.Errorf("Field(event) = %q, %v", v, ok)
	}
}

// FuzzReader checks that no input makes the reader panic, loop or lie: each
// line is accounted for once, and a sample that was read can be written and
// read again unchanged.
func FuzzReader(f *testing.F) {
	for _, name := range []string{"article-connect.log", "article-10min.log"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("x\t1224518244.5\t-\t\tpid=7\tevent=a%20b\r\n\n#c\n 1224518244 1"))
	f.Add([]byte("1224518244 1 2\r1224518240 1 2\r"))
	f.Add([]byte("\x00\x00\x001224518244 1 2\n\uFEFF1224518240 1 2\r\n"))
	f.Add(utf16Text("1224518244 1 2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := series.NewReader(strings.NewReader(string(data)), "fuzz")
		records, line := 0, 0
		for r.Scan() {
			records++
			if r.Line() <= line {
				t.Fatalf("line %d after line %d", r.Line(), line)
			}
			line = r.Line()
			if bad := r.Malformed(); bad != nil {
				continue
			}
			s := r.Sample()
			s.Time = s.Time.Truncate(time.Millisecond)
			if got := rewrite(t, s); !same(got, s) {
				t.Fatalf("wrote %+v, read %+v", s, got)
			}
		}
		if r.Back() < 0 {
			t.Fatalf("Back() = %v", r.Back())
		}
		lines, torn, ok := plainLines(data)
		if !ok {
			return
		}
		if r.Err() != nil || records > lines || r.Torn() != torn {
			t.Fatalf("%d records in %d lines, torn %v (want %v), error %v", records, lines, r.Torn(), torn, r.Err())
		}
	})
}

// plainLines counts the lines of a text in one byte per character, and reports
// whether it ends within one.
func plainLines(data []byte) (lines int, torn, ok bool) {
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	for _, magic := range []string{"\x1f", "\x28\xb5", "\xfd", "BZh", "PK", "\xff\xfe", "\xfe\xff", "\x89PNG", "%PDF", "\x7fELF"} {
		if bytes.HasPrefix(data, []byte(magic)) {
			return 0, false, false
		}
	}
	if bytes.IndexByte(data, 0) >= 0 || len(data) == 0 {
		return 0, false, len(data) == 0
	}
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 && data[i] == '\r' && (i+1 == len(data) || data[i+1] != '\n') {
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	}
	return bytes.Count(data, []byte("\n")), data[len(data)-1] != '\n', true
}

// rewrite sends a sample through a writer and a reader.
func rewrite(t *testing.T, s series.Sample) series.Sample {
	t.Helper()
	var log strings.Builder
	w := series.NewWriter(&log)
	w.Millis = true
	if err := w.Write(s); err != nil {
		t.Fatal(err)
	}
	samples, malformed, err := series.ReadAll(strings.NewReader(log.String()), "rewritten")
	if err != nil || len(malformed) != 0 || len(samples) != 1 || strings.Count(log.String(), "\n") != 1 {
		t.Fatalf("%q: samples %v, malformed %v, error %v", log.String(), samples, malformed, err)
	}
	return samples[0]
}

func same(a, b series.Sample) bool {
	return a.Time.Equal(b.Time) && a.RSSKB == b.RSSKB && a.Connections == b.Connections && slices.Equal(a.Fields, b.Fields)
}
