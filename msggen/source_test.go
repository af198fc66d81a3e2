package msggen

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.org/comet/flood/pace"
)

// drawIDs draws n ids of a source of config.
func drawIDs(config Config, n int) []int64 {
	s := newSource(config.withDefaults(), 0)
	ids := make([]int64, 0, n)
	for len(ids) < n {
		for _, it := range s.draw(uint64(n - len(ids))) {
			ids = append(ids, it.id)
		}
	}
	return ids
}

// TestSendersDiffer is against the article's trap: all its senders shared one
// random sequence, so each wave of messages went to one id.
func TestSendersDiffer(t *testing.T) {
	const senders, each = 100, 50
	for _, shape := range []Shape{Uniform, Zipf} {
		draw := func(seed uint64) [][]int64 {
			config := Config{Senders: senders, MaxID: 1_000_000, Seed: seed, Distribution: Distribution{Shape: shape, Exponent: 0.2}}
			sequences := make([][]int64, senders)
			for i, id := range drawIDs(config, senders*each) {
				sequences[i%senders] = append(sequences[i%senders], id)
			}
			return sequences
		}
		first, again, other := draw(7), draw(7), draw(8)
		same := 0
		for i := range first {
			if !slices.Equal(first[i], again[i]) {
				t.Fatalf("%s: sender %d sends differently with the same seed", shape, i)
			}
			for j := range first {
				for k := range first[i] {
					if first[i][k] == other[j][k] || i != j && first[i][k] == first[j][k] {
						same++
					}
				}
			}
		}
		// Nearly a million pairs of draws from a million ids: two or so are alike.
		if same > 20 {
			t.Errorf("%s: %d pairs of draws are alike, between senders and seeds", shape, same)
		}
	}
}

// TestSizesAndArrivalsLeaveTheIDsAlone: a seed means the same ids.
func TestSizesAndArrivalsLeaveTheIDsAlone(t *testing.T) {
	base := Config{Senders: 3, MaxID: 1000, Seed: 9}
	sized := base
	sized.Size = Size{Shape: Uniform, Max: 100}
	if !slices.Equal(drawIDs(base, 1000), drawIDs(sized, 1000)) {
		t.Error("with sizes drawn, the ids are others")
	}
}

// one makes one message of a source.
func one(s *source, due int64) string {
	items := s.draw(1)
	s.number(items)
	return string(s.write(&items[0], due))
}

func TestSizeFillsBehindTheStamp(t *testing.T) {
	config := Config{Senders: 1, FirstID: 1, MaxID: 1}
	bare := len(one(newSource(config, 1), 1e18))
	sizes := []int{5000, maxSize}
	for size := range bare + 5 {
		sizes = append(sizes, size)
	}
	for _, size := range sizes {
		config.Size = Size{Bytes: size}
		message := one(newSource(config, 1), 1e18)
		if len(message) != max(size, bare) {
			t.Errorf("with size %d a message has %d bytes: %.200q", size, len(message), message)
		}
		if got := stampOf(t, message); got.num != 1 || got.n != 1 || got.due != 1e18 || got.run != "00000001" {
			t.Errorf("with size %d the message reads %+v", size, got)
		}
	}
}

// run has a generator of config send to a recorder.
func messagesOf(t *testing.T, config Config) []received {
	t.Helper()
	sender := &recorder{}
	config.Sender = sender
	mustRun(t.Context(), t, config)
	return sender.messages
}

func TestSizesFollowTheirDistribution(t *testing.T) {
	for _, m := range messagesOf(t, Config{MaxID: 3, Max: true, Count: 500, Size: Size{Shape: Uniform, Min: 200, Max: 210}}) {
		if len(m.message) < 200 || len(m.message) > 210 {
			t.Fatalf("a message has %d bytes, want 200 to 210", len(m.message))
		}
	}
	const n = 100_000
	random := rand.NewPCG(1, 1)

	// 11 sizes: 10 degrees of freedom, of which chi-square exceeds 29.6 once in
	// a thousand seeds. The seed is fixed.
	uniformly := Size{Shape: Uniform, Min: 50, Max: 60}
	seen := make([]float64, 11)
	for range n {
		seen[uniformly.draw(random)-50]++
	}
	if chi := chiSquare(seen, func(int) float64 { return n / 11.0 }); chi > 29.6 {
		t.Errorf("chi-square is %.1f for uniform sizes %v", chi, seen)
	}

	// P(size >= x) = e^(-(x-1/2)/mean), held against the draws by Kolmogorov and
	// Smirnov, whose limit is on the safe side where values come in steps.
	const mean = 200
	exponentially := Size{Shape: Exponential, Bytes: mean}
	counts := map[int]int{}
	for range n {
		counts[exponentially.draw(random)]++
	}
	distance, below := 0.0, 0
	for size := range 20 * mean {
		p := 1 - math.Exp(-max(0, float64(size)-0.5)/mean)
		distance = max(distance, math.Abs(p-float64(below)/n))
		below += counts[size]
	}
	if limit := 1.95 / math.Sqrt(n); distance > limit {
		t.Errorf("exponential sizes are %.5f away from their formula, above %.5f", distance, limit)
	}
}

