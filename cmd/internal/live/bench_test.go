package live

import (
	"fmt"
	"testing"

	"example.org/comet/cmd/internal/result"
)

// BenchmarkAdd measures what one moment costs the run, of which there is one each second,
// without the writing to sockets.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{0, maxViewers} {
		b.Run(fmt.Sprintf("viewers=%d", n), func(b *testing.B) {
			s, err := New(Config{Address: "127.0.0.1:0"})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			var viewers []*viewer
			for range n {
				v, _, _ := s.join()
				viewers = append(viewers, v)
			}
			for i := 0; b.Loop(); i++ {
				s.Add(moment(float64(i), "messages"), result.Quantiles{})
				for _, v := range viewers {
					<-v.out
				}
			}
		})
	}
}
