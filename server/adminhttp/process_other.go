//go:build !linux

package adminhttp

import "time"

// ResidentBytes returns nil: the memory is unknown on this system.
func ResidentBytes() *int64 { return nil }

// CPUSeconds returns nil: the time is unknown on this system.
func CPUSeconds() *float64 { return nil }

// started is about when the process started.
var started = time.Now()

// processMetrics returns what can be known without asking the system.
func processMetrics() []Metric {
	return []Metric{Gauge("process_start_time_seconds", "When the process started, in unix seconds.", "", float64(started.UnixMilli())/1000)}
}
