package flood

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example.org/comet/flood/users"
	"example.org/comet/server/wire"
)

// TestAddAddsEverything: no count is forgotten.
func TestAddAddsEverything(t *testing.T) {
	var one Counts
	fill := func(v reflect.Value) {
		for _, f := range v.Fields() {
			switch f.Kind() {
			case reflect.Int, reflect.Int64:
				f.SetInt(3)
			case reflect.Uint64:
				f.SetUint(3)
			case reflect.Float64:
				f.SetFloat(3)
			}
		}
	}
	fill(reflect.ValueOf(&one).Elem())
	fill(reflect.ValueOf(&one.Reconnect).Elem())
	sum := one
	sum.Add(one)
	check := func(v reflect.Value) {
		for i := range v.NumField() {
			name, got, want := v.Type().Field(i).Name, fmt.Sprint(v.Field(i).Interface()), "6"
			if name == "Reconnect" {
				continue
			}
			if name == "BeforeDueMS" {
				want = "3"
			}
			if got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
	}
	check(reflect.ValueOf(sum))
	check(reflect.ValueOf(sum.Reconnect))
}

// TestJoin: the distribution of several is that of all their messages.
func TestJoin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := newHistogram()
	var parts []Result
	for part := range 4 {
		h, sample := newHistogram(), newFanOut()
		for i := range 1000 * (part + 1) {
			d := time.Duration(20+random.IntN(180)) * time.Millisecond
			record(h, d)
			record(all, d)
			sample.arrived(wire.Stamp{Run: 1, Sequence: 1, N: uint64(i%10) + 1}, d)
		}
		parts = append(parts, Result{
			Counts: Counts{Delivered: uint64(1000 * (part + 1)), Connected: 10}, ConnectSeconds: float64(part), MessageSeconds: 9,
			Latency: whole(h), FirstByte: whole(h), FanOut: sample.whole(),
			Failures: map[string]uint64{"refused": 1, fmt.Sprint("kind", part): 2}, Statuses: map[int]uint64{503: 1},
		})
	}
	parts[2].Explanation, parts[3].Explanation, parts[1].Bottleneck = "one", "another", "itself"
	parts = append(parts, Result{Counts: Counts{Connected: 5}.Gone()}) // of one that was lost
	r, err := Join(parts...)
	if err != nil {
		t.Fatal(err)
	}
	want := whole(all)
	if *r.Latency != *want || r.FirstByte.Histogram != want.Histogram {
		t.Errorf("%+v, want %+v", r.Latency, want)
	}
	h, err := hdrhistogram.Decode([]byte(r.Latency.Histogram))
	if err != nil || h.TotalCount() != 10_000 {
		t.Errorf("%v, %v", h, err)
	}
	if r.Delivered != 10_000 || r.Connected != 40 || r.Closed != 5 || r.ConnectSeconds != 3 || r.MessageSeconds != 9 || r.Connect != nil || r.Offline != nil {
		t.Errorf("%+v", r)
	}
	if r.Failures["refused"] != 4 || r.Failures["kind3"] != 2 || r.Statuses[503] != 4 || r.Explanation != "one" || r.Bottleneck != "itself" {
		t.Errorf("%+v", r)
	}
	if r.FanOut == nil || r.FanOut.Messages != 10 || r.FanOut.First < 20 || r.FanOut.Last < 190 {
		t.Errorf("%+v", r.FanOut)
	}
	parts[0].Latency.Histogram = "rubbish"
	if _, err := Join(parts...); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("%v, want that it cannot be read", err)
	}
}

// streamsOf returns what each connection of c asks for: its id, or its URL.
func streamsOf(c Config) (list []string) {
	c = c.withDefaults()
	for i := range c.Connections {
		room := (c.Skip + i) / c.Subscribers
		if len(c.URLs) > 0 {
			list = append(list, c.URLs[room%len(c.URLs)])
			continue
		}
		list = append(list, fmt.Sprint(c.FirstID+int64(room)%(c.LastID-c.FirstID+1)))
	}
	return list
}

