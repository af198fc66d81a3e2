package flood

import (
	"encoding/json"
	"errors"
	"math"
	"math/bits"
	"time"
)

// Times are counted in buckets, of which each doubling has 1 << fine: the lowest
// 2 << fine microseconds have one each. mostMicros is the longest time that is told
// from a longer one.
const mostMicros = int64(10 * time.Minute / time.Microsecond)

// bucketOf returns the bucket of a time.
func bucketOf(us uint32, fine int) int {
	shift := max(bits.Len32(us)-fine-1, 0)
	return shift<<fine + int(us>>shift)
}

// middleOf returns the time in the middle of a bucket.
func middleOf(bucket, fine int) uint32 {
	shift := max(bucket>>fine-1, 0)
	return uint32(bucket-shift<<fine)<<shift + (1<<shift)/2
}

// lastOf returns the longest time in a bucket.
func lastOf(bucket, fine int) uint32 {
	shift := max(bucket>>fine-1, 0)
	return uint32(bucket-shift<<fine+1)<<shift - 1
}

// spreadFine makes a bucket of a Spread 0.8 % wide, and spreadBuckets is how many
// buckets it then has up to mostMicros.
const (
	spreadFine    = 7
	spreadBuckets = (30 - spreadFine + 1) << spreadFine
)

// Spread is a distribution of times that is small enough to travel with each sample,
// and that can be added to others: those of several floods in one second, or those of
// one flood in several. A quantile of it is the truth or up to 0.8 % more, its longest
// time exact.
// The zero value is empty.
//
// In JSON it is a list of numbers: the longest time in microseconds, and then the
// number of each bucket that is not empty, less that of the one before, and its count.
type Spread struct {
	count uint64
	most  uint32
	// counts has spreadBuckets, or none while it is empty.
	counts []uint64
}

func (s *Spread) add(d time.Duration) {
	us := uint32(min(max(d.Microseconds(), 0), mostMicros))
	s.put(bucketOf(us, spreadFine), 1)
	s.most = max(s.most, us)
}

func (s *Spread) put(bucket int, n uint64) {
	if s.counts == nil {
		s.counts = make([]uint64, spreadBuckets)
	}
	s.counts[bucket] += n
	s.count += n
}

// Add adds the times of another.
func (s *Spread) Add(other *Spread) {
	for bucket, n := range other.counts {
		if n > 0 {
			s.put(bucket, n)
		}
	}
	s.most = max(s.most, other.most)
}

// Reset empties s.
func (s *Spread) Reset() {
	clear(s.counts)
	s.count, s.most = 0, 0
}

// Count returns how many times it has.
func (s *Spread) Count() uint64 { return s.count }

// Quantiles returns those of the times, nil if there are none.
func (s *Spread) Quantiles() *Quantiles {
	if s.count == 0 {
		return nil
	}
	at := func(share float64) float64 { return float64(s.at(share)) / 1000 }
	return &Quantiles{
		Count: int64(s.count), P50: at(0.5), P90: at(0.9), P99: at(0.99), P999: at(0.999), Max: float64(s.most) / 1000,
	}
}

// at returns the microseconds that a share of the times is within.
func (s *Spread) at(share float64) uint32 {
	rank := max(uint64(math.Ceil(share*float64(s.count))), 1)
	for bucket, n := range s.counts {
		if rank <= n {
			return min(lastOf(bucket, spreadFine), s.most)
		}
		rank -= n
	}
	return s.most
}

// MarshalJSON writes the list.
func (s *Spread) MarshalJSON() ([]byte, error) {
	list := []uint64{uint64(s.most)}
	last := 0
	for bucket, n := range s.counts {
		if n > 0 {
			list = append(list, uint64(bucket-last), n)
			last = bucket
		}
	}
	return json.Marshal(list)
}

var errSpread = errors.New("flood: it is no distribution of times")

// mostTimes bounds how many times a Spread from outside may have, so that thousands of
// them can be added.
const mostTimes = 1 << 48

// UnmarshalJSON reads the list as MarshalJSON writes it: what no times can have left is
// none.
func (s *Spread) UnmarshalJSON(text []byte) error {
	var list []uint64
	if err := json.Unmarshal(text, &list); err != nil || len(list)%2 == 0 || list[0] > uint64(mostMicros) {
		return errSpread
	}
	*s = Spread{}
	most := uint32(list[0])
	bucket, highest := uint64(0), uint64(bucketOf(most, spreadFine))
	for i := 1; i < len(list); i += 2 {
		step, n := list[i], list[i+1]
		if step > highest-bucket || step == 0 && i > 1 || n == 0 || n > mostTimes-s.count {
			return errSpread
		}
		bucket += step
		s.put(int(bucket), n)
	}
	if s.count > 0 && bucket != highest || s.count == 0 && most > 0 {
		return errSpread // the longest time is one of them
	}
	s.most = most
	return nil
}
