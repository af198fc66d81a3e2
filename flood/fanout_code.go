package flood

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// The text of a sample is at most so long, in bytes, and what it unpacks to: with
// more messages it would be no line that others read.
const (
	mostText   = 256 << 10
	mostPacked = 4 << 20
)

var errSample = errors.New("it is no sample of a fan-out")

// whole returns the figures with the sample, which it makes smaller until it fits.
func (f *fanOut) whole() *FanOut {
	if f == nil {
		return nil
	}
	text := f.text()
	for len(text) > mostText {
		f.lower(f.limit / 2)
		text = f.text()
	}
	r := f.figures()
	if r != nil {
		r.Sample = text
	}
	return r
}

// text returns the sample: in base64 and deflated the limit and, for each message,
// its hash, first, last, and the counts of its buckets from the lowest, all but limit
// and hash as varints.
func (f *fanOut) text() string {
	b := binary.BigEndian.AppendUint64(nil, f.limit)
	for _, hash := range slices.Sorted(maps.Keys(f.messages)) {
		one := f.messages[hash]
		b = binary.BigEndian.AppendUint64(b, hash)
		for _, n := range []int{int(one.first), int(one.last), one.base, len(one.counts)} {
			b = binary.AppendUvarint(b, uint64(n))
		}
		for _, n := range one.counts {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil { // there is that level, and a buffer takes all
		return ""
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes())
}

// readFanOut reads the text of a sample.
func readFanOut(text string) (*fanOut, error) {
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errSample
	}
	all, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), mostPacked))
	if err != nil || len(all) < 8 {
		return nil, errSample
	}
	r := sampleReader{all}
	f := newFanOut()
	f.limit, _ = r.fixed()
	for len(r.b) > 0 {
		hash, one, ok := r.message()
		if !ok || len(f.messages) == mostMessages {
			return nil, errSample
		}
		f.messages[hash] = one
	}
	return f, nil
}

// sampleReader reads an unpacked sample.
type sampleReader struct{ b []byte }

func (r *sampleReader) fixed() (n uint64, ok bool) {
	if len(r.b) < 8 {
		return 0, false
	}
	n, r.b = binary.BigEndian.Uint64(r.b), r.b[8:]
	return n, true
}

// number reads a varint of at most a bound; ok becomes false if there is none.
func (r *sampleReader) number(most int64, ok *bool) int {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > uint64(most) {
		*ok = false
		return 0
	}
	r.b = r.b[size:]
	return int(n)
}

func (r *sampleReader) message() (hash uint64, one *spread, ok bool) {
	hash, ok = r.fixed()
	one = new(spread)
	one.first, one.last = uint32(r.number(mostMicros, &ok)), uint32(r.number(mostMicros, &ok))
	one.base = r.number(allBuckets, &ok)
	buckets := r.number(int64(allBuckets-one.base), &ok)
	if !ok || one.first > one.last {
		return 0, nil, false
	}
	one.counts = make([]uint32, buckets)
	for i := range one.counts {
		one.counts[i] = uint32(r.number(1<<31, &ok))
		one.count += uint64(one.counts[i])
	}
	return hash, one, ok && one.count > 0
}

// MergeFanOut returns the figures of several floods, each of which had some of the
// recipients and has a Sample, with their own; nil if none has.
func MergeFanOut(parts ...*FanOut) (*FanOut, error) {
	var sum *fanOut
	for _, part := range parts {
		if part == nil || part.Sample == "" {
			continue
		}
		f, err := readFanOut(part.Sample)
		if err != nil {
			return nil, fmt.Errorf("flood: a fan-out cannot be read: %w", err)
		}
		if sum == nil {
			sum = newFanOut()
		}
		sum.merge(f)
	}
	return sum.whole(), nil
}
