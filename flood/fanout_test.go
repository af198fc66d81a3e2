package flood

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.org/comet/server/wire"
)

// seen returns what a flood has of messages whose recipients had them after so long.
func seen(times map[uint64][]time.Duration) *fanOut {
	f := newFanOut()
	for n, all := range times {
		for _, d := range all {
			f.arrived(wire.Stamp{Run: 7, Sequence: 3, N: n}, d)
		}
	}
	return f
}

func TestFanOutIsTheMedianOverMessages(t *testing.T) {
	ms := func(list ...int) (all []time.Duration) {
		for _, n := range list {
			all = append(all, time.Duration(n)*time.Millisecond)
		}
		return all
	}
	r := seen(map[uint64][]time.Duration{1: ms(9, 1, 5), 2: ms(20, 2, 6), 3: ms(300, 30, 3)}).figures()
	if r.Messages != 3 || r.Share != 1 || r.First != 2 || r.Last != 20 {
		t.Errorf("%+v, want of 3 messages the first after 2 ms, the last after 20", r)
	}
	if math.Abs(r.P50-6) > 6*0.032 || r.P99 < 19 || r.P99 > 20 {
		t.Errorf("%+v, want p50 6 ms and p99 20, to 3 %%", r)
	}
	if r := seen(nil).figures(); r != nil {
		t.Errorf("of nothing: %+v", r)
	}
	// What came before it was due had no time.
	if r := seen(map[uint64][]time.Duration{1: {-time.Second, time.Hour}}).figures(); r.First != 0 || r.Last != 600_000 {
		t.Errorf("%+v, want from 0 to ten minutes", r)
	}
}

func TestBuckets(t *testing.T) {
	last := -1
	for us := uint32(0); int64(us) <= mostMicros; us += us/100 + 1 {
		b := bucketOf(us, fineBits)
		if b < last || b > last+1 || b >= allBuckets {
			t.Fatalf("%d us is in bucket %d, behind %d", us, b, last)
		}
		last = b
		if off := math.Abs(float64(middleOf(b, fineBits)) - float64(us)); off > float64(us)*0.032 {
			t.Fatalf("%d us reads as %d", us, middleOf(b, fineBits))
		}
	}
	if b := bucketOf(uint32(mostMicros), fineBits); b >= allBuckets {
		t.Errorf("bucket %d of %d", b, allBuckets)
	}
}

// TestFloodsFindTheSameMessages: whatever part of the recipients each flood has, their
// sum is what one flood would have seen.
func TestFloodsFindTheSameMessages(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, messages := range []int{1, 900, 5000} {
		whole := newFanOut()
		floods := []*fanOut{newFanOut(), newFanOut(), newFanOut()}
		for n := range messages {
			for range 20 {
				s, d := wire.Stamp{Run: 7, Sequence: wire.Sequence(n % 10), N: uint64(n/10) + 1}, time.Duration(random.Uint64N(uint64(time.Second)))
				whole.arrived(s, d)
				floods[random.IntN(1+n%len(floods))].arrived(s, d) // not each has all
			}
		}
		var parts []*FanOut
		for _, f := range append(floods, newFanOut()) {
			parts = append(parts, f.whole())
		}
		got, err := MergeFanOut(parts...)
		if err != nil {
			t.Fatal(err)
		}
		want := whole.whole()
		if want.Messages > mostMessages || messages > mostMessages && want.Messages < mostMessages/4 || messages <= mostMessages && want.Share != 1 {
			t.Errorf("of %d messages %d are kept, a share of %v", messages, want.Messages, want.Share)
		}
		if *got != *want {
			t.Errorf("%d messages, merged: %+v, want %+v", messages, *got, *want)
		}
	}
	if r, err := MergeFanOut(nil, new(FanOut)); r != nil || err != nil {
		t.Errorf("of nothing: %+v, %v", r, err)
	}
}

// TestSampleOfAFanOutIsALine: with times that are all over the place it is made
// smaller.
func TestSampleOfAFanOutIsALine(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	f := newFanOut()
	for range mostMessages {
		one := &spread{last: uint32(mostMicros), counts: make([]uint32, allBuckets)}
		for i := range one.counts {
			one.counts[i] = random.Uint32N(1 << 30)
			one.count += uint64(one.counts[i])
		}
		f.messages[random.Uint64()] = one
	}
	r := f.whole()
	if len(r.Sample) > mostText || r.Messages < 16 || r.Share == 1 {
		t.Errorf("%d bytes, %d messages, a share of %v", len(r.Sample), r.Messages, r.Share)
	}
	if again, err := MergeFanOut(r); err != nil || again.Messages != r.Messages || again.Last != r.Last {
		t.Errorf("%+v, %v", again, err)
	}
}

func TestArrivalsOfAFanOutDoNotAllocate(t *testing.T) {
	f := seen(map[uint64][]time.Duration{1: {time.Millisecond, time.Second}, 2: {time.Millisecond, time.Second}})
	if n := testing.AllocsPerRun(100, func() {
		for n := range uint64(3) {
			f.arrived(wire.Stamp{Run: 7, Sequence: 3, N: n%2 + 1}, 50*time.Millisecond)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzMergeFanOut(f *testing.F) {
	f.Add(seen(map[uint64][]time.Duration{1: {1, time.Second}, 2: {time.Hour}}).whole().Sample)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := MergeFanOut(&FanOut{Sample: text}, &FanOut{Sample: text})
		if err != nil || r == nil {
			return
		}
		if r.First > r.Last || !slices.IsSorted([]float64{0, r.First, r.Last}) {
			t.Errorf("%+v", r)
		}
	})
}

func BenchmarkFanOut(b *testing.B) {
	f := newFanOut()
	for n := 0; b.Loop(); n++ {
		f.arrived(wire.Stamp{Run: 7, Sequence: 3, N: uint64(n/10_000) + 1}, time.Duration(n%10_000)*time.Microsecond)
	}
}