// TestPart: the parts open what the whole does.
func TestPart(t *testing.T) {
	table, err := users.Read(strings.NewReader("id\na\nb\nc\nd\ne\n"), "users")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]Config{
		"ids":          {URL: "http://h/{id}", Connections: 10},
		"ids from 5":   {URL: "http://h/{id}", FirstID: 5, LastID: 17},
		"rooms":        {URL: "http://h/{id}", Connections: 12, Subscribers: 4},
		"URLs":         {URLs: []string{"http://h/a", "http://h/b", "http://h/c"}, Connections: 7},
		"rooms of URL": {URLs: []string{"http://h/a", "http://h/b", "http://h/c"}, Subscribers: 3},
		"users":        {URL: "http://h/{id}", Users: table},
	} {
		whole := streamsOf(c)
		for _, cut := range []int{1, 3, len(whole) / 2, len(whole) - 1} {
			first, second := c.Part(0, cut), c.Part(cut, len(whole))
			for _, part := range []Config{first, second} {
				if err := part.Validate(); err != nil {
					t.Errorf("%s, cut at %d: %v", name, cut, err)
				}
			}
			if got := append(streamsOf(first), streamsOf(second)...); !reflect.DeepEqual(got, whole) {
				t.Errorf("%s, cut at %d: %v, want %v", name, cut, got, whole)
			}
		}
	}
	// Where the ids come round, each part has them all.
	c := Config{URL: "http://h/{id}", Connections: 10, FirstID: 1, LastID: 4}
	if got := streamsOf(c.Part(5, 10)); !reflect.DeepEqual(got, []string{"1", "2", "3", "4", "1"}) {
		t.Errorf("%v", got)
	}
}

func TestAtOnce(t *testing.T) {
	c := Config{Connections: 25, InFlight: 100, Behavior: Behavior{Ramp: "40:1s,100:2s"}}.AtOnce(100)
	if c.InFlight != 25 || c.Ramp != "10:1s,25:2s" {
		t.Errorf("%d in flight, ramp %s", c.InFlight, c.Ramp)
	}
	pace := Config{Connections: 25}
	pace.Pace.Events, pace.Pace.Per = 1000, time.Second
	if rate := pace.AtOnce(100).Pace.Rate(); rate != 250 {
		t.Errorf("%v connects per second", rate)
	}
	if c := (Config{Connections: 1}).AtOnce(100_000); c.InFlight != 1 || !c.Pace.Unpaced() {
		t.Errorf("%d in flight", c.InFlight)
	}
}

// TestClockOffset: it is taken out of the latency, and added to the time of a sample.
func TestClockOffset(t *testing.T) {
	cfg := Config{ClockOffset: -100 * time.Millisecond} // the clock is ahead
	o := newObserver(&Flood{cfg: cfg})
	at := o.begun
	o.stamped(new(reading), wire.Stamp{N: 1, Due: at.UnixNano()}, at.Add(150*time.Millisecond))
	s := o.sample(at.Add(time.Second), true)
	if s.Latency.Max != 50 || s.Elapsed != time.Second || !s.Time.Equal(at.Add(900*time.Millisecond)) {
		t.Errorf("latency %+v, %v after %v", s.Latency, s.Time, at)
	}
	o.stamped(new(reading), wire.Stamp{N: 1, Due: at.UnixNano()}, at.Add(50*time.Millisecond))
	if o.counts.BeforeDue != 1 || o.counts.BeforeDueMS != 50 {
		t.Errorf("%+v", o.counts)
	}
}

// TestHighestOfALap: it is not that of an earlier lap; over all laps it stays.
func TestHighestOfALap(t *testing.T) {
	o := newObserver(&Flood{})
	now := o.begun
	for range 3 {
		o.attempt(now)
	}
	o.late(-50 * time.Millisecond)
	if c := o.lap().Counts; c.BeforeDue != 1 || c.BeforeDueMS != 50 || c.Reconnect.PeakPerSecond != 3 {
		t.Errorf("the first lap: %+v", c)
	}
	if c := o.lap().Counts; c.BeforeDue != 0 || c.BeforeDueMS != 0 || c.Reconnect.PeakPerSecond != 0 {
		t.Errorf("the second lap: %+v", c)
	}
	o.late(-2 * time.Millisecond)
	o.attempt(now.Add(time.Minute))
	if c := o.lap().Counts; c.BeforeDueMS != 2 || c.Reconnect.PeakPerSecond != 1 {
		t.Errorf("the third lap: %+v", c)
	}
	if c := o.counts; c.BeforeDueMS != 50 || c.Reconnect.PeakPerSecond != 3 || c.BeforeDue != 2 {
		t.Errorf("in all: %+v", c)
	}
}
