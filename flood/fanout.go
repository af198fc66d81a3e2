package flood

import (
	"maps"
	"math"
	"slices"
	"time"

	"example.org/comet/server/wire"
)

// FanOut is how long after a message was due the connections of its id had it, in
// milliseconds: the median over messages of their first recipient's time, of the
// median and the 99th percentile over their recipients, and of the last one's. A
// recipient that a message did not come to is in none of them, and what came before
// it was due counts as 0.
type FanOut struct {
	// Messages is how many are in these figures: all that came, or a sample of them
	// that is drawn by their numbers. Share is the part of all that is drawn, 1 or a
	// power of 1/2.
	Messages int     `json:"messages"`
	Share    float64 `json:"share"`
	First    float64 `json:"first"`
	P50      float64 `json:"p50"`
	P99      float64 `json:"p99"`
	Last     float64 `json:"last"`
	// Sample has the times of each message: only a result at the end of a run has
	// it. MergeFanOut joins those of floods that each had some of the recipients.
	Sample string `json:"sample,omitempty"`
}

// mostMessages bounds how many messages a flood keeps the times of. The times of one
// take a few hundred bytes.
const mostMessages = 1024

// fanOut keeps the times of each message's recipients, for a sample of the messages.
// A hash of a message alone decides whether it is in the sample, so that floods which
// each see some of the recipients choose the same ones: those with a hash below a
// limit, which is halved whenever there are too many.
type fanOut struct {
	limit    uint64
	messages map[uint64]*spread // by hash
	// newest is the one that was found last: the recipients of a message mostly get
	// it one after the other.
	newest *spread
	hash   uint64
}

func newFanOut() *fanOut {
	return &fanOut{limit: math.MaxUint64, messages: make(map[uint64]*spread)}
}

// hashOf spreads the messages over all numbers, as every flood does.
func hashOf(s wire.Stamp) uint64 {
	return mixed(mixed(uint64(s.Sequence)+uint64(s.Run)<<32) + s.N)
}

// arrived takes a message that came so long after it was due.
func (f *fanOut) arrived(s wire.Stamp, d time.Duration) {
	hash := hashOf(s)
	if hash >= f.limit {
		return
	}
	if f.newest == nil || hash != f.hash {
		if f.newest, f.hash = f.of(hash), hash; f.newest == nil {
			return
		}
	}
	f.newest.add(uint32(min(max(d.Microseconds(), 0), mostMicros)))
}

// of returns the times of a message, which may be new; nil if it is not in the sample
// any more.
func (f *fanOut) of(hash uint64) *spread {
	one := f.messages[hash]
	if one == nil {
		one = new(spread)
		f.messages[hash] = one
		for len(f.messages) > mostMessages {
			f.lower(f.limit / 2)
		}
		one = f.messages[hash]
	}
	return one
}

// lower takes messages out of the sample.
func (f *fanOut) lower(limit uint64) {
	f.limit = min(f.limit, limit)
	maps.DeleteFunc(f.messages, func(hash uint64, _ *spread) bool { return hash >= f.limit })
	f.newest = nil
}

// merge adds what another flood has seen: the sample becomes the smaller one of both.
func (f *fanOut) merge(other *fanOut) {
	f.lower(other.limit)
	for hash, one := range other.messages {
		if hash >= f.limit {
			continue
		}
		if sum := f.of(hash); sum != nil {
			sum.merge(one)
		}
	}
}

// figures returns the medians over the messages, nil if there are none.
func (f *fanOut) figures() *FanOut {
	if f == nil || len(f.messages) == 0 {
		return nil
	}
	all := slices.Collect(maps.Values(f.messages))
	median := func(of func(*spread) uint32) float64 {
		list := make([]uint32, len(all))
		for i, one := range all {
			list[i] = of(one)
		}
		slices.Sort(list)
		return float64(list[(len(list)-1)/2]) / 1000
	}
	return &FanOut{
		Messages: len(all), Share: math.Ldexp(float64(f.limit), -64),
		First: median(func(s *spread) uint32 { return s.first }),
		P50:   median(func(s *spread) uint32 { return s.quantile(0.5) }),
		P99:   median(func(s *spread) uint32 { return s.quantile(0.99) }),
		Last:  median(func(s *spread) uint32 { return s.last }),
	}
}

// spread is the times of one message's recipients, in microseconds. The first and the
// last are exact; in between it counts them in buckets, of which there are 16 for each
// doubling.
type spread struct {
	count       uint64
	first, last uint32
	base        int // the bucket of counts[0]
	counts      []uint32
}

const (
	fineBits = 4 // of the buckets within a doubling
	grain    = 1 << fineBits
	// allBuckets is how many there are up to mostMicros.
	allBuckets = (30 - fineBits + 1) << fineBits
)

// add adds one recipient's time.
func (s *spread) add(us uint32) {
	bucket := bucketOf(us, fineBits)
	s.reach(bucket)
	s.counts[bucket-s.base]++
	s.bound(1, us, us)
}

// merge adds other recipients of the same message.
func (s *spread) merge(other *spread) {
	if other.count == 0 {
		return
	}
	s.reach(other.base)
	s.reach(other.base + len(other.counts) - 1)
	for i, n := range other.counts {
		s.counts[other.base-s.base+i] += n
	}
	s.bound(other.count, other.first, other.last)
}

// bound takes so many recipients more, with their first and last times.
func (s *spread) bound(count uint64, first, last uint32) {
	if s.count == 0 {
		s.first = first
	}
	s.count += count
	s.first, s.last = min(s.first, first), max(s.last, last)
}

// reach makes room for a bucket, with some beside it.
func (s *spread) reach(bucket int) {
	if i := bucket - s.base; i >= 0 && i < len(s.counts) {
		return
	}
	from, to := bucket, bucket+1
	if len(s.counts) > 0 {
		from, to = min(from, s.base), max(to, s.base+len(s.counts))
	}
	from, to = from/grain*grain, (to+grain-1)/grain*grain
	counts := make([]uint32, to-from)
	if len(s.counts) > 0 {
		copy(counts[s.base-from:], s.counts)
	}
	s.base, s.counts = from, counts
}

// quantile returns the time that a share of the recipients had it within, to 3 %.
func (s *spread) quantile(share float64) uint32 {
	rank := max(uint64(math.Ceil(share*float64(s.count))), 1)
	for i, n := range s.counts {
		if rank <= uint64(n) {
			return min(max(middleOf(s.base+i, fineBits), s.first), s.last)
		}
		rank -= uint64(n)
	}
	return s.last
}
