package series_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

func ExampleWriter() {
	var log strings.Builder
	w := series.NewWriter(&log)
	err := w.Write(series.Sample{
		Time:        time.Unix(1224518244, 0).In(time.FixedZone("BST", 3600)),
		RSSKB:       40388,
		Connections: series.Unknown,
		Fields:      []series.Field{{Key: "event", Value: "messages begin"}},
	})
	fmt.Println(strings.ReplaceAll(log.String(), "\t", "|"), err)

	samples, _, _ := series.ReadAll(strings.NewReader(log.String()), "mem.log")
	event, _ := samples[0].Field("event")
	fmt.Println(samples[0].Time.Unix(), samples[0].RSSKB, event)
	// Output:
	// Mon Oct 20 16:57:24 BST 2008|1224518244|40388|-|event=messages%20begin
	//  <nil>
	// 1224518244 40388 messages begin
}

func TestWriterLine(t *testing.T) {
	zone := time.FixedZone("BST", 3600)
	tests := []struct {
		name   string
		sample series.Sample
		millis bool
		want   string
	}{
		{"plain", series.Sample{Time: time.Unix(1224518244, 999e6).In(zone), RSSKB: 1, Connections: 2}, false, "Mon Oct 20 16:57:24 BST 2008\t1224518244\t1\t2\n"},
		{"millis", series.Sample{Time: time.Unix(1224518244, 7e6).In(zone), RSSKB: 0, Connections: 0}, true, "Mon Oct 20 16:57:24 BST 2008\t1224518244.007\t0\t0\n"},
		{"day padded as date does", series.Sample{Time: time.Unix(1223300000, 0).UTC(), RSSKB: 1, Connections: -5}, false, "Mon Oct  6 13:33:20 UTC 2008\t1223300000\t1\t-\n"},
		{"hostile zone", series.Sample{Time: time.Unix(1224518244, 0).In(time.FixedZone("a\tb\n", 0))}, false, "Mon Oct 20 15:57:24 a_b_ 2008\t1224518244\t0\t0\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log strings.Builder
			w := series.NewWriter(&log)
			w.Millis = tt.millis
			if err := w.Write(tt.sample); err != nil || log.String() != tt.want {
				t.Errorf("got %q, %v, want %q", log.String(), err, tt.want)
			}
		})
	}
}

