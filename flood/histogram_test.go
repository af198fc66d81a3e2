package flood

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"io"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// packed returns the text of a histogram whose header and counts are plain.
func packed(tb testing.TB, plain []byte) string {
	tb.Helper()
	var body bytes.Buffer
	w := zlib.NewWriter(&body)
	if _, err := w.Write(plain); err != nil || w.Close() != nil {
		tb.Fatal(err)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(hdrhistogram.V2CompressedEncodingCookieBase)|0x10)
	head = binary.BigEndian.AppendUint32(head, uint32(body.Len()))
	return base64.StdEncoding.EncodeToString(append(head, body.Bytes()...))
}

// unpacked returns the header and the counts of a histogram.
func unpacked(tb testing.TB, h *hdrhistogram.Histogram) []byte {
	tb.Helper()
	text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil {
		tb.Fatal(err)
	}
	r, err := zlib.NewReader(bytes.NewReader(b[8:]))
	if err != nil {
		tb.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return plain
}

// FuzzMerge: distributions of others are added without loss, or refused.
func FuzzMerge(f *testing.F) {
	one := newHistogram()
	for _, d := range []time.Duration{0, time.Microsecond, time.Millisecond, time.Second, time.Hour} {
		record(one, d)
	}
	wide := hdrhistogram.New(1, math.MaxInt64, 2)
	_ = wide.RecordValue(math.MaxInt64) // in range
	many := newHistogram()
	_ = many.RecordValues(1, math.MaxInt64) // in range
	for _, h := range []*hdrhistogram.Histogram{one, newHistogram(), wide, many} {
		f.Add(unpacked(f, h), unpacked(f, one))
	}
	f.Add([]byte(nil), []byte("torn"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var parts []*Quantiles
		var count int64
		for _, plain := range [][]byte{a, b} {
			text := packed(t, plain)
			parts = append(parts, &Quantiles{Histogram: text})
			if h, err := hdrhistogram.Decode([]byte(text)); err == nil {
				count += h.TotalCount()
			}
		}
		sum, err := Merge(parts...)
		if err != nil || count == 0 {
			if sum != nil {
				t.Errorf("%d times are %+v, and %v", count, sum, err)
			}
			return
		}
		if sum == nil || sum.Count != count || !slices.IsSorted([]float64{0, sum.P50, sum.P90, sum.P99, sum.P999, sum.Max}) {
			t.Fatalf("%d times are %+v", count, sum)
		}
		if again, err := Merge(sum); count <= mostTimes && (err != nil || *again != *sum) {
			t.Errorf("%+v is read as %+v, %v", sum, again, err)
		}
	})
}
