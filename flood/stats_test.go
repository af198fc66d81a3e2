package flood

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example.org/comet/server/wire"
)

// TestHistogramKeepsEveryValue: what is beyond its bounds counts as the bound.
func TestHistogramKeepsEveryValue(t *testing.T) {
	h := newHistogram()
	for _, d := range []time.Duration{math.MinInt64, -time.Second, 0, 1, time.Microsecond, time.Millisecond, 10 * time.Minute, time.Hour, math.MaxInt64} {
		record(h, d)
	}
	q := quantiles(h)
	if q.Count != 9 {
		t.Errorf("%d of 9 values were kept", q.Count)
	}
	tenMinutes := float64((10 * time.Minute).Milliseconds())
	if h.Min() != 1 || q.Max < tenMinutes || q.Max > tenMinutes*1.001 {
		t.Errorf("from %d us to %v ms, want 1 us to %v ms", h.Min(), q.Max, tenMinutes)
	}
	if q := quantiles(newHistogram()); q != nil {
		t.Errorf("of nothing: %+v", q)
	}
}

func TestQuantiles(t *testing.T) {
	h := newHistogram()
	for i := range 1000 {
		record(h, time.Duration(i+1)*time.Millisecond)
	}
	q := quantiles(h)
	for _, c := range []struct{ got, want float64 }{{q.P50, 500}, {q.P90, 900}, {q.P99, 990}, {q.P999, 999}, {q.Max, 1000}} {
		if c.got < c.want || c.got > c.want*1.001 {
			t.Errorf("%+v: %v, want %v or a thousandth more", q, c.got, c.want)
		}
	}
}

func TestSampleIsOfTheTimeSinceTheLast(t *testing.T) {
	cfg := Config{SampleInterval: time.Second}
	o := newObserver(&Flood{cfg: cfg})
	at := o.begun
	o.stamped(new(reading), wire.Stamp{N: 1, Due: at.UnixNano()}, at.Add(50*time.Millisecond))
	o.waited = 250 * time.Millisecond
	s := o.sample(at.Add(time.Second), true)
	if s.Latency == nil || s.Latency.Count != 1 || s.Latency.P50 < 50 || s.Busy == nil || *s.Busy != 0.75 || s.Elapsed != time.Second {
		t.Errorf("first sample: %+v, latency %+v, busy %v", s, s.Latency, s.Busy)
	}
	s = o.sample(at.Add(2*time.Second), true)
	if s.Latency != nil || *s.Busy != 1 {
		t.Errorf("nothing came, and it never waited: %+v, busy %v", s.Latency, *s.Busy)
	}
	if s = o.sample(at.Add(3*time.Second), false); s.Busy != nil {
		t.Errorf("busy is %v where it is not measured", *s.Busy)
	}
	// A wait cannot be longer than the interval, but the clock is read twice.
	o.waited = time.Hour
	if s = o.sample(at.Add(4*time.Second), true); *s.Busy != 0 {
		t.Errorf("busy is %v, want 0", *s.Busy)
	}
	if r := o.result(); r.Latency.Count != 1 || r.Delivered != 1 {
		t.Errorf("the result is of the whole run: %+v", r)
	}
}

func TestBottleneckIsToldOfWholeIntervals(t *testing.T) {
	cfg := Config{SampleInterval: 2 * time.Second}
	o := newObserver(&Flood{cfg: cfg})
	o.sample(o.begun.Add(time.Millisecond), true) // as at the end of connecting: says nothing
	if r := o.result(); r.Bottleneck != "" {
		t.Errorf("after a millisecond: %q", r.Bottleneck)
	}
	o.sample(o.begun.Add(2*time.Second), true)
	if r := o.result(); !strings.Contains(r.Bottleneck, "busy for 100 % of 2s") {
		t.Errorf("never waited in 2 s: %q", r.Bottleneck)
	}
}

func TestEmitNeverWaits(t *testing.T) {
	o := newObserver(&Flood{script: new(script)})
	o.allTried()
	for range cap(o.out) {
		o.emit(Sample{})
	}
	o.allTried()
	o.emit(Sample{}) // nobody reads: lost
	if len(o.out) != cap(o.out) {
		t.Fatalf("%d samples wait, want %d", len(o.out), cap(o.out))
	}
	if first := <-o.out; first.Connected == nil {
		t.Error("the first sample lacks the figures of connecting")
	}
	o.emit(Sample{})
	o.emit(Sample{})
	told := 0
	for range cap(o.out) {
		if s := <-o.out; s.Connected != nil {
			told++
		}
	}
	if told != 1 {
		t.Errorf("what a lost sample carried was told %d times by those after it, want once", told)
	}
}

func TestSampleInJSON(t *testing.T) {
	text, err := json.Marshal(Sample{Counts: Counts{Connected: 3, InFlight: 2}, Connected: &Result{}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got["connected"] != 3.0 || got["in_flight"] != 2.0 {
		t.Errorf("%s: connected must be the count", text)
	}
	for _, key := range []string{"missing", "unknown_tracks", "replayed", "before_due", "before_due_ms"} {
		if n, ok := got[key]; !ok || n != 0.0 {
			t.Errorf("%s: %s is %v, want 0", text, key, n)
		}
	}
	for _, key := range []string{"latency_ms", "busy"} {
		if _, ok := got[key]; ok {
			t.Errorf("%s: %s was not measured", text, key)
		}
	}
}

func TestMergeIsTheDistributionOfAll(t *testing.T) {
	all := newHistogram()
	var parts []*Quantiles
	for i := range 3 {
		h := newHistogram()
		for ms := 1; ms <= 100; ms++ {
			d := time.Duration(ms*(i+1)) * time.Millisecond
			record(h, d)
			record(all, d)
		}
		parts = append(parts, whole(h))
	}
	got, err := Merge(append(parts, nil, &Quantiles{Count: 1})...)
	if want := whole(all); err != nil || *got != *want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if none, err := Merge(nil, whole(newHistogram())); none != nil || err != nil {
		t.Errorf("of nothing: %+v, %v", none, err)
	}
	if _, err := Merge(&Quantiles{Histogram: "torn"}); err == nil {
		t.Error("a torn histogram is taken")
	}
	many := newHistogram()
	_ = many.RecordValues(1, math.MaxInt64) // in range
	for says, h := range map[string]*hdrhistogram.Histogram{
		"digits, which no flood writes": hdrhistogram.New(1, time.Hour.Microseconds(), 3),
		"and 5 digits":                  hdrhistogram.New(1, (10 * time.Minute).Microseconds(), 5),
		"which nobody has seen":         many,
	} {
		_ = h.RecordValue(7)
		if got, err := Merge(whole(all), whole(h)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v, %v, want that it says %q", got, err, says)
		}
	}
}