func TestWriterRefuses(t *testing.T) {
	good := series.Sample{Time: time.Unix(1224518244, 0)}
	for name, s := range map[string]series.Sample{
		"zero time":    {},
		"far future":   {Time: time.Unix(1e12, 0)},
		"blank in key": {Time: good.Time, Fields: []series.Field{{"a b", "1"}}},
		"no key":       {Time: good.Time, Fields: []series.Field{{"", "1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			w := series.NewWriter(&log)
			if err := w.Write(s); err == nil || log.Len() != 0 {
				t.Errorf("error %v, written %q", err, log.String())
			}
			if err := w.Write(good); err != nil || !strings.HasPrefix(log.String(), good.Time.Format(time.UnixDate)) {
				t.Errorf("the next sample: error %v, written %q", err, log.String())
			}
		})
	}
}

func TestOpenAppend(t *testing.T) {
	const line = "Mon Oct 20 16:57:24 UTC 2008\t1224518244\t7\t8\n"
	s := series.Sample{Time: time.Unix(1224521844, 0).UTC().Add(-time.Hour), RSSKB: 7, Connections: 8}
	line1 := strings.Replace(line, "16:57", "15:57", 1)
	for name, before := range map[string]string{
		"new": "", "complete": "Mon\t1224518200\t1\t2\n", "torn": "Mon Oct 20 16:5",
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mem.log")
			if name != "new" {
				if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			w, err := series.OpenAppend(path)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := w.Write(s); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			want := before
			if name == "torn" {
				want += "\n"
			}
			want += line1 + line1
			if got, _ := os.ReadFile(path); string(got) != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if _, err := series.OpenAppend(filepath.Join(t.TempDir(), "no", "mem.log")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
}

// TestAppendBesideAnother has the file changed by others while a Writer appends
// to it.
func TestAppendBesideAnother(t *testing.T) {
	sample := series.Sample{Time: time.Unix(1224518244, 0).UTC(), RSSKB: 7, Connections: 8}
	const line = "Mon Oct 20 15:57:24 UTC 2008\t1224518244\t7\t8\n"
	path := filepath.Join(t.TempDir(), "mem.log")
	w, err := series.OpenAppend(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	other, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	want := ""
	steps := []struct {
		name   string
		change func() error
		want   string // what stands before the next line
	}{
		{"nothing", func() error { return nil }, ""},
		{"a line", func() error { _, err := other.WriteString("Mon\n"); return err }, "Mon\n"},
		{"a torn line", func() error { _, err := other.WriteString("Mon Oct"); return err }, "Mon Oct\n"},
		{"nothing again", func() error { return nil }, ""},
		{"copied and truncated", func() error { want = ""; return other.Truncate(0) }, ""},
		{"completed in time", func() error {
			_, err := other.WriteString("Mon")
			time.AfterFunc(2*time.Millisecond, func() { other.WriteString(" Oct\n") })
			return err
		}, "Mon Oct\n"},
	}
	for _, step := range steps {
		if err := step.change(); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(sample); err != nil {
			t.Fatal(err)
		}
		want += step.want + line
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			if step.name == "completed in time" && string(got) == strings.Replace(want, "Mon Oct\n"+line, "Mon\n"+line, 1) {
				t.Skip("this machine is too slow for the last step")
			}
			t.Fatalf("%s: %q, %v; want %q", step.name, got, err, want)
		}
	}
}

// fullDisk takes room bytes, then fails as a full disk does.
type fullDisk struct {
	room   int
	calls  int
	stored strings.Builder
}

func (d *fullDisk) Write(p []byte) (int, error) {
	d.calls++
	n := min(d.room, len(p))
	d.room -= n
	d.stored.Write(p[:n])
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func TestWriterSurvivesAFullDisk(t *testing.T) {
	sample := func(i int) series.Sample {
		return series.Sample{Time: time.Unix(1224518244+int64(i), 0).UTC(), RSSKB: 40388, Connections: int64(i)}
	}
	lineLen := len("Mon Oct 20 15:57:24 UTC 2008\t1224518244\t40388\t0\n")
	for _, room := range []int{0, 1, 10, lineLen - 1, lineLen, lineLen + 1} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			disk := &fullDisk{room: room}
			w := series.NewWriter(disk)
			for i := range 3 {
				err := w.Write(sample(i))
				if full := i > 0 || room < lineLen; full != errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("write %d with room for %d bytes: %v", i, room, err)
				}
			}
			disk.room = math.MaxInt
			for i := 3; i < 5; i++ {
				if err := w.Write(sample(i)); err != nil {
					t.Fatal(err)
				}
			}
			if disk.calls != 5 {
				t.Errorf("%d write calls for 5 samples", disk.calls)
			}
			samples, _, err := series.ReadAll(strings.NewReader(disk.stored.String()), "mem.log")
			if err != nil || len(samples) < 2 || !same(samples[len(samples)-2], sample(3)) || !same(samples[len(samples)-1], sample(4)) {
				t.Errorf("the samples after the disk had room again are not whole: %q", disk.stored.String())
			}
		})
	}
}

func TestWriterReportsAShortWrite(t *testing.T) {
	w := series.NewWriter(shortWriter{})
	if err := w.Write(series.Sample{Time: time.Unix(1224518244, 0)}); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
}

type shortWriter struct{}

func (shortWriter) Write(p []byte) (int, error) { return len(p) / 2, nil }

// TestArticlesAwk runs the article's awk program, word for word, on a log of
// this writer.
func TestArticlesAwk(t *testing.T) {
	awk, err := exec.LookPath("awk")
	if err != nil {
		t.Skip("awk is not on PATH")
	}
	path := filepath.Join(t.TempDir(), "mochimem.log")
	w, err := series.OpenAppend(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 40 {
		s := series.Sample{
			Time: time.Unix(1224518244+60*int64(i), 0), RSSKB: 40000 + int64(i), Connections: 10001,
			Fields: []series.Field{{"pid", "4711"}, {"event", "two words"}},
		}
		if err := w.Write(s); err != nil {
			t.Fatal(err)
		}
	}
	const program = `BEGIN{FS="\t";} NR%10==0 {if(!t){t=$2} mins=($2-t)/60; printf("%d %d\n",mins,$3)}`
	out, err := exec.CommandContext(t.Context(), awk, program, path).CombinedOutput()
	if want := "0 40009\n10 40019\n20 40029\n30 40039\n"; err != nil || string(out) != want {
		t.Errorf("awk printed %q (%v), want %q", out, err, want)
	}
}

// FuzzWriter checks that the reader gives back what was written, whatever
// stands in a value or names the zone.
func FuzzWriter(f *testing.F) {
	f.Add(int64(1224518244), int64(7e6), int64(40388), int64(1), "event", "two words", "BST")
	f.Add(int64(100000000), int64(999999999), int64(-1), int64(0), "a.b-c", "50%\t\n=\x00é", "a\tb")
	f.Fuzz(func(t *testing.T, sec, nsec, rss, connections int64, key, value, zone string) {
		s := series.Sample{
			Time:  time.Unix(sec, nsec).In(time.FixedZone(zone, 0)),
			RSSKB: max(rss, series.Unknown), Connections: max(connections, series.Unknown),
			Fields: []series.Field{{"first", value}, {key, value}},
		}
		if series.NewWriter(io.Discard).Write(s) != nil {
			t.Skip()
		}
		s.Time = s.Time.Truncate(time.Millisecond)
		if len(value)+len(zone) > 10<<10 {
			t.Skip("longer than a line may be")
		}
		if got := rewrite(t, s); !same(got, s) {
			t.Fatalf("wrote %+v, read %+v", s, got)
		}
	})
}
