package report

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// ofAnother are results that no comet of this version has written.
var ofAnother = []string{
	`{"schema":1}`, `{"schema":0}`, `{"schema":2}`, `{"schema":1,"later":{"a":[1]}}`, `null`, `[]`, `{"schema":1,"latency_ms":{"p50":1e308,"p90":-1,"p99":1e-308,"max":1.5}}`,
	`{"schema":1,"latency_ms":{"p50":"1"}}`, `{"schema":1,"limited_by":null,"processes":{"list":[{}]},"environment":{},"settings":{"rate":null,"x":[1,{"y":2}]},"notes":["a"]}`,
	`{"schema":1,"histograms":{"latency_us":"HISTFAAAAAA="},"targets":[{"expr":"p99<50ms","key":"latency_ms.p99","figure":1,"held":true}]}`,
	`{"schema":1,"connections":{"asked":1e300,"established":-5,"failed":0.5,"closed":9007199254740993},"messages":{"asked_per_second":0,"sent":1,"delivered":3,"missing":-2}}`,
}

// FuzzResult: what is read as a result can be written, read again, compared with itself
// without a change, and drawn; what is none is refused by the name of its file.
func FuzzResult(f *testing.F) {
	for _, name := range []string{"short", "quiet", "storm"} {
		r, _ := stories[name].tell()
		r.Schema = result.Schema
		text, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range ofAnother {
		f.Add([]byte(text))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(folder, result.FileName)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := result.Read(folder)
		if err != nil {
			if !strings.Contains(err.Error(), file) || !reflect.DeepEqual(r, result.Result{}) {
				t.Errorf("%q: %+v, %v", text, r, err)
			}
			return
		}
		if err := r.Write(folder); err != nil {
			t.Fatalf("%q cannot be written: %v", text, err)
		}
		again, err := result.Read(folder)
		if err != nil {
			t.Fatalf("%q is written and cannot be read: %v", text, err)
		}
		first, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		second, err := json.Marshal(&again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("it is\n%s and then\n%s, %v", first, second, err)
		}
		c, err := result.Compare(result.Runs{Name: "a", Results: []*result.Result{&r}}, result.Runs{Name: "b", Results: []*result.Result{&again}}, result.CompareConfig{Limit: result.Of(0.1)})
		if err != nil {
			t.Fatalf("it does not compare with itself: %v", err)
		}
		if len(c.Differences) > 0 {
			t.Errorf("it has other settings than itself: %v", c.Differences)
		}
		for _, change := range c.Figures {
			if change.Status != result.Same && change.Status != result.Unknown || change.Fails {
				t.Errorf("%s is %s against itself: %+v", change.Key, change.Status, change)
			}
		}
		for _, write := range []func(io.Writer) error{c.Table, c.Markdown, func(w io.Writer) error { return WriteComparison(w, c) }, r.Table, func(w io.Writer) error { return result.WriteBench(w, &r) }} {
			if err := write(io.Discard); err != nil {
				t.Error(err)
			}
		}
		checkPage(t, pageOf(t, &r, Extras{}))
	})
}

// checkPage checks what must hold of each page.
func checkPage(t *testing.T, page string) {
	t.Helper()
	for _, unwanted := range []string{"<script", "ZgotmplZ", `="NaN`, `="+Inf`, `="-Inf`, " NaN", " +Inf"} {
		if i := strings.Index(page, unwanted); i >= 0 {
			t.Errorf("the page has %.300s", page[max(0, i-200):])
		}
	}
}

// FuzzTimeline: what is read as a timeline can be written, read again and drawn, and its
// phases follow each other.
func FuzzTimeline(f *testing.F) {
	_, usual := stories["short"].tell()
	text, err := json.Marshal(usual)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, text := range []string{
		`{}`, `null`, `{"moments":null}`, `{"started":1e300,"moments":[{"seconds":-1,"phase":"x"},{"seconds":-5}]}`, `{"moments":[{"seconds":1,"phase":"messages","delivered_per_second":1e308,"cpu":{"server":-1}},{"seconds":1,"phase":"messages","delivered_per_second":0}]}`,
		`{"moments":[{"seconds":1,"latency_ms":{"p50":0,"p99":-3}},{"seconds":1e308,"latency_ms":{"p50":5}}]}`, `[`, `{"moments":[null,{}]}`,
	} {
		f.Add([]byte(text))
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(folder, result.TimelineFileName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		timeline, err := result.ReadTimeline(folder)
		if err != nil {
			if timeline != nil || !strings.Contains(err.Error(), result.TimelineFileName) || !strings.Contains(err.Error(), folder) {
				t.Errorf("%q: %+v, %v", text, timeline, err)
			}
			return
		}
		spans := timeline.Phases()
		for i, span := range spans {
			if i > 0 && (span.Phase == spans[i-1].Phase || span.From != spans[i-1].To) {
				t.Errorf("%q has the phases %+v", text, spans)
			}
		}
		if (len(spans) == 0) != (len(timeline.Moments) == 0) {
			t.Errorf("%q has %d moments and the phases %+v", text, len(timeline.Moments), spans)
		}
		if err := timeline.Write(folder); err != nil {
			t.Fatal(err)
		}
		again, err := result.ReadTimeline(folder)
		if err != nil || !reflect.DeepEqual(again, timeline) {
			t.Errorf("%q is %+v, and then %+v, %v", text, timeline, again, err)
		}
		r := new(result.Result)
		r.Messages.DeliveredPerSecond, r.Latency.ClockError = result.Of(1), result.Of(math.Pi)
		checkPage(t, pageOf(t, r, Extras{Timeline: timeline}))
	})
}
