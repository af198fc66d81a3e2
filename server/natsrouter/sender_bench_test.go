//go:build !nonats

package natsrouter

import (
	"testing"

	"example.org/comet/server/natsrouter/natstest"
)

// BenchmarkSender publishes as msggen --rate max does: in batches, settled every
// 4096 messages, to a server in this process.
func BenchmarkSender(b *testing.B) {
	s := natstest.Start(b, nil)
	sender, err := NewSender(Servers{URLs: []string{s.ClientURL()}})
	if err != nil {
		b.Fatal(err)
	}
	if err := sender.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	message := []byte("Fake message Num = 12345 s=0badf00d.12345 t=1700000000000000000")
	n := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		_ = sender.Send(n%15_000, message)
		if n++; n%256 == 0 {
			if err := sender.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		if n%4096 == 0 {
			if err := sender.Settle(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msgs/s")
	if err := sender.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
