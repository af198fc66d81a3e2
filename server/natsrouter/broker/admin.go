//go:build !nonats

package broker

import (
	"example.org/comet/server/adminhttp"
)

// addPages adds what the admin listener answers.
func (b *Broker) addPages() {
	b.admin.AddPages(adminhttp.Pages{
		Ready:         b.ready,
		Stats:         func() any { return b.Stats() },
		Metrics:       func() []adminhttp.Metric { stats := b.Stats(); return stats.metrics() },
		Version:       b.cfg.Version,
		ResidentBytes: func() *int64 { return new(b.residentBytes()) },
		Collected:     func() { b.forced.Add(1) }, // so that a memory log that polls /stats can mark it
	})
}