// TestArrivalsReachTheMessages looks at the dues in the stamps.
func TestArrivalsReachTheMessages(t *testing.T) {
	config := Config{MaxID: 3, Rate: 20_000, Count: 1000, Seed: 3}
	pacer := pace.Pacer{Events: 20_000, Per: time.Second}
	ramp, err := pace.NewRamp(1000, 20_000, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	poisson, err := pace.Poisson(20_000, rand.NewPCG(3, streamArrivals))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		arrivals Arrivals
		want     pace.Moments
	}{
		{Arrivals{Shape: Constant}, pace.Of(pacer)},
		{Arrivals{Shape: Bursts, Burst: 30}, pace.Of(pace.Bursts{Pacer: pacer, Size: 30})},
		{Arrivals{Shape: Bursts}, pace.Of(pace.Bursts{Pacer: pacer, Size: DefaultBurst})},
		{Arrivals{Shape: Ramp, From: 1000, Over: 50 * time.Millisecond}, pace.Of(ramp)},
		{Arrivals{Shape: Poisson}, poisson},
	} {
		config.Arrivals = test.arrivals
		messages := messagesOf(t, config)
		if len(messages) != 1000 {
			t.Errorf("%+v: %d messages, want 1000", test.arrivals, len(messages))
		}
		// The start is known by the first message.
		start := stampOf(t, messages[0].message).due - int64(test.want())
		for i, m := range messages[1:] {
			if got, want := stampOf(t, m.message).due-start, int64(test.want()); got != want {
				t.Fatalf("%+v: message %d is due after %v, want %v", test.arrivals, i+1, time.Duration(got), time.Duration(want))
			}
		}
	}
}

// TestDurationEndsPoisson: how many there are is up to chance, when the last
// one is due is not.
func TestDurationEndsPoisson(t *testing.T) {
	config := Config{MaxID: 3, Rate: 20_000, Duration: 50 * time.Millisecond, Seed: 3, Arrivals: Arrivals{Shape: Poisson}}
	next, err := pace.Poisson(20_000, rand.NewPCG(3, streamArrivals))
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for next() < config.Duration {
		want++
	}
	if got := len(messagesOf(t, config)); got != want {
		t.Errorf("%d messages, want the %d that are due before the end", got, want)
	}
}

func TestGeneratingAllocatesNothing(t *testing.T) {
	for _, d := range distributions {
		s := newSource(Config{Senders: 100, FirstID: 1, MaxID: 1000, Seed: 1, Distribution: d, Size: Size{Shape: Exponential, Bytes: 200}}, 1)
		if allocs := testing.AllocsPerRun(1000, func() {
			items := s.draw(10)
			s.number(items)
			for i := range items {
				s.write(&items[i], 1e18)
			}
		}); allocs > 0.1 { // a buffer may grow for a size that was not seen before
			t.Errorf("%+v: ten messages cost %v allocations", d, allocs)
		}
	}
}

var distributions = []Distribution{
	{Shape: Uniform},
	{Shape: Zipf, Exponent: 0.8},
	{Shape: Zipf, Exponent: 1},
	{Shape: Zipf, Exponent: 1.5},
	{Shape: Hot},
	{Shape: Sequential},
}

// discard takes messages and drops them.
type discard struct{ sent uint64 }

func (d *discard) Open(context.Context) error   { return nil }
func (d *discard) Send(int64, []byte) error     { d.sent++; return nil }
func (d *discard) Flush(context.Context) error  { return nil }
func (d *discard) Settle(context.Context) error { return nil }
func (d *discard) Receipt() Receipt             { return Receipt{Sent: d.sent} }
func (d *discard) Close(context.Context) error  { return nil }

// BenchmarkGenerate runs a whole generator, whose sender drops the messages. It
// reports messages per second of processor time, as getrusage(2) counts it.
func BenchmarkGenerate(b *testing.B) {
	for _, ids := range []int64{10_000, 2_000_000} {
		for _, d := range distributions {
			name := fmt.Sprintf("distribution=%s/ids=%d", d.Shape, ids)
			if d.Shape == Zipf {
				name = fmt.Sprintf("distribution=%s:%v/ids=%d", d.Shape, d.Exponent, ids)
			}
			b.Run(name, func(b *testing.B) {
				g, err := New(Config{
					Sender: &discard{}, Senders: 100, MaxID: ids, Seed: 1, Distribution: d,
					Max: true, Count: uint64(b.N+99) / 100,
				})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.ResetTimer()
				before := cpuTime(b)
				result, err := g.Run(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				spent := cpuTime(b) - before
				b.ReportMetric(float64(result.Sent)/spent.Seconds(), "msgs/cpu-s")
			})
		}
	}
}
