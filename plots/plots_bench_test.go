package plots

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"example.org/comet/memlog/series"
)

// noisy is a log of n samples whose memory wanders, with the process named in
// every line as memlog does.
func noisy(n int) *Log {
	random := rand.New(rand.NewPCG(1, 2))
	log := &Log{Name: "noisy.log"}
	for i := range n {
		log.Add(series.Sample{
			Time:        time.Unix(1224518244+int64(i), random.Int64N(1e6)),
			RSSKB:       100_000 + random.Int64N(50_000),
			Connections: random.Int64N(10_000),
			Fields:      []series.Field{{Key: "pid", Value: "4711"}, {Key: "start", Value: "1224518000"}},
		})
	}
	return log
}

// BenchmarkDraw: 15 samples is the article's printed log, 144 what its graph
// of 24 hours was made of (every tenth minute).
func BenchmarkDraw(b *testing.B) {
	for _, format := range []string{PNG, SVG, PDF} {
		for _, n := range []int{15, 144, 1440, 1_000_000} {
			b.Run(fmt.Sprintf("format=%s/samples=%d", format, n), func(b *testing.B) {
				cfg := Config{Title: "Mem usage", Logs: []*Log{noisy(n)}}
				var size countingWriter
				b.ReportAllocs()
				for b.Loop() {
					size = 0
					if err := Draw(&size, format, cfg); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(size), "file-B")
			})
		}
	}
}

type countingWriter int

func (w *countingWriter) Write(p []byte) (int, error) {
	*w += countingWriter(len(p))
	return len(p), nil
}

var _ io.Writer = (*countingWriter)(nil)
